"""Tensors that share memory, in every form in which they may."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import InvalidValueError
from landscape.network.sharing import check_apart, overlap


def places(tensor):
    """Every byte of a tensor, by walking over its elements."""
    size = tensor.element_size()
    for index in np.ndindex(*tensor.shape):
        offset = sum(i * stride for i, stride in zip(index, tensor.stride(), strict=True))
        for byte in range(size):
            yield tensor.data_ptr() + offset * size + byte


def shared(one, other):
    return bool(set(places(one)) & set(places(other)))


BASE = torch.zeros(6, 8)
COMPLEX = torch.zeros(5, dtype=torch.complex64)
ARRAY = np.zeros(12, dtype=np.float32)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BASE, BASE.t()),
        (BASE, BASE[2:3]),
        (BASE[:, :4], BASE[:, 3:]),
        (BASE[:, :4], BASE[:, 4:]),
        (BASE[:3], BASE[3:]),
        (BASE[::2], BASE[1::2]),
        (BASE[:, ::2], BASE[0]),
        (BASE, torch.zeros(6, 8)),
        (COMPLEX, torch.view_as_real(COMPLEX)[:, 1]),
        (torch.view_as_real(COMPLEX)[:, 0], torch.view_as_real(COMPLEX)[:, 1]),
        (BASE.view(torch.int16)[0], BASE[0, :2]),
        (torch.from_numpy(ARRAY), torch.from_numpy(ARRAY)[3:]),
        (BASE[0, 0], BASE[0]),
        (BASE[:0], BASE),
    ],
)
def test_two_tensors_overlap_where_they_share_a_byte(one, other):
    expected = shared(one, other)
    assert (overlap([("one", one), ("other", other)]) is not None) is expected
    assert (overlap([("one", one)], [("other", other)]) is not None) is expected
    assert overlap([], [("one", one), ("other", other)]) is None


def test_random_views_of_one_memory():
    draw = random.Random(0)
    found = 0
    for _ in range(300):
        views = []
        for _ in range(2):
            strides = [draw.randint(1, 9) for _ in range(2)]
            # No tensor overlaps itself.
            shape = draw.choice([(3, 1), (1, 3), (2, 2) if abs(strides[0] - strides[1]) else (3,)])
            views.append(torch.zeros(60).as_strided(shape, strides[: len(shape)], 0))
        base = torch.zeros(60)
        one, other = (base.as_strided(v.shape, v.stride(), draw.randint(0, 30)) for v in views)
        expected = shared(one, other)
        found += expected
        assert (overlap([("one", one), ("other", other)]) is not None) is expected
    assert 30 < found < 270


@pytest.mark.parametrize(
    ("tensor", "itself"),
    [
        (torch.zeros(1).expand(3), True),
        (torch.zeros(9).as_strided((4, 4), (1, 1)), True),
        (torch.zeros(9).unfold(0, 3, 2), True),
        (torch.zeros(9).unfold(0, 3, 3), False),
        (torch.zeros(20).as_strided((2, 2), (2, 3)), False),
        (torch.zeros(4, 6).t()[1:], False),
        (torch.zeros(3, 1).expand(3, 1), False),
    ],
)
def test_a_tensor_may_overlap_itself(tensor, itself):
    assert (len(set(places(tensor))) < tensor.numel() * tensor.element_size()) is itself
    assert overlap([("w", tensor)]) == (("w", "w") if itself else None)


def test_the_pair_is_named_and_the_way_out():
    one = nn.Linear(6, 4, bias=False)
    other = nn.Linear(4, 6, bias=False)
    other.weight.data = one.weight.data.t()
    with pytest.raises(InvalidValueError, match=r"^a and b share memory, .*clone one of them$"):
        check_apart([("x", torch.zeros(3)), ("a", one.weight), ("b", other.weight)])
    with pytest.raises(InvalidValueError, match=r"^w is given twice, or several of its elements"):
        check_apart([("w", torch.zeros(1).expand(3))])
    assert overlap([("a", one.weight), ("b", one.weight)]) == ("b", "b")


def test_the_very_tensor_is_no_other():
    layer = nn.Linear(3, 3)
    check_apart(layer.named_parameters(), layer.named_parameters())
    with pytest.raises(InvalidValueError, match=r"^weight and start share memory"):
        check_apart([("weight", layer.weight)], [("start", layer.weight.data)])


def test_what_has_no_memory_is_passed_over():
    meta = torch.zeros(3, device="meta")
    sparse = torch.eye(3).to_sparse()
    same = sparse.detach()
    assert overlap([("a", meta), ("b", meta[1:]), ("c", sparse), ("d", same)]) is None
    assert overlap([]) is None
