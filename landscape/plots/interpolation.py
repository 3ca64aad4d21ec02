"""The line from one checkpoint to another: the barrier between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.plots.drawing import style
from landscape.plots.drawing.curves import Curve, band_note, curve, curves_of_sets, draw, fit
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.several import choose_slices, fitted
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_metric
from landscape.slices.selection import metrics, mode_of
from landscape.statistics.barriers import Barrier, barrier

SHOWN = ("loss", "accuracy")
FEW = ("big_batch", "validation")  # of many sets, those that are shown
DASHES: Any = (0, (2, 1.5))


@figure
def plot_interpolation(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot metrics along the line from a checkpoint, at 0, to another, at 1, with the barrier.

    The straight line between the values at 0 and 1 is dashed. The barrier is how far the curve is
    worse than it, at most, at the sampled step sizes between: above it for a loss, below it for an
    accuracy. It is marked, and named in the legend. Of several draws it is that of their mean. Of
    one Dataset there is a curve on the big batch and on validation, on all sets where either is
    missing, or on the one that is asked for; of several Datasets there is one curve each, on
    validation or the first set by default.

    Returns:
        The axes, one per metric: by default loss and accuracy, as far as they were measured.

    Raises:
        InvalidValueError: without a Dataset, where 0 or 1 was not sampled, and for an option that
            one of the Datasets does not have.
    """
    several = choose_slices(datasets, checkpoint, evaluation_set)
    first = several.datasets[0]
    names = [metric] if metric is not None else [n for n in SHOWN if n in metrics(first)]
    names = names or metrics(first)[:1]
    by_set = len(datasets) == 1 and evaluation_set is None
    panels = style.axes(ax, len(names), height=0.9 + 1.5 * len(names) + 0.25 * len(datasets))
    note = band_note(max(several.datasets, key=lambda each: each.sizes["draw"]))
    straight = Line2D([], [], color="0.4", lw=0.8, ls=DASHES, label="straight line")
    words: list[list[str]] = []  # of each metric the barriers, in the order of the curves
    away = False
    for panel, name in zip(panels, names, strict=True):
        shown = several.values(name, slope_factor)
        if by_set:
            values = choose_metric(first, name, slope_factor).isel(checkpoint=0)
            curves = curves_of_sets(values.sel(evaluation_set=_few(first)))
        else:
            curves = [
                curve(each, label or wording.name_label(several.evaluation_set), look)
                for each, label, look in zip(shown, several.names, several.looks, strict=True)
            ]
        mode = mode_of(first, name)
        barriers = [barrier(each.mean, each.steps, mode=mode) for each in curves]
        handles = draw(panel, curves, value_scale=value_scale)
        panel.axvline(1, color="0.75", linewidth=0.6, zorder=0.5, gid="end")
        for each, found in zip(curves, barriers, strict=True):
            _draw_barrier(panel, each, found)
        words.append([*map(_worded, barriers)])
        away |= _fit(panel, curves)
        only = "" if by_set and len(curves) > 1 else several.evaluation_set
        panel.set_ylabel(wording.value_label(shown[0], only))
    for handle, of_metrics in zip(handles, zip(*words, strict=True), strict=False):
        label = f"{handle.get_label()}: {_together(of_metrics, names)}"
        handle.set_label(fitted(label, style.available_width(panels[-1])))
    notes = [note, "values far off, beyond 0 and 1, are not on the axis" * away]
    told = "\n".join(filter(None, notes))
    style.legend_below(panels[-1], [*handles, straight], columns=2, title=told)
    panels[0].set_title(several.title)
    panels[-1].set_xlabel(several.along())
    return np.array(panels, dtype=object)


def _few(dataset: xr.Dataset) -> list[str]:
    """The big batch and validation if both are there, else all sets."""
    names = [str(each) for each in dataset["evaluation_set"].values]
    return [*FEW] if set(FEW) <= set(names) else names


def _fit(panel: Axes, curves: Sequence[Curve]) -> bool:
    """Fit a linear axis to what lies between the ends; whether some values beyond are not seen."""
    if panel.get_yscale() != "linear":
        return False
    values = np.concatenate([each.values.ravel() for each in curves])
    steps = np.concatenate([np.tile(each.steps, len(each.values)) for each in curves])
    finite = np.isfinite(values)
    between = values[finite & (steps >= 0) & (steps <= 1)]
    if not between.size or np.ptp(between) == 0:
        return False
    # As far beyond the ends as the values between them reach.
    low, high = between.min() - np.ptp(between), between.max() + np.ptp(between)
    seen = finite & (values >= low) & (values <= high)
    fit(panel, values[seen].tolist())
    return bool((finite & ~seen).any())


def _together(words: Sequence[str], names: Sequence[str]) -> str:
    """One text of the barriers in several metrics."""
    if len(set(words)) == 1:
        return words[0]
    told = [
        f"{word.removeprefix('barrier ')} ({wording.name_label(name)})"
        for word, name in zip(words, names, strict=True)
    ]
    return f"barrier {', '.join(told)}"


def _worded(found: Barrier) -> str:
    if found.open or np.isnan(found.height):
        return "barrier unknown"
    return f"barrier {wording.number(float(found.height))}" if found.height > 0 else "no barrier"


def _draw_barrier(panel: Axes, one: Curve, found: Barrier) -> None:
    """Draw the straight line, dashed, and the barrier above it as an arrow."""
    steps = np.linspace(0, 1, 101)  # as the axis may be logarithmic
    look: dict[str, Any] = {"color": one.style.color, "linewidth": 0.8}
    start, end = float(found.start), float(found.end)

    def straight(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - at) * start + at * end

    if np.isfinite([start, end]).all():
        panel.plot(
            steps, straight(steps), linestyle=DASHES, gid="straight", label="_straight", **look
        )
    if not found.open and np.isfinite(found.height) and found.height > 0:
        at = np.array([found.step_size] * 2)
        top = one.mean[one.steps == found.step_size]
        ends = np.concatenate([straight(at[:1]), top])
        panel.plot(at, ends, "_-", ms=4, gid="barrier", label="_barrier", zorder=3, **look)
