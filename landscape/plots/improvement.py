"""How much better the best step size is than step size 0, over training."""

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


@figure
def plot_improvement(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot how much better the best sampled value is than that at 0, over the iterations.

    Panels, lines and bands are those of :func:`plot_best_steps`. The improvement is never below 0.
    A hollow triangle is a lower bound: the best is at an end of the sampled range, or a value of
    the slice is NaN.

    Returns:
        The axes, one per metric.

    Raises:
        InvalidValueError: for an option that the dataset does not have.
    """
    shown = choose_metrics(dataset, metric, slope_factor, checkpoint, evaluation_set)
    best = {name: statistics.best_steps(each, name) for name, each in shown.items()}
    panels = draw(
        dataset,
        [
            Panel(
                each["improvement"],
                each["open"],
                metric_title(shown[name][name]),
                wording.with_units("improvement", str(each["improvement"].attrs["units"])),
            )
            for name, each in best.items()
        ],
        ax,
        open_note="lower bound, a better value may lie unseen",
        open_marker="^",
        value_scale=value_scale,
        sharey=False,
        title=wording.source_label(dataset, "the best step size against 0"),
    )
    return np.array(panels, dtype=object)
