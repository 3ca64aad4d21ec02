"""Best validation accuracy against the slope factor of sa-SLS (Fig. 16 of [Hackel2023])."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.histories.collection import best_accuracy, groups, unfinished
from landscape.histories.labels import UNSAID, run_labels
from landscape.plots.drawing import style
from landscape.plots.drawing.figure import figure
from landscape.slices import wording


@figure
def plot_slope_search(
    dataset: xr.Dataset, *, ax: Axes | Sequence[Axes] | None = None
) -> NDArray[np.object_]:
    """Plot the best validation accuracy of sa-SLS against its slope factor (log).

    There is one panel per task; runs of other optimizers are left out. Each run is a point, and the
    line is the mean over seeds. Runs that differ in more than slope factor and seed get lines of
    their own. An unfinished run is hollow, as its best epoch may be still to come.

    Returns:
        The axes, one per task.

    Raises:
        InvalidValueError: where no run is of sa-SLS.
    """
    points = _points(dataset)
    tasks = list(dict.fromkeys(map(str, points["task"].values)))
    settings = list(dict.fromkeys(map(str, points["setting"].values)))
    columns = min(2, len(tasks))
    rows = -(-len(tasks) // columns)
    panels = style.axes(ax, len(tasks), columns=columns, height=1.1 + 1.4 * rows)
    looks = dict(zip(settings, style.setting_styles(len(settings), ordered=False), strict=True))
    for panel, task in zip(panels, tasks, strict=True):
        for setting, look in looks.items():
            chosen = (points["task"].values == task) & (points["setting"].values == setting)
            if chosen.any():
                _draw(panel, points.isel(run=chosen), look)
        panel.set_xscale("log")
        panel.set_title(wording.task_label(task))
    factors = np.unique(points["factor"].values)
    for panel in panels:
        panel.xaxis.set_major_locator(FixedLocator(_apart(factors)))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for panel in panels[-columns:]:
        panel.set_xlabel("slope factor")
        panel.tick_params(labelbottom=True)
    for panel in panels[::columns]:
        panel.set_ylabel(wording.value_label(points))
    handles: list[Artist] = [
        Line2D([], [], label=setting, **_line(look))
        for setting, look in looks.items()
        if len(looks) > 1
    ]
    if points["hollow"].any():
        handles.append(Line2D([], [], label="unfinished run", **_point("0.4", hollow=True)))
    title = f"{settings[0]}; " if len(settings) == 1 else ""
    figure = panels[0].get_figure(root=True)
    where = panels[-1] if ax is not None or figure is None else figure
    note = f"{title}a point a run, line: mean over seeds"
    style.legend_below(where, handles, columns=2, title=note)
    return np.array(panels, dtype=object)


def _points(dataset: xr.Dataset) -> xr.DataArray:
    """Best accuracy of each sa-SLS run with slope factor and setting, in the legend's order."""
    ordered = xr.concat([group.runs for group in groups(dataset)], "run")
    ordered = ordered.isel(run=ordered["epochs_done"].values > 0)
    records = [json.loads(str(record)) for record in ordered["record"].values]
    options = [dict(record.get("options", {})) for record in records]
    factors = [float(own.pop("slope_factor", UNSAID["slope factor"])) for own in options]
    without = run_labels([{**r, "options": own} for r, own in zip(records, options, strict=True)])
    best = best_accuracy(ordered).assign_coords(
        factor=("run", np.array(factors)),
        setting=("run", np.array([*map(wording.run_label, without)], dtype=object)),
        hollow=("run", unfinished(ordered)),
    )
    smooth = [str(name).startswith("sa-sls") for name in ordered["optimizer"].values]
    if not any(smooth):
        there = ", ".join(dict.fromkeys(map(str, ordered["optimizer"].values)))
        raise InvalidValueError(
            f"the runs are of {there}, which have no slope factor; give runs of sa-sls"
        )
    return best.isel(run=smooth)


def _draw(panel: Axes, points: xr.DataArray, look: style.Style) -> None:
    factors = points["factor"].values
    for hollow in (False, True):
        of = points["hollow"].values == hollow
        panel.plot(factors[of], points.values[of], gid="run", **_point(look.color, hollow=hollow))
    places = np.unique(factors)
    means = [points.values[factors == place].mean() for place in places]
    panel.plot(places, means, gid="mean", **_line(look))


def _line(look: style.Style) -> dict[str, Any]:
    return {"color": look.color, "linestyle": look.linestyle}


def _point(color: Any, *, hollow: bool) -> dict[str, Any]:
    face = "none" if hollow else color
    return {"color": color, "mfc": face, "marker": "o", "linestyle": "", "ms": 3, "mew": 0.6}


def _apart(factors: NDArray[np.float64], least: float = 0.25) -> list[float]:
    """The factors that can be written below the axis without overlapping."""
    kept: list[float] = []
    for factor in sorted(factors, key=lambda each: abs(np.log10(each))):
        if all(abs(np.log10(factor / other)) >= least for other in kept):
            kept.append(float(factor))
    return sorted(kept)
