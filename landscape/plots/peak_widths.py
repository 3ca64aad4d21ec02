"""The width of the peak of every slice over training."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing import style, theme
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.over_training import Line, Panel, choose_metrics, draw, metric_title
from landscape.plots.drawing.several import fitted, name_stores
from landscape.plots.drawing.store_names import name_shared
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, main_set
from landscape.slices.options import TOLERANCE


@figure
def plot_peak_widths(
    dataset: xr.Dataset | Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    tolerance: float = TOLERANCE,
    relative: bool = True,
    against: str = "step-size",
    slope_factor: float | None = None,
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot the width of the peak over the iterations, one line per evaluation set.

    The peak is the range of step sizes around the best value whose values are within ``tolerance``
    of it: times its size if ``relative``, else in units of the metric. Panels, lines and bands are
    those of :func:`plot_best_steps`. A hollow triangle is a lower bound: the peak extends beyond
    the sampled range or to a NaN. Several Datasets have one line each, on validation or the first
    set unless another is asked for.

    Returns:
        The axes, one per metric.

    Raises:
        InvalidValueError: without a Dataset, for a tolerance that is not finite and at least 0, and
            for an option that the dataset does not have.
    """
    stores = [dataset] if isinstance(dataset, xr.Dataset) else list(dataset)
    names = name_stores(stores)
    if len(stores) > 1:
        evaluation_set = main_set(stores[0], evaluation_set)
    shown = [choose_metrics(e, metric, slope_factor, checkpoint, evaluation_set) for e in stores]
    there = [name for name in shown[0] if all(name in each for each in shown)]
    found = [
        {n: statistics.peak_widths(each[n], n, against, tolerance, relative) for n in there}
        for each in shown
    ]
    within = f"{wording.number(100 * tolerance)} %" if relative else f"{wording.number(tolerance)}"
    label = f"peak width in {against.replace('-', ' ')}"
    panels = draw(
        max(stores, key=lambda each: each.sizes["draw"]),
        [
            Panel(
                found[0][name]["width"],
                _open(found[0][name]),
                metric_title(shown[0][name][name]),
                label,
                _lines(names, [each[name] for each in found]) if len(stores) > 1 else (),
            )
            for name in there
        ],
        ax,
        open_note="lower bound, the peak runs out of the samples",
        open_marker="^",
        value_scale=value_scale,
        sharey=False,
        title=_title(stores, evaluation_set, f"within {within} of the best"),
    )
    return np.array(panels, dtype=object)


def _open(found: xr.Dataset) -> xr.DataArray:
    return found["lower_open"] | found["upper_open"]


def _lines(names: Sequence[str], found: Sequence[xr.Dataset]) -> list[Line]:
    """A line for each store, whose widths are those of one evaluation set."""
    looks = style.setting_styles(len(names), ordered=False)
    lines = []
    for each, name, look in zip(found, names, looks, strict=True):
        one = each.squeeze("evaluation_set")
        label = fitted(name, theme.width_or(theme.COLUMN_WIDTH))
        lines.append(Line(one["width"], _open(one), label, look))
    return lines


def _title(stores: Sequence[xr.Dataset], evaluation_set: str | None, within: str) -> str:
    """What all stores share; of several also the evaluation set."""
    if len(stores) == 1:
        return wording.source_label(stores[0], within)
    shared = [name_shared(stores), wording.name_label(evaluation_set or ""), within]
    return ", ".join(filter(None, shared))
