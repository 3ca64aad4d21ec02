"""Barriers against a loop, and against curves whose barrier is known."""

import math

import numpy as np
import pytest
from helpers import planes
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import barrier, barriers

INF, NAN = math.inf, math.nan
STEPS = [-0.5, 0.0, 0.25, 0.5, 1.0, 1.5]


def slow(values, steps, start, end):
    """(height, place) by the formula, one sample at a time."""
    ends = {s: y for s, y in zip(steps, values, strict=True) if s in (start, end)}
    best = (0.0, start)
    for s, y in zip(steps, values, strict=True):
        if start <= s <= end:
            x = (s - start) / (end - start)
            height = y - ((1 - x) * ends[start] + x * ends[end])
            if height > best[0] and s not in ends:
                best = (height, s)
    return best


@given(
    st.lists(st.integers(-5, 5), min_size=6, max_size=6),
    st.sampled_from([(0.0, 1.0), (-0.5, 1.5), (0.0, 0.5), (0.25, 1.0)]),
)
def test_it_is_the_largest_height_above_the_line(values, ends):
    found = barrier(values, STEPS, *ends)
    assert (found.height, found.step_size) == slow(values, STEPS, *ends)
    assert (found.start, found.end) == tuple(values[STEPS.index(end)] for end in ends)
    assert not found.open
    fallen = barrier([-value for value in values], STEPS, *ends, mode="max")
    assert (fallen.height, fallen.step_size) == (found.height, found.step_size)


def test_between_two_valleys_it_is_the_hill():
    s = np.linspace(-0.5, 1.5, 41)
    hill = 16 * (s * (1 - s)) ** 2  # 1 in the middle of 0 and 1
    found = barrier([hill + 2 * s, (s - 0.5) ** 2], s)
    np.testing.assert_allclose(found.height, [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.step_size, [0.5, 0])
    np.testing.assert_allclose(found.start, [0, 0.25], atol=1e-12)
    np.testing.assert_allclose(found.end, [2, 0.25], atol=1e-12)


@pytest.mark.parametrize(
    ("values", "height", "place", "open_"),
    [
        ([9, 1, 2, NAN, 1, 9], 1, 0.25, True),
        ([NAN, 1, 2, 3, 1, NAN], 2, 0.5, False),  # what lies beyond the ends does not count
        ([9, 1, 2, INF, 1, 9], INF, 0.5, False),
        ([9, 1, -INF, 0, 1, 9], 0, 0, False),
        ([9, NAN, 2, 3, 1, 9], NAN, NAN, True),
        ([9, 1, 2, 3, INF, 9], NAN, NAN, True),
        ([9, 1, NAN, NAN, 1, 9], 0, 0, True),
    ],
)
def test_what_is_not_finite(values, height, place, open_):
    found = barrier(values, STEPS)
    np.testing.assert_array_equal((found.height, found.step_size), (height, place))
    assert found.open == open_


@pytest.mark.parametrize(
    ("steps", "ends", "message"),
    [
        ([0, 0.5, 0.9], (), "both ends, but 1 is not among .*--step-sizes"),
        ([0.1, 0.5, 1], (), "both ends, but 0 is not among .*--step-sizes"),
        ([-1, 0, 1], (), "needs a step size between them"),
        ([0, 0.5, 1], (1, 0), "end is 0; give one above its start, 1"),
        ([0, 0.5, 1], (0, NAN), "end is nan"),
    ],
)
def test_what_is_refused(steps, ends, message):
    with pytest.raises(InvalidValueError, match=message):
        barrier([1, 2, 3], steps, *ends)


def test_every_slice_has_its_own():
    s = np.linspace(0, 1, 11)
    dataset = planes.line(s, 1 + s * (1 - s), draws=2)
    dataset["loss"][0, 1, 1] += s > 0.75
    found = barriers(dataset)
    assert found["barrier"].dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(found["barrier"][0], [[0.25, 0.25], [0.25, 0.36]])
    np.testing.assert_allclose(found["barrier_step_size"][0], [[0.5, 0.5], [0.5, 0.8]])
    np.testing.assert_allclose(found["end_value"][0], [[1, 1], [1, 2]])
    assert found["barrier"].attrs == {"long_name": "barrier of the loss", "units": "nat"}
    # Accuracies of 1 / (1 + loss) fall below the line.
    fallen = barriers(dataset, "accuracy")["barrier"]
    np.testing.assert_allclose(fallen[0, 0, 0], 0.5 - 1 / 2.25)
