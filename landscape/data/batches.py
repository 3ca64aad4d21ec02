"""Inputs and targets of what users have: arrays, lists and tensors, as tensors that torch takes."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from landscape.errors import InvalidValueError, UnknownNameError, shown, users_code
from landscape.runtime.nested import Nested, leaves, mapped
from landscape.runtime.tensors import unusual

Target: TypeAlias = str | int | Callable[[Any], Any] | None
"""Which part of a batch its targets are: a key, a place, or batch -> (inputs, targets)."""

# Keys under which a dict has its targets, unless another is named.
KEYS = ("labels", "label", "targets", "target")


@dataclass(frozen=True)
class Split:
    """How a batch is split into inputs and targets.

    Attributes:
        target: which part the targets are: a key of a dict, the place in a tuple, or a function
            batch -> (inputs, targets). None is the second of two, or the first key of
            :data:`KEYS` that a dict has.
        keep: whether the inputs have the targets too, for a model that computes its own loss.
    """

    target: Target = None
    keep: bool = False

    def __call__(
        self, batch: Any, what: str = "data", collated: bool = False
    ) -> tuple[Nested, Nested]:
        """Split a batch, and make tensors of it.

        Args:
            batch: a pair (inputs, targets), a dict or a longer tuple, of tensors, arrays or lists.
            what: its name, for messages.
            collated: whether it is a batch, of which a list is no list of samples.

        Returns:
            Inputs (N, …) and targets (N, …), each a tensor or a nested dict or tuple of tensors.
            Integers and truth values among the targets become int64. They share the memory of what
            torch takes as it is.

        Raises:
            InvalidValueError: for anything else.
            UnknownNameError: for a key that is not in the batch.
        """
        inputs, targets = self._parts(batch, what)
        if _is_samples(inputs, targets, collated):
            inputs = list(inputs)
        made = _nested(inputs, f"the inputs of {what}", collated)
        labels = mapped(_target, _nested(targets, f"the targets of {what}", collated))
        for name, label in leaves(labels):
            if label.is_complex():
                raise InvalidValueError(
                    f"the targets{name} of {what} are {label.dtype}; give integers or real numbers"
                )
        for name, tensor in (*leaves(made, "inputs"), *leaves(labels, "targets")):
            if tensor.ndim == 0:
                raise InvalidValueError(
                    f"{what} gives a single number as {name}; give one for each sample"
                )
        return made, labels

    def _parts(self, batch: Any, what: str) -> tuple[Any, Any]:
        if callable(self.target):
            with users_code(f"target on {what}"):
                found: object = self.target(batch)
            if not isinstance(found, tuple) or len(found) != 2:
                raise InvalidValueError(
                    f"target gives {_describe(found)} of a batch of {what}; let it give "
                    "(inputs, targets)"
                )
            return found
        if isinstance(batch, Mapping):
            keys = [str(key) for key in batch]
            key = self.target
            if key is None:
                key = next((each for each in KEYS if each in batch), None)
            if key is None:
                raise InvalidValueError(
                    f"{what} gives dicts with {', '.join(keys)}; name the key of the targets, as "
                    f"in target={keys[-1] if keys else 'labels'!r}"
                )
            if key not in batch:
                raise UnknownNameError(f"target in {what}", key, keys)
            rest = {name: part for name, part in batch.items() if self.keep or name != key}
            if not rest:
                raise InvalidValueError(
                    f"{what} gives dicts with {', '.join(keys)} alone; give the inputs too"
                )
            return rest, batch[key]
        if not isinstance(batch, (tuple, list)):
            raise InvalidValueError(
                f"{what} gives {_describe(batch)}; each sample must be a pair (input, target), or "
                "a dict with its target under labels"
            )
        place = self.target
        if place is None:
            if len(batch) != 2:
                raise InvalidValueError(
                    f"{what} gives {_describe(batch)}; each sample must be a pair (input, target); "
                    "of more parts, say which is the target, as in target=1"
                )
            place = 1
        if isinstance(place, str) or not 0 <= place < len(batch) or len(batch) == 1:
            raise InvalidValueError(
                f"target is {place!r}, and {what} gives {_describe(batch)}; give the place of the "
                f"targets, an integer from 0 to {len(batch) - 1}"
            )
        others = tuple(part for i, part in enumerate(batch) if i != place)
        return (others[0] if len(others) == 1 else others), batch[place]


PAIR = Split()


def _is_samples(inputs: Any, targets: Any, collated: bool) -> bool:
    """Whether a tuple of inputs is a list of samples, one for each target, not parts of each."""
    if collated or not isinstance(inputs, tuple) or isinstance(targets, (tuple, Mapping)):
        return False
    parts = [each for each in inputs if not isinstance(each, (Mapping, tuple))]
    lengths = {len(each) if hasattr(each, "__len__") else -1 for each in parts}
    samples = len(targets) if hasattr(targets, "__len__") else -1
    if lengths == {samples} and len(inputs) == samples and samples > 1:
        raise InvalidValueError(
            f"the inputs are a tuple of {samples} parts with {samples} rows; give a list whose "
            "parts are samples, or a dict whose parts are inputs of the model"
        )
    return lengths != {samples} and len(inputs) == samples


def _nested(part: Any, what: str, collated: bool) -> Nested:
    """The same structure, of dicts, tuples and tensors."""
    if isinstance(part, Mapping):
        if not part:
            raise InvalidValueError(f"{what} are an empty dict; give at least one tensor")
        if wrong := [key for key in part if not isinstance(key, str)]:
            raise InvalidValueError(f"{what} have the key {shown(wrong[0])}; give names as keys")
        return {key: _nested(each, f"{what}[{key!r}]", collated) for key, each in part.items()}
    several = isinstance(part, (list, tuple)) and any(
        isinstance(each, (Tensor, np.ndarray, Mapping, tuple, list)) for each in part
    )
    if isinstance(part, tuple) and several and not (collated and _is_rows(part)):
        return tuple(_nested(each, f"{what}[{i}]", collated) for i, each in enumerate(part))
    # Of a batch, a list of tensors is no list of samples but several tensors for each.
    if collated and several and not _is_rows(part):
        return tuple(_nested(each, f"{what}[{i}]", collated) for i, each in enumerate(part))
    return _tensor(part, what)


def _is_rows(part: Any) -> bool:
    """Whether a list is rows of plain numbers."""
    return all(
        isinstance(each, (list, tuple)) and all(isinstance(x, (int, float)) for x in each)
        for each in part
    )


def _target(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.long()


def _tensor(part: Any, what: str) -> Tensor:
    """A tensor of what a user has for one: shared where torch takes it as it is, else copied."""
    if isinstance(part, (list, tuple)) and any(isinstance(each, Tensor) for each in part):
        part = _stacked(part, what)
    if isinstance(part, Tensor):
        if kind := unusual(part):
            raise InvalidValueError(f"{what} are {kind}")
        tensor = part.detach()
        wider = _WIDER.get(tensor.dtype)
        return tensor if wider is None else _widened(tensor.numpy(force=True), wider, what)
    return _from_array(part, what)


def _from_array(part: Any, what: str) -> Tensor:
    if isinstance(part, np.ma.MaskedArray):
        raise InvalidValueError(f"{what} are a masked array; fill in what is masked")
    try:
        array = np.asarray(part)
    except Exception as error:  # rows that differ in length, or a class of a user's own
        reason = shown(str(error))
        raise InvalidValueError(f"{what} cannot be made an array of numbers: {reason}") from error
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"{what} are a {type(part).__name__} of type {array.dtype}; give tensors or numbers, "
            "or choose parts by target=lambda batch: (inputs, targets)"
        )
    # torch takes neither another byte order nor more than 8 bytes nor negative strides.
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    wider = _WIDER_ARRAYS.get(array.dtype.name)
    if wider is not None:
        return _widened(array, wider, what)
    with warnings.catch_warnings():
        # Arrays that cannot be written to are shared as well: nothing is written to.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        double = array.dtype == np.float64
        return torch.as_tensor(array, dtype=torch.get_default_dtype() if double else None)


# torch stores unsigned integers of these types, and can compute little with them.
_WIDER = {torch.uint16: np.int32, torch.uint32: np.int64, torch.uint64: np.int64}
_WIDER_ARRAYS = {str(dtype).removeprefix("torch."): wider for dtype, wider in _WIDER.items()}


def _widened(array: Any, dtype: Any, what: str) -> Tensor:
    if array.size and array.max() > np.iinfo(dtype).max:
        raise InvalidValueError(
            f"{what} reach {array.max()}; integers up to {np.iinfo(dtype).max} are allowed"
        )
    return torch.from_numpy(array.astype(dtype))


def _stacked(parts: Sequence[Any], what: str) -> Tensor:
    """One tensor of a list of them, one for each sample."""
    for each in parts:
        if not isinstance(each, Tensor):
            raise InvalidValueError(
                f"{what} are tensors and a {type(each).__name__}; give one kind"
            )
        if kind := unusual(each):
            raise InvalidValueError(f"{what} are {kind}")
        if each.shape != parts[0].shape or each.dtype != parts[0].dtype:
            raise InvalidValueError(
                f"{what} differ: {tuple(parts[0].shape)} {parts[0].dtype} and "
                f"{tuple(each.shape)} {each.dtype}; give samples of one shape and type"
            )
    return torch.stack([each.detach() for each in parts])


def _describe(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{len(value)} parts"
    return f"a {type(value).__name__}"
