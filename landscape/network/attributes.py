"""What the modules of a model keep besides parameters and buffers, put back as it was.

Moving averages as plain tensors, counters, lists that grow, generators of one's own: a forward
pass may change any of them, and torch knows of none.
"""

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import repeat
from operator import is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# What every module has: parameters, buffers, modules and modes have other keepers.
_STANDARD = frozenset(vars(nn.Module()))

_MISSING = object()

Reset = Callable[[], object]


class Attributes:
    """The plain attributes of a model's modules, and what tensors and containers in them hold.

    Numbers, strings and other objects are kept by identity; tensors, arrays, lists, dicts, sets,
    queues and generators, also within each other, with what they hold. What an object of another
    class holds is not seen.

    Args:
        model: the model.
        moves_along: whether a tensor shares the memory of what is moved on purpose; it is then not
            put back.
    """

    def __init__(self, model: nn.Module, moves_along: Callable[[Tensor], bool]) -> None:
        self._owners = {module: _Owner(vars(module)) for module in model.modules()}
        seen: set[int] = set()
        self._resets: list[Reset] = []
        for owner in self._owners.values():
            self._resets += _resets(owner.kept.values(), seen, moves_along)

    @torch.no_grad()
    def reset(self, but: Collection[nn.Module] = ()) -> None:
        """Put every attribute back: the same objects, and the same values in them.

        Args:
            but: modules whose attributes stay the objects that they are now.
        """
        for module, owner in self._owners.items():
            if owner.changed and module not in but:
                owner.reset()
        for each in self._resets:
            each()


class _Owner:
    """The plain attributes of one module."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self._attributes = attributes
        self._size = len(attributes)
        self.kept = {n: v for n, v in attributes.items() if n not in _STANDARD}
        self._names, self._values = list(self.kept), list(self.kept.values())

    @property
    def changed(self) -> bool:
        # At each chunk, for each module: in as few steps of Python as can be.
        found = self._attributes
        same = map(is_, map(found.get, self._names, repeat(_MISSING)), self._values)
        return len(found) != self._size or not all(same)

    def reset(self) -> None:
        for name in [n for n in self._attributes if n not in _STANDARD and n not in self.kept]:
            del self._attributes[name]
        self._attributes.update(self.kept)


def _resets(
    values: Iterable[Any], seen: set[int], moves_along: Callable[[Tensor], bool]
) -> Iterator[Reset]:
    """For everything in ``values`` that can change without being replaced, how to put it back."""
    for value in values:
        if id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case nn.Parameter() | nn.Module():
                pass
            case Tensor():
                if writable(value) and not moves_along(value):
                    yield _tensor(value)
            case np.ndarray():
                if value.dtype != object and value.flags.writeable:
                    yield _array(value)
            case list() | deque():
                yield _sequence(value)
                yield from _resets(value, seen, moves_along)
            case dict():
                yield _mapping(value)
                yield from _resets(value.values(), seen, moves_along)
            case set():
                yield _set(value)
            case tuple():
                yield from _resets(value, seen, moves_along)
            case torch.Generator():
                yield _generator(value)
            case np.random.Generator():
                yield _bits(value.bit_generator)
            case np.random.RandomState():
                yield _random_state(value)
            case random.Random():
                yield _random(value)


def writable(tensor: Tensor) -> bool:
    """Whether values can be written into a tensor: it has a memory, and one place an element.

    Args:
        tensor: any tensor.

    Returns:
        False for sparse, nested and expanded ones, those without values, and those of inference.
    """
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_nested:
        return False
    pairs = zip(tensor.stride(), tensor.shape, strict=True)
    return not tensor.is_inference() and all(stride != 0 or size <= 1 for stride, size in pairs)


def _tensor(tensor: Tensor) -> Reset:
    live, kept = tensor.detach(), tensor.detach().clone()
    return lambda: live.copy_(kept)


def _array(array: np.ndarray[Any, Any]) -> Reset:
    kept = array.copy()
    return lambda: np.copyto(array, kept)


def _sequence(sequence: Any) -> Reset:
    kept = list(sequence)

    def reset() -> None:
        if len(sequence) != len(kept) or any(
            a is not b for a, b in zip(sequence, kept, strict=True)
        ):
            sequence.clear()
            sequence.extend(kept)

    return reset


def _mapping(mapping: dict[Any, Any]) -> Reset:
    kept = dict(mapping)

    def reset() -> None:
        if len(mapping) != len(kept) or any(
            a is not c or b is not d
            for (a, b), (c, d) in zip(mapping.items(), kept.items(), strict=True)
        ):
            mapping.clear()
            mapping.update(kept)

    return reset


def _set(members: set[Any]) -> Reset:
    kept = set(members)

    def reset() -> None:
        if members != kept:
            members.clear()
            members.update(kept)

    return reset


def _generator(generator: torch.Generator) -> Reset:
    state = generator.get_state()
    return lambda: generator.set_state(state)


def _bits(bits: Any) -> Reset:
    state = bits.state

    def reset() -> None:
        bits.state = state

    return reset


def _random_state(generator: np.random.RandomState) -> Reset:
    state = generator.get_state()
    return lambda: generator.set_state(state)


def _random(generator: random.Random) -> Reset:
    state = generator.getstate()
    return lambda: generator.setstate(state)
