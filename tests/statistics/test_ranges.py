"""Whether a range shows anything: curves of known shapes."""

import numpy as np
import pytest
import xarray as xr
from helpers.slices import slices

from landscape.errors import InvalidValueError
from landscape.statistics import range_problems


def judged(dataset, **options):
    found = range_problems(dataset, **options)
    assert all(array.dims == ("checkpoint", "draw") for array in found.values())
    assert all(array.dtype == bool for array in found.values())
    return {name: array.values.ravel().tolist() for name, array in found.items()}


def with_values(steps, same_batch=True, **curves):
    """One checkpoint and draw for each row of the curves' values."""
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    values = {n: np.asarray(c, float)[:, None, None] for n, c in curves.items()}
    name = "same_batch" if same_batch else "validation"
    return xr.Dataset(
        {n: (dims, v) for n, v in values.items()}, {"step_size": steps, "evaluation_set": [name]}
    )


def test_peaks_within_the_range_are_no_problem():
    # 0.9 − 0.4·|s| is within a tenth of 0.9 up to 0.225; 0.9 − 0.2·|s| up to 0.45.
    assert judged(slices(draws=2)) == {
        "flat": [False] * 4,
        "lower_beyond": [False] * 4,
        "upper_beyond": [False] * 4,
    }
    # With a range of ±0.25 the second's is not seen, and the lowest loss lies at 0.5.
    found = judged(slices().sel(step_size=slice(-0.25, 0.25)))
    assert found == {
        "flat": [False, False],
        "lower_beyond": [False, True],
        "upper_beyond": [True, True],
    }


def test_flat_is_what_varies_by_less_than_the_tolerance_in_all_metrics():
    loss = [[2.0, 2.01, 2.0], [2.0, 2.1, 2.0], [2.0, 1.99, 2.0], [0.0, 0.0, 0.0]]
    accuracy = [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.6, 0.5], [0.0, 0.0, 0.0]]
    dataset = with_values([-1, 0, 1], loss=loss, accuracy=accuracy)
    assert judged(dataset)["flat"] == [True, False, False, True]
    assert judged(dataset, tolerance=0.05)["flat"] == [True, True, False, True]
    # What is flat has no peak to leave the range.
    assert judged(dataset)["upper_beyond"] == [False, True, False, False]


def test_what_is_not_finite_is_not_flat():
    loss = [[2.0, 2.0, np.nan], [np.inf, 2.0, 2.0], [np.inf] * 3, [np.nan] * 3]
    found = judged(with_values([-1, 0, 1], loss=loss))
    assert found["flat"] == [False] * 4
    # A peak that ends at a NaN within the range is not mended by a wider one.
    assert found["upper_beyond"] == [False, True, False, False]
    assert found["lower_beyond"] == [True, False, False, False]


def test_the_lowest_loss_at_an_end():
    loss = [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [2.0, 1.0, 2.0]]
    found = judged(with_values([-1, 0, 1], loss=loss))
    assert found["lower_beyond"] == [False, True, False]
    assert found["upper_beyond"] == [True, False, False]


def test_an_end_at_0_is_wanted():
    assert judged(with_values([0, 1], loss=[[1.0, 2.0], [2.0, 1.0]])) == {
        "flat": [False, False],
        "lower_beyond": [False, False],
        "upper_beyond": [False, True],
    }


def test_one_step_size_is_no_range():
    found = judged(with_values([1], loss=[[1.0]], accuracy=[[1.0]]))
    assert found == {"flat": [False], "lower_beyond": [False], "upper_beyond": [False]}


def test_without_the_same_batch_it_is_refused():
    with pytest.raises(InvalidValueError, match=r"sets are \['validation'\]; .* 'same_batch'"):
        range_problems(with_values([0, 1], same_batch=False, loss=[[1.0, 2.0]]))
