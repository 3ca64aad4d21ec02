"""Best points and local minima of planes against a loop over samples."""

import math

import numpy as np
import pytest
import xarray as xr
from helpers import planes
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import best_point, local_minima, minima

INF, NAN = math.inf, math.nan
S, T = [-1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, NAN, INF, -INF]), min_size=12, max_size=12))
def test_the_best_is_the_first_by_value_then_nearness(values):
    grid = np.reshape(values, (4, 3))
    found = best_point(grid, S, T, "min")
    order = [
        (grid[i, j], math.hypot(S[i], T[j]), -S[i], -T[j])
        for i, j in np.ndindex(4, 3)
        if math.isfinite(grid[i, j])
    ]
    value, _, s, t = min(order, default=(NAN, NAN, NAN, NAN))
    np.testing.assert_array_equal(found[:3], (-s, -t, value))
    border = s in (1, -2) or t in (1, -1)
    assert found.open == (not order or border or bool(np.isnan(grid).any()))
    turned = best_point(-grid, S, T, "max")
    np.testing.assert_array_equal(turned[:2], found[:2])


def test_of_equally_good_and_near_points_the_one_of_larger_step_sizes():
    ring = np.ones((3, 3))
    for s, t in ((-1, 0), (0, -1), (0, 1), (1, 0)):
        ring[s + 1, t + 1] = 0
        assert best_point(ring, T, T, "min")[:2] == (s, t)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, NAN, INF, -INF]), min_size=20, max_size=20))
def test_a_minimum_is_better_than_all_8_around_it(values):
    grid = np.reshape(values, (5, 4))
    found = local_minima(grid)
    for i, j in np.ndindex(5, 4):
        around = [
            grid[i + a, j + b]
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            if (a, b) != (0, 0) and 0 <= i + a < 5 and 0 <= j + b < 4
        ]
        best = len(around) == 8 and math.isfinite(grid[i, j])
        assert found[i, j] == (best and all(grid[i, j] < other for other in around))
    np.testing.assert_array_equal(local_minima(-grid, "max"), found)


def test_a_plane_too_small_for_an_inner_point_has_none():
    for shape in ((1, 1), (2, 5), (5, 2), (4, 2, 2)):
        assert local_minima(np.zeros(shape)).shape == shape
        assert not local_minima(np.zeros(shape)).any()


def test_an_egg_tray_has_its_dents():
    axis = np.linspace(-2, 2, 41)
    dataset = planes.plane(41, 41, 2.0, 2.0)
    tray = np.cos(np.pi * axis)[:, None] + np.cos(np.pi * axis) + 0.01 * axis[:, None]
    dataset["loss"][:] = tray
    dataset["loss"][1, 0, 1] += axis**2
    found = minima(dataset)
    assert found["count"].dims == ("checkpoint", "draw", "evaluation_set")
    assert found["minimum"].dims == dataset["loss"].dims
    np.testing.assert_array_equal(found["count"][0], 4)
    at = found["minimum"][0, 0, 0]
    for name in ("step_size", "step_size_2"):
        places = at.any({"step_size", "step_size_2"} - {name})
        np.testing.assert_allclose(dataset[name][places], [-1, 1])
    np.testing.assert_allclose(found["best_step_size"], -1)
    np.testing.assert_allclose(abs(found["best_step_size_2"][0]), 1)
    np.testing.assert_allclose(found["best_value"][0], -2.01)
    assert not found["open"].any()
    assert found["best_value"].attrs == {"long_name": "best loss", "units": "nat"}
    # Of the accuracies, a hat, the maximum.
    hat = minima(dataset, "accuracy")
    assert (hat["count"] == 1).all()
    assert (hat["best_step_size"] == 0).all()
    turned = minima(dataset.transpose("step_size_2", "step_size", ...))
    xr.testing.assert_equal(turned.transpose(*found["minimum"].dims), found)


def test_what_is_refused():
    with pytest.raises(InvalidValueError, match="not a plane"):
        minima(planes.line([0, 1], [1, 2]))
    with pytest.raises(InvalidValueError, match="unknown mode 'lower'"):
        minima(planes.plane(), mode="lower")
    with pytest.raises(InvalidValueError, match="unknown metric 'los'"):
        minima(planes.plane(), "los")
