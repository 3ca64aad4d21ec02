import numpy as np
import pytest

from landscape.errors import InvalidValueError
from landscape.slices import choice
from landscape.slices.choice import (
    choose_checkpoint,
    choose_checkpoints,
    choose_draw,
    choose_metric,
    choose_step_size,
    draw_note,
)


def test_checkpoints_are_chosen_by_iteration(dataset):
    assert choose_checkpoints(dataset, 1953) == [1]
    assert choose_checkpoints(dataset, np.int64(1953)) == [1]
    assert choose_checkpoints(dataset, [17577, 100]) == [9, 0]
    assert choose_checkpoints(dataset, None) == list(range(10))


def test_of_many_checkpoints_some_are_spread_from_first_to_last(dataset, make):
    assert choose_checkpoints(dataset, None, most=3) == [0, 4, 9]
    assert choose_checkpoints(make(checkpoints=2), None, most=3) == [0, 1]
    assert choose_checkpoints(make(checkpoints=1), None, most=3) == [0]


def test_one_checkpoint_is_the_second_or_the_only_one(dataset, make):
    assert choose_checkpoint(dataset, None) == 1
    assert choose_checkpoint(make(checkpoints=1), None) == 0
    assert choose_checkpoint(dataset, [3906]) == 2
    with pytest.raises(InvalidValueError, match="shows one"):
        choose_checkpoint(dataset, [100, 1953])
    with pytest.raises(InvalidValueError, match="names no iteration"):
        choose_checkpoint(dataset, [])


def test_metric_has_four_dimensions_in_order(dataset):
    turned = dataset.transpose("step_size", ...)
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    for metric in ("accuracy", "smooth_accuracy"):
        assert choose_metric(turned, metric).dims == dims


def test_slope_factor_is_the_one_asked_for_or_nearest_to_1(dataset):
    assert choose_metric(dataset, "smooth_accuracy")["slope_factor"] == 1
    assert choose_metric(dataset, "smooth_accuracy", 10)["slope_factor"] == 10
    only = dataset.isel(slope_factor=[2])
    assert choose_metric(only, "smooth_accuracy")["slope_factor"] == 10
    with pytest.raises(InvalidValueError, match=r"slope factor 2.*choose from 0.5, 1, 10"):
        choose_metric(dataset, "smooth_accuracy", 2)
    with pytest.raises(InvalidValueError, match="accuracy has none"):
        choose_metric(dataset, "accuracy", 2)


def test_metric_that_was_not_measured_is_named(dataset):
    with pytest.raises(InvalidValueError, match="choose from loss, smooth_accuracy"):
        choose_metric(dataset.drop_vars("accuracy"), "accuracy")


def test_a_draw_is_chosen_by_its_number(make):
    dataset = make(draws=3).isel(draw=[2, 0])
    assert [choose_draw(dataset, draw) for draw in (None, 2, 0)] == [0, 0, 1]
    assert [draw_note(dataset, at) for at in (0, 1)] == [["draw 2 of 2"], ["draw 0 of 2"]]
    assert draw_note(make(), 0) == []
    with pytest.raises(InvalidValueError, match="unknown draw 1; choose from 2, 0"):
        choose_draw(dataset, 1)


def test_a_step_size_is_the_one_asked_for():
    steps = np.array([-1e-3, -1e-9, 0.0, 1e-9, 0.1, 1.0])
    for at, step in enumerate(steps):
        assert choose_step_size(steps, step, 1.0) == at
    assert choose_step_size(steps, 0.1 * (1 + 1e-7), 1.0) == 4
    for step in (0.1 * (1 + 1e-5), 2e-9, np.nan):
        with pytest.raises(InvalidValueError, match=r"unknown step size .*-0.001, -1e-09, 0, 1e-"):
            choose_step_size(steps, step, 1.0)


@pytest.mark.parametrize(
    ("steps", "learning_rate", "expected"),
    [
        ([-1, 0, 0.1, 0.5, 1], 0.45, 3),
        ([-1, 0, 0.1, 0.5, 1], 7, 4),
        ([-1, 0, 0.1, 0.5, 1], np.nan, 2),
        ([-1, 0, 0.5, 1], 1e-4, 2),  # not 0, however near that is
        ([0], 0.1, 0),
    ],
)
def test_else_a_step_size_is_the_nearest_to_the_learning_rate_or_to_a_tenth(
    steps, learning_rate, expected
):
    assert choose_step_size(np.array(steps, dtype=float), None, learning_rate) == expected


def test_what_is_shown_where_there_is_no_accuracy(dataset):
    assert choice.main_metric(dataset) == "accuracy"
    assert choice.main_metric(dataset, "loss") == "loss"
    assert choice.main_metric(dataset.drop_vars(["accuracy"])) == "loss"
    assert choice.main_metric(dataset[["smooth_accuracy"]]) == "smooth_accuracy"
