"""Convexity against all triples of samples, and against curves whose shape is known."""

import itertools
import math

import numpy as np
import pytest
from helpers import planes
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import convexities, convexity

INF, NAN = math.inf, math.nan
STEPS = [-1.0, -0.5, 0.0, 1.0, 3.0]


def heights(y, s, triples):
    """How far the middle of each triple lies above the chord of its ends."""
    found = []
    for i, j, k in triples:
        chord = y[i] + (y[k] - y[i]) * (s[j] - s[i]) / (s[k] - s[i])
        found.append(y[j] - chord)
    return np.array(found)


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=9), st.randoms())
def test_it_is_the_share_and_the_largest_of_all_triples(values, random):
    s = list(itertools.accumulate(random.choice([0.25, 1.0, 3.0]) for _ in values))
    found = convexity(values, s)
    near = heights(values, s, [(i - 1, i, i + 1) for i in range(1, len(s) - 1)])
    every = heights(values, s, itertools.combinations(range(len(s)), 3))
    assert found.convex == (near <= 1e-12).mean()
    assert found.rise == pytest.approx(max(0, every.max()), abs=1e-12)
    assert convexity([-value for value in values], s, mode="max") == found


def test_a_share_is_that_of_the_second_differences():
    rng = np.random.default_rng(0)
    s, y = np.cumsum(rng.uniform(0.1, 1, 40)), rng.normal(size=40)
    first = np.diff(y) / np.diff(s)
    assert convexity(y, s).convex == (np.diff(first) >= 0).mean()


def test_shapes_that_are_known():
    s = np.concatenate([-np.geomspace(3, 0.01, 9), [0], np.geomspace(0.01, 3, 12)])
    assert convexity(s**2 - s, s) == (1.0, 0.0)
    assert convexity(0.1 * s + 0.3, s) == (1.0, 0.0)  # a line, up to rounding
    assert convexity(-(s**2), s).convex == 0
    # −s² lies above the line between ±3 by up to 9.
    assert convexity(-(s**2), s).rise == pytest.approx(9)
    # A wave on a slope bends both ways, whatever its size.
    waves = [convexity(s**2 + a * np.sin(20 * s), s) for a in (0.1, 0.2)]
    assert waves[0].convex < 1
    assert waves[0].rise < waves[1].rise < 0.4


def test_the_rise_does_not_depend_on_the_density():
    coarse, fine = (np.linspace(-1, 1, n) for n in (21, 201))
    rises = [convexity(np.cos(np.pi * s), s).rise for s in (coarse, fine)]
    np.testing.assert_allclose(rises, 2)


def test_what_is_within_the_tolerance_is_convex():
    values = [0, 0.5, 0.01, 0.5, 2]
    assert convexity(values, [-2, -1, 0, 1, 2]) == pytest.approx((2 / 3, 0.495))
    assert convexity(values, [-2, -1, 0, 1, 2], tolerance=0.5) == (1.0, 0.0)
    assert convexity(values, [-2, -1, 0, 1, 2], tolerance=0.49).rise == pytest.approx(0.495)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([INF, 1, 0, 1, INF], (1.0, 0.0)),  # a bowl with walls
        ([INF, INF, 0, 1, 9], (1.0, 0.0)),
        ([1, 0, INF, 1, 2], (2 / 3, INF)),
        ([NAN, 1, 0, 1, 4], (NAN, NAN)),
        ([1, 1, -INF, 1, 4], (NAN, NAN)),
        ([INF] * 5, (NAN, NAN)),
    ],
)
def test_what_is_not_finite(values, expected):
    np.testing.assert_array_equal(convexity(values, STEPS), expected)
    turned = [-value for value in values]
    np.testing.assert_array_equal(convexity(turned, STEPS, mode="max"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [0, 1]), "needs at least 3 step sizes.*--step-sizes"),
        (([1, 2, 3], [0, 1]), "do not fit"),
        (([1, 2, 3], [0, 1, 2], "lower"), "unknown mode 'lower'"),
        (([1, 2, 3], [0, 1, 2], "min", -1), "tolerance is -1"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        convexity(*arguments)


def test_every_slice_has_its_own(dataset):
    found = convexities(dataset, tolerance=0.01)
    assert found["rise"].dims == ("checkpoint", "draw", "evaluation_set")
    for at in np.ndindex(found["rise"].shape):
        expected = convexity(dataset["loss"].values[at], dataset["step_size"], tolerance=0.01)
        assert (found["convex"].values[at], found["rise"].values[at]) == expected
    assert found["rise"].attrs == {
        "long_name": "rise of the loss above a convex curve",
        "units": "nat",
    }
    hats = convexities(dataset, "accuracy")["rise"][0, 0, 0]
    own = convexity(dataset["accuracy"][0, 0, 0], dataset["step_size"], "max")
    assert hats == own.rise


def test_of_a_plane_every_slice_along_the_first_direction():
    found = convexities(planes.plane())
    assert found["convex"].dims == ("checkpoint", "draw", "evaluation_set", "step_size_2")
    assert (found["convex"] == 1).all()
    assert (found["rise"] == 0).all()
