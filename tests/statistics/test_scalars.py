"""A slice's plain numbers, against a slow reference in Python's own numbers."""

import math

import numpy as np
import pytest
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.statistics import scalars


@pytest.fixture
def slice_(make):
    return make(3).isel(checkpoint=[1])


def linear(x, steps, values):
    """The value at ``x`` between two samples."""
    for (a, u), (b, v) in zip(
        zip(steps, values, strict=True), zip(steps[1:], values[1:], strict=False), strict=False
    ):
        if a <= x <= b:
            return u + (v - u) * (x - a) / (b - a)
    return None


def crossing(steps, values, level, start, side):
    """Where the values first rise above ``level``, from ``start`` to one side; None if unseen."""
    places = range(start, len(steps) - 1) if side > 0 else range(start, 0, -1)
    for i in places:
        j = i + side
        if values[j] > level:
            share = (level - values[i]) / (values[j] - values[i])
            return steps[i] + share * (steps[j] - steps[i])
    return None


def reference(dataset, at):
    """All numbers of a slice; the bias is that at the step size ``at``."""
    steps = dataset["step_size"].values.tolist()
    sets = dataset["evaluation_set"].values.tolist()

    def of(metric, name):
        return dataset[metric].sel(evaluation_set=name).values.reshape(-1).tolist()

    zero = steps.index(0)
    found = {"gap": of("accuracy", "big_batch")[zero] - of("accuracy", "validation")[zero]}
    for name in sets:
        worse = [-value for value in of("accuracy", name)]
        best = min(worse)
        start = min((i for i in range(len(steps)) if worse[i] == best), key=lambda i: abs(steps[i]))
        ends = [crossing(steps, worse, 0.9 * best, start, side) for side in (-1, 1)]
        if None not in ends:
            found[f"peak_width/{name}"] = ends[1] - ends[0]
        loss = of("loss", name)
        critical = crossing(steps, loss, loss[zero], zero, 1)
        if critical is not None:
            found[f"critical_step_size/{name}"] = critical
        if name != "same_batch":
            same = linear(at, steps, of("loss", "same_batch"))
            found[f"batch_bias/{name}"] = same - linear(at, steps, loss)
    return found


@pytest.mark.parametrize("checkpoint", range(3))
def test_the_numbers_of_a_slice(make, checkpoint):
    slice_ = make(3).isel(checkpoint=[checkpoint])
    found = scalars(slice_)
    expected = reference(slice_, 0.1)  # along the gradient the learning rate is the step size
    assert found == pytest.approx(expected)
    assert len(found) > 10
    assert all(type(value) is float for value in found.values())


def test_between_samples_and_after_the_step(slice_):
    between = slice_.assign_coords(learning_rate=("checkpoint", [0.3]))
    assert scalars(between) == pytest.approx(reference(between, 0.3))
    after = between.assign_attrs(origin="after-step")
    assert scalars(after) == pytest.approx(reference(after, 0.0))


def test_what_was_not_seen_is_left_out(slice_):
    def names(dataset):
        return {name.partition("/")[0] for name in scalars(dataset)}

    everything = {"peak_width", "gap", "critical_step_size", "batch_bias"}
    assert names(slice_) == everything
    unknown = slice_.assign_coords(learning_rate=("checkpoint", [math.nan]))
    assert names(unknown) == everything - {"batch_bias"}
    far = slice_.assign_coords(learning_rate=("checkpoint", [5.0]))
    assert names(far) == everything - {"batch_bias"}
    assert names(slice_.drop_vars("loss")) == {"peak_width", "gap"}
    assert names(slice_.drop_vars("accuracy")) == {"critical_step_size", "batch_bias"}
    few = slice_.sel(step_size=[0.0, 0.0001])
    assert "peak_width" not in names(few)  # the peak goes on beyond what was sampled
    positive = slice_.isel(step_size=slice_["step_size"].values > 0)
    assert names(positive) == {"batch_bias"}
    alone = slice_.isel(evaluation_set=[4])
    assert set(scalars(alone)) <= {"peak_width/validation", "critical_step_size/validation"}
    infinite = slice_.copy(deep=True)
    infinite["loss"][..., 3, :] = np.inf  # the big batch's
    assert "batch_bias/big_batch" not in scalars(infinite)


def test_one_slice_is_wanted(make):
    with pytest.raises(InvalidValueError, match="3 checkpoints and 2 draws; give one of each"):
        scalars(make(3, draws=2))
    with pytest.raises(InvalidValueError, match="these are no slices"):
        scalars(make(1).isel(step_size=0))


def test_nothing_handed_in_is_changed(slice_):
    before = slice_.copy(deep=True)
    scalars(slice_)
    assert slice_.identical(before)


def test_of_a_plane_they_are_those_of_its_first_slice():
    plane = planes.plane(draws=1, checkpoints=1)
    found = scalars(plane)
    assert found == scalars(plane.sel(step_size_2=0.0, drop=True))
    assert found["peak_width/same_batch"] == pytest.approx(0.4)  # of 0.9 − 0.45·|s|, a tenth
