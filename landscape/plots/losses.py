"""The losses and accuracies of one sample in a binary problem (Figs. 6 and 7 of [Hackel2023])."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import metrics
from landscape.plots.drawing import style, theme
from landscape.plots.drawing.curves import STEP_NOTE, Curve, draw, draw_step
from landscape.plots.drawing.figure import figure

GAMMA = 2.0
SLOPE_FACTOR = 10.0  # Fig. 7 of [Hackel2023] states none


@figure
def plot_losses(*, ax: Sequence[Axes] | None = None) -> NDArray[np.object_]:
    """Plot losses (left) and accuracies (right) of one sample against p of the right class.

    They are those of :mod:`landscape.metrics` for two classes, where the margin is 2p − 1. Left are
    cross-entropy (alone in Fig. 6 of [Hackel2023]), focal loss (γ = 2), sigmoidal loss (slope
    factor 10) and 0-1 loss; right are smooth accuracy and accuracy, which are 1 minus the last two
    and drawn in the same styles. p = 1/2 is a tie, which is not correct: a full circle is the value
    there, a hollow one a limit that is not reached. Where a loss is +∞, at p = 0, there is a mark
    at the edge.

    Returns:
        The left and the right axes.
    """
    p = np.linspace(0, 1, 101)
    margin = 2 * p - 1
    with np.errstate(divide="ignore"):
        entropy = 0 - np.log(p)
    first, second, third, fourth = (
        replace(look, marker="") for look in style.setting_styles(4, ordered=False)
    )
    focal = metrics.focal_loss(entropy, GAMMA)
    sigmoidal = metrics.sigmoidal_loss(margin, SLOPE_FACTOR)
    smooth = metrics.smooth_correct(margin, SLOPE_FACTOR)
    losses = [
        Curve(p, entropy[None], "cross-entropy (nat)", first),
        Curve(p, focal[None], f"focal loss, γ = {GAMMA:g} (nat)", second),
        Curve(p, sigmoidal[None], f"sigmoidal loss (s = {SLOPE_FACTOR:g})", third),
    ]
    accuracies = [Curve(p, smooth[None], f"smooth accuracy (s = {SLOPE_FACTOR:g})", third)]

    panels = style.axes(ax, 2, columns=2, height=2.75, width=theme.PAGE_WIDTH, sharey=False)
    for panel, curves, step, name in (
        (panels[0], losses, metrics.zero_one_loss, "0-1 loss"),
        (panels[1], accuracies, metrics.correct, "accuracy"),
    ):
        handles = draw(panel, curves, value_scale="linear")
        handles[len(curves) : len(curves)] = draw_step(panel, step, (0, 1), name, fourth)
        panel.set_xlabel("p of the right class")
        panel.set_ylabel(f"{name.split()[-1]} of one sample")
        style.legend_below(panel, handles, columns=2, title=STEP_NOTE)
    return np.array(panels, dtype=object)
