"""The same slice of several stores or runs, one curve each, in one picture."""

from collections.abc import Sequence

import xarray as xr
from matplotlib.axes import Axes

from landscape.errors import UnknownNameError
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import around, band_note, curve, draw, lines_of_draws
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.several import choose_slices, fitted
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, main_metric
from landscape.slices.selection import distance, norm
from landscape.statistics import AGAINST


@figure
def plot_overlay(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    against: str = "step-size",
    scale: str = "auto",
    value_scale: str = "auto",
) -> Axes:
    """Plot ``metric`` on one evaluation set, one curve per Dataset, named by how it differs.

    The set is by default validation, or the first one. The checkpoint is by default the second of
    each Dataset; an iteration that is given must be in all of them. ``against="distance"`` makes
    directions of different norms comparable; each draw then has a line of its own.

    Returns:
        The axes.

    Raises:
        InvalidValueError: without a Dataset, and for an option that one of them does not have.
        UnknownNameError: for an unknown ``against``.
    """
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    several = choose_slices(datasets, checkpoint, evaluation_set)
    metric = main_metric(several.datasets[0], metric)
    shown = several.values(metric, slope_factor)
    (panel,) = style.axes(ax, 1, height=2.8 + 0.13 * len(shown))
    width = style.available_width(panel)
    curves, own_lines = [], False
    for each, values, name, look in zip(
        several.datasets, shown, several.names, several.looks, strict=True
    ):
        label = fitted(name or wording.name_label(several.evaluation_set), width)
        # Where all norms are 1 a step size is a distance.
        if against == "distance" and bool((norm(each) != 1).any()):
            away = distance(each).isel(checkpoint=0)
            curves += lines_of_draws(values, away, label, look)
            own_lines |= each.sizes["draw"] > 1
        else:
            curves.append(curve(values, label, look))
    handles = draw(panel, curves, scale=scale, value_scale=value_scale)
    panel.set_title(several.title)
    panel.set_xlabel(several.along(against.replace("-", " ")))
    panel.set_ylabel(wording.value_label(shown[0], several.evaluation_set))
    draws = max(several.datasets, key=lambda each: each.sizes["draw"])
    note = "one line a draw" if own_lines else band_note(draws, len(shown))
    if len({each.sizes["draw"] for each in several.datasets}) > 1 and not own_lines:
        note = f"line: mean over draws, {around(len(shown))}: min to max"
    style.legend_below(panel, handles, columns=3, title=note)
    return panel
