"""The best step size of every slice over training."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing.curves import symlog
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
    """Plot the sampled step size with the best value over the iterations, a line a set.

    A panel a metric: ``metric``, or by default loss, accuracy and smooth accuracy, of which a
    store may lack some. ``checkpoint`` names iterations and ``evaluation_set`` one set; by
    default all are shown. Of several draws the line is the median and the band holds the middle
    half. Of step sizes with the same value the best is the one nearest to 0, of two equally near
    the positive one. Hollow are those beyond which a better one may lie unseen: at an end of the
    sampled range, or of a slice with a NaN. The axis is linear up to the smallest step size
    sampled. Returns the axes.
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
    # Decades are labelled among what is drawn.
    drawn = np.array([smallest, *(end for each in panels for end in each.dataLim.intervaly)])
    for panel in panels:
        symlog(panel, "y", drawn)
        panel.axhline(0, color="0.75", linewidth=0.6, zorder=0.5, gid="origin")
    return np.array(panels, dtype=object)
