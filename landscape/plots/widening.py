"""One evaluation set at all checkpoints: the peak widens as training proceeds.

Fig. 10 of [Hackel2023].
"""

import xarray as xr
from matplotlib.axes import Axes

from landscape.errors import UnknownNameError
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import band_note, curve, draw, lines_of_draws
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric, main_metric
from landscape.slices.selection import distance, norm, set_name
from landscape.statistics import AGAINST


@figure
def plot_widening(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str = "same_batch",
    slope_factor: float | None = None,
    against: str = "step-size",
    scale: str = "linear",
    value_scale: str = "auto",
) -> Axes:
    """Plot ``metric`` on one evaluation set, one curve per checkpoint, from dark to light.

    All checkpoints are shown by default. ``against="distance"`` makes checkpoints with gradients of
    different norms comparable; each draw then has its own distances and so its own line.

    Returns:
        The axes.

    Raises:
        InvalidValueError: for an option that the dataset does not have.
        UnknownNameError: for an unknown ``against``.
    """
    metric = main_metric(dataset, metric)
    values = choose_metric(dataset, metric, slope_factor)
    name = set_name(dataset, evaluation_set)
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    steps = dataset["step_size"] if against == "step-size" else distance(dataset)
    own_lines = against == "distance" and bool((norm(dataset) != 1).any())
    positions = choose_checkpoints(dataset, checkpoint)
    curves = []
    for position, look in zip(positions, style.sequential_styles(len(positions)), strict=True):
        one = values.isel(checkpoint=position).sel(evaluation_set=name)
        label = wording.checkpoint_label(one, short=True)
        if own_lines:
            curves += lines_of_draws(one, steps.isel(checkpoint=position), label, look)
        else:
            curves.append(curve(one, label, look))

    (panel,) = style.axes(ax, 1, height=2.8 + 0.13 * -(-len(positions) // 3))
    handles = draw(panel, curves, scale=scale, value_scale=value_scale)
    panel.set_title(wording.source_label(dataset))
    panel.set_xlabel(wording.step_label(steps, dataset))
    panel.set_ylabel(wording.value_label(values, name))
    note = band_note(dataset)
    if note and own_lines:
        note = "one line a draw"
    title = "; ".join(filter(None, [wording.checkpoints_note(values), note]))
    style.legend_below(panel, handles, columns=3, title=title)
    return panel
