"""Figures of one store that also take several."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from helpers.commands import run
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from landscape import plots, statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_peak_widths, plot_widening
from landscape.plots.registry import FIGURES


def trained(make, optimizer="sgd", checkpoints=3, draws=1, seed=0):
    settings = {"optimizer": optimizer, "learning_rate": 0.1, "options": {}, "seed": seed}
    made = make(checkpoints=checkpoints, draws=draws)
    return made.assign_attrs(optimizer=optimizer, run=settings)


def curves(ax):
    return [line for line in ax.lines if line.get_gid() == "curve"]


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


def test_the_registry_names_them():
    assert [n for n, f in FIGURES.items() if f.several] == ["widening", "peak-widths"]
    for name in ("widening", "peak-widths"):
        assert "or a list of them, one Dataset per store." in FIGURES[name].load().__doc__
    assert "list of them" not in FIGURES["gap"].load().__doc__


@pytest.mark.parametrize("name", ["widening", "peak-widths"])
def test_a_picture_of_one_store_is_the_same_as_ever(name, make, tmp_path):
    dataset = make(draws=2).drop_vars(["batch_norm"])
    function = FIGURES[name].load()
    drawn = plots.save(function(dataset), tmp_path / "a.png").read_bytes()
    assert drawn == plots.save(function(dataset), tmp_path / "b.png").read_bytes()
    if name == "widening":
        assert not isinstance(function(dataset), np.ndarray)


def test_widening_has_a_panel_a_store_on_shared_axes(make):
    stores = [trained(make), trained(make, "adam", checkpoints=5)]
    stores[1]["accuracy"] *= 0.5
    panels = plot_widening(stores)
    assert [ax.get_title() for ax in panels] == ["SGD", "Adam"]
    for ax, store in zip(panels, stores, strict=True):
        values = store["accuracy"].sel(evaluation_set="same_batch")[:, 0]
        np.testing.assert_array_equal([line.get_ydata() for line in curves(ax)], values)
    assert panels[0].get_shared_y_axes().joined(*panels)
    figure = panels[0].figure
    assert figure.get_suptitle() == "synthetic"
    assert legend(figure) == ["100", "1953 (4)", "3906 (9)", "5859 (14)", "7812 (19)"]
    assert [bool(ax.get_ylabel()) for ax in panels] == [True, False]


def test_a_colour_is_a_checkpoint_in_all_panels(make):
    stores = [trained(make), trained(make, "adam", checkpoints=5).isel(checkpoint=[1, 4])]
    first, second = plot_widening(stores)
    assert curves(first)[1].get_color() == curves(second)[0].get_color()
    assert legend(first.figure) == ["100", "1953 (4)", "3906 (9)", "7812 (19)"]
    assert len({line.get_color() for ax in (first, second) for line in curves(ax)}) == 4


def test_widening_against_distance_takes_each_stores_norms(make):
    stores = [trained(make, draws=2), trained(make, "adam", draws=2)]
    stores[1]["gradient_norm"] *= 3
    first, second = plot_widening(stores, against="distance", checkpoint=1953)
    for ax, scale in ((first, 1), (second, 3)):
        norms = scale * stores[0]["gradient_norm"].values[1]
        for line, norm in zip(curves(ax), norms, strict=True):
            np.testing.assert_allclose(line.get_xdata(), norm * stores[0]["step_size"])


def test_together_stores_have_one_panel_and_a_colour_each(make):
    stores = [trained(make), trained(make, "adam", checkpoints=5)]
    (ax,) = plot_widening(stores, together=True)
    assert legend(ax.figure) == ["SGD, 100", "SGD, 3906 (9)", "Adam, 100", "Adam, 7812 (19)"]
    shown = [stores[0].isel(checkpoint=[0, -1]), stores[1].isel(checkpoint=[0, -1])]
    values = [each["accuracy"].sel(evaluation_set="same_batch")[:, 0].values for each in shown]
    np.testing.assert_array_equal([line.get_ydata() for line in curves(ax)], np.vstack(values))
    colors = [np.array(to_rgb(line.get_color())) for line in curves(ax)]
    for early, late in (colors[:2], colors[2:]):
        assert (early >= late).all()  # lighter
        assert (early > late).any()
    assert not np.allclose(colors[1], colors[3])
    dashes = [line.get_linestyle() for line in curves(ax)]
    assert dashes[0] == dashes[1] != dashes[2] == dashes[3]
    assert ax.get_xlabel() == "step size along −∇L"
    (ax,) = plot_widening(stores, together=True, checkpoint=1953)
    assert legend(ax.figure) == ["SGD, 1953 (4)", "Adam, 1953 (4)"]
    assert to_rgb(curves(ax)[0].get_color()) == pytest.approx(tuple(colors[1]))
    (ax,) = plot_widening(stores, together=True, checkpoint=[100, 1953, 3906])
    assert len(legend(ax.figure)) == 6  # and no bar of checkpoints


def test_together_one_store_is_as_ever(make, tmp_path):
    drawn = [plot_widening(make(), together=each) for each in (False, True)]
    first, second = (plots.save(e, tmp_path / f"{i}.png") for i, e in enumerate(drawn))
    assert first.read_bytes() == second.read_bytes()


def test_together_stores_along_several_directions_name_none(make):
    other = trained(make, "adam").assign_attrs(direction="normalised-gradient")
    (ax,) = plot_widening([trained(make), other], together=True)
    assert ax.get_xlabel() == "step size"


def test_probes_that_nothing_sets_apart_are_named_by_their_places(make):
    stores = [trained(make), trained(make)]
    for store, place in zip(stores, ("/runs/first/a.zarr", "/runs/second/a.zarr"), strict=True):
        store.encoding["source"] = place
    first, second = plot_widening(stores)
    assert (first.get_title(), second.get_title()) == ("first", "second")
    assert legend(plot_peak_widths(stores, metric="loss")[0].figure)[:2] == ["first", "second"]


def test_stores_of_one_name_are_told_apart_beside_another(make):
    stores = [trained(make), trained(make), trained(make, "adam")]
    (ax,) = plot_widening(stores, together=True, checkpoint=100)
    assert legend(ax.figure) == ["SGD, store 1, 100", "SGD, store 2, 100", "Adam, 100"]
    assert len({line.get_color() for line in curves(ax)}) == 3
    for store, place in zip(stores, ("/a/s.zarr", "/b/s.zarr", "/c/s.zarr"), strict=True):
        store.encoding["source"] = place
    assert [ax.get_title() for ax in plot_widening(stores)] == ["SGD, a", "SGD, b", "Adam"]


def test_a_bar_of_many_checkpoints_has_as_many_numbers_as_do_not_touch(make):
    one = make(checkpoints=10)
    many = xr.concat(
        [one.assign_coords(iteration=one.iteration + i) for i in range(6)], "checkpoint"
    )
    ax = plot_widening(many)
    (bar,) = [each for each in ax.figure.axes if each is not ax]
    ax.figure.canvas.draw()
    boxes = [each.get_window_extent() for each in bar.get_yticklabels()]
    assert 10 < len(boxes) < 60
    for below, above in pairwise(boxes):
        assert below.y1 <= above.y0


def test_scales_are_those_of_all_stores(make):
    stores = [trained(make), trained(make, "adam")]
    stores[0]["loss"][:], stores[1]["loss"][:] = 5.0, 0.001
    assert [ax.get_yscale() for ax in plot_widening(stores, metric="loss")] == ["log", "log"]


def test_peak_widths_has_a_line_a_store(make):
    stores = [trained(make, draws=3), trained(make, "adam", checkpoints=5, draws=3)]
    (ax,) = plot_peak_widths(stores, metric="accuracy")
    for line, store in zip(curves(ax), stores, strict=True):
        widths = statistics.peak_widths(store, "accuracy", tolerance=0.1, relative=True)["width"]
        expected = widths.sel(evaluation_set="validation").median("draw")
        np.testing.assert_allclose(line.get_ydata(), expected)
        np.testing.assert_array_equal(line.get_xdata(), store["iteration"])
    assert legend(ax.figure)[:2] == ["SGD", "Adam"]
    assert ax.figure.get_suptitle() == "synthetic, validation, within 10 % of the best"
    (ax,) = plot_peak_widths(stores, metric="accuracy", evaluation_set="same_batch")
    assert "same batch" in ax.figure.get_suptitle()


def test_peak_widths_shows_the_metrics_that_all_have(make):
    stores = [trained(make), trained(make, "adam").drop_vars("loss")]
    assert len(plot_peak_widths(stores)) == 2
    with pytest.raises(InvalidValueError, match="unknown metric 'loss'"):
        plot_peak_widths(stores, metric="loss")


@pytest.mark.parametrize("plot", [plot_widening, plot_peak_widths])
def test_lists_of_none_one_and_equal_stores(plot, make):
    with pytest.raises(InvalidValueError, match="give at least one"):
        plot([])
    assert len(plot([trained(make)], metric="loss")) == 1
    plot([trained(make), trained(make)], metric="loss")
    figure = plt.gcf()
    figure.canvas.draw()
    words = [text.get_text() for text in figure.findobj(plt.Text)]
    assert {"store 1", "store 2"} <= set(words)


@pytest.mark.parametrize("plot", [plot_widening, plot_peak_widths])
def test_long_names_stay_within_the_figure(plot, make):
    stores = [trained(make, "x" * 20 + " y" * 60), trained(make, "z")]
    plot(stores, metric="loss")
    figure = plt.gcf()
    figure.draw_without_rendering()
    for text in [each for each in figure.findobj(plt.Text) if each.get_text()]:
        box = text.get_window_extent()
        if "y y" in text.get_text():
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("name", ["widening", "peak-widths"])
def test_on_the_command_line(name, tmp_path):
    first, second = "figures/mnist-mlp.zarr.zip", "figures/cifar10-resnet20.zarr.zip"
    run("plot", name, first, "-o", tmp_path / "one.svg")
    run("plot", name, first, second, "-o", tmp_path / "two.svg")
    both = (tmp_path / "two.svg").read_text()
    assert "MLP on MNIST" in both
    assert "ResNet20 on cifar10.npz" in both
    assert "cifar10" not in (tmp_path / "one.svg").read_text()
