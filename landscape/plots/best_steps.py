"""The best step size of every slice over training."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing import ticks
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.over_training import Panel, choose_metrics, draw, metric_title
from landscape.slices import wording
from landscape.slices.choice import Checkpoints


@figure
def plot_best_steps(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
) -> NDArray[np.object_]:
    """Plot the sampled step size with the best value over the iterations, one line per set.

    There is one panel per metric, by default loss, accuracy and smooth accuracy, as far as the
    store has them. All checkpoints are shown by default and, of more than three evaluation sets,
    the same batch and validation. Of several draws the line is the median and the band holds the
    middle half. Of step sizes with the same value the best is the one nearest to 0, and of two
    equally near the positive one. A marker is hollow where a better step size may have been missed:
    at an end of the sampled range, or on a slice with a NaN. The axis is linear up to the smallest
    step size sampled.

    Returns:
        The axes, one per metric.

    Raises:
        InvalidValueError: for an option that the dataset does not have.
    """
    shown = choose_metrics(dataset, metric, slope_factor, checkpoint, evaluation_set)
    best = {name: statistics.best_steps(each, name) for name, each in shown.items()}
    label = f"best {wording.step_label(dataset['step_size'], dataset)}"
    panels = draw(
        dataset,
        [
            Panel(each["best_step_size"], each["open"], metric_title(shown[name][name]), label)
            for name, each in best.items()
        ],
        ax,
        open_note="at an end of the samples, or a NaN among them",
        value_scale="linear",
        sharey=True,
        title=wording.source_label(dataset),
    )
    sizes = np.abs(dataset["step_size"].values)
    smallest = sizes[sizes > 0].min(initial=np.inf)
    # Decades are labelled within the drawn range.
    drawn = np.array([smallest, *(end for each in panels for end in each.dataLim.intervaly)])
    for panel in panels:
        ticks.symlog(panel, "y", drawn)
        panel.axhline(0, color="0.75", linewidth=0.6, zorder=0.5, gid="origin")
    return np.array(panels, dtype=object)
