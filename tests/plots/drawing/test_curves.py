import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError
from landscape.plots.drawing.curves import Curve, draw
from landscape.plots.drawing.style import Style

NAN, INF = np.nan, np.inf
STEPS = np.array([-1.0, -0.1, 0.0, 0.1, 1.0])


@pytest.fixture
def ax():
    return Figure().add_subplot()


def curve(*draws, color="tab:blue", units="nat"):
    return Curve(STEPS, np.array(draws, dtype=float), "a", Style(color), units)


def found(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def test_a_curve_is_drawn_as_it_is(ax):
    values = [0.1, NAN, 0.9, INF, 0.2]
    (handle, *marks) = draw(ax, [curve(values)])
    (line,) = found(ax, "curve")
    assert handle is line
    np.testing.assert_array_equal(line.get_xdata(), STEPS)
    np.testing.assert_array_equal(line.get_ydata(), values)
    assert [mark.get_label() for mark in marks] == ["NaN", "+∞"]


def test_what_a_line_cannot_show_is_marked_at_the_edge_in_its_color(ax):
    draw(ax, [curve([NAN, 1, INF, 1, -INF], color="tab:red")])
    for gid, step, marker, half in (
        ("nan", -1.0, "x", "low"),
        ("+inf", 0.0, "^", "high"),
        ("-inf", 1.0, "v", "low"),
    ):
        (mark,) = found(ax, gid)
        assert mark.get_xdata() == step
        assert mark.get_marker() == marker
        assert to_rgb(mark.get_color()) == to_rgb("tab:red")
        height = mark.get_transform().transform((step, mark.get_ydata()[0]))[1]
        bottom, top = ax.transAxes.transform([(0, 0), (0, 1)])[:, 1]
        share = (height - bottom) / (top - bottom)
        assert share < 0.05 if half == "low" else share > 0.95


def test_marks_at_the_same_place_are_stacked(ax):
    draw(ax, [curve([NAN, 1, 1, 1, 1]), curve([NAN, 1, 1, 1, -INF]), curve([-INF, 1, 1, 1, 1])])
    heights = [mark.get_ydata()[0] for mark in [*found(ax, "nan"), *found(ax, "-inf")]]
    assert len(set(heights)) == 3
    assert heights.count(min(heights)) == 2  # at two places


def test_without_marks_the_legend_has_none(ax):
    assert len(draw(ax, [curve([1, 2, 3, 4, 5])])) == 1


def test_line_is_the_mean_and_band_the_extremes_of_the_draws(ax):
    values = [[0.1, 0.2, 0.3, 0.2, 0.1], [0.3, 0.2, 0.5, NAN, 0.3]]
    draw(ax, [curve(*values)])
    (line,) = found(ax, "curve")
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.2, 0.4, NAN, 0.2])
    (band,) = ax.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert corners[:, 1].min() == 0.1
    assert corners[:, 1].max() == 0.5
    assert found(ax, "nan")[0].get_xdata() == 0.1


def test_a_single_draw_has_no_band(ax):
    draw(ax, [curve([1, 2, 3, 4, 5])])
    assert not ax.collections


def test_among_many_samples_only_the_lonely_have_markers(ax):
    steps = np.linspace(-1, 1, 101)
    values = np.ones((1, 101))
    values[0, [49, 51]] = NAN
    draw(ax, [Curve(steps, values, "a", Style("k"))])
    assert found(ax, "curve")[0].get_markevery() == [50]


def test_many_samples_without_a_gap_have_no_marker_nor_says_the_legend_so(ax):
    (line,) = draw(ax, [Curve(np.linspace(-1, 1, 101), np.ones((1, 101)), "a", Style("k"))])
    assert line.get_marker() in ("", "None")


def test_some_markers_tell_curves_of_many_samples_apart(ax):
    values = np.ones((1, 101))
    values[0, [49, 51]] = NAN
    looks = Style("k", "-", "o"), Style("b", "-", "s")
    draw(ax, [Curve(np.linspace(-1, 1, 101), values, "a", look) for look in looks])
    first, second = (line.get_markevery() for line in found(ax, "curve"))
    assert 50 in first
    assert 50 in second
    assert len(first) == 9
    assert set(first) & set(second) == {50}  # which do not hide one another


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        ([0.2, 0.1, 0.05, 0.1, 0.2], "auto", "linear"),
        ([1e-9, 0.1, 0.05, 0.1, 1], "auto", "log"),
        ([5, 1, 0.5, 1, 5], "auto", "linear"),
        ([1e3, 1, 1e-4, 1, 1e3], "auto", "log"),
        ([1e3, 1, 0, 1, 1e3], "auto", "symlog"),
        ([1e3, 1, -1, 1e-3, 1e3], "auto", "symlog"),
        ([INF, 1, 0.5, 1, INF], "auto", "linear"),
        ([NAN, 1e3, 0.5, 1, NAN], "auto", "log"),
        ([NAN] * 5, "auto", "linear"),
        ([NAN] * 5, "log", "linear"),
        ([0] * 5, "log", "linear"),
        ([1e3, 1, 1e-4, 1, 1e3], "linear", "linear"),
        ([5, 1, 0.5, 1, 5], "log", "log"),
    ],
)
def test_the_scale_of_the_values(ax, values, scale, expected):
    draw(ax, [curve(values)], value_scale=scale)
    assert ax.get_yscale() == expected
    ax.figure.canvas.draw()


def test_an_exact_0_keeps_its_place_on_a_logarithmic_axis(ax):
    draw(ax, [curve([1e3, 1, 0, 1e-4, 1e3])])
    low, high = ax.get_ylim()
    assert low < 0 < high
    pixels = ax.transData.transform([(0, 0), (0, 1e-4)])[:, 1]
    assert pixels[1] - pixels[0] > 10
    assert 0 in ax.get_yticks()


def test_shares_have_the_same_range_in_every_figure(ax):
    draw(ax, [curve([0.5, 1e-9, 0.7, 0.6, 0], units="1")])
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim() == (-0.03, 1.03)


def test_shares_close_together_stay_apart(ax):
    draw(ax, [curve([0.93, 0.94, 0.95, 0.94, 0.93], units="1")])
    low, high = ax.get_ylim()
    assert 0.9 < low < high < 1


def test_small_losses_fill_the_axes(ax):
    draw(ax, [curve([0.02, 0.01, 0.005, 0.01, 0.02])])
    assert ax.get_ylim()[1] < 0.03


def test_symlog_steps_are_linear_up_to_the_smallest(ax):
    draw(ax, [curve([1, 2, 3, 2, 1])], scale="symlog")
    pixels = ax.transData.transform([(step, 1) for step in (-1, -0.1, 0, 0.1, 1)])[:, 0]
    # a decade each, and about as much for what is linear
    np.testing.assert_allclose(np.diff(pixels), np.diff(pixels)[0], rtol=0.15)
    np.testing.assert_allclose(ax.get_xticks(), STEPS)


def test_panels_that_share_take_the_scale_of_all(ax):
    draw(ax, [curve([5, 1, 0.5, 1, 5])], among=[curve([5] * 5), curve([1e-4] * 5)])
    assert ax.get_yscale() == "log"


def test_unknown_scales_are_named(ax):
    with pytest.raises(InvalidValueError, match="linear, symlog"):
        draw(ax, [curve([1] * 5)], scale="log")
    with pytest.raises(InvalidValueError, match="auto, linear, log"):
        draw(ax, [curve([1] * 5)], value_scale="square")
