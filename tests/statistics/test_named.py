"""Statistics with named dimensions: each slice's own number, in its place and with its units."""

import math

import numpy as np
import pytest
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.statistics import (
    armijo,
    batch_bias,
    best_steps,
    gradient_slope,
    parabolas,
    peak_widths,
    plateaus,
)

NAN = math.nan
STEPS = np.array([-1.0, -0.1, 0.0, 0.1, 1.0])
SETS = ["same_batch", "other_batch_1", "other_batch_2", "validation"]


@pytest.fixture
def dataset():
    """Losses value + slope · s + s², two checkpoints, three draws, four sets."""
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    shape = (2, 3, len(SETS), len(STEPS))
    value = np.array([1.0, 2.0, 4.0, 5.0])[:, None]
    slope = -np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[..., None, None]
    loss = np.broadcast_to(value + slope * STEPS + STEPS**2, shape).copy()
    loss[:, :, 0] += 0.5 * STEPS  # the same batch's own slope
    return xr.Dataset(
        {
            "loss": (dims, loss, {"long_name": "loss", "units": "nat"}),
            "accuracy": (dims, 1 - np.round(loss / 10, 1), {"long_name": "accuracy", "units": "1"}),
        },
        coords={
            "gradient_norm": (("checkpoint", "draw"), np.arange(1.0, 7.0).reshape(2, 3)),
            "evaluation_set": SETS,
            "kind": ("evaluation_set", ["same_batch", "other_batch", "other_batch", "validation"]),
            "step_size": ("step_size", STEPS, {"long_name": "step size", "units": "1"}),
        },
        attrs={"direction": "gradient", "origin": "before-step"},
    )


def labels(found):
    return {name: (a.attrs["long_name"], a.attrs["units"]) for name, a in found.items()}


def ranges(what):
    return {
        "width": (f"{what} width", "1"),
        "lower": (f"lower end of the {what}", "1"),
        "upper": (f"upper end of the {what}", "1"),
        "lower_open": ("whether the lower end was not seen", "1"),
        "upper_open": ("whether the upper end was not seen", "1"),
        "asymmetry": (f"asymmetry of the {what}", "1"),
    }


def test_batch_bias_is_same_minus_each_other(dataset):
    found = batch_bias(dataset)
    assert found.bias.dims == dataset.loss.dims
    np.testing.assert_array_equal(found.bias.sel(evaluation_set="same_batch"), 0)
    expected = 1 - 5 + 0.5 * STEPS
    for place in np.ndindex(2, 3):
        own = found.sel(evaluation_set="validation").isel(checkpoint=place[0], draw=place[1])
        np.testing.assert_allclose(own.bias, expected)
        np.testing.assert_allclose(own.odd, 0.5 * STEPS, atol=1e-12)
        np.testing.assert_allclose(own.even, -4)
    assert labels(found) == {
        "bias": ("batch bias of the loss", "nat"),
        "odd": ("odd part of the batch bias", "nat"),
        "even": ("even part of the batch bias", "nat"),
    }


def test_batch_bias_against_a_kind_is_against_its_mean(dataset):
    found = batch_bias(dataset, against="other_batch")
    assert found.bias.dims == ("checkpoint", "draw", "step_size")
    np.testing.assert_allclose(found.even, 1 - 3)
    np.testing.assert_allclose(
        batch_bias(dataset, against="validation").bias,
        batch_bias(dataset).bias.sel(evaluation_set="validation"),
    )
    dataset["loss"][0, 0, 1, 0] = NAN
    found = batch_bias(dataset, against="other_batch").bias
    assert int(np.isnan(found).sum()) == 1
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'big'"):
        batch_bias(dataset, against="big")


def test_plateaus_are_the_plateau_of_every_slice(dataset):
    dataset["accuracy"][1, 2, 3] = [0, 1, 1, 1, 0]
    found = plateaus(dataset)
    assert found.width.dims == ("checkpoint", "draw", "evaluation_set")
    assert found.width[1, 2, 3] == 0.2
    assert found.asymmetry[1, 2, 3] == 0
    far = plateaus(dataset, against="distance")
    np.testing.assert_allclose(far.width, found.width * dataset.gradient_norm)
    assert labels(found) == ranges("plateau")


def test_peak_widths_tell_the_asymmetry(dataset):
    dataset["accuracy"][0, 0, 0] = [0, 0, 1, 1, 0]
    found = peak_widths(dataset, tolerance=0.5)
    assert found.asymmetry[0, 0, 0] == pytest.approx((0.55 - 0.05) / 0.6)
    assert labels(found) == ranges("peak")


def test_best_steps_of_every_slice(dataset):
    found = best_steps(dataset, "loss")
    assert found.improvement.dims == ("checkpoint", "draw", "evaluation_set")
    # 1 + (−1 + ½) s + s²: of the sampled, the best is 0.1
    assert found.best_step_size[0, 0, 0] == 0.1
    assert found.improvement[0, 0, 0] == pytest.approx(0.04)
    assert not found.open[0, 0, 0]
    assert found.open[1, 0, 0]
    assert labels(found) == {
        "best_step_size": ("step size of the best loss", "1"),
        "best_value": ("best loss", "nat"),
        "improvement": ("improvement of the loss", "nat"),
        "open": ("whether a better one may lie unseen", "1"),
    }
    assert (
        best_steps(dataset.rename(loss="mine"), "mine", "min").best_value == found.best_value
    ).all()
    with pytest.raises(InvalidValueError, match="'mine' is better higher or lower is not known"):
        best_steps(dataset.rename(loss="mine"), "mine")


@pytest.mark.parametrize("method", ["difference", "mutschler", "least-squares"])
def test_parabolas_of_every_slice(dataset, method):
    found = parabolas(dataset, method=method)
    np.testing.assert_allclose(found.curvature, 2)
    np.testing.assert_allclose(found.slope[1, 2], [-5.5, -6, -6, -6])
    np.testing.assert_allclose(found.optimum, -found.slope / 2)
    np.testing.assert_allclose(found.optimum_value, found.value - found.slope**2 / 4, atol=1e-9)
    assert labels(found) == {
        "value": ("loss at step size 0", "nat"),
        "slope": ("slope of the loss", "nat"),
        "curvature": ("curvature of the loss", "nat"),
        "optimum": ("step size of the parabola's optimum", "1"),
        "optimum_value": ("loss at the parabola's optimum", "nat"),
    }


def test_the_gradients_slope_is_known(dataset):
    slope = gradient_slope(dataset)
    np.testing.assert_array_equal(slope, -(dataset.gradient_norm**2))
    found = parabolas(dataset, slope=slope)
    assert found.slope.dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_array_equal(found.slope[:, :, 0], slope)
    dataset.attrs["direction"] = "normalised-gradient"
    np.testing.assert_array_equal(gradient_slope(dataset), -dataset.gradient_norm)
    dataset.attrs["origin"] = "after-step"
    with pytest.raises(InvalidValueError, match="origin 'after-step'"):
        gradient_slope(dataset)


def test_armijo_of_every_slice(dataset):
    found = armijo(dataset, c=0.45)
    assert found.slack.dims == dataset.loss.dims
    assert found.step_size.values.tolist() == [0.1, 1.0]
    # m s + s² ≤ 0.45 m s for s ≤ −0.55 m: at m = −1, 0.1 but not 1; at −2 and below, both
    held = found.satisfied.sel(evaluation_set="validation")
    np.testing.assert_array_equal(held[0], [[1, 0], [1, 1], [1, 1]])
    np.testing.assert_allclose(found.slope[0, 0], [-0.5, -1, -1, -1])
    assert labels(found) == {
        "slack": ("loss on the good side of Armijo's line", "nat"),
        "satisfied": ("whether Armijo's condition holds", "1"),
        "slope": ("slope of the loss", "nat"),
    }
    given = armijo(dataset, c=0.45, slope=gradient_slope(dataset))
    np.testing.assert_array_equal(given.slope[..., 0], gradient_slope(dataset))
    dataset["loss"][0, 0, 0, -1] = NAN
    held = armijo(dataset, c=0.45).satisfied[0, 0, 0]
    np.testing.assert_array_equal(held, [1, NAN])


def test_on_armijos_line_the_condition_holds(dataset):
    slope = gradient_slope(dataset)
    # c and the step sizes are powers of 2, so that nothing is rounded.
    one = dataset.isel(step_size=[0, -1]).assign_coords(step_size=[0.0, 0.5])
    on_it = one["loss"].isel(step_size=0) + 0.25 * slope * one["step_size"]
    one["loss"] = on_it.transpose(*dataset["loss"].dims)
    found = armijo(one, c=0.25, slope=slope)
    np.testing.assert_array_equal(found.slack, 0)
    np.testing.assert_array_equal(found.satisfied, 1)


def test_statistics_keep_dimensions_they_do_not_know(dataset):
    many = dataset.expand_dims(resample=4, axis=-1)
    for found in (best_steps(many), peak_widths(many), parabolas(many), armijo(many)):
        for array in found.values():
            assert array.sizes["resample"] == 4
    assert batch_bias(many).odd.sizes["resample"] == 4


def test_unknown_names_are_named(dataset):
    with pytest.raises(InvalidValueError, match="did you mean 'least-squares'"):
        parabolas(dataset, method="least squares")
    with pytest.raises(InvalidValueError, match="only 'mutschler' takes one"):
        parabolas(dataset, method="difference", slope=gradient_slope(dataset))
