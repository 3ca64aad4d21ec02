"""What each figure shows: its artists against the dataset's values."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError
from landscape.plots import (
    plot_batches,
    plot_gap,
    plot_loss_vs_accuracy,
    plot_stepwise,
    plot_widening,
)


def curves(ax):
    return [line for line in ax.lines if line.get_gid() == "curve"]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def shown(ax, values):
    """Whether the curves of ``ax`` are ``values`` (curve, step_size), in order."""
    np.testing.assert_array_equal([line.get_ydata() for line in curves(ax)], values)


# Loss against accuracy


def test_loss_vs_accuracy_shows_first_middle_and_last(dataset):
    above, below = plot_loss_vs_accuracy(dataset)
    for ax, metric in ((above, "loss"), (below, "accuracy")):
        shown(ax, dataset[metric].sel(evaluation_set="same_batch")[[0, 4, 9], 0])
    assert above.get_ylabel() == "loss, same batch (nat)"
    assert below.get_ylabel() == "accuracy, same batch"
    assert below.get_xlabel() == "step size along −∇L"
    assert len(legend(below)) == 3
    assert legend(below)[2] == "iteration 17577 (epoch 44)"
    assert above.get_shared_x_axes().joined(above, below)
    assert not above.get_shared_y_axes().joined(above, below)


def test_loss_vs_accuracy_says_which_set_it_shows(dataset):
    above, below = plot_loss_vs_accuracy(dataset, evaluation_set="validation", checkpoint=1953)
    shown(below, dataset["accuracy"].sel(evaluation_set="validation")[[1], 0])
    assert above.get_ylabel() == "loss, validation (nat)"
    with pytest.raises(InvalidValueError, match="did you mean 'validation'"):
        plot_loss_vs_accuracy(dataset, evaluation_set="validaton")


def test_loss_vs_accuracy_needs_both(dataset):
    with pytest.raises(InvalidValueError, match="unknown metric 'loss'"):
        plot_loss_vs_accuracy(dataset.drop_vars("loss"))


def test_value_scale_is_that_of_the_loss(dataset):
    above, below = plot_loss_vs_accuracy(dataset)
    assert (above.get_yscale(), below.get_yscale()) == ("log", "linear")
    above, _ = plot_loss_vs_accuracy(dataset, value_scale="linear")
    assert above.get_yscale() == "linear"


# Widening


def test_widening_shows_all_checkpoints(dataset):
    ax = plot_widening(dataset)
    shown(ax, dataset["accuracy"].sel(evaluation_set="same_batch")[:, 0])
    assert len({line.get_color() for line in curves(ax)}) == 10
    # So many are told apart by a bar of their colours, in their order.
    bar = ax.figure.axes[-1]
    words = [text.get_text() for text in bar.get_yticklabels()]
    assert words[:2] == ["100", "1953 (4)"]
    assert len(words) == 10
    assert bar.get_ylabel() == "iteration (epoch)"
    (mesh,) = [each for each in bar.collections if each.get_array() is not None]
    colors = mesh.to_rgba(mesh.get_array())
    assert [to_hex(each) for each in colors] == [to_hex(each.get_color()) for each in curves(ax)]
    ax.figure.canvas.draw()


def test_a_legend_tells_few_checkpoints_apart(make):
    ax = plot_widening(make(checkpoints=5))
    assert legend(ax)[:2] == ["100", "1953 (4)"]
    assert ax.get_legend().get_title().get_text() == "iteration (epoch)"
    assert len({line.get_marker() for line in curves(ax)}) == 5


def test_widening_shows_any_metric_on_any_set(dataset):
    ax = plot_widening(
        dataset, metric="smooth_accuracy", slope_factor=10, evaluation_set="big_batch"
    )
    values = dataset["smooth_accuracy"].sel(evaluation_set="big_batch", slope_factor=10)
    shown(ax, values[:, 0])
    assert ax.get_ylabel() == "smooth accuracy (s = 10), big batch"


def test_against_distance_each_draw_has_its_own_distances(make):
    dataset = make(checkpoints=2, draws=3)
    ax = plot_widening(dataset, against="distance")
    shown(ax, dataset["accuracy"].sel(evaluation_set="same_batch").values.reshape(6, -1))
    norms = dataset["gradient_norm"].values.ravel()
    for line, norm in zip(curves(ax), norms, strict=True):
        np.testing.assert_allclose(line.get_xdata(), norm * dataset["step_size"])
    assert len(legend(ax)) == 2
    assert "one line a draw" in ax.get_legend().get_title().get_text()
    assert ax.get_xlabel() == "distance along −∇L"


def test_against_distance_a_norm_that_is_no_number_is_told(make):
    dataset = make(checkpoints=2, draws=2)
    dataset["gradient_norm"][1] = [1, np.inf]
    ax = plot_widening(dataset, against="distance")
    assert legend(ax) == ["100", "1953 (4), norm inf"]
    ax.figure.canvas.draw()


def test_along_the_normalised_gradient_the_step_size_is_the_distance(make):
    dataset = make(checkpoints=2, draws=3, direction="normalised-gradient")
    ax = plot_widening(dataset, against="distance")
    assert len(curves(ax)) == 2
    np.testing.assert_array_equal(curves(ax)[0].get_xdata(), dataset["step_size"])
    assert len(ax.collections) == 2
    assert "band: min to max" in ax.get_legend().get_title().get_text()
    with pytest.raises(InvalidValueError, match="step-size, distance"):
        plot_widening(dataset, against="time")


# Batches


def test_batches_shows_every_set_at_the_second_checkpoint(dataset):
    ax = plot_batches(dataset)
    shown(ax, dataset["accuracy"][1, 0])
    assert legend(ax) == [
        "same batch",
        "other batch 1",
        "other batch 2",
        "big batch",
        "validation",
    ]
    assert ax.get_title() == "synthetic, none\niteration 1953 (epoch 4)"


def test_batches_of_several_draws_are_means_with_bars(make):
    dataset = make(draws=4)
    ax = plot_batches(dataset, metric="loss", checkpoint=3906)
    for line, values in zip(curves(ax), dataset["loss"][2].mean("draw"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), values)
    bars = [each for each in ax.collections if each.get_gid() == "bars"]
    assert len(bars) == len(ax.collections) == 5
    for each, name in zip(bars, dataset["evaluation_set"].values, strict=True):
        values = dataset["loss"][2].sel(evaluation_set=name)
        ends = np.array([segment[:, 1] for segment in each.get_segments()])
        np.testing.assert_allclose(ends[:, 0], values.min("draw"))
        np.testing.assert_allclose(ends[:, 1], values.max("draw"))
    note = ax.get_legend().get_title().get_text()
    assert note == "line: mean of 4 draws, bars: min to max"
    assert ax.get_ylabel() == "loss (nat)"


def test_batches_marks_what_diverged(dataset):
    dataset["loss"][1, 0, 0, 0] = np.nan
    dataset["loss"][1, 0, 4, -1] = np.inf
    ax = plot_batches(dataset, metric="loss")
    assert legend(ax)[-2:] == ["NaN", "+∞"]
    shown(ax, dataset["loss"][1, 0])


def test_given_axes_are_used_and_no_figure_is_made(dataset):
    figure = Figure()
    ax = figure.add_subplot()
    assert plot_batches(dataset, ax=ax) is ax
    assert plot_widening(dataset, ax=figure.add_subplot()) in figure.axes
    for plot in (plot_loss_vs_accuracy, plot_gap, plot_stepwise):
        panels = Figure().subplots(2, 2)
        used = plot(dataset, ax=panels)
        assert [*used] == [*panels.flat][: len(used)]
    assert not plt.get_fignums()


@pytest.mark.parametrize("plot", [plot_loss_vs_accuracy, plot_gap, plot_stepwise])
def test_too_few_axes_are_an_error(plot, dataset):
    with pytest.raises(InvalidValueError, match="ax holds 1 axes; this figure needs"):
        plot(dataset, ax=[Figure().add_subplot()])


# Gap


def test_gap_shows_big_batch_and_validation_side_by_side(dataset):
    panels = plot_gap(dataset)
    assert len(panels) == 4
    for ax, at in zip(panels, [0, 3, 6, 9], strict=True):
        shown(ax, dataset["accuracy"].sel(evaluation_set=["big_batch", "validation"])[at, 0])
    first, *others = panels
    for ax in others:
        assert first.get_shared_x_axes().joined(first, ax)
        assert not first.get_shared_y_axes().joined(first, ax)
    (legend,) = first.figure.legends
    assert legend.get_title().get_text() == "each panel has its own range of values"
    (texts,) = (each.get_texts() for each in first.figure.legends)
    assert [text.get_text() for text in texts] == ["big batch", "validation", "gap"]


def test_gap_at_0_is_written_into_each_panel(dataset):
    (ax,) = plot_gap(dataset, checkpoint=17577)
    zero = dataset["accuracy"].sel(step_size=0).isel(checkpoint=9, draw=0)
    gap = (zero.sel(evaluation_set="big_batch") - zero.sel(evaluation_set="validation")).item()
    assert ax.get_title() == f"iteration 17577 (epoch 44)\ngap at 0: {gap:.3g}"
    dataset["loss"].loc[{"evaluation_set": "big_batch"}] = np.inf
    dataset["loss"].loc[{"evaluation_set": "validation"}] = np.inf
    (ax,) = plot_gap(dataset, checkpoint=17577, metric="loss")
    assert ax.get_title().endswith("gap at 0: nan")


def test_gap_is_shaded_between_the_curves(dataset):
    (ax,) = plot_gap(dataset, checkpoint=17577)
    (shade,) = (each for each in ax.collections if each.get_gid() == "gap")
    corners = {tuple(corner) for path in shade.get_paths() for corner in path.vertices}
    for line in curves(ax):
        assert set(zip(*line.get_data(), strict=True)) <= corners


def test_gap_scales_all_panels_alike(make):
    dataset = make(checkpoints=2)
    dataset["loss"][0], dataset["loss"][1] = 5.0, 0.001
    assert [ax.get_yscale() for ax in plot_gap(dataset, metric="loss")] == ["log", "log"]


def test_gap_needs_both_sets(dataset):
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'validation'"):
        plot_gap(dataset.sel(evaluation_set=["same_batch", "big_batch"]))


# Step-wise accuracy


def test_stepwise_shows_one_slice_whole_and_enlarged(dataset):
    whole, enlarged = plot_stepwise(dataset)
    for ax in (whole, enlarged):
        shown(ax, dataset["accuracy"].sel(evaluation_set="same_batch")[1])
        assert ax.get_xscale() == "symlog"
    low, high = enlarged.get_ylim()
    assert 4 / 128 < high - low < 14 / 128


def test_stepwise_has_a_grid_line_a_sample(dataset):
    _, enlarged = plot_stepwise(dataset)
    lines = np.union1d(enlarged.get_yticks(), enlarged.get_yticks(minor=True))
    np.testing.assert_allclose(np.diff(lines), 1 / 128)
    np.testing.assert_allclose(lines * 128, np.round(lines * 128))
    assert "1/128 = 0.0078" in enlarged.get_legend().get_title().get_text()


def test_stepwise_marks_the_plateau(dataset):
    dataset["accuracy"][1, 0, 0] = [0.1, 0.2, 0.3, 0.4, *[0.5] * 7, 0.2, 0.1]
    for ax in plot_stepwise(dataset):
        (span,) = (patch for patch in ax.patches if patch.get_gid() == "plateau")
        assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((-0.001, 0.1))
    assert "plateau: −0.001 to 0.1" in legend(ax)


def test_stepwise_says_which_end_of_the_plateau_was_not_seen(dataset):
    dataset["accuracy"][1, 0, 0] = [0.1, *[0.5] * 12]
    assert "plateau: −0.5 to ≥ 1" in legend(plot_stepwise(dataset)[1])


def test_stepwise_shows_one_draw_and_says_so(make):
    dataset = make(draws=3)
    whole, _ = plot_stepwise(dataset, draw=2, evaluation_set="big_batch", checkpoint=100)
    shown(whole, dataset["accuracy"].sel(evaluation_set="big_batch")[0, [2]])
    assert "draw 2 of 3" in whole.get_title()
    assert whole.get_ylabel() == "accuracy, big batch"
    with pytest.raises(InvalidValueError, match="choose from 0, 1, 2"):
        plot_stepwise(dataset, draw=3)


def test_stepwise_near_a_perfect_accuracy_ends_at_the_last_sample(dataset):
    dataset["accuracy"][:] = 1.0
    _, enlarged = plot_stepwise(dataset)
    assert enlarged.get_ylim()[1] == pytest.approx(1 + 0.5 / 128)
