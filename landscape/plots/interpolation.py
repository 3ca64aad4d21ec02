"""The line from one checkpoint to another: the barrier between them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import Curve, band_note, curve, curves_of_sets, draw
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.several import choose_slices, fitted
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_metric
from landscape.slices.selection import metrics, mode_of

SHOWN = ("loss", "accuracy")
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
    accuracy. It is marked, and named in the legend. Of several draws it is that of their mean. One
    Dataset has a curve for each evaluation set, or for the one that is asked for; of several
    Datasets there is one curve each, on validation or the first set by default.

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
    panels = style.axes(ax, len(names), height=0.9 + 1.75 * len(names) + 0.13 * len(datasets))
    note = band_note(max(several.datasets, key=lambda each: each.sizes["draw"]))
    straight = Line2D([], [], color="0.4", lw=0.8, ls=DASHES, label="straight line")
    for panel, name in zip(panels, names, strict=True):
        shown = several.values(name, slope_factor)
        if by_set:
            values = choose_metric(first, name, slope_factor).isel(checkpoint=0)
            curves = curves_of_sets(values)
        else:
            curves = [
                curve(each, label or wording.name_label(several.evaluation_set), look)
                for each, label, look in zip(shown, several.names, several.looks, strict=True)
            ]
        mode = mode_of(first, name)
        barriers = [_barrier(each, mode) for each in curves]
        curves = [
            replace(
                each, label=fitted(f"{each.label}: {_worded(found)}", style.available_width(panel))
            )
            for each, found in zip(curves, barriers, strict=True)
        ]
        handles = draw(panel, curves, value_scale=value_scale)
        panel.axvline(1, color="0.75", linewidth=0.6, zorder=0.5, gid="end")
        for each, found in zip(curves, barriers, strict=True):
            _draw_barrier(panel, each, found)
        only = "" if by_set and len(curves) > 1 else several.evaluation_set
        panel.set_ylabel(wording.value_label(shown[0], only))
        style.legend_below(panel, [*handles, straight], columns=2, title=note)
    panels[0].set_title(several.title)
    panels[-1].set_xlabel(several.along())
    return np.array(panels, dtype=object)


class _Barrier(NamedTuple):
    """How far a slice is worse than the straight line between its values at 0 and 1, at most.

    Attributes:
        height: that difference, at least 0; NaN where a value between is.
        step_size: where it is.
        ends: the values at 0 and 1.
    """

    height: float
    step_size: float
    ends: tuple[float, float]

    def line(self, step_sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The straight line at step sizes, (n,)."""
        return (1 - step_sizes) * self.ends[0] + step_sizes * self.ends[1]


def _barrier(one: Curve, mode: str) -> _Barrier:
    steps, values = one.steps, one.mean
    places = [np.flatnonzero(np.isclose(steps, end, rtol=0, atol=1e-12)) for end in (0, 1)]
    if not all(place.size for place in places):
        raise InvalidValueError(
            "the slices were not sampled at both 0 and 1, between which a barrier lies; their step "
            f"sizes run from {steps[0]:g} to {steps[-1]:g}; probe again with these among "
            "--step-sizes"
        )
    first, last = (int(place[0]) for place in places)
    between = slice(first, last + 1)
    found = _Barrier(np.nan, np.nan, (float(values[first]), float(values[last])))
    # L(s) − [(1 − s)·L(0) + s·L(1)], turned where higher is better
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        above = values[between] - found.line(steps[between])
    above = above if mode == "min" else -above
    if np.isnan(above).any():
        return found
    at = int(np.argmax(above))
    return found._replace(height=float(above[at]), step_size=float(steps[between][at]))


def _worded(found: _Barrier) -> str:
    if np.isnan(found.height):
        return "barrier unknown"
    return f"barrier {wording.number(found.height)}" if found.height > 0 else "no barrier"


def _draw_barrier(panel: Axes, one: Curve, found: _Barrier) -> None:
    """Draw the straight line, dashed, and the barrier above it as an arrow."""
    steps = np.linspace(0, 1, 101)  # as the axis may be logarithmic
    look: dict[str, Any] = {"color": one.style.color, "linewidth": 0.8}
    if np.isfinite(found.ends).all():
        panel.plot(
            steps, found.line(steps), linestyle=DASHES, gid="straight", label="_straight", **look
        )
    if np.isfinite(found.height) and found.height > 0:
        at = np.array([found.step_size] * 2)
        top = one.mean[one.steps == found.step_size]
        ends = np.concatenate([found.line(at[:1]), top])
        panel.plot(at, ends, "_-", ms=4, gid="barrier", label="_barrier", zorder=3, **look)
