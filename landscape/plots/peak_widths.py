"""The width of the peak of every slice over training."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.over_training import Panel, choose_metrics, draw, metric_title
from landscape.slices import wording
from landscape.slices.choice import Checkpoints
from landscape.slices.options import TOLERANCE


@figure
def plot_peak_widths(
    dataset: xr.Dataset,
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
    the sampled range or to a NaN.

    Returns:
        The axes, one per metric.

    Raises:
        InvalidValueError: for a tolerance that is not finite and at least 0, and for an option that
            the dataset does not have.
    """
    shown = choose_metrics(dataset, metric, slope_factor, checkpoint, evaluation_set)
    found = {
        name: statistics.peak_widths(each, name, against, tolerance, relative)
        for name, each in shown.items()
    }
    within = f"{wording.number(100 * tolerance)} %" if relative else f"{wording.number(tolerance)}"
    panels = draw(
        dataset,
        [
            Panel(
                each["width"],
                each["lower_open"] | each["upper_open"],
                metric_title(shown[name][name]),
                f"peak width in {against.replace('-', ' ')}",
            )
            for name, each in found.items()
        ],
        ax,
        open_note="lower bound, the peak runs out of the samples",
        open_marker="^",
        value_scale=value_scale,
        sharey=False,
        title=wording.source_label(dataset, f"within {within} of the best"),
    )
    return np.array(panels, dtype=object)
