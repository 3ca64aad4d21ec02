import numpy as np
import pytest
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.plots import plot_overlay


def trained(make, optimizer="sgd", draws=1, seed=0, **attributes):
    run = {"optimizer": optimizer, "learning_rate": 0.1, "options": {}, "seed": seed}
    return make(draws=draws).assign_attrs(optimizer=optimizer, run=run, **attributes)


def curves(ax):
    return [line for line in ax.lines if line.get_gid() == "curve"]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_one_curve_a_store_named_by_how_they_differ(make):
    runs = [trained(make), trained(make, "adam"), trained(make, "sa-sls", seed=1)]
    runs[1]["accuracy"][:] = 0.25
    ax = plot_overlay(runs)
    assert legend(ax) == ["SGD", "Adam", "sa-SLS"]
    for line, run in zip(curves(ax), runs, strict=True):
        values = run["accuracy"].sel(evaluation_set="validation").isel(checkpoint=9, draw=0)
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert ax.get_title() == "synthetic, iteration 17577 (epoch 44)"
    assert ax.get_ylabel() == "accuracy, validation"
    assert ax.get_xlabel() == "step size along −∇L"
    assert len({(each.get_color(), each.get_linestyle()) for each in curves(ax)}) == 3


def test_the_checkpoint_is_the_last_that_all_have_or_the_last_of_each(make):
    whole, part = trained(make), trained(make, "adam").isel(checkpoint=slice(0, 5))
    assert "iteration 7812" in plot_overlay([whole, part]).get_title()
    moved = part.assign_coords(iteration=part["iteration"] + 1)
    lines = curves(plot_overlay([whole, moved]))
    for line, run, at in zip(lines, (whole, moved), (9, 4), strict=True):
        values = run["accuracy"].sel(evaluation_set="validation").isel(checkpoint=at, draw=0)
        np.testing.assert_array_equal(line.get_ydata(), values)


def test_metric_set_and_checkpoint_can_be_chosen(make):
    runs = [trained(make, seed=0), trained(make, seed=1)]
    ax = plot_overlay(
        runs, metric="smooth_accuracy", slope_factor=10, evaluation_set="same_batch", checkpoint=100
    )
    values = runs[0]["smooth_accuracy"].sel(evaluation_set="same_batch", slope_factor=10)
    np.testing.assert_array_equal(curves(ax)[0].get_ydata(), values[0, 0])
    assert legend(ax) == ["run seed 0", "run seed 1"]
    assert ax.get_ylabel() == "smooth accuracy (s = 10), same batch"


def test_against_distance_each_store_has_its_own_norms(make):
    runs = [trained(make, draws=2), trained(make, "adam")]
    runs[1]["gradient_norm"] *= 3
    ax = plot_overlay(runs, against="distance", scale="symlog")
    first, second, third = curves(ax)
    norms = runs[0]["gradient_norm"][9]
    np.testing.assert_allclose(first.get_xdata(), norms[0] * runs[0]["step_size"])
    np.testing.assert_allclose(second.get_xdata(), norms[1] * runs[0]["step_size"])
    np.testing.assert_allclose(
        third.get_xdata(), runs[1]["gradient_norm"][9, 0] * runs[1]["step_size"]
    )
    assert legend(ax) == ["SGD", "Adam"]
    assert ax.get_xlabel() == "distance along −∇L"
    assert ax.get_legend().get_title().get_text() == "one line a draw"


def test_draws_are_means_with_bands(make):
    ax = plot_overlay([trained(make, draws=4), trained(make, "adam", draws=4)])
    assert len(ax.collections) == 2
    assert ax.get_legend().get_title().get_text() == "line: mean of 4 draws, band: min to max"
    ax = plot_overlay([trained(make, draws=4), trained(make, "adam", draws=2)])
    assert ax.get_legend().get_title().get_text() == "line: mean over draws, band: min to max"


def test_of_different_directions_the_axis_names_none():
    ax = plot_overlay([planes.line([-1, 0, 1], 1.0), planes.line([-1, 0, 1], 1.0, symbol="e")])
    assert ax.get_xlabel() == "step size"


def test_step_sizes_of_a_second_direction_name_no_store():
    both = [planes.plane(), planes.line([-1, 0, 1], 1.0)]
    for each, second in zip(both, ([-1, 0, 1], None), strict=True):
        each.attrs["settings"] = {"step_sizes_2": second, "batch_size": 8 + (second is None)}
    assert legend(plot_overlay(both, checkpoint=400)) == ["batch size 8", "batch size 9"]


def test_one_store_is_drawn_too(make):
    ax = plot_overlay([trained(make)])
    assert legend(ax) == ["validation"]
    assert ax.get_title() == "synthetic, SGD, iteration 17577 (epoch 44)"


def test_long_names_stay_within_the_figure(make):
    runs = [trained(make, optimizer="x" * 20 + " y" * 60), trained(make, optimizer="z" * 10)]
    ax = plot_overlay(runs)
    ax.figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    assert ax.figure.bbox.x0 <= box.x0
    assert box.x1 <= ax.figure.bbox.x1


def test_what_is_not_there_is_refused(make):
    runs = [trained(make), trained(make, "adam").isel(evaluation_set=slice(0, 2))]
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'validation'"):
        plot_overlay(runs)
    with pytest.raises(InvalidValueError, match="give at least one"):
        plot_overlay([])
    with pytest.raises(InvalidValueError, match="step-size, distance"):
        plot_overlay(runs[:1], against="time")
    with pytest.raises(InvalidValueError, match="did you mean 'linear'"):
        plot_overlay(runs[:1], scale="liner")
