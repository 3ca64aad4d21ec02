"""What an evaluation changes besides its result, and how a step's trials leave it unchanged.

Evaluations draw random numbers and move buffers, as the running statistics of batch norm. Which
ones is not asked of a layer's class, since scripted, compiled and foreign modules have classes of
their own: one evaluation is watched. All evaluations of a step then start from the same state, and
the state after the step is the one that its first evaluation left.
"""

import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

Place = tuple[nn.Module, str]  # a module, and the name of one of its buffers


@dataclass(frozen=True)
class Moved:
    """What an evaluation moves besides torch's generators.

    Attributes:
        buffers: those that it writes to or replaces.
        others: whether it draws from Python's or numpy's global generator.
    """

    buffers: tuple[Place, ...]
    others: bool


class SideEffects:
    """What a closure's evaluations move; found by watching one, in each mode of its modules.

    Args:
        model: one that the closure runs; others are found where they are called.
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        self._model = model
        self._modules: list[nn.Module] = []
        self._moved: dict[tuple[bool, ...], Moved] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A copy belongs to other modules, which it finds itself.
        return {"_model": self._model, "_modules": [], "_moved": {}}

    def state(self, parameters: Sequence[Tensor], evaluate: Callable[[], object]) -> "State":
        """The present state of what evaluations move.

        Args:
            parameters: those of the optimizer.
            evaluate: evaluates the closure once, to be watched where what it moves is not known.

        Returns:
            The state; :meth:`remember` it once the evaluations were found to repeat.
        """
        known = self._moved.get(self._modes())
        return State(parameters, known or self._watch(parameters, evaluate))

    @property
    def new(self) -> bool:
        """Whether nothing is remembered for the modes that the modules are in."""
        return self._modes() not in self._moved

    def remember(self, state: "State") -> None:
        """Take what a state holds for what all evaluations in these modes move.

        Args:
            state: one that :meth:`state` returned.
        """
        self._moved[self._modes()] = state.moved

    def _watch(self, parameters: Sequence[Tensor], evaluate: Callable[[], object]) -> Moved:
        """What one evaluation moves; it is put back."""
        buffers: dict[nn.Module, _Buffers] = {}

        def meet(module: nn.Module, _: object = None) -> None:
            if module not in buffers:
                for each in module.modules():
                    names = [name for name, _ in each.named_buffers(recurse=False)]
                    buffers.setdefault(each, _Buffers([(each, name) for name in names]))

        if self._model is not None:
            meet(self._model)
        generators, others = Generators.of(parameters), OtherGenerators()
        hook = register_module_forward_pre_hook(meet)
        try:
            # Compiled functions run as they are written, so that the hook sees their modules.
            with _compiled_functions_off(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*when there are global hooks on modules")
                evaluate()
        finally:
            hook.remove()
            generators.restore()
            drew = others.moved()
            others.restore()
            places = []
            for each in buffers.values():
                places += (chosen := each.moved())
                each.restore(chosen)
        self._modules = list(buffers)
        return Moved(tuple(places), drew)

    def _modes(self) -> tuple[bool, ...]:
        return tuple([module.training for module in self._modules])


class State:
    """The global random generators and the buffers that evaluations move, as they are now.

    Args:
        parameters: those of the optimizer.
        moved: what evaluations move.

    Attributes:
        moved: as given.
    """

    def __init__(self, parameters: Sequence[Tensor], moved: Moved) -> None:
        self.moved = moved
        self._parts: list[Generators | OtherGenerators | _Buffers] = [Generators.of(parameters)]
        if moved.buffers:
            self._parts.append(_Buffers(moved.buffers))
        if moved.others:
            self._parts.append(OtherGenerators())

    def restore(self) -> None:
        """Put everything back to where it was when this object was made."""
        for part in self._parts:
            part.restore()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """On leaving, put everything back to where it was on entering."""
        now = [part.now() for part in self._parts]
        try:
            yield
        finally:
            for part in now:
                part.restore()


class Generators:
    """Random generators of torch's, as they are now.

    Args:
        generators: any.
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self._all = generators
        self._states = [generator.get_state() for generator in generators]

    @classmethod
    def of(cls, parameters: Sequence[Tensor]) -> "Generators":
        """Those of the CPU and of the parameters' devices.

        Args:
            parameters: those of the optimizer.

        Returns:
            The generators, as they are now.
        """
        devices = {device for device in {p.device for p in parameters} if device.type != "cpu"}
        return cls([torch.default_generator, *map(_default_generator, devices)])

    def now(self) -> "Generators":
        """The same generators, as they are now."""
        return Generators(self._all)

    def restore(self) -> None:
        """Put them back."""
        for generator, state in zip(self._all, self._states, strict=True):
            generator.set_state(state)


class OtherGenerators:
    """Python's and numpy's global generators, as they are now."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy: Any = np.random.get_state()  # noqa: NPY002

    def now(self) -> "OtherGenerators":
        """The same generators, as they are now."""
        return OtherGenerators()

    def moved(self) -> bool:
        """Whether one of them was drawn from since."""
        now: Any = np.random.get_state()  # noqa: NPY002
        same = now[2:] == self._numpy[2:] and np.array_equal(now[1], self._numpy[1])
        return not same or random.getstate() != self._python

    def restore(self) -> None:
        """Put them back."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002


class _Buffers:
    """Some buffers, as they are now."""

    def __init__(self, places: Sequence[Place]) -> None:
        found = [(place, getattr(*place, None)) for place in places]
        self._buffers = {place: b for place, b in found if isinstance(b, Tensor)}
        # An expanded buffer cannot be written to, not even by a forward pass.
        self._values = {
            place: buffer.detach().clone()
            for place, buffer in self._buffers.items()
            if 0 not in buffer.stride()
        }

    def now(self) -> "_Buffers":
        """The buffers at the same places, as they are now."""
        return _Buffers(list(self._buffers))

    def moved(self) -> list[Place]:
        """The places of those that were written to or replaced since."""
        return [
            place
            for place, buffer in self._buffers.items()
            if getattr(*place) is not buffer
            or not torch.equal(buffer, self._values.get(place, buffer))
        ]

    def restore(self, places: Sequence[Place] | None = None) -> None:
        """Put them, or those at ``places``, back: the same tensors with the same values."""
        chosen = self._buffers if places is None else places
        for module, name in chosen:
            if getattr(module, name) is not self._buffers[module, name]:
                setattr(module, name, self._buffers[module, name])
        if written := [place for place in chosen if place in self._values]:
            torch._foreach_copy_(
                [self._buffers[place].detach() for place in written],
                [self._values[place] for place in written],
            )


def _compiled_functions_off() -> AbstractContextManager[object]:
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def _default_generator(device: torch.device) -> torch.Generator:
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    generators: Sequence[torch.Generator] = torch.get_device_module(device).default_generators
    return generators[device.index]
