import numpy as np
import pytest
import xarray as xr
from helpers.slices import slices

from landscape.errors import InvalidValueError
from landscape.slices import selection


@pytest.fixture
def both():
    """The slices along the gradient, whose norms are 2 and 0.5, and along the normalised one."""
    return slices(draws=2), slices(draws=2).assign_attrs(direction="normalised-gradient")


def test_the_distance_is_the_step_size_times_the_length_of_the_direction(both):
    along, unit = map(selection.distance, both)
    steps = both[0]["step_size"].values
    for found, lengths in ((along, (2.0, 0.5)), (unit, (1.0, 1.0))):
        assert found.dims == ("checkpoint", "draw", "step_size")
        assert found.attrs == {"long_name": "distance", "units": "1"}
        for checkpoint, length in enumerate(lengths):
            for draw in range(2):
                np.testing.assert_array_equal(found[checkpoint, draw], length * steps)


def test_where_the_norm_is_not_finite_the_distance_of_0_is_none(both):
    dataset = both[0]
    dataset["gradient_norm"][0, 0] = np.inf
    found = selection.distance(dataset)[0, 0].values
    np.testing.assert_array_equal(found, [-np.inf] * 3 + [np.nan] + [np.inf] * 3)


def test_an_update_is_a_step_of_the_learning_rate_or_as_far_along_the_normalised_gradient(both):
    along, unit = map(selection.learning_step, both)
    np.testing.assert_array_equal(along, [[0.25, 0.25], [5, 5]])
    # learning rate · ‖∇L‖
    np.testing.assert_array_equal(unit, [[0.5, 0.5], [2.5, 2.5]])
    distances = (
        xr.dot(step, selection.norm(each), dim=[])
        for step, each in zip((along, unit), both, strict=True)
    )
    np.testing.assert_array_equal(*distances)


def test_a_direction_that_is_not_known_has_no_length(both):
    for dataset in (both[0].assign_attrs(direction="random"), both[0].drop_attrs()):
        with pytest.raises(InvalidValueError, match="have no direction_norm; probe them again"):
            selection.norm(dataset)


def test_metrics_are_what_was_measured_along_the_slice(both):
    dataset = both[0].assign(note=("checkpoint", [1, 2]))
    assert selection.metrics(dataset) == ["loss", "accuracy", "smooth_accuracy"]
    assert selection.metric_values(dataset, "loss").identical(dataset["loss"])
    with pytest.raises(InvalidValueError, match=r"'acuracy' .did you mean 'accuracy'.*loss, acc"):
        selection.metric_values(dataset, "acuracy")
    with pytest.raises(InvalidValueError, match="unknown metric 'note'"):
        selection.metric_values(dataset, "note")


def test_sets_are_known_by_name(both):
    assert selection.set_name(both[0], "big_batch") == "big_batch"
    with pytest.raises(InvalidValueError, match="did you mean 'other_batch_1'"):
        selection.set_name(both[0], "other_batch")


def test_what_is_better_is_what_was_said_or_is_known(dataset):
    assert [selection.mode_of(dataset, m) for m in ("loss", "accuracy")] == ["min", "max"]
    assert selection.mode_of(dataset, "loss", "max") == "max"
    assert selection.mode_of(dataset, "mine", "min") == "min"
    with pytest.raises(InvalidValueError, match="whether 'mine' is better higher or lower"):
        selection.mode_of(dataset, "mine")


def test_what_is_no_slice_is_told_what_it_lacks(both):
    selection.require_slices(both[0])
    with pytest.raises(InvalidValueError, match=r"the dimensions epoch lack checkpoint, draw, ev"):
        selection.require_slices(xr.Dataset({"loss": ("epoch", [1.0])}))
    with pytest.raises(InvalidValueError, match=r"dimensions none lack .*step_size; give what"):
        selection.require_slices(xr.Dataset())
    with pytest.raises(InvalidValueError, match=r"lack draw;"):
        selection.require_slices(both[0].isel(draw=0, drop=True))


def test_a_function_of_whole_slices_is_applied_by_name(both):
    dataset = both[0]
    values = dataset["loss"].transpose("step_size", ...)
    first, last = selection.applied(
        dataset, values, lambda y, s: (y[..., 0], y * 0 + s), [[], ["step_size"]]
    )
    np.testing.assert_array_equal(first, dataset["loss"][..., 0])
    np.testing.assert_array_equal(last[1, 1, 3], dataset["step_size"])
    (alone,) = selection.applied(
        dataset, values, lambda y, s, g: (y[..., 0] * g,), [[]], dataset["gradient_norm"]
    )
    np.testing.assert_array_equal(
        alone.transpose("checkpoint", "draw", "evaluation_set"),
        dataset["loss"][..., 0] * dataset["gradient_norm"],
    )


def test_labels_and_the_order_of_dimensions(both):
    values = both[0]["loss"]
    turned = values.transpose("step_size", "draw", ...).expand_dims("resample")
    found = selection.labelled(values, width=(turned, "peak width", "m"))
    assert found["width"].dims == (*values.dims, "resample")
    assert found["width"].attrs == {"long_name": "peak width", "units": "m"}


def test_a_direction_points_along_the_gradient_where_its_slope_says_so(both):
    for dataset in both:
        assert selection.along_gradient(dataset).all()
    # ∇L · d = −‖∇L‖ · ‖d‖ · cos, with ‖∇L‖ = 2 and 0.5
    norms, slopes = np.full((2, 2), 3.0), [[-6.0, -5.9], [1.5, -1.5]]
    each = ("checkpoint", "draw")
    other = (
        both[0]
        .assign_attrs(schema=2)
        .assign_coords(direction_norm=(each, norms), direction_slope=(each, slopes))
    )
    found = selection.along_gradient(other)
    np.testing.assert_array_equal(found, [[True, False], [False, True]])
    np.testing.assert_array_equal(selection.learning_step(other).notnull(), found)


@pytest.mark.parametrize(
    ("attributes", "along"),
    [
        ({"optimizer": "sgd"}, True),
        ({"optimizer": "SGD"}, True),
        ({"optimizer": "sa-sls"}, True),
        ({"optimizer": "unknown"}, True),
        ({"optimizer": "adam"}, False),
        ({"optimizer": "torch.adam"}, False),
        ({"optimizer": "AdamW"}, False),
        ({"optimizer": "Mine"}, False),
        ({"optimizer": "Mine", "search": {"metric": "loss"}}, True),
    ],
)
def test_a_learning_rate_is_a_step_along_the_gradient_where_the_optimizer_goes_along_it(
    attributes, along
):
    made = slices().assign_attrs(attributes)
    assert selection.goes_along_gradient(made) is along
    found = selection.learning_step(made)
    assert found.dims == ("checkpoint", "draw")
    assert found.notnull().all() if along else found.isnull().all()
