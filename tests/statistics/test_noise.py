"""Noise between batches: that of simulated batches, whose noise is known."""

import numpy as np
import pytest
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.statistics import batch_noise

STEPS = np.array([-0.1, 0.0, 0.1, 1.0])
KINDS = ["same_batch", *["other_batch"] * 8, "big_batch"]
AT_0, ALONG = 0.3, np.array([0.2, 0.0, 0.2, 0.05])  # standard deviations


def simulated(draws=400, seed=0):
    """Normal noise of the loss at 0 and, apart from it, of its change, on two checkpoints."""
    rng = np.random.default_rng(seed)
    shape = (2, draws, len(KINDS), len(STEPS))
    loss = rng.normal(0, AT_0, (*shape[:-1], 1)) + rng.normal(0, 1, shape) * ALONG
    loss[1] *= 10
    loss += rng.normal(5, 100, (2, draws, 1, len(STEPS)))  # a draw's own, which is no noise
    loss[:, :, [0, -1]] += 1000  # those sets are not other batches
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    return xr.Dataset(
        {"loss": (dims, loss, {"long_name": "loss", "units": "nat"})},
        coords={"kind": ("evaluation_set", KINDS), "step_size": STEPS},
    )


def test_the_noise_is_that_of_the_simulation():
    found = batch_noise(simulated())
    assert found["change"].dims == ("checkpoint", "step_size")
    for name, expected in (("change", ALONG), ("value", np.hypot(AT_0, ALONG))):
        # The standard error of 400 · 7 degrees of freedom is 1.3 %.
        np.testing.assert_allclose(found[name][0], expected, rtol=0.05)
        np.testing.assert_allclose(found[name][1], 10 * expected, rtol=0.05)
        assert found[name].attrs["units"] == "nat"
    assert found["change"].attrs["long_name"] == "noise of the change of the loss"


def test_it_is_the_root_of_the_mean_unbiased_variance():
    dataset = simulated(draws=3)
    loss = dataset["loss"].values[:, :, 1:9]
    change = loss - loss[..., 1:2]
    found = batch_noise(dataset)
    for name, values in (("value", loss), ("change", change)):
        expected = np.sqrt(np.mean(np.var(values, axis=2, ddof=1), axis=1))
        np.testing.assert_allclose(found[name], expected)


def test_identical_batches_have_none():
    dataset = simulated(draws=2)
    dataset["loss"][:, :, 2:9] = dataset["loss"][:, :, 1]
    found = batch_noise(dataset)
    np.testing.assert_allclose(found["value"], 0, atol=1e-12)
    np.testing.assert_allclose(found["change"], 0, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_has_no_noise(value):
    dataset = simulated(draws=2)
    dataset["loss"][0, 1, 4, 3] = value
    dataset["loss"][1, 0, 2, 1] = value  # at 0
    dataset["loss"][0, 0, 0, 0] = value  # on the same batch
    found = batch_noise(dataset)
    np.testing.assert_array_equal(np.isnan(found["value"]), [[0, 0, 0, 1], [0, 1, 0, 0]])
    np.testing.assert_array_equal(np.isnan(found["change"]), [[0, 0, 0, 1], [1, 1, 1, 1]])


def test_dimensions_it_does_not_know_are_kept():
    found = batch_noise(simulated(draws=2).expand_dims(slope_factor=[1.0, 2.0], axis=-1))
    assert found["change"].dims == ("checkpoint", "step_size", "slope_factor")


def test_two_other_batches_are_needed():
    dataset = simulated(draws=2)
    with pytest.raises(InvalidValueError, match=r"have 1 other batch; .* at least 2"):
        batch_noise(dataset.isel(evaluation_set=[0, 1, 9]))
    assert batch_noise(dataset.isel(evaluation_set=[0, 1, 2])).sizes["checkpoint"] == 2
    with pytest.raises(InvalidValueError, match="unknown metric 'f1'"):
        batch_noise(dataset, "f1")
