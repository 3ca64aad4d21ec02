"""All evaluation sets at one checkpoint (Figs. 11 and 20 of [Hackel2023])."""

import xarray as xr
from matplotlib.axes import Axes

from landscape.plots.drawing import style
from landscape.plots.drawing.curves import band_note, curves_of_sets, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, main_metric


@figure
def plot_batches(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> Axes:
    """Plot ``metric`` on every evaluation set, at one checkpoint.

    By default that is the second checkpoint, early in training, or the only one.

    Returns:
        The axes.

    Raises:
        InvalidValueError: for an option that the dataset does not have.
    """
    metric = main_metric(dataset, metric)
    values = choose_metric(dataset, metric, slope_factor)
    one = values.isel(checkpoint=choose_checkpoint(dataset, checkpoint))
    (panel,) = style.axes(ax, 1, height=3.1)
    curves = curves_of_sets(one)
    handles = draw(panel, curves, scale=scale, value_scale=value_scale)
    panel.set_title(f"{wording.source_label(dataset)}\n{wording.checkpoint_label(one)}".strip())
    panel.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    panel.set_ylabel(wording.value_label(values))
    style.legend_below(panel, handles, columns=3, title=band_note(dataset, len(curves)))
    return panel
