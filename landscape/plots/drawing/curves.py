"""Slices drawn into axes, the same way in every figure.

Nothing is smoothed, clipped or replaced. A value that cannot be drawn leaves a gap in its
curve and a mark of the curve's colour at the edge: × for NaN, ▲ for +∞, ▼ for −∞.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from landscape.errors import unknown
from landscape.plots.drawing.style import Style, available_width, set_styles
from landscape.slices.wording import name_label

SCALES = ("linear", "symlog")
VALUE_SCALES = ("auto", "linear", "log")
STEP_NOTE = "at the jump: ● value, ○ limit"
ROW = 0.035  # of the height of the axes: how far apart marks at the same place are stacked

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line over ``steps`` (step_size,), with the band of ``values`` (draw, step_size) around it.

    ``line`` (step_size,) is the values' mean unless it is given; then ``values`` may be anything
    whose lowest and highest the band reaches to. ``units`` are the values'; those of units "1"
    within [0, 1] are shares of samples.
    """

    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    label: str
    style: Style
    units: str = ""
    line: NDArray[np.float64] | None = None

    @property
    def mean(self) -> NDArray[np.float64]:
        """The line; as the mean over draws it is not finite where a draw is not."""
        if self.line is not None:
            return self.line
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            return np.asarray(self.values.mean(axis=0))


def curve(values: xr.DataArray, label: str, style: Style) -> Curve:
    """The curve of ``values`` over draw and step_size."""
    array = values.transpose("draw", "step_size")
    units = str(array.attrs.get("units", ""))
    return Curve(array["step_size"].values, array.values, label, style, units)


def curves_of_sets(values: xr.DataArray) -> list[Curve]:
    """A curve for each evaluation set of ``values`` over draw, evaluation_set and step_size."""
    return [
        curve(values.sel(evaluation_set=name), name_label(name), look)
        for name, look in set_styles(values).items()
    ]


def draw(
    ax: Axes,
    curves: Sequence[Curve],
    *,
    scale: str = "linear",
    value_scale: str = "auto",
    among: Sequence[Curve] = (),
    origin: bool = True,
) -> list[Artist]:
    """Draw ``curves`` and set both scales; returns what a legend should explain.

    Of several draws the line is the mean and the band reaches from the lowest to the highest.
    Panels that share their scales pass all their curves as ``among``. ``origin`` marks step
    size 0; over something else than step sizes there is none.
    """
    if origin:
        ax.axvline(0, color="0.75", linewidth=0.6, zorder=0.5, gid="origin")
    marked: Counter[tuple[float, float]] = Counter()
    handles: list[Artist] = []
    for each in curves:
        mean, style = each.mean, asdict(each.style)
        # Among many samples only the lonely ones, which no line reaches, need their marker.
        every = None if mean.size <= 41 else _lonely(mean)
        (line,) = ax.plot(each.steps, mean, label=each.label, markevery=every, gid="curve", **style)
        line.set(markeredgewidth=0, zorder=2.5)
        handles += [line] if not each.label.startswith("_") else []
        low, high = each.values.min(axis=0), each.values.max(axis=0)
        if len(each.values) > 1:
            finite = np.isfinite(low) & np.isfinite(high)
            ax.fill_between(
                each.steps, low, high, where=finite, color=line.get_color(), alpha=0.18, lw=0
            ).set_gid("band")
        _mark(ax, each.steps, mean, each.style, marked)
    set_scales(ax, among or curves, scale, value_scale)
    return handles + mark_notes(among or curves)


def band_note(dataset: xr.Dataset) -> str:
    """The legend's word on line and band; nothing for a single draw."""
    draws = dataset.sizes["draw"]
    return f"line: mean of {draws} draws, band: min to max" if draws > 1 else ""


def mark_notes(curves: Sequence[Curve]) -> list[Artist]:
    """Legend entries for the marks there are."""
    means = np.concatenate([each.mean for each in curves])
    found: list[Artist] = []
    for present, marker, label in (
        (np.isnan(means).any(), "x", "NaN"),
        ((means == np.inf).any(), "^", "+∞"),
        ((means == -np.inf).any(), "v", "−∞"),
    ):
        if present:
            found.append(Line2D([], [], color="0.4", marker=marker, linestyle="", label=label))
    return found


def set_scales(ax: Axes, curves: Sequence[Curve], scale: str, value_scale: str) -> None:
    """Scale the axis of the steps by ``scale``, that of the values by ``value_scale``.

    "symlog" is linear up to the smallest step size sampled. The values are "log" where all
    are above 0; below the smallest magnitude sampled the axis is linear, so that 0 and
    negative values keep a place. "auto" is "linear" for shares and otherwise "log" where the
    largest magnitude is more than 100 times the smallest above 0. Shares that are not all
    close together get the axis from 0 to 1.
    """
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    if value_scale not in VALUE_SCALES:
        raise unknown("value scale", value_scale, VALUE_SCALES)
    if scale == "symlog":
        symlog(ax, "x", np.concatenate([each.steps for each in curves]))
    values = np.concatenate([each.values.ravel() for each in curves])
    values = values[np.isfinite(values)]
    sizes = np.abs(values[values != 0])
    shares = {each.units for each in curves} == {"1"} and ((values >= 0) & (values <= 1)).all()
    wide = sizes.size and sizes.max() > 100 * sizes.min()
    if sizes.size and (value_scale == "log" or (value_scale == "auto" and wide and not shares)):
        if values.min() > 0:
            ax.set_yscale("log")
        else:
            symlog(ax, "y", values, linscale=0.5)
    elif shares and values.size and np.ptp(values) > 0.3:
        ax.set_ylim(-0.03, 1.03)  # the same range in every figure that has room for it


def symlog(
    ax: Axes, axis: Literal["x", "y"], values: NDArray[np.float64], linscale: float = 1
) -> None:
    """Logarithmic in both directions, down to the smallest size of ``values`` that is not 0."""
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    if not sizes.size:
        return
    set_scale = ax.set_xscale if axis == "x" else ax.set_yscale
    set_scale("symlog", linthresh=float(sizes.min()), linscale=linscale)
    # So many labelled decades a side, or they run into each other.
    most = 3 if axis == "y" else min(max(int(available_width(ax) / 1.1), 1), 3)
    first = np.ceil(np.log10(sizes.min()) - 1e-9)
    last = np.floor(np.log10(sizes.max()) + 1e-9)
    if first <= last:
        marks = 10.0 ** np.arange(last, first - 1, -np.ceil((last - first + 1) / most))
        which = ax.xaxis if axis == "x" else ax.yaxis
        which.set_major_locator(FixedLocator([*-marks, 0, *marks[::-1]]))


def _mark(
    ax: Axes,
    steps: NDArray[np.float64],
    values: NDArray[np.float64],
    style: Style,
    marked: "Counter[tuple[float, float]]",
) -> None:
    """Mark what a line cannot show, at the edge of the axes, stacked where marks coincide."""
    for step, value in zip(steps.tolist(), values.tolist(), strict=True):
        if np.isfinite(value) or not np.isfinite(step):
            continue
        marker, edge, inwards = ("x", 0.0, 1) if np.isnan(value) else ("v", 0.0, 1)
        if value == np.inf:
            marker, edge, inwards = "^", 1.0, -1
        height = edge + inwards * ROW * (0.5 + marked[step, edge])
        marked[step, edge] += 1
        ax.plot(
            step,
            height,
            marker=marker,
            color=style.color,
            markersize=4,
            markeredgewidth=1 if marker == "x" else 0,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            zorder=3,
            label="_mark",
            gid={"x": "nan", "^": "+inf", "v": "-inf"}[marker],
        )


def _lonely(values: NDArray[np.float64]) -> list[int]:
    """The indices of finite values without a finite neighbour."""
    finite = np.pad(np.isfinite(values), 1)
    return [int(i) for i in np.flatnonzero(finite[1:-1] & ~finite[:-2] & ~finite[2:])]


def draw_step(
    panel: Axes,
    function: Callable[[Floats], Floats],
    ends: tuple[float, float],
    label: str,
    look: Style,
) -> list[Artist]:
    """Draw a ``function`` of the margin that jumps at 0 and is constant on either side.

    ``ends`` are where the margins −1 and 1 lie. The value at 0 is a full circle, a limit that
    is not reached there a hollow one. Returns what a legend should explain.
    """
    below, tie, above = function(np.array([-1.0, 0.0, 1.0])).tolist()
    low, middle, high = ends[0], sum(ends) / 2, ends[1]
    line = {name: value for name, value in asdict(look).items() if name != "marker"}
    handles = panel.plot([low, middle], [below, below], label=label, gid="step", **line)
    panel.plot([middle, high], [above, above], gid="step", **line)
    circle: dict[str, Any] = {"marker": "o", "color": look.color, "zorder": 3, "ms": 3.5}
    panel.plot(middle, tie, gid="value", **circle)
    for limit in {below, above} - {tie}:
        panel.plot(middle, limit, gid="limit", mfc="white", mew=0.8, **circle)
    return [*handles]


def finely(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """As many places between any two samples, however they are spaced: for formulas."""
    places = np.arange(len(steps))
    return np.interp(np.linspace(0, places[-1], 40 * len(steps)), places, steps)


def fit(panel: Axes, seen: Sequence[float]) -> None:
    """Let the axis of the values reach as far as those that are ``seen`` and finite."""
    finite = np.array(seen)[np.isfinite(seen)]
    if finite.size:
        margin = 0.07 * (np.ptp(finite) or abs(finite[0]) or 1)
        panel.set_ylim(finite.min() - margin, finite.max() + margin)
