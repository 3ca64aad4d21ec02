"""Tensors that share memory: who moves one of them moves the other as well.

Two parameters over one memory (tied through ``.data``, one a transpose or a part of the other) get
a gradient each, and a step along both moves the memory twice. What decides here is the memory
itself, byte by byte: neither names nor storages, since one storage may hold many tensors side by
side, and two storages may lie over one memory.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from landscape.errors import InvalidValueError

_PLAIN = (Tensor, nn.Parameter)


class _Piece(NamedTuple):
    """A strided tensor's place in memory: bytes ``start`` to ``end`` of its device."""

    name: str
    tensor: Tensor
    owner: Tensor  # the tensor that it is, or is a part of
    moved: bool
    start: int
    end: int


Named = Iterable[tuple[str, Tensor]]  # pairs, as of named_parameters()


def check_apart(moved: Named, others: Named = ()) -> None:
    """Refuse tensors that cannot be moved on their own, because they share memory.

    Args:
        moved: pairs (name, tensor) of what is written to, of any shape, dtype and device.
        others: pairs (name, tensor) of what has to stay where it is; a tensor that is among
            ``moved`` itself, and tensors that share memory with each other only, are allowed.

    Raises:
        InvalidValueError: where two of ``moved``, or one of them and one of ``others``, overlap in
            memory, and where one of ``moved`` is given twice or overlaps itself.
    """
    found = overlap(moved, others)
    if found is None:
        return
    one, other = found
    if one == other:
        raise InvalidValueError(
            f"{one} is given twice, or several of its elements are one place in memory, which a "
            "step would move more than once; give each once, in memory of its own (clone it)"
        )
    raise InvalidValueError(
        f"{one} and {other} share memory, so that moving one moves the other too; use one "
        "Parameter at both places (transposed in forward, if need be), or clone one of them"
    )


def overlap(moved: Named, others: Named = ()) -> tuple[str, str] | None:
    """Find two tensors of which at least one is moved and that share a byte of memory.

    Tensors without memory (on the meta device, sparse ones) are passed over; of a tensor that wraps
    others, those are compared.

    Args:
        moved: pairs (name, tensor), of any shape, dtype and device.
        others: pairs (name, tensor) that are not moved; the very tensors of ``moved`` do not count.

    Returns:
        Their names; the same name twice for a tensor that overlaps itself or is given twice; None
        where there are none.
    """
    moved = list(moved)
    known: set[int] = set()
    for name, tensor in moved:
        if id(tensor) in known:
            return name, name
        known.add(id(tensor))
    pieces = [_Piece(n, t, own, True, *_span(t)) for n, own in moved for t in _strided(own)]
    pieces += [
        _Piece(name, tensor, owner, False, *_span(tensor))
        for name, owner in others
        if id(owner) not in known
        for tensor in _strided(owner)
    ]
    for piece in pieces:
        if piece.moved and _meets_itself(piece.tensor):
            return piece.name, piece.name
    for cluster in _clusters(pieces):
        for one, other in combinations(cluster, 2):
            if (one.moved or other.moved) and _meet(one, other):
                return one.name, other.name
    return None


def addresses(tensors: Iterable[Tensor]) -> list[int]:
    """Where tensors are in memory: as long as this is the same, they need not be compared anew.

    Args:
        tensors: of any shape, dtype and device.

    Returns:
        The address of each, and of the parts of those that wrap others.
    """
    return [
        piece.data_ptr()
        for tensor in tensors
        for piece in ((tensor,) if type(tensor) in _PLAIN else _strided(tensor))
    ]


class Memory:
    """The memory of some tensors, to ask of many others whether they share it.

    Args:
        tensors: name -> tensor.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        spans = sorted(
            (str(t.device), *_span(t)) for own in tensors.values() for t in _strided(own)
        )
        self._starts = [(device, start) for device, start, _ in spans]
        # The largest end so far, of which most are those of the span itself.
        self._ends = list(accumulate(((device, end) for device, _, end in spans), max))

    def shares(self, tensor: Tensor) -> bool:
        """Whether a tensor shares a byte with one of them.

        Args:
            tensor: any tensor.

        Returns:
            True where it does; the tensors themselves do.
        """
        return any(self._near(part) for part in _strided(tensor)) and (
            overlap(self._tensors.items(), [("", tensor.detach())]) is not None
        )

    def _near(self, tensor: Tensor) -> bool:
        device = str(tensor.device)
        start, end = _span(tensor)
        before = bisect_left(self._starts, (device, end))
        return before > 0 and self._ends[before - 1] > (device, start)


def _strided(tensor: Any) -> Iterator[Tensor]:
    """The tensors with memory of their own that ``tensor`` consists of."""
    if is_traceable_wrapper_subclass(tensor):
        names, _ = tensor.__tensor_flatten__()
        for name in names:
            yield from _strided(getattr(tensor, name))
    elif tensor.layout is torch.strided and not tensor.is_meta and tensor.numel():
        yield tensor.detach()


def _span(tensor: Tensor) -> tuple[int, int]:
    """The first byte of a tensor, and the one after its last."""
    start = tensor.data_ptr()
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return start, start + (last + 1) * tensor.element_size()


def _clusters(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """Groups of pieces of which each one's span overlaps another's."""
    cluster: list[_Piece] = []
    end = 0
    for piece in sorted(pieces, key=lambda p: (str(p.tensor.device), p.start)):
        if cluster and (piece.tensor.device != cluster[0].tensor.device or piece.start >= end):
            yield cluster
            cluster = []
        end = max(end, piece.end) if cluster else piece.end
        cluster.append(piece)
    if cluster:
        yield cluster


def _meet(one: _Piece, other: _Piece) -> bool:
    """Whether two pieces share a byte."""
    start, end = min(one.start, other.start), max(one.end, other.end)
    if one.start >= other.end or other.start >= one.end:
        return False
    if _dense(one) and _dense(other):
        return True
    # Parts of one matrix, as its columns: their spans overlap, their elements need not.
    marks = torch.zeros(end - start, dtype=torch.bool)
    _bytes(marks, one, start).fill_(True)
    return bool(_bytes(marks, other, start).any())


def _dense(piece: _Piece) -> bool:
    return piece.end - piece.start == piece.tensor.numel() * piece.tensor.element_size()


def _bytes(marks: Tensor, piece: _Piece, start: int) -> Tensor:
    """The marks, one a byte from ``start`` on, of a piece's bytes."""
    tensor: Any = piece.tensor
    size = tensor.element_size()
    strides = [stride * size for stride in tensor.stride()]
    return marks.as_strided((*tensor.shape, size), (*strides, 1), piece.start - start)


def _meets_itself(tensor: Tensor) -> bool:
    """Whether two elements of a tensor are one place in memory, as of an expanded one."""
    dims = [d for d in zip(tensor.stride(), tensor.shape, strict=True) if d[1] > 1]
    span = 1
    for stride, size in sorted(dims):
        if stride < span:
            break
        span += (size - 1) * stride
    else:
        return False  # each dimension steps over all that the smaller ones reach
    places = torch.zeros(1, dtype=torch.int64)
    for stride, size in dims:
        places = (places.unsqueeze(-1) + torch.arange(size) * stride).flatten()
    return bool((places.sort().values.diff() == 0).any())
