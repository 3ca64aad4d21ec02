"""Step size and accuracy of several runs: what is drawn against what the runs hold."""

import numpy as np
import pytest
from helpers.runs import write
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from landscape.errors import InvalidValueError
from landscape.histories.collection import collect
from landscape.plots import plot_training

DYING = [0.5, 1e-5, 0, 1e-14]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three seeds of sgd, one cut off; two of sa-sls, whose second dies."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, accuracy in enumerate(([0.1, 0.8, 0.9, 0.91], [0.1, 0.7, 0.8, 0.9], [0.2, 0.6])):
        write(folder / f"sgd-{seed}", accuracy, seed=seed, asked=4, step_size=0.1)
    for seed, steps in enumerate(([0.5, 0.7, 0.4, 0.3], DYING)):
        accuracy = [0.3, 0.85, 0.9, 0.95] if seed == 0 else [0.3, 0.4, 0.4, 0.4]
        write(folder / f"sls-{seed}", accuracy, optimizer="sa-sls", seed=seed, step_size=steps)
    return collect(folder)


def drawn(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def values(ax, gid):
    return [line.get_ydata().tolist() for line in drawn(ax, gid)]


def legend(ax):
    (found,) = ax.figure.legends or [ax.get_legend()]
    return [text.get_text() for text in found.get_texts()]


def test_each_run_is_a_line_and_each_setting_has_its_median(runs):
    left, right = plot_training(runs)
    for line, run in zip(drawn(right, "run"), runs["run"].values, strict=True):
        one = runs.sel(run=run)
        accuracy = one["validation_accuracy"].values[: one["epochs_done"].item()]
        np.testing.assert_array_equal(line.get_ydata(), accuracy)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(accuracy) + 1))
    # As far as all runs of the setting have come; two runs have none.
    (median,) = drawn(right, "median")
    np.testing.assert_allclose(median.get_ydata(), [0.1, 0.7])
    assert left.get_yscale() == "log"
    assert (left.get_ylabel(), right.get_ylabel()) == ("step size", "validation accuracy")
    assert (left.get_xlabel(), right.get_xlabel()) == ("epoch", "epoch")
    assert all(float(tick).is_integer() for tick in left.get_xticks())
    (under,) = left.figure.legends
    assert under.get_title().get_text() == "thin: each run, thick: median of a setting's runs"
    assert left.figure.get_suptitle() == "MLP on digits"


def test_settings_differ_in_color_and_dashes_and_runs_of_one_do_not(runs):
    left, right = plot_training(runs)
    for panel in (left, right):
        lines = drawn(panel, "run")
        assert len({to_hex(line.get_color()) for line in lines[:3]}) == 1
        assert to_hex(lines[0].get_color()) != to_hex(lines[3].get_color())
        assert lines[0].get_linestyle() != lines[3].get_linestyle()
    assert legend(left)[:2] == ["SGD", "sa-SLS (1 of 2 runs collapsed)"]


def test_a_step_size_of_0_is_marked_and_leaves_a_gap(runs):
    left, right = plot_training(runs)
    dead = drawn(left, "run")[4].get_ydata()
    np.testing.assert_array_equal(dead, [0.5, 1e-5, np.nan, np.nan])
    (marks,) = drawn(left, "at the edge: below 10⁻⁸, or 0")
    assert marks.get_xdata().tolist() == [3, 4]
    assert marks.get_marker() == "v"
    assert to_hex(marks.get_color()) == to_hex(drawn(left, "run")[4].get_color())
    assert "at the edge: below 10⁻⁸, or 0" in legend(left)
    assert not drawn(right, "at the edge: below 10⁻⁸, or 0")


def test_what_is_no_number_is_marked(tmp_path):
    write(tmp_path / "a", [0.1, 0.2, 0.3], step_size=[np.nan, 1, np.inf])
    left, _ = plot_training(collect(tmp_path))
    assert drawn(left, "NaN")[0].get_xdata().tolist() == [1]
    assert drawn(left, "step size +∞")[0].get_xdata().tolist() == [3]
    assert legend(left) == ["SGD", "step size +∞", "NaN"]
    plt.gcf().canvas.draw()


def test_an_unfinished_run_ends_in_a_circle(runs):
    left, right = plot_training(runs)
    assert values(right, "unfinished") == [[0.6]]
    assert drawn(left, "unfinished")[0].get_xdata().tolist() == [2]
    assert legend(left).count("unfinished run") == 1
    left, _ = plot_training(runs.isel(run=[0, 1]))
    assert not drawn(left, "unfinished")


def test_collapsed_runs_have_a_median_of_their_own(tmp_path):
    for seed in range(7):
        steps = [0.5, 0.4] if seed < 4 else [0.5, 1e-6]
        write(tmp_path / str(seed), [0.1, 0.9 - seed / 100], seed=seed, step_size=steps)
    left, right = plot_training(collect(tmp_path))
    # Of all seven the median would be 0.4; of four and three it is where runs are.
    assert values(left, "median") == [[0.5, 0.4], [0.5, 1e-6]]
    np.testing.assert_allclose(values(right, "median"), [[0.1, 0.88], [0.1, 0.85]])
    assert legend(left) == ["SGD (3 of 7 runs collapsed)"]


def test_where_all_runs_of_a_search_collapse_they_are_counted(tmp_path):
    searches = {"searches": np.array([9, 9, 9])}
    for seed in range(3):
        steps = [0.5, 1e-6, 1e-8]
        write(tmp_path / f"s{seed}", [0.1] * 3, seed=seed, step_size=steps, counts=searches)
        # A schedule may end as low.
        write(tmp_path / f"a{seed}", [0.2] * 3, seed=seed, step_size=steps, optimizer="adam")
    left, _ = plot_training(collect(tmp_path))
    assert legend(left)[:2] == ["Adam", "SGD (3 of 3 runs collapsed)"]


def test_every_run_is_thin_where_a_setting_has_a_median(tmp_path):
    for seed in range(3):
        write(tmp_path / f"s{seed}", [0.1, 0.2], seed=seed)
    write(tmp_path / "a", [0.2, 0.3], optimizer="adam")
    left, _ = plot_training(collect(tmp_path))
    assert {line.get_linewidth() for line in drawn(left, "run")} == {0.6}


def test_one_step_size_has_one_number(tmp_path):
    write(tmp_path / "s", [0.1, 0.2])
    left, _ = plot_training(collect(tmp_path))
    assert left.get_yticks().tolist() == [0.5]
    assert left.get_ylim()[0] < 0.5 < left.get_ylim()[1]
    assert [*map(left.yaxis.get_major_formatter(), left.get_yticks())] == ["0.5"]


def test_a_median_is_where_a_run_is(tmp_path):
    for seed, step in enumerate((0.1, 0.1, 1e-7, 1e-7)):
        write(tmp_path / str(seed), [0.1] * 3, seed=seed, step_size=[0.1, step, 1e-7])
    left, _ = plot_training(collect(tmp_path))
    assert values(left, "median") == [[0.1, 1e-7, 1e-7]]


def test_two_seeds_have_no_median(tmp_path):
    for seed in range(2):
        write(tmp_path / str(seed), [0.1, 0.9], seed=seed)
    left, _ = plot_training(collect(tmp_path))
    assert not drawn(left, "median")


def test_a_point_between_gaps_is_seen_and_what_is_not_stretches_nothing(tmp_path):
    write(tmp_path / "a", [0.1] * 5, step_size=[0.1, 0, 0.2, 1e-11, 0.1])
    left, _ = plot_training(collect(tmp_path))
    (line,) = drawn(left, "run")
    assert line.get_markevery() == [0, 2, 4]
    assert line.get_marker() == "o"
    assert left.get_ylim()[0] > 0.01


def test_single_runs_need_no_median(runs):
    left, _ = plot_training(runs.isel(run=[0, 3]))
    assert not drawn(left, "median")
    assert left.figure.legends[0].get_title().get_text() == ""


def test_what_all_share_is_in_the_title_and_numbers_go_from_dark_to_light(tmp_path):
    for factor in (10, 0.5, 2):
        options = {"slope_factor": factor}
        write(tmp_path / str(factor), [0.1, 0.2], optimizer="sa-sls", options=options)
    left, _ = plot_training(collect(tmp_path))
    assert legend(left) == ["slope factor 0.5", "slope factor 2", "slope factor 10"]
    assert left.figure.get_suptitle() == "MLP on digits, sa-SLS"
    colors = [np.dot(line.get_color()[:3], [0.2, 0.7, 0.1]) for line in drawn(left, "run")]
    assert (np.diff(colors) > 0.1).all()


def test_several_tasks_are_rows_or_curves(tmp_path):
    for task in ("a", "b"):
        for optimizer in ("sgd", "adam"):
            write(tmp_path / f"{task}-{optimizer}", [0.5], task=task, optimizer=optimizer)
    dataset = collect(tmp_path)
    panels = plot_training(dataset)
    assert [panel.get_title() for panel in panels] == ["a", "a", "b", "b"]
    assert [panel.get_xlabel() for panel in panels] == ["", "", "epoch", "epoch"]
    assert legend(panels[0]) == ["Adam", "SGD"]
    first, second = (drawn(panel, "run")[0] for panel in panels[::2])
    assert first.get_color() == second.get_color()

    left, right = plot_training(dataset.isel(run=dataset["optimizer"] == "sgd"))
    assert legend(left) == ["a", "b"]
    assert left.figure.get_suptitle() == "SGD"
    assert len(drawn(right, "run")) == 2


def test_the_accuracy_axis_can_begin_higher(runs):
    _, right = plot_training(runs)
    assert right.get_ylim() == (-0.03, 1.03)  # which the values from 0.1 to 0.95 fill
    _, right = plot_training(runs, accuracy_from=0.7)
    assert right.get_ylim()[0] == 0.7
    assert right.get_ylim()[1] > 0.95
    assert "2 runs below the axis at the end" in legend(right)
    _, right = plot_training(runs, accuracy_from="0.5")
    assert "1 run below the axis at the end" in legend(right)
    for bad in ("1.5", -1, 1, "none", np.nan):
        with pytest.raises(InvalidValueError, match="from 0 to below 1, or auto"):
            plot_training(runs, accuracy_from=bad)


def test_auto_fits_the_second_half_but_for_outliers(tmp_path):
    for seed in range(8):
        accuracy = [0.1, 0.5, 0.97 + seed / 1000, 0.98] if seed else [0.1, 0.2, 0.2, 0.2]
        write(tmp_path / str(seed), accuracy, seed=seed)
    _, right = plot_training(collect(tmp_path), accuracy_from="auto")
    low, high = right.get_ylim()
    assert 0.968 < low < 0.971
    assert 0.98 < high < 0.99
    assert "1 run below the axis at the end" in legend(right)


def test_into_axes_that_are_given(runs):
    _, given = plt.subplots(1, 2)
    panels = plot_training(runs, ax=given)
    assert panels.tolist() == given.tolist()
    assert len(plt.get_fignums()) == 1
    with pytest.raises(InvalidValueError, match="needs 2"):
        plot_training(runs, ax=given[:1])


def test_nothing_to_draw(tmp_path, dataset):
    with pytest.raises(InvalidValueError, match="no epoch of any run is finished"):
        plot_training(collect(write(tmp_path / "a", [], asked=2)))
    with pytest.raises(InvalidValueError, match="collection of runs"):
        plot_training(dataset)
    assert not plt.get_fignums()


def test_where_every_step_size_is_0(tmp_path):
    plot_training(collect(write(tmp_path / "a", [0.1, 0.1], step_size=0)))
    plt.gcf().canvas.draw()
