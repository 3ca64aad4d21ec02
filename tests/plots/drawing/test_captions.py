"""Captions under figures, which no other text or line touches."""

import inspect
from itertools import pairwise
from textwrap import dedent

import pytest
from helpers import planes
from helpers.commands import refused, run
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from landscape import plots
from landscape.errors import InvalidValueError
from landscape.plots.drawing import captions
from landscape.plots.registry import FIGURES, get
from landscape.slices.caption import caption

OF_SLICES = [n for n, f in FIGURES.items() if f.source in ("slices", "searches")]


def printed(figure):
    (text,) = [each for each in figure.texts if each.get_gid() == "caption"]
    return text


def words(figure):
    return " ".join(printed(figure).get_text().split())


def parts(figure):
    """The boxes of all that a figure holds but its caption, in pixels."""
    figure.draw_without_rendering()
    drawn = [*figure.axes, *figure.legends]
    return [each.get_tightbbox(figure.canvas.get_renderer()) for each in drawn]


def heights(figure):
    return [ax.get_position().height * figure.get_figheight() for ax in figure.axes]


@pytest.mark.parametrize("name", OF_SLICES)
def test_it_is_below_everything_and_takes_no_room_from_the_panels(name, make):
    dataset = make(draws=2)
    get(name).load()(dataset)
    plain = plt.gcf()
    plain.draw_without_rendering()
    get(name).load()(dataset, caption=True)
    figure = plt.gcf()
    boxes = parts(figure)
    box = printed(figure).get_window_extent()
    assert figure.bbox.y0 < box.y0
    assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1
    assert box.y1 < min(each.y0 for each in boxes)
    assert min(heights(figure)) > 0.93 * min(heights(plain))


def test_it_says_what_the_figure_shows(dataset):
    plots.plot_widening(dataset, metric="loss", caption=True)
    assert words(plt.gcf()) == caption(dataset, "loss", "same_batch")
    plots.plot_batches(dataset, caption=True)
    assert words(plt.gcf()) == caption(dataset)
    plots.plot_plane(planes.plane(), caption=True)
    assert words(plt.gcf()) == caption(planes.plane(), evaluation_set="validation")
    plots.plot_compare([dataset, dataset], caption=True)
    assert words(plt.gcf()) == caption(dataset)


def test_without_it_nothing_is_printed(dataset):
    plots.plot_batches(dataset, caption=False)
    assert not plt.gcf().texts


def test_a_dollar_sign_is_text(dataset):
    dataset = dataset.assign_attrs(direction="mine", direction_symbol="$x^$", direction_about="$a$")
    plots.plot_batches(dataset, caption=True)
    assert r"d is \$x^\$ (\$a\$)" in words(plt.gcf())
    plt.gcf().canvas.draw()


def test_axes_of_ones_own_get_none(dataset):
    with pytest.raises(InvalidValueError, match=r"leave out ax, or write landscape\.slices"):
        plots.plot_batches(dataset, ax=Figure().add_subplot(), caption=True)


def test_figures_of_slices_take_it_and_say_so():
    for name, figure in FIGURES.items():
        function = figure.load()
        takes = figure.source not in ("runs", "classes", "formulas")
        assert ("caption" in figure.options) == takes, name
        assert ("caption" in inspect.signature(function).parameters) == takes
        assert ("\n    caption: whether" in dedent(function.__doc__)) == takes


def test_lines_break_between_words_and_fit():
    text = "a bc " * 100 + "x" * 300
    broken = captions.lines(text, 2.0)
    assert " ".join(broken) == " ".join(text.split())
    assert all(captions.text_width(each, captions.SIZE) <= 2 for each in broken[:-1])
    wider = [f"{one} {two.split()[0]}" for one, two in pairwise(broken)]
    assert all(captions.text_width(each, captions.SIZE) > 2 for each in wider)
    assert captions.lines("", 2.0) == []


def test_on_the_command_line(tmp_path):
    path = tmp_path / "a.svg"
    store = "figures/mnist-mlp.zarr.zip"
    run("plot", "batches", store, "--caption", "-o", path)
    assert "minima elsewhere are not seen" in " ".join(path.read_text().split())
    assert "not a plane" in refused("plot", "plane", store, "-o", path)
