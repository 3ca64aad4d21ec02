"""Tensors, and dicts and tuples of them, however deep: what models are given and data sets give."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

Nested: TypeAlias = Any
"""A tensor, or a (nested) dict or tuple of tensors; of samples, with one common first dimension."""


def leaves(nested: Nested, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Give each tensor with its place, as ("['input_ids']", tensor).

    Args:
        nested: a tensor, or a nested dict or tuple of tensors.
        name: the place of the whole.

    Yields:
        Place and tensor, in order; the place of a tensor alone is ``name``.
    """
    if isinstance(nested, dict):
        for key, part in nested.items():
            yield from leaves(part, f"{name}[{key!r}]")
    elif isinstance(nested, tuple):
        for i, part in enumerate(nested):
            yield from leaves(part, f"{name}[{i}]")
    else:
        yield name, nested


def samples_of(nested: Nested) -> int:
    """Count the samples: the length of the first tensor.

    Args:
        nested: tensors (N, …).

    Returns:
        N.
    """
    return len(next(leaves(nested))[1])


def device_of(nested: Nested) -> torch.device:
    """Find where the tensors are.

    Args:
        nested: tensors on one device.

    Returns:
        The device of the first.
    """
    return next(leaves(nested))[1].device


def moved(nested: Nested, device: torch.device | None, *, copy: bool = False) -> Nested:
    """Put each tensor on a device.

    Args:
        nested: a tensor, or a nested dict or tuple of tensors.
        device: where to; None leaves them where they are.
        copy: whether they are copied even where they are there already.

    Returns:
        Tensors nested in the same way.
    """
    return mapped(lambda tensor: tensor.to(device, copy=copy), nested)


def mapped(function: Callable[[Tensor], Tensor], nested: Nested) -> Nested:
    """Apply a function to each tensor.

    >>> from landscape.runtime.nested import mapped
    >>> mapped(lambda tensor: 2 * tensor, {"x": torch.ones(2)})
    {'x': tensor([2., 2.])}

    Args:
        function: tensor -> tensor.
        nested: a tensor, or a nested dict or tuple of tensors.

    Returns:
        The results, nested in the same way.
    """
    if isinstance(nested, dict):
        return {key: mapped(function, part) for key, part in nested.items()}
    if isinstance(nested, tuple):
        return tuple(mapped(function, part) for part in nested)
    return function(nested)


def cloned(nested: Nested) -> Nested:
    """Copy each tensor.

    Args:
        nested: a tensor, or a nested dict or tuple of tensors.

    Returns:
        Copies, nested in the same way, that share no memory with what was given.
    """
    return mapped(torch.clone, nested)


def part_of(nested: Nested, part: slice | Tensor) -> Nested:
    """Take a part of the samples.

    Args:
        nested: tensors (N, …).
        part: which samples: a slice, of which tensors are views, or places, (n,) int64.

    Returns:
        Tensors (n, …), nested in the same way.
    """
    if isinstance(part, slice):
        return mapped(lambda tensor: tensor[part], nested)
    # Several times as fast as tensor[part].
    return mapped(lambda tensor: tensor.index_select(0, part.to(tensor.device)), nested)


def joined(parts: Sequence[Nested]) -> Nested:
    """Join samples, one part after the other.

    Args:
        parts: tensors (n, …), nested in one way; at least one.

    Returns:
        Tensors (Σ n, …), nested in the same way.

    Raises:
        ValueError: for parts that are nested in different ways.
        RuntimeError: torch's, for shapes that differ beyond the first dimension.
    """
    first = parts[0]
    if isinstance(first, dict):
        if any(not isinstance(part, dict) or part.keys() != first.keys() for part in parts):
            raise ValueError("the parts have different keys")
        return {key: joined([part[key] for part in parts]) for key in first}
    if isinstance(first, tuple):
        if any(not isinstance(part, tuple) or len(part) != len(first) for part in parts):
            raise ValueError("the parts have different lengths")
        return tuple(joined(each) for each in zip(*parts, strict=True))
    return torch.cat(list(parts))


def nbytes(nested: Nested) -> int:
    """Count the bytes of all tensors.

    Args:
        nested: a tensor, or a nested dict or tuple of tensors.

    Returns:
        Their bytes in all.
    """
    return sum(tensor.nbytes for _, tensor in leaves(nested))


def described(nested: Nested) -> str:
    """Say shapes and types, for messages: "shape (64, 3) and type torch.float32".

    Args:
        nested: a tensor, or a nested dict or tuple of tensors.

    Returns:
        One line.
    """
    if isinstance(nested, Tensor):
        return f"shape {tuple(nested.shape)} and type {nested.dtype}"
    each = (f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in leaves(nested))
    kind = "dict" if isinstance(nested, Mapping) else "tuple"
    return f"a {kind} with {', '.join(each)}"
