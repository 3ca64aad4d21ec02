"""A band of several draws in axes of one's own, as notebooks need it."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from landscape.errors import InvalidValueError
from landscape.plots.drawing.style import setting_styles
from landscape.statistics import interval, mean_interval

GID = "band"


def band(
    values: xr.DataArray,
    ax: Axes,
    label: str = "",
    *,
    quartiles: bool = False,
    level: float = 0.95,
) -> None:
    """Draw the mean over draws with its bootstrap interval, or the median with the quartiles.

    Each further band in the same axes has the next of the package's colours, dashes and markers.

    >>> from matplotlib import pyplot
    >>> slices = landscape.probe(model, (images, labels), draws=3)
    >>> _, ax = pyplot.subplots()
    >>> values = slices["loss"].sel(evaluation_set="same_batch").isel(checkpoint=0)
    >>> landscape.plots.band(values, ax, "same batch")

    Args:
        values: over draw and one other dimension, which is the horizontal axis: of checkpoints
            their iterations. What has length 1 is left out.
        ax: where it is drawn.
        label: its name in the legend.
        quartiles: whether the median and the middle half of the draws are drawn in place of the
            mean and its interval.
        level: of the mean's interval.

    Raises:
        InvalidValueError: for values over other dimensions.
    """
    others = [name for name in values.dims if name != "draw" and values.sizes[name] > 1]
    if "draw" not in values.dims or len(others) != 1:
        raise InvalidValueError(
            f"the values lie over {', '.join(map(str, values.dims)) or 'nothing'}; give draw and "
            "one other dimension, choosing of the rest by sel or isel"
        )
    (along,) = others
    rest = [name for name in values.dims if name not in ("draw", along)]
    values = values.squeeze(rest, drop=True)
    x = values["iteration" if along == "checkpoint" and "iteration" in values.coords else along]
    if quartiles:
        ends = interval(values, 0.5, over="draw")
        middle = values.median("draw", skipna=False)
        low, high = (ends.sel(bound=name) for name in ("lower", "upper"))
    else:
        found = mean_interval(values, level)
        middle, low, high = found["mean"], found["lower"], found["upper"]
    before = sum(line.get_gid() == GID for line in ax.lines)
    look = setting_styles(before + 1, ordered=False)[-1]
    (line,) = ax.plot(
        x.values,
        middle.values,
        color=look.color,
        ls=look.linestyle,
        marker=look.marker,
        label=label,
    )
    line.set_gid(GID)
    lower, upper = (np.asarray(each.values, dtype=np.float64) for each in (low, high))
    ax.fill_between(x.values, lower, upper, alpha=0.2, color=look.color, lw=0)
