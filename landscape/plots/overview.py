"""All evaluation sets at all checkpoints: the training on one page of small panels."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape.plots.drawing import style, theme
from landscape.plots.drawing.curves import band_note, curves_of_sets, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric, main_metric

MOST = 30  # panels that fit on a page


@figure
def plot_overview(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot ``metric`` on every evaluation set, one panel per checkpoint; panels share both axes.

    By default all checkpoints are shown or, of more than 30, 30 evenly spread ones; the title then
    says so.

    Returns:
        The axes, one per checkpoint.

    Raises:
        InvalidValueError: for an option that the dataset does not have.
    """
    metric = main_metric(dataset, metric)
    values = choose_metric(dataset, metric, slope_factor)
    positions = choose_checkpoints(dataset, checkpoint, most=MOST)
    drawn = [curves_of_sets(values.isel(checkpoint=at)) for at in positions]
    columns = min(5 if style.on_a_page() else 2, len(positions))
    panels = style.axes(
        ax,
        len(positions),
        columns=columns,
        height=0.85 + 1.25 * -(-len(positions) // columns),
        width=theme.COLUMN_WIDTH if columns <= 2 else theme.PAGE_WIDTH,
    )
    among = [*chain.from_iterable(drawn)]
    if ax is None and columns > 2:  # so that more decades have room for their numbers
        for panel in panels:
            panel.tick_params(labelsize=5.5)
    for panel, curves, position in zip(panels, drawn, positions, strict=True):
        handles = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        panel.set_title(wording.checkpoint_label(values.isel(checkpoint=position)), fontsize=6)
    along, value = wording.step_label(dataset["step_size"], dataset), wording.value_label(values)
    style.outer_labels(panels, columns, [along] * len(panels), [value] * len(panels))
    of = dataset.sizes["checkpoint"]
    left_out = checkpoint is None and len(positions) < of
    told = [f"{len(positions)} of {of} checkpoints"] if left_out else []
    style.title_and_legend(
        panels, handles, new=ax is None, title=wording.source_label(dataset, *told),
        note=band_note(dataset, len(drawn[0])),
    )  # fmt: skip
    return np.array(panels, dtype=object)
