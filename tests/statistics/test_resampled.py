"""Statistics of resampled slices and planes: each resample has its own, and intervals follow."""

import numpy as np
import pytest
import xarray as xr
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.statistics import (
    anisotropy,
    areas,
    barriers,
    batch_sharpness,
    convexities,
    critical_sharpness,
    curvatures,
    interval,
    minima,
    rederive,
    relative_critical_sharpness,
    resample_draws,
    resample_samples,
    resolution_problems,
)

STEPS = np.linspace(-1, 2, 13)


def along_the_gradient():
    """Slices that fall at first, bend and rise, another for each draw."""
    more = np.array([0.0, 0.2, 0.4])[None, :, None, None]
    loss = 1 - 0.4 * STEPS + (0.3 + more) * STEPS**2 - 0.1 * np.sin(6 * STEPS)
    made = planes.line(STEPS, loss, draws=3, checkpoints=2)
    norm = xr.full_like(made["gradient_norm"], 0.5)
    return made.assign_coords(gradient_norm=norm, direction_norm=norm, direction_slope=-(norm**2))


def over_planes():
    return planes.plane(draws=3, path=0)


def areas_of_loss(dataset):
    return areas(dataset, "loss", "distance", tolerance=0.2)


OF_MEANS = [convexities, barriers, critical_sharpness, relative_critical_sharpness]
OF_SLICES = [*OF_MEANS, curvatures, batch_sharpness, resolution_problems]
OF_PLANES = [areas_of_loss, anisotropy, minima, resolution_problems]
CASES = [
    pytest.param(make, statistic, id=f"{statistic.__name__}, {make.__name__}")
    for make, statistics in ((along_the_gradient, OF_SLICES), (over_planes, OF_PLANES))
    for statistic in statistics
]


@pytest.mark.parametrize(("make", "statistic"), CASES)
def test_each_resample_of_the_samples_has_its_own(make, statistic):
    dataset = make()
    sets = [planes.samples(dataset, name) for name in ("same_batch", "validation")]
    whole = rederive(sets, "loss")["loss"]
    xr.testing.assert_allclose(whole, dataset["loss"])
    resampled = resample_samples(sets, "loss", 200)
    found, point = statistic(resampled), statistic(dataset)
    for place in (0, 7):
        one = statistic(resampled.isel(resample=place))
        xr.testing.assert_allclose(found.isel(resample=place), one)
    bounds = interval(found, 0.99)
    for name, values in point.items():
        assert set(found[name].dims) == {*values.dims, "resample"}
        assert np.isfinite(values).all()
        lower, upper = bounds[name].sel(bound="lower"), bounds[name].sel(bound="upper")
        assert ((lower <= values + 1e-9) & (values - 1e-9 <= upper)).all(), name


@pytest.mark.parametrize(("make", "statistic"), CASES)
def test_what_is_not_in_memory_has_the_same(make, statistic):
    pytest.importorskip("dask")
    xr.testing.assert_equal(statistic(make().chunk(checkpoint=1)), statistic(make()))


@pytest.mark.parametrize(("make", "statistic"), CASES)
def test_statistics_of_draws_are_resampled(make, statistic):
    point = statistic(make())
    if statistic is batch_sharpness:
        point = point[["of_draw"]]  # of what is a mean over draws, its terms
    found = resample_draws(point, 300)
    bounds = interval(found)
    for name, values in point.items():
        assert found[name].dims == (*(d for d in values.dims if d != "draw"), "resample")
        mean = values.mean("draw", skipna=False)
        lower, upper = bounds[name].sel(bound="lower"), bounds[name].sel(bound="upper")
        assert ((lower <= mean + 1e-9) & (mean - 1e-9 <= upper)).all(), name


@pytest.mark.parametrize("statistic", [*OF_MEANS, resolution_problems])
def test_means_over_resampled_draws_have_theirs(statistic):
    resampled = resample_draws(along_the_gradient(), 50)
    found = statistic(resampled)
    assert "draw" not in found.dims
    xr.testing.assert_allclose(found.isel(resample=3), statistic(resampled.isel(resample=3)))
    assert interval(found).sizes["bound"] == 2


def test_means_of_planes_over_resampled_draws_have_theirs():
    resampled = resample_draws(over_planes(), 50)
    for statistic in (minima, resolution_problems, lambda d: areas(d, tolerance=0.2)):
        found = statistic(resampled)
        one = statistic(resampled.isel(resample=3))
        xr.testing.assert_allclose(found.isel(resample=3), one)


@pytest.mark.parametrize("statistic", [curvatures, batch_sharpness, anisotropy])
def test_what_needs_a_direction_says_that_a_mean_has_none(statistic):
    make = over_planes if statistic is anisotropy else along_the_gradient
    with pytest.raises(InvalidValueError, match="resample the statistic of each draw instead"):
        statistic(resample_draws(make(), 5))
