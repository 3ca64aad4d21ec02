import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from landscape.plots import plot_losses


def drawn(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def by_label(ax):
    return {line.get_label(): line for line in ax.lines if line.get_gid() in ("curve", "step")}


def test_losses_against_p_of_the_right_class():
    left, right = plot_losses()
    curves = by_label(left)
    p = curves["cross-entropy (nat)"].get_xdata()
    assert (p[0], p[-1]) == (0, 1)
    inner = slice(1, None)
    q = p[inner]
    for label, expected in {
        "cross-entropy (nat)": -np.log(q),
        "focal loss, γ = 2 (nat)": (1 - q) ** 2 * -np.log(q),
        "sigmoidal loss (s = 10)": 1 / (1 + np.exp(10 * (2 * q - 1))),
    }.items():
        np.testing.assert_allclose(curves[label].get_ydata()[inner], expected, atol=1e-12)
    smooth = by_label(right)["smooth accuracy (s = 10)"]
    np.testing.assert_allclose(
        smooth.get_ydata(), 1 - curves["sigmoidal loss (s = 10)"].get_ydata()
    )
    assert smooth.get_color() == curves["sigmoidal loss (s = 10)"].get_color()
    assert by_label(right)["accuracy"].get_color() == curves["0-1 loss"].get_color()
    assert entries(left)[:4] == list(curves)[:4]
    assert (left.get_ylabel(), right.get_ylabel()) == (
        "loss of one sample",
        "accuracy of one sample",
    )


def test_a_loss_without_bound_is_marked_and_the_axis_ends_at_the_samples():
    left, right = plot_losses()
    assert [line.get_xdata()[0] for line in drawn(left, "+inf")] == [0, 0]
    assert "+∞" in entries(left)
    assert "+∞" not in entries(right)
    assert -np.log(0.01) < left.get_ylim()[1] < 1.1 * -np.log(0.01)


@pytest.mark.parametrize(("panel", "value", "limit"), [(0, 1, 0), (1, 0, 1)])
def test_a_jump_is_no_slope_and_a_tie_is_not_correct(panel, value, limit):
    ax = plot_losses()[panel]
    assert [line.get_xydata().tolist() for line in drawn(ax, "step")] == [
        [[0, value], [0.5, value]],
        [[0.5, limit], [1, limit]],
    ]
    (full,), (hollow,) = drawn(ax, "value"), drawn(ax, "limit")
    assert full.get_xydata().tolist() == [[0.5, value]]
    assert hollow.get_xydata().tolist() == [[0.5, limit]]
    assert to_hex(hollow.get_markerfacecolor()) == "#ffffff"
    assert full.get_markerfacecolor() == full.get_color()
    assert ax.get_legend().get_title().get_text() == "at the jump: ● value, ○ limit"


def test_into_axes_that_are_given():
    given = Figure().subplots(1, 2)
    assert [*plot_losses(ax=given)] == [*given]
