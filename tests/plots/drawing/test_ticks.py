import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape.plots.drawing import curves, ticks
from landscape.plots.drawing.style import Style


@pytest.fixture
def ax():
    return plt.subplots()[1]


def words(axis):
    axis.figure.draw_without_rendering()
    low, high = axis.get_view_interval()
    return [t.get_text() for t in axis.get_ticklabels() if low <= t.get_position()[1] <= high]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.02, 0.09, ["0.02", "0.05"]),
        (0.01, 5, ["0.01", "0.1", "1"]),
        (1e-6, 1e-3, ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³"]),
        (2e4, 9e4, ["2·10⁴", "5·10⁴"]),
    ],
)
def test_logarithmic_axes_have_numbers_that_a_person_would_write(ax, low, high, expected):
    ax.plot([0, 1], [low, high])
    ax.set_yscale("log")
    ticks.logarithmic(ax.yaxis, np.array([low, high, 0, np.nan]))
    ax.set_ylim(low, high)
    assert words(ax.yaxis) == expected


def test_powers():
    assert [*map(ticks.power, (0, 1, -100, 3e-5, 1e12))] == ["0", "10⁰", "−10²", "3·10⁻⁵", "10¹²"]


def test_epochs_are_round_whole_numbers(ax):
    for last in (15, 40, 50, 60, 200):
        ax.set_xlim(0, last)
        ticks.whole(ax.xaxis)
        step = np.diff(ax.get_xticks())[0]
        assert step == int(step)
        assert str(int(step)).rstrip("0") in ("1", "2", "5")


def test_the_published_step_sizes_are_spread_out_and_even_ones_are_not(ax):
    published = np.array([-1, -0.5, -0.1, -0.01, -1e-3, -1e-4, 0, 1e-4, 1e-3, 0.01, 0.1, 0.5, 1])
    for steps, scale in ((published, "symlog"), (np.linspace(-2, 2, 401), "linear")):
        curve = curves.Curve(steps, np.sin(steps)[None], "", Style("k"))
        curves.draw(ax, [curve], scale="auto")
        assert ax.get_xscale() == scale
        ax.clear()
    assert curves.crowded(published)
    assert not curves.crowded(np.array([np.nan, np.nan]))
