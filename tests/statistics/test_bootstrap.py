"""Intervals in simulation, where the truth is known."""

import math

import numpy as np
import pytest
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.statistics import (
    batch_bias,
    interval,
    mean_interval,
    rederive,
    resample_draws,
    resample_samples,
)

INF, NAN = math.inf, math.nan


def made(values, name="validation"):
    """Per-sample values (draw, sample) at one step size."""
    dims = ("checkpoint", "draw", "step_size", "sample")
    values = np.asarray(values, dtype=np.float32)[None, :, None]
    return xr.Dataset(
        {
            "loss": (dims, values),
            "margin": (dims, values),
            "target": (("checkpoint", "draw", "sample"), np.zeros_like(values[:, :, 0], dtype=int)),
        },
        coords={"step_size": [0.0], "evaluation_set": name},
    )


def covered(found, truth):
    inside = (found.sel(bound="lower") <= truth) & (truth <= found.sel(bound="upper"))
    return inside.mean().item()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_over_samples_cover_at_their_level(level):
    rng = np.random.default_rng(1)
    error = 3 * math.sqrt(level * (1 - level) / 600)
    loss = made(rng.exponential(2, (600, 150)))
    found = interval(resample_samples(loss, "loss", 400).loss, level)
    assert covered(found, 2) == pytest.approx(level, abs=error)
    # a difference between two sets
    sets = [
        made(rng.exponential(2, (600, 150)), "same_batch"),
        made(rng.normal(1, 3, (600, 200)), "validation"),
    ]
    bias = batch_bias(resample_samples(sets, "loss", 400), "loss", "validation").bias
    assert covered(interval(bias, level), 1) == pytest.approx(level, abs=error)


@pytest.mark.parametrize("count", [7, 40, 200, 1000, 2000])
@pytest.mark.parametrize("level", [0.5, 0.68, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999])
def test_bounds_are_the_smallest_values_that_the_share_does_not_exceed(count, level):
    values = xr.DataArray(np.random.default_rng(0).permutation(count) + 1.0, dims="resample")
    found, mille = interval(values, level), round(1000 * level)
    for bound, share in zip(("lower", "upper"), (1000 - mille, 1000 + mille), strict=True):
        # Of 1 … count, the rank is the value: count · share, rounded up, in whole numbers.
        rank = max(-(-count * share // 2000), 1)
        assert found.sel(bound=bound) == rank


def test_the_bounds_of_infinities_and_nan():
    values = xr.DataArray([[-np.inf, 0, 1, np.inf], [0, 1, 2, np.nan]], dims=("x", "resample"))
    found = interval(values, 0.9).values
    assert found[0].tolist() == [-np.inf, np.inf]
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_over_draws_cover_at_their_level(level):
    values = np.random.default_rng(2).normal(3, 1, (600, 40))
    found = resample_draws(xr.DataArray(values, dims=("checkpoint", "draw")), 400)
    assert found.dims == ("checkpoint", "resample")
    error = 3 * math.sqrt(level * (1 - level) / 600) + 0.01  # 40 draws are few
    assert covered(interval(found, level), 3) == pytest.approx(level, abs=error)


def test_draws_and_samples_resampled_together_hold_both_variances():
    rng = np.random.default_rng(3)
    one = made(rng.normal(0, 1, (50, 100)) + rng.normal(0, 0.3, (50, 1)))
    both = resample_draws(resample_samples(one, "loss", 2000)).loss
    assert both.dims == ("checkpoint", "step_size", "resample")
    draws = resample_draws(rederive(one, "loss"), 2000).loss
    # of 50 draws: their own variance, and beside it that of the mean over the same samples' places
    means = one.loss.astype(float).mean("sample")
    assert draws.std().item() == pytest.approx(means.std().item() / math.sqrt(50), rel=0.1)
    assert both.std().item() > draws.std().item()


def test_a_band_holds_its_share_of_the_draws():
    draws = xr.DataArray(
        [[5.0, 1, 4, 2, 3], [1, 2, NAN, 4, 5], [1, 2, 3, INF, INF]], dims=("x", "draw")
    )
    found = interval(draws, 0.6, over="draw")
    np.testing.assert_array_equal(found, [[1, 4], [NAN, NAN], [1, INF]])
    assert found.bound.values.tolist() == ["lower", "upper"]


def test_infinities_of_both_signs_have_no_mean():
    found = resample_samples(made([[INF, -INF, 0.0]]), "loss", 200).loss.values.ravel()
    drawn = np.random.default_rng([0, *b"validation"]).integers(3, size=(200, 3))
    expected = [sum(row) / 3 for row in np.array([INF, -INF, 0.0])[drawn].tolist()]
    np.testing.assert_array_equal(found, expected)
    assert {*np.nan_to_num(found, nan=7, posinf=1, neginf=-1)} == {7, 1, -1, 0}


def test_many_resamples_of_many_samples_are_all_made():
    """More than are counted at once."""
    samples, resamples = 4000, 2500
    values = np.random.default_rng(4).normal(0, 1, (1, samples))
    found = resample_samples(made(values), "loss", resamples).loss.values.ravel()
    for part in np.split(found, 5):
        assert len(np.unique(part)) == len(part)
        assert part.mean() == pytest.approx(values.mean(), abs=4 / math.sqrt(samples * len(part)))
        assert part.std() == pytest.approx(values.std() / math.sqrt(samples), rel=0.15)


def test_each_resample_of_the_samples_takes_its_own_draws():
    both = resample_draws(resample_samples(made(np.eye(3)), "loss", 7)).loss
    assert both.sizes["resample"] == 7
    # Where all draws are alike, taking other ones changes nothing.
    once = resample_samples(made(np.ones((3, 1)) * [0.0, 1, 2, 3]), "loss", 50)
    np.testing.assert_allclose(resample_draws(once).loss, once.loss.isel(draw=0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: rederive(one, "acuracy"), "did you mean 'accuracy'"),
        (lambda one: rederive(one, "loss", [1]), "loss has none"),
        (lambda one: rederive(one, "smooth_accuracy", [0]), "give numbers above 0"),
        (lambda one: rederive([], "loss"), "at least one"),
        (lambda one: rederive(one.drop_vars("loss"), "loss"), "as landscape.open_samples gives"),
        (lambda one: rederive(one.drop_vars("margin"), "accuracy"), "needs the margin of each"),
        (lambda one: rederive([one.drop_vars("evaluation_set")], "loss"), "coordinate evaluation"),
        (lambda one: resample_samples(one, "loss", 0), "resamples is 0"),
        (lambda one: resample_draws(one.sum("draw")), "unknown dimension 'draw'"),
        (lambda one: interval(one), "unknown dimension 'resample'"),
        (lambda one: interval(one, 95, over="draw"), "level is 95"),
        (lambda one: interval(one, 0, over="draw"), "level is 0"),
        (lambda one: interval(one, 1, over="draw"), "level is 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call(made(np.zeros((2, 5))))


def test_the_mean_and_its_interval_in_one_call():
    values = xr.DataArray(
        np.random.default_rng(0).normal(size=(7, 3)), dims=("draw", "checkpoint"), name="loss"
    )
    values[2, 1] = NAN
    found = mean_interval(values, 0.9, resamples=500, seed=3)
    ends = interval(resample_draws(values, 500, 3), 0.9)
    np.testing.assert_array_equal(found["lower"], ends.sel(bound="lower"))
    np.testing.assert_array_equal(found["upper"], ends.sel(bound="upper"))
    np.testing.assert_array_equal(found["mean"], values.mean("draw", skipna=False))
    assert [each.dims for each in found.values()] == [("checkpoint",)] * 3
    assert found.isel(checkpoint=1).to_array().isnull().all()
    assert not found.isel(checkpoint=0).to_array().isnull().any()
