"""Inputs and labels of what users have: arrays, lists and tensors, as tensors that torch takes."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.errors import InvalidValueError, shown
from landscape.runtime.tensors import unusual


def pair_of(pair: Any, what: str = "data", collated: bool = False) -> tuple[Tensor, Tensor]:
    """Check that ``pair`` is (inputs, integer class labels), and make tensors of both.

    Args:
        pair: inputs (N, …) and class labels (N,), of tensors, arrays or lists.
        what: its name, for messages.
        collated: whether it is a batch, of which a list is no list of samples.

    Returns:
        Inputs (N, …) and labels (N,) int64; they share the memory of what torch takes as it is.

    Raises:
        InvalidValueError: for anything else.
    """
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InvalidValueError(
            f"{what} gives {_describe(pair)}; each sample must be a pair (input, class label)"
        )
    for name, part in zip(("inputs", "targets"), pair, strict=True):
        # Of a batch, a list is no list of samples but several tensors for each.
        if isinstance(part, Mapping) or (collated and isinstance(part, (list, tuple))):
            raise InvalidValueError(
                f"{what} gives {name} in {_describe(part)}; each sample must be a pair (input, "
                "class label), each of the two one tensor or number"
            )
    inputs, targets = (
        _tensor(part, f"the {name} of {what}")
        for name, part in zip(("inputs", "targets"), pair, strict=True)
    )
    if isinstance(pair[0], (list, tuple)) and targets.ndim and len(inputs) != len(targets):
        raise InvalidValueError(
            f"{what} gives inputs in {_describe(pair[0])} for {len(targets)} labels; each sample "
            "must be a pair (input, class label), each of the two one tensor or number"
        )
    if targets.is_floating_point() or targets.is_complex() or targets.ndim != 1:
        raise InvalidValueError(
            f"{what} has targets of shape {tuple(targets.shape)} and type {targets.dtype}; "
            "give integer class labels of shape (N,)"
        )
    return inputs, targets.long()


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
            f"{what} are a {type(part).__name__} of type {array.dtype}; give tensors or numbers"
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
