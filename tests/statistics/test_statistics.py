"""Numbers of slices whose answers are known."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import (
    Interval,
    center,
    distance,
    gap,
    metrics,
    peak_width,
    peak_widths,
    plateau,
)

INF, NAN = math.inf, math.nan

# The published slice of step-wise accuracy: a table of values against step sizes.
PUBLISHED_STEPS = [-1, -0.5, -0.1, -0.01, -0.001, -0.0001, 0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1]
PUBLISHED = [0.0625, 0.34375, 0.796875, 0.96875, *[0.984375] * 7, 0.625, 0.265625]


def test_a_hat_is_as_wide_as_its_interpolated_crossings():
    # 1 at 0, falling by 0.5 per unit: within 0.1 up to 0.2
    assert peak_width([0, 0.5, 1, 0.5, 0], [-2, -1, 0, 1, 2]) == pytest.approx(
        Interval(-0.2, 0.2, False, False)
    )
    assert peak_width([0.5, 1, 0.5], [-1, 0, 1]).width == pytest.approx(0.4)


def test_a_parabola_is_as_wide_as_its_formula():
    # 1 − s² ≥ 1 − t for |s| ≤ √t
    steps = np.linspace(-1, 1, 20001)
    for tolerance in (0.01, 0.1, 0.5):
        found = peak_width(1 - steps**2, steps, tolerance)
        assert found.width == pytest.approx(2 * math.sqrt(tolerance), rel=1e-6)


def test_an_asymmetric_peak_has_its_own_ends():
    found = peak_width([0, 1, 0.8, 0.6], [-1, 0, 1, 2], tolerance=0.3)
    assert found == pytest.approx(Interval(-0.3, 1.5, False, False))


def test_the_published_slice():
    found = peak_width(PUBLISHED, PUBLISHED_STEPS)
    lower = -0.01 - 0.09 * (0.96875 - 0.884375) / (0.96875 - 0.796875)
    upper = 0.1 + 0.4 * 0.1 / (0.984375 - 0.625)
    assert found == pytest.approx(Interval(lower, upper, False, False))
    assert plateau(PUBLISHED, PUBLISHED_STEPS) == Interval(-0.001, 0.1, False, False)


def test_without_tolerance_the_peak_is_the_plateau():
    assert peak_width(PUBLISHED, PUBLISHED_STEPS, tolerance=0) == Interval(
        -0.001, 0.1, False, False
    )


def test_of_equally_good_values_the_one_nearest_to_0_counts():
    values = [1, 0, 0, 1, 0, 1]
    assert peak_width(values, [-3, -2, -1, 0.5, 1, 2], tolerance=0).upper == 0.5
    # as near on both sides: the positive one
    assert peak_width([1, 0, 1], [-1, 0, 1], tolerance=0).lower == 1
    # a second peak apart from the first does not belong to it
    assert peak_width([0, 1, 0, 0.99, 0], [-1, 0, 1, 2, 3]).upper == pytest.approx(0.1)


def test_loss_is_better_lower():
    found = peak_width([4, 1, 0, 1, 4], [-2, -1, 0, 1, 2], tolerance=0.5, mode="min")
    assert found == pytest.approx(Interval(-0.5, 0.5, False, False))


def test_a_relative_tolerance_is_a_share_of_the_best():
    values = np.array([0, 0.5, 0])
    assert peak_width(values, [-1, 0, 1], 0.2, relative=True).width == pytest.approx(0.4)
    # loss: from 2 up to 2 + 0.5 · 2
    found = peak_width([4, 2, 4], [-1, 0, 1], 0.5, relative=True, mode="min")
    assert found.width == pytest.approx(1.0)


def test_a_peak_at_the_edge_says_that_it_is_open():
    assert peak_width([0, 0.95, 1], [-1, 0, 1]) == pytest.approx(
        Interval(-0.05 / 0.95, 1, False, True)
    )
    assert peak_width([1, 1, 1], [-1, 0, 1]) == Interval(-1, 1, True, True)
    assert peak_width([3.0], [0.0]) == Interval(0, 0, True, True)


def test_nan_ends_the_peak_open_and_infinity_ends_it_closed():
    assert peak_width([NAN, 1, 1, 0], [-1, 0, 1, 2], 0.5) == Interval(0, 1.5, True, False)
    assert peak_width([-INF, 1, 1, NAN], [-1, 0, 1, 2]) == Interval(0, 1, False, True)
    assert peak_width([INF, 1, INF], [-1, 0, 1], mode="min") == Interval(0, 0, False, False)


@pytest.mark.parametrize("values", [[NAN, NAN, NAN], [INF, NAN, -INF]])
def test_without_a_finite_value_there_is_no_peak(values):
    found = peak_width(values, [-1, 0, 1])
    assert math.isnan(found.width)
    assert math.isnan(found.lower)
    assert found.lower_open
    assert found.upper_open


def test_plateau_ends_at_samples_and_at_nan():
    assert plateau([1, 2, 2, 2, 1], [-2, -1, 0, 1, 2]) == Interval(-1, 1, False, False)
    assert plateau([2, 2, 2, NAN], [-1, 0, 1, 2]) == Interval(-1, 1, True, True)
    assert math.isnan(plateau([2, NAN, 2], [-1, 0, 1]).width)
    assert plateau([5, 1, 2], [1, 2, 3]) == Interval(1, 1, True, False)


def test_center_is_the_step_size_nearest_to_0():
    assert center([-1, 0, 1]) == 1
    assert center([-0.5, 0.5, 1]) == 1
    assert center([2, 3]) == 0


@pytest.mark.parametrize(
    ("values", "steps", "options", "message"),
    [
        ([1, 2], [0, 1, 2], {}, "values"),
        ([], [], {}, "not empty"),
        ([1, 2], [1, 0], {}, "ascending"),
        ([1, 2], [0, INF], {}, "ascending"),
        ([1, 2], [0, 1], {"tolerance": -1}, "tolerance"),
        ([1, 2], [0, 1], {"tolerance": NAN}, "tolerance"),
        ([1, 2], [0, 1], {"mode": "maxi"}, "did you mean 'max'"),
    ],
)
def test_bad_input_is_named(values, steps, options, message):
    with pytest.raises(InvalidValueError, match=message):
        peak_width(values, steps, **options)


slices = st.lists(
    st.one_of(st.floats(-10, 10), st.sampled_from([NAN, INF, -INF])), min_size=1, max_size=12
)


@given(slices, st.sampled_from([0.25, 0.5, 2.0, 8.0]), st.booleans())
def test_width_scales_with_the_step_sizes(values, factor, relative):
    steps = np.arange(len(values)) - len(values) // 2
    one = peak_width(values, steps, 0.5, relative)
    scaled = peak_width(values, steps * factor, 0.5, relative)
    assert scaled.width == pytest.approx(one.width * factor, nan_ok=True)
    assert scaled[2:] == one[2:]


@given(slices)
def test_loss_is_accuracy_upside_down(values):
    steps = np.arange(len(values)) - len(values) // 2
    turned = peak_width(-np.array(values), steps, mode="min")
    np.testing.assert_equal(turned, peak_width(values, steps))


@given(slices, st.floats(0, 5), st.floats(0, 5))
def test_width_grows_with_the_tolerance_and_stays_in_range(values, one, other):
    steps = np.arange(len(values)) - len(values) // 2
    narrow, wide = (peak_width(values, steps, t) for t in sorted((one, other)))
    if math.isnan(narrow.width):
        assert math.isnan(wide.width)
    else:
        assert steps[0] <= wide.lower <= narrow.lower <= narrow.upper <= wide.upper <= steps[-1]


# With named dimensions


@pytest.fixture
def dataset():
    """Two checkpoints, two draws, two sets; triangles of known widths."""
    steps = np.array([-1.0, 0.0, 1.0])
    height = np.array([[1.0, 0.5]]).reshape(1, 1, 2, 1) * np.ones((2, 2, 1, 1))
    accuracy = height - np.array([1.0, 0.5]).reshape(2, 1, 1, 1) * np.abs(steps)
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    named = {"long_name": "accuracy", "units": "1"}
    return xr.Dataset(
        {
            "accuracy": (dims, accuracy, named),
            "loss": (dims, -accuracy, {"long_name": "loss", "units": "nat"}),
            "smooth_accuracy": ((*dims, "slope_factor"), np.stack([accuracy] * 3, -1), named),
            "mine": (dims, accuracy, named),
            "trained": ("checkpoint", [1.0, 2.0]),
        },
        coords={
            "gradient_norm": (("checkpoint", "draw"), [[1.0, 2.0], [3.0, NAN]]),
            "evaluation_set": ["big_batch", "validation"],
            "step_size": ("step_size", steps, {"long_name": "step size", "units": "1"}),
            "slope_factor": [0.1, 1.0, 10.0],
        },
        attrs={"direction": "gradient"},
    )


def test_metrics_are_what_was_measured_along_the_slice(dataset):
    assert metrics(dataset) == ["accuracy", "loss", "smooth_accuracy", "mine"]


def test_peak_widths_are_peak_width_of_every_slice(dataset):
    found = peak_widths(dataset, tolerance=0.25)
    assert found["width"].dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(found["width"].isel(checkpoint=0), 0.5)
    np.testing.assert_allclose(found["width"].isel(checkpoint=1), 1.0)
    np.testing.assert_allclose(found["upper"] - found["lower"], found["width"])
    assert found["lower_open"].dtype == bool
    assert not found["upper_open"].any()
    assert peak_widths(dataset, tolerance=2)["upper_open"].all()
    assert found.attrs["tolerance"] == 0.25
    for array in found.values():
        assert {"long_name", "units"} <= array.attrs.keys()


def test_peak_widths_know_what_is_better(dataset):
    xr.testing.assert_equal(peak_widths(dataset, "loss"), peak_widths(dataset, "accuracy"))
    xr.testing.assert_equal(peak_widths(dataset, "mine", mode="max"), peak_widths(dataset))
    with pytest.raises(InvalidValueError, match="mine"):
        peak_widths(dataset, "mine")


def test_peak_widths_keep_the_slope_factor(dataset):
    found = peak_widths(dataset, "smooth_accuracy")
    assert found["width"].dims == ("checkpoint", "draw", "evaluation_set", "slope_factor")


def test_against_distance_widths_are_times_the_norm(dataset):
    steps, far = (peak_widths(dataset, against=each) for each in ("step-size", "distance"))
    np.testing.assert_allclose(far["width"], steps["width"] * dataset["gradient_norm"])
    assert far["width"].dims == steps["width"].dims
    assert np.isnan(far["width"].values[1, 1]).all()
    dataset.attrs["direction"] = "normalised-gradient"
    np.testing.assert_allclose(peak_widths(dataset, against="distance")["width"], steps["width"])


def test_distance_is_step_size_times_norm(dataset):
    found = distance(dataset)
    assert found.dims == ("checkpoint", "draw", "step_size")
    np.testing.assert_allclose(found[0, 1], [-2, 0, 2])
    assert found.attrs == {"long_name": "distance", "units": "1"}
    dataset.attrs["direction"] = "normalised-gradient"
    np.testing.assert_allclose(distance(dataset)[1, 1], [-1, 0, 1])
    dataset.attrs["direction"] = "sideways"
    with pytest.raises(InvalidValueError, match="sideways"):
        distance(dataset)


def test_gap_is_big_batch_minus_validation(dataset):
    found = gap(dataset)
    assert found.dims == ("checkpoint", "draw", "step_size")
    np.testing.assert_allclose(found, 0.5)
    np.testing.assert_allclose(gap(dataset, "loss"), -0.5)
    assert gap(dataset, "loss").attrs == {"long_name": "loss gap", "units": "nat"}
    dataset["loss"][:] = INF
    assert np.isnan(gap(dataset, "loss")).all()


def test_unknown_names_are_named(dataset):
    with pytest.raises(InvalidValueError, match="did you mean 'accuracy'"):
        peak_widths(dataset, "acuracy")
    with pytest.raises(InvalidValueError, match="step-size, distance"):
        peak_widths(dataset, against="width")
    with pytest.raises(InvalidValueError, match="big_batch, validation"):
        gap(dataset, first="same_batch")
