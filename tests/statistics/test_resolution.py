"""Jumps between neighbouring samples against a loop, of slices and of planes."""

import math

import numpy as np
import pytest
from helpers import planes
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import jumps, resolution_problems

INF, NAN = math.inf, math.nan


def slow(values, jump, wide=True):
    """(share, largest) of one slice or plane, pair by pair."""
    values = np.asarray(values, float)
    known = [v for v in values.ravel() if math.isfinite(v)]
    if not known:
        return NAN, NAN
    log = wide and min(known) > 0 and max(known) > 100 * min(known)
    scale = math.log if log else float
    span = scale(max(known)) - scale(min(known))
    found = []
    for at in np.ndindex(values.shape):
        for axis in range(values.ndim):
            to = tuple(place + (axis == i) for i, place in enumerate(at))
            if to[axis] < values.shape[axis]:
                pair = values[at], values[to]
                if all(map(math.isfinite, pair)):
                    found.append(abs(scale(pair[1]) - scale(pair[0])) / span if span else 0.0)
    if not found:
        return NAN, NAN
    return np.mean([each > jump for each in found]), max(found)


VALUES = st.sampled_from([0.0, 0.5, 1.0, 3.0, 120.0, NAN, INF, -INF, -2.0])


@given(st.lists(VALUES, min_size=12, max_size=12), st.sampled_from([0.1, 0.3]))
def test_they_are_those_of_all_pairs(values, jump):
    rows = np.reshape(values, (3, 4))
    for found, expected in zip(
        np.transpose(jumps(rows, jump)), [slow(row, jump) for row in rows], strict=True
    ):
        np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(jumps(rows, jump, dimensions=2), slow(rows, jump))
    np.testing.assert_allclose(jumps(rows, jump, "max", 2), slow(rows, jump, wide=False))


def test_a_smooth_curve_needs_so_many_samples_and_a_step_any_number():
    for points, expected in ((5, True), (31, False)):
        s = np.linspace(-1, 1, points)
        dataset = planes.line(s, s**2)
        assert (resolution_problems(dataset)["under_sampled"] == expected).all()
    found = resolution_problems(planes.line(s, s > 0.5))
    assert (found["largest"] == 1).all()
    np.testing.assert_allclose(found["share"], 1 / 30)


def test_losses_that_span_magnitudes_are_compared_by_their_logarithm():
    s = np.linspace(0, 1, 11)
    dataset = planes.line(s, 10 ** (5 * s))
    np.testing.assert_allclose(resolution_problems(dataset)["largest"], 0.1)
    # As another metric, better higher, they are compared as they are.
    dataset["accuracy"] = dataset["loss"]
    assert (resolution_problems(dataset, "accuracy")["largest"] > 0.6).all()


def test_of_one_sample_nothing_is_said():
    found = resolution_problems(planes.line([0.0], [1.0]))
    assert found["share"].isnull().all()
    assert not found["under_sampled"].any()


def test_of_a_plane_neighbours_in_both_directions_count():
    dataset = planes.plane(41, 31)
    dataset["loss"][0, 1, 0, :, 15:] += 9.0
    dataset["loss"][1, 0, 1, :20] += 9.0
    found = resolution_problems(dataset)
    assert found["share"].dims == ("checkpoint", "draw", "evaluation_set")
    expected = np.zeros((2, 2, 2))
    pairs = 40 * 31 + 41 * 30
    expected[0, 1, 0], expected[1, 0, 1] = 41 / pairs, 31 / pairs
    np.testing.assert_allclose(found["share"], expected)
    np.testing.assert_array_equal(found["under_sampled"], expected > 0)
    none = resolution_problems(dataset, jump=1.0)
    assert not none["under_sampled"].any()


def test_what_is_refused():
    with pytest.raises(InvalidValueError, match="jump is -1"):
        resolution_problems(planes.plane(), jump=-1)
