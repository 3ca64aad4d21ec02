"""Slices and the parabolas that predict their minimum (Fig. 8 of [Hackel2023])."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing import curves, style
from landscape.plots.drawing.curves import finely, fit
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoints,
    choose_draw,
    choose_metric,
    draw_note,
    main_set,
)
from landscape.slices.options import REACH
from landscape.slices.selection import mode_of
from landscape.statistics.points import known_slope

LOOKS: dict[str, dict[str, Any]] = {
    "least-squares": {"color": "#7F3C8D", "linestyle": (0, (1, 1)), "marker": "P", "ms": 4},
    "mutschler": {"color": "#D55E00", "linestyle": (0, (5, 1.5)), "marker": "*", "ms": 9.5},
}
LABELS = {"least-squares": "parabola of least squares", "mutschler": "Mutschler's parabola"}
BEST: dict[str, Any] = {"marker": "o", "ms": 7, "mfc": "none", "color": "0.2", "linestyle": ""}


@dataclass(frozen=True)
class _Slice:
    """One slice (step_size,), its parabolas by method, and its best sample."""

    values: xr.DataArray
    parabolas: Mapping[str, xr.Dataset]
    best: xr.Dataset

    @property
    def optimum(self) -> float:
        """The step size at the optimum of Mutschler's parabola; NaN where there is none."""
        return float(self.parabolas["mutschler"]["optimum"])

    @property
    def best_step(self) -> float:
        """The sampled step size with the best finite value; NaN where there is none."""
        return float(self.best["best_step_size"])


@figure
def plot_parabola(
    dataset: xr.Dataset,
    *,
    ax: Axes | Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str = "loss",
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    draw: int | None = None,
    reach: float | None = None,
    scale: str = "linear",
) -> NDArray[np.object_]:
    """Plot slices with two parabolas and their minima, or maxima where higher is better.

    There is one panel per checkpoint, by default up to four, evenly spread, all of one draw.
    Mutschler's parabola [Mutschler2020] shares value and slope at 0 with the slice, and the point
    at the largest step size up to ``reach``; the other is the least-squares fit to all samples
    within ``reach`` of 0. For the loss on the same batch of a slice that starts where the gradient
    was taken, the gradient gives the slope; otherwise it is the difference quotient of the nearest
    samples on both sides.

    Each panel states where the optimum of Mutschler's parabola is, and the best sampled step
    size, which is circled. The panels do not share their axes: on a linear scale each reaches twice
    as far as the farther of the two.

    Returns:
        The axes, one per checkpoint.

    Raises:
        InvalidValueError: where there are no samples for a slope or a parabola, and for an option
            that the dataset does not have.
    """
    name = main_set(dataset, evaluation_set, "same_batch")
    positions, at = choose_checkpoints(dataset, checkpoint, most=4), choose_draw(dataset, draw)
    values = choose_metric(dataset, metric, slope_factor).sel(evaluation_set=name).isel(draw=at)
    steps = dataset["step_size"].values
    reach = _reach(steps) if reach is None else reach
    slopes = known_slope(dataset, metric, name)
    slices = [
        _fitted(
            values.isel(checkpoint=position).to_dataset(name=metric),
            metric,
            reach,
            None if slopes is None else slopes.isel(checkpoint=position, draw=at),
        )
        for position in positions
    ]

    columns = min(2, len(slices))
    height = 1.2 + 1.6 * -(-len(slices) // columns) + 0.6 * (columns == 1)
    panels = style.axes(ax, len(slices), columns=columns, height=height, sharex=False, sharey=False)
    look = style.set_styles(dataset)[name]
    for panel, one in zip(panels, slices, strict=True):
        handles = _draw(panel, one, look, scale, reach)
        panel.set_title(
            f"{wording.checkpoint_label(one.values)}\n{_told(one, mode_of(dataset, metric))}",
            fontsize=6.5,
        )
    for panel in panels[-columns:]:
        panel.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    for panel in panels[::columns]:
        panel.set_ylabel(wording.value_label(values, name))
    given = "of the gradient" if slopes is not None else "difference quotient"
    note = f"slope at 0: {given}; reach of the parabolas: {reach:g}"
    figure = panels[0].get_figure(root=True)
    if ax is None and figure is not None:
        figure.suptitle(wording.source_label(dataset, *draw_note(dataset, at)))
        style.legend_below(figure, handles, columns=2, title=note)
    else:
        style.legend_below(panels[-1], handles, columns=2, title=note)
    return np.array(panels, dtype=object)


def _reach(steps: NDArray[np.float64]) -> float:
    """0.1, or as far as the nearest three samples and the nearest one above 0."""
    nearest = np.sort(np.abs(steps))[:3]
    return float(max([REACH, *nearest, *steps[steps > 0][:1]]))


def _fitted(slice_: xr.Dataset, metric: str, reach: float, slope: xr.DataArray | None) -> _Slice:
    fits = {
        method: statistics.parabolas(slice_, metric, method, reach, known)
        for method, known in (("least-squares", None), ("mutschler", slope))
    }
    return _Slice(slice_[metric], fits, statistics.best_steps(slice_, metric))


def _draw(panel: Axes, one: _Slice, look: style.Style, scale: str, reach: float) -> list[Artist]:
    """Draw slice, parabolas and their marks; returns what a legend should explain."""
    whole = curves.curve(one.values.expand_dims("draw"), "slice", look)
    steps, values, along = whole.steps, whole.values[0], finely(whole.steps)
    far = 2 * np.nanmax(np.abs([reach, one.optimum, one.best_step]))
    ends = [-np.inf, np.inf] if scale != "linear" else [-far, far]
    low, high = np.clip(ends, steps[0], steps[-1])
    inside = (low <= steps) & (steps <= high)
    # Lines to the next samples outside are in view; marks of values that are not finite are not.
    drawn = inside | (np.isfinite(values) & (np.convolve(inside, [1, 1, 1], "same") > 0))
    shown = replace(whole, steps=steps[drawn], values=whole.values[:, drawn])
    handles = curves.draw(panel, [shown], scale=scale, value_scale="linear")
    seen = [*np.interp([low, high], steps, values), *values[inside]]
    for method, found in one.parabolas.items():
        line = dict(LOOKS[method])
        mark = {"marker": line.pop("marker"), "ms": line.pop("ms")}
        parabola = statistics.Parabola(*(found[n].values for n in ("value", "slope", "curvature")))
        with np.errstate(invalid="ignore"):  # ∞ · 0
            panel.plot(along, parabola(along), gid=method, **line)
        step, value = float(found["optimum"]), float(found["optimum_value"])
        above = 4 + 0.1 * (method == "least-squares")  # whose mark is the slimmer one
        panel.plot(
            step, value, gid=f"{method} optimum", mec="white", mew=0.5, zorder=above, **mark, **line
        )
        seen += [value] if low <= step <= high else []
        handles += panel.plot([], [], label=LABELS[method], **mark, **line)
    handles += panel.plot(
        one.best_step, one.best["best_value"], label="best sample", gid="best", zorder=4, **BEST
    )
    if scale == "linear":
        margin = 0.06 * (high - low)  # so that a mark at the end is seen whole
        panel.set_xlim(low - margin, high + margin)
    fit(panel, seen)
    return handles


def _told(one: _Slice, mode: str) -> str:
    """How far the optimum of Mutschler's parabola is from the best sample, in words."""
    extreme = {"min": "minimum", "max": "maximum"}[mode]
    best, optimum = wording.number(one.best_step), wording.number(one.optimum)
    if not np.isfinite(one.best_step):
        return "no finite value"
    if not np.isfinite(one.optimum):
        return f"best sample at {best}\nno {extreme}"
    return f"best sample at {best}\n{extreme} at {optimum}"
