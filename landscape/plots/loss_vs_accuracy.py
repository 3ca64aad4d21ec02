"""Loss and accuracy of one evaluation set along the gradient (Fig. 9 of [Hackel2023])."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape.plots.drawing import style
from landscape.plots.drawing.curves import band_note, curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric, main_set


@figure
def plot_loss_vs_accuracy(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    evaluation_set: str | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot loss above accuracy, both on the same evaluation set.

    By default the first, a middle and the last checkpoint are shown. ``value_scale`` is the loss's.

    Returns:
        The upper and the lower axes.

    Raises:
        InvalidValueError: without loss or accuracy, and for an option that the dataset does not
            have.
    """
    name = main_set(dataset, evaluation_set, "same_batch")
    metrics = [choose_metric(dataset, metric) for metric in ("loss", "accuracy")]
    positions = choose_checkpoints(dataset, checkpoint, most=3)
    styles = style.sequential_styles(len(positions))
    panels = style.axes(ax, 2, height=4.4)
    for panel, values, its_scale in zip(panels, metrics, (value_scale, "linear"), strict=True):
        slices = [values.isel(checkpoint=at).sel(evaluation_set=name) for at in positions]
        curves = [
            curve(one, wording.checkpoint_label(one), look)
            for one, look in zip(slices, styles, strict=True)
        ]
        handles = draw(panel, curves, scale=scale, value_scale=its_scale)
        panel.set_ylabel(wording.value_label(values, name))
    panels[0].set_title(wording.source_label(dataset))
    panels[1].set_xlabel(wording.step_label(dataset["step_size"], dataset))
    style.legend_below(panels[1], handles, columns=2, title=band_note(dataset))
    return np.array(panels, dtype=object)
