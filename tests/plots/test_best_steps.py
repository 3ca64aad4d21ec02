"""The best step size over training, and what it shares with the other figures over training."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_best_steps, styled


def lines(panel, gid="curve"):
    return [line for line in panel.lines if line.get_gid() == gid]


def note(panels):
    (legend,) = panels[0].get_figure().legends
    return legend.get_title().get_text()


def peak(dataset, step, checkpoint=0, draw=0, name="same_batch"):
    """Accuracy that is best at ``step``."""
    where = {"checkpoint": checkpoint, "draw": draw, "evaluation_set": name}
    place = dataset["accuracy"].get_index("evaluation_set").get_loc(name)
    values = dataset["accuracy"].values[where["checkpoint"], where["draw"], place]
    values[:] = 0.5
    values[dataset["step_size"].values == step] = 0.75


def test_a_panel_a_metric_and_a_line_a_set(dataset):
    panels = plot_best_steps(dataset)
    titles = ["loss", "accuracy", "smooth accuracy (s = 1)"]
    assert [panel.get_title() for panel in panels] == titles
    dataset = dataset.isel(slope_factor=1)
    for panel, metric in zip(panels, ("loss", "accuracy", "smooth_accuracy"), strict=True):
        best = statistics.best_steps(dataset, metric)["best_step_size"].isel(draw=0)
        best = best.sel(evaluation_set=["same_batch", "validation"])
        assert best.std() > 0
        for line, expected in zip(lines(panel), best.values.T, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), dataset["iteration"])
            np.testing.assert_array_equal(line.get_ydata(), expected)
        assert panel.get_xlabel() == "iteration"
    assert panels[0].get_ylabel() == "best step size along −∇L"
    assert panels[0].get_figure().get_size_inches() == pytest.approx([7, 2.4])
    (legend,) = panels[0].get_figure().legends
    assert [text.get_text() for text in legend.get_texts()] == ["same batch", "validation"]


def test_the_axis_is_linear_up_to_the_smallest_step_size(dataset):
    for panel in plot_best_steps(dataset):
        assert panel.get_yscale() == "symlog"
        assert panel.yaxis.get_transform().linthresh == 0.0001
        assert panel.get_xscale() == "linear"
        (origin,) = lines(panel, "origin")
        assert origin.get_ydata() == [0, 0]


def test_decades_are_labelled_among_the_values_drawn(dataset):
    def labelled(chosen):
        (panel,) = plot_best_steps(chosen, metric="accuracy")
        assert panel.yaxis.get_transform().linthresh == 0.0001
        return panel.get_yticks().tolist()

    dataset = dataset.isel(checkpoint=[0, 1], evaluation_set=[0])
    for step, marks in ((0.5, [1e-3, 1e-1]), (1, [1e-4, 1e-2, 1]), (0.001, [1e-4, 1e-3])):
        peak(dataset, 0, checkpoint=0)
        peak(dataset, step, checkpoint=1)
        np.testing.assert_allclose([tick for tick in labelled(dataset) if tick > 0], marks)


def test_one_metric_is_one_column(dataset):
    (panel,) = plot_best_steps(dataset, metric="smooth_accuracy", slope_factor=10)
    assert panel.get_title() == "smooth accuracy (s = 10)"
    assert panel.get_figure().get_figwidth() == 3.5


def test_the_slope_factor_is_that_of_smooth_accuracy(dataset):
    dataset["smooth_accuracy"][{"slope_factor": 0, "step_size": -1}] = 1
    *_, smooth = plot_best_steps(dataset, slope_factor=0.5)
    assert smooth.get_title() == "smooth accuracy (s = 0.5)"
    np.testing.assert_array_equal(lines(smooth)[0].get_ydata(), 1)
    with pytest.raises(InvalidValueError, match=r"slope factor 2.* choose from 0.5, 1, 10"):
        plot_best_steps(dataset, slope_factor=2)


def test_a_store_without_some_metrics(dataset):
    few = dataset.drop_vars(["smooth_accuracy", "loss"])
    assert [panel.get_title() for panel in plot_best_steps(few)] == ["accuracy"]
    with pytest.raises(InvalidValueError, match="slope factor 1 was given, but accuracy has none"):
        plot_best_steps(few, slope_factor=1)
    renamed = few.rename(accuracy="f1")
    with pytest.raises(InvalidValueError, match="unknown metric 'accuracy'; choose from f1"):
        plot_best_steps(renamed)


def test_hollow_at_an_end_of_the_samples_or_with_a_nan(dataset):
    peak(dataset, 0.1, checkpoint=0)
    peak(dataset, 1, checkpoint=1)
    peak(dataset, 0.1, checkpoint=2)
    dataset["accuracy"][{"checkpoint": 2, "evaluation_set": 0, "step_size": 0}] = np.nan
    peak(dataset, -1, checkpoint=3)
    dataset = dataset.isel(checkpoint=slice(4), evaluation_set=[0])
    (panel,) = panels = plot_best_steps(dataset, metric="accuracy")
    (line,) = lines(panel)
    (hollow,) = lines(panel, "open")
    iterations = dataset["iteration"].values
    np.testing.assert_array_equal(line.get_ydata(), [0.1, 1, 0.1, -1])
    np.testing.assert_array_equal(hollow.get_xdata(), iterations[1:])
    np.testing.assert_array_equal(hollow.get_ydata(), [1, 0.1, -1])
    assert line.get_markevery() == [0]
    assert hollow.get_markerfacecolor() == "white"
    assert hollow.get_marker() == line.get_marker()
    assert hollow.get_markeredgecolor() == line.get_color()
    assert note(panels) == "hollow: at an end of the samples, or a NaN among them"


def test_nothing_is_said_of_what_is_not_there(dataset):
    for step in (0.1, 0.01):
        peak(dataset, step)
    panels = plot_best_steps(dataset.isel(checkpoint=[0], evaluation_set=[0]), metric="accuracy")
    assert not lines(panels[0], "open")
    assert note(panels) == ""


def test_of_draws_the_median_and_the_middle_half(make):
    dataset = make(checkpoints=2, draws=5)
    for draw, step in enumerate([-0.01, 0.001, 0.01, 0.1, 0.5]):
        for checkpoint in (0, 1):
            peak(dataset, step, checkpoint, draw)
    (panel,) = panels = plot_best_steps(dataset.isel(evaluation_set=[0]), metric="accuracy")
    np.testing.assert_array_equal(lines(panel)[0].get_ydata(), 0.01)
    (band,) = panel.collections
    assert {y for _, y in band.get_paths()[0].vertices} == {0.001, 0.1}
    assert note(panels) == "line: median of 5 draws, band: the middle half"
    assert not lines(panel, "open")


def test_the_median_is_hollow_where_any_draw_is_open(make):
    dataset = make(checkpoints=2, draws=3)
    for checkpoint in (0, 1):
        for draw, step in enumerate([0.001, 0.01, 0.1]):
            peak(dataset, step, checkpoint, draw)
    peak(dataset, 1, checkpoint=1, draw=2)
    (panel,) = panels = plot_best_steps(dataset.isel(evaluation_set=[0]), metric="accuracy")
    (hollow,) = lines(panel, "open")
    assert hollow.get_xydata().tolist() == [[1953, 0.01]]
    assert note(panels).splitlines()[1].startswith("hollow (some draw): at an end")


def test_a_draw_without_a_value_makes_the_median_nan(make):
    dataset = make(checkpoints=2, draws=3).isel(evaluation_set=[0])
    dataset["accuracy"][{"checkpoint": 1, "draw": 1}] = np.nan
    (panel,) = panels = plot_best_steps(dataset, metric="accuracy")
    assert np.isnan(lines(panel)[0].get_ydata()).tolist() == [False, True]
    (mark,) = lines(panel, "nan")
    assert mark.get_xdata()[0] == 1953
    (legend,) = panels[0].get_figure().legends
    assert [text.get_text() for text in legend.get_texts()] == ["same batch", "NaN"]


def test_iterations_and_the_set_are_those_asked_for(make):
    dataset = make(draws=3)
    asked = {"checkpoint": [5859, 100, 3906], "evaluation_set": "big_batch"}
    panels = plot_best_steps(dataset, **asked)
    for panel, metric in zip(panels, ("loss", "accuracy"), strict=False):
        best = statistics.best_steps(dataset, metric)["best_step_size"].median("draw")
        (line,) = lines(panel)
        assert line.get_label() == "big batch"
        assert line.get_xdata().tolist() == [100, 3906, 5859]
        expected = best.sel(evaluation_set="big_batch")[[0, 2, 3]]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    with pytest.raises(InvalidValueError, match="did you mean 'big_batch'"):
        plot_best_steps(dataset, evaluation_set="bigbatch")


def test_given_axes_are_used(dataset):
    _, axes = plt.subplots(1, 3)
    assert list(plot_best_steps(dataset, ax=axes)) == list(axes)
    texts = axes[-1].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["same batch", "validation"]


def test_among_many_checkpoints_only_open_ones_have_a_marker(make):
    dataset = make(checkpoints=50).isel(evaluation_set=[0])
    for checkpoint in range(50):
        peak(dataset, 0.1, checkpoint)
    peak(dataset, 1, checkpoint=7)
    (panel,) = plot_best_steps(dataset, metric="accuracy")
    assert lines(panel)[0].get_markevery() == []
    assert lines(panel, "open")[0].get_xydata().tolist() == [[1953 * 7, 1]]


def test_in_a_column_panels_are_one_below_the_other(dataset):
    with styled(width="column"):
        panels = plot_best_steps(dataset)
    assert len({panel.get_subplotspec().colspan.start for panel in panels}) == 1
    assert [panel.get_xlabel() for panel in panels] == ["", "", "iteration"]
    assert all(panel.get_ylabel() == "best step size along −∇L" for panel in panels)
