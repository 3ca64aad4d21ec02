import numpy as np
import pytest
from helpers.runs import write
from matplotlib import pyplot as plt

from landscape.errors import InvalidValueError
from landscape.histories.collection import collect
from landscape.plots import plot_schedules

STEPS = [0.1, 0.1, 0.01, 0.001]


@pytest.fixture
def runs(tmp_path):
    for seed in (0, 1):
        write(tmp_path / f"sgd-{seed}", [0.5] * 4, step_size=0.1, seed=seed, schedule="constant")
        write(
            tmp_path / f"milestones-{seed}",
            [0.5] * 4,
            optimizer="sgd-schedule",
            step_size=STEPS,
            seed=seed,
            schedule="milestones",
        )
    return tmp_path


def drawn(ax, gid="curve"):
    return [line for line in ax.lines if line.get_gid() == gid]


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_seeds_that_agree_are_one_line(runs):
    ax = plot_schedules(collect(runs))
    schedule, constant = drawn(ax)
    assert schedule.get_xdata().tolist() == [0, 1, 2, 3, 4]
    # An epoch's learning rate holds from the end of the epoch before: no slope between two.
    assert schedule.get_ydata().tolist() == [0.1, *STEPS]
    assert schedule.get_drawstyle() == constant.get_drawstyle() == "steps-pre"
    assert constant.get_ydata().tolist() == [0.1] * 5
    assert entries(ax) == ["SGD with a schedule, milestones", "SGD, constant"]
    assert schedule.get_color() != constant.get_color()
    assert schedule.get_linestyle() != constant.get_linestyle()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "learning rate")
    assert ax.get_title() == "MLP on digits"
    assert ax.get_yscale() == "linear"
    assert plot_schedules(collect(runs), value_scale="log").get_yscale() == "log"
    with pytest.raises(InvalidValueError, match="choose from auto, linear, log"):
        plot_schedules(collect(runs), value_scale="cubic")


def test_seeds_that_differ_are_lines_of_one_colour(runs):
    write(runs / "other", [0.5] * 4, step_size=[0.1, 0.1, 0.1, 0.2], seed=2, schedule="constant")
    ax = plot_schedules(collect(runs))
    _, first, second = drawn(ax)
    assert {tuple(line.get_ydata()) for line in (first, second)} == {
        (0.1, 0.1, 0.1, 0.1, 0.1),
        (0.1, 0.1, 0.1, 0.1, 0.2),
    }
    assert first.get_color() == second.get_color()
    assert len(entries(ax)) == 2


def test_an_unfinished_run_ends_in_a_circle(runs):
    write(runs / "short", [0.5] * 2, step_size=0.1, seed=3, schedule="constant", asked=4)
    write(runs / "begun", [], seed=4, asked=4, schedule="constant")
    ax = plot_schedules(collect(runs))
    assert len(drawn(ax)) == 2  # it agrees with the others as far as it goes
    (circle,) = drawn(ax, "unfinished")
    assert circle.get_xydata().tolist() == [[2, 0.1]]
    (constant,) = [line for line in drawn(ax) if "constant" in line.get_label()]
    assert circle.get_color() == constant.get_color()
    assert "unfinished run" in entries(ax)


def test_a_learning_rate_of_0_or_none_keeps_a_place(tmp_path):
    write(tmp_path / "a", [0.5] * 4, step_size=[1.0, 0.001, 0.0, np.nan])
    ax = plot_schedules(collect(tmp_path))
    assert ax.get_yscale() == "symlog"
    assert "NaN" in entries(ax)
    ax.figure.canvas.draw()


def test_line_searches_are_said_to_have_step_sizes(runs):
    counts = {"searches": np.full(4, 20)}
    write(runs / "search", [0.5] * 4, optimizer="sa-sls", schedule="constant", counts=counts)
    ax = plot_schedules(collect(runs))
    assert ax.get_ylabel() == "learning rate or step size"
    assert {"sa-SLS", "SGD, constant"} <= set(entries(ax))


def test_several_tasks_are_named(runs):
    write(runs / "cnn", [0.5] * 4, task="digits-cnn", schedule="constant")
    ax = plot_schedules(collect(runs))
    assert "CNN on digits, SGD, constant" in entries(ax)
    assert ax.get_title() == ""


def test_into_axes_that_are_given_and_nothing_to_draw(runs, dataset):
    _, given = plt.subplots()
    assert plot_schedules(collect(runs), ax=given) is given
    with pytest.raises(InvalidValueError, match="collection of runs"):
        plot_schedules(dataset)
