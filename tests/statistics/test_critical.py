"""The critical step size against a fine grid, and against answers known by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import Critical, critical_step_size, critical_step_sizes

INF, NAN = math.inf, math.nan
STEPS = [-1.0, 0.0, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 1, 0.5, 0, 2], Critical(1.5, False)),
        ([9, 1, 1, 1, 3], Critical(1.0, False)),  # as good as at 0 is not worse
        ([9, 1, 2, 0, 0], Critical(0.0, False)),  # worse from the first sample on
        ([9, 1, 0.5, 0.9, 1], Critical(2.0, True)),  # never worse in what was sampled
        ([9, 1, 0.5, INF, 0], Critical(0.5, False)),
        ([9, 1, -INF, 3, 0], Critical(1.0, False)),
        ([9, 1, 0.5, NAN, 5], Critical(0.5, True)),
        ([NAN, 1, 0, 2, NAN], Critical(0.75, False)),  # what comes later does not count
    ],
)
def test_answers_known_by_hand(values, expected):
    assert critical_step_size(values, STEPS) == expected
    turned = [-value for value in values]
    assert critical_step_size(turned, STEPS, mode="max") == expected


@pytest.mark.parametrize("start", [NAN, INF, -INF])
def test_without_a_start_there_is_none(start):
    found = critical_step_size([1, start, 2], [-1, 0, 1])
    assert math.isnan(found.step_size)
    assert found.open


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=8))
def test_it_is_the_first_place_of_a_fine_grid_that_is_worse(values):
    steps = np.arange(len(values), dtype=float)
    grid = np.linspace(0, steps[-1], 1000 * (len(values) - 1) + 1)
    worse = grid[np.interp(grid, steps, values) > values[0]]
    found = critical_step_size(values, steps)
    assert found.open == (worse.size == 0)
    expected = worse[0] if worse.size else steps[-1]
    assert found.step_size == pytest.approx(expected, abs=0.0011)


@pytest.mark.parametrize(
    ("values", "steps", "mode", "message"),
    [
        ([1, 2], [1, 2], "min", "0 is not among"),
        ([1, 2], [1, 0], "min", "not finite and ascending"),
        ([[1, 2]], [0, 1], "min", "do not fit"),
        ([1, 2], [0, 1], "lower", "unknown mode 'lower'"),
    ],
)
def test_what_is_refused(values, steps, mode, message):
    with pytest.raises(InvalidValueError, match=message):
        critical_step_size(values, steps, mode)


def test_every_slice_has_its_own(dataset):
    found = critical_step_sizes(dataset)
    assert found["critical"].dims == ("checkpoint", "draw", "evaluation_set")
    for at in np.ndindex(found["critical"].shape):
        values = dataset["loss"].values[at]
        expected = critical_step_size(values, dataset["step_size"])
        assert (found["critical"].values[at], found["open"].values[at]) == expected
    assert found["critical"].attrs == {"long_name": "critical step size", "units": "1"}
    accuracy = critical_step_sizes(dataset, "accuracy").isel(checkpoint=0, draw=0, evaluation_set=0)
    expected = critical_step_size(dataset["accuracy"].values[0, 0, 0], dataset["step_size"], "max")
    assert (accuracy["critical"].item(), accuracy["open"].item()) == expected
