"""Best accuracy against the slope factor: points, means and panels."""

import numpy as np
import pytest
from helpers.runs import write
from matplotlib import pyplot as plt

from landscape.errors import InvalidValueError
from landscape.histories.collection import collect
from landscape.plots import plot_slope_search

BEST = {0.1: [0.5, 0.7], 1: [0.8, 0.9], 10: [0.4, 0.6]}


def search(folder, **changes):
    for factor, bests in BEST.items():
        for seed, best in enumerate(bests):
            options = {"slope_factor": factor} if factor != 1 else {}
            write(
                folder / f"{factor}-{seed}",
                [0.1, best, 0.2],
                **{"optimizer": "sa-sls", "seed": seed, "options": options, **changes},
            )
    return folder


def drawn(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def points(ax):
    lines = drawn(ax, "run")
    return sorted((x, y) for line in lines for x, y in line.get_xydata().tolist())


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_points_are_the_best_of_each_run_and_the_line_their_mean(tmp_path):
    write(tmp_path / "other", [0.99])  # of sgd, left out
    (ax,) = plot_slope_search(collect(search(tmp_path / "runs").parent))
    assert points(ax) == sorted((factor, b) for factor, bests in BEST.items() for b in bests)
    (mean,) = drawn(ax, "mean")
    assert mean.get_xdata().tolist() == [0.1, 1, 10]
    np.testing.assert_allclose(mean.get_ydata(), [0.6, 0.85, 0.5])
    assert ax.get_xscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.1", "1", "10"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("slope factor", "best validation accuracy")
    assert ax.get_title() == "MLP on digits"
    (legend,) = ax.figure.legends
    assert legend.get_title().get_text() == "sa-SLS; a point a run, line: mean over seeds"


def test_a_panel_a_task_and_a_line_a_setting(tmp_path):
    search(tmp_path / "a", task="a")
    search(tmp_path / "b", task="b")
    search(tmp_path / "c", task="b", optimizer="sa-sls-thesis")
    first, second = plot_slope_search(collect(tmp_path))
    assert (first.get_title(), second.get_title()) == ("a", "b")
    assert len(drawn(first, "mean")) == 1
    one, other = drawn(second, "mean")
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    assert texts(first.figure.legends[0]) == ["sa-SLS", "sa-SLS as published"]


def test_unfinished_runs_are_hollow(tmp_path):
    search(tmp_path)
    write(tmp_path / "new", [0.3], optimizer="sa-sls", seed=2, asked=3)
    write(tmp_path / "begun", [], optimizer="sa-sls", seed=3, asked=3)
    (ax,) = plot_slope_search(collect(tmp_path))
    hollow = [line for line in drawn(ax, "run") if line.get_markerfacecolor() == "none"]
    shown = np.concatenate([line.get_xydata() for line in hollow])
    assert shown[np.isfinite(shown[:, 1])].tolist() == [[1, 0.3]]
    assert "unfinished run" in texts(ax.figure.legends[0])
    (mean,) = drawn(ax, "mean")
    np.testing.assert_allclose(mean.get_ydata()[1], np.mean([0.8, 0.9, 0.3]))


def test_factors_too_close_to_be_written_below_each_other_are_left_out(tmp_path):
    for factor in (0.1, 0.5, 0.9, 1.0, 2.0):
        options = {"slope_factor": factor}
        write(tmp_path / str(factor), [0.5], optimizer="sa-sls", options=options)
    (ax,) = plot_slope_search(collect(tmp_path))
    assert ax.get_xticks().tolist() == [0.1, 0.5, 1, 2]


def test_into_axes_that_are_given(tmp_path):
    _, given = plt.subplots()
    (ax,) = plot_slope_search(collect(search(tmp_path)), ax=given)
    assert ax is given
    assert len(plt.get_fignums()) == 1


def test_nothing_to_draw(tmp_path, dataset):
    write(tmp_path / "a", [0.5])
    with pytest.raises(InvalidValueError, match="the runs are of sgd, which have no slope factor"):
        plot_slope_search(collect(tmp_path))
    begun = write(tmp_path / "b", [], optimizer="sa-sls", asked=2)
    with pytest.raises(InvalidValueError, match="no epoch of any run is finished"):
        plot_slope_search(collect(begun))
    with pytest.raises(InvalidValueError, match="collection of runs"):
        plot_slope_search(dataset)
    assert not plt.get_fignums()
