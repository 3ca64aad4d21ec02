"""Curves: slices drawn into axes, the same way in every figure.

Nothing is smoothed, clipped or replaced. A value that cannot be drawn leaves a gap in its curve
and a mark of the curve's colour at the edge: × for NaN, ▲ for +∞, ▼ for −∞.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from landscape.errors import UnknownNameError
from landscape.plots.drawing import ticks
from landscape.plots.drawing.style import Style, set_styles
from landscape.slices.selection import norm
from landscape.slices.wording import name_label

SCALES = ("auto", "linear", "symlog")
VALUE_SCALES = ("auto", "linear", "log")
STEP_NOTE = "at the jump: ● value, ○ limit"
OTHER = "other_batch"  # kind of evaluation sets
FEW = 41  # samples that all have a marker
MARKERS = 8  # of more samples, how many have one, so that a curve is known by it
MANY = 4  # curves whose bands would mix
FILLED = 0.6  # shares of samples that fill more than this have an axis from 0 to 1
ROW = 0.035  # share of the axes' height between marks that are stacked at the same place

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line with a band around it, over step sizes or another abscissa.

    Attributes:
        steps: (step_size,), float64, ascending; what the curve is drawn over.
        values: (draw, step_size), float64, in ``units``; the band reaches from their lowest to
            their highest. With a ``line`` the first axis may be anything.
        label: legend entry; one that starts with an underscore is not in the legend.
        style: colour, dashes and marker.
        units: those of the values; values of units "1" within [0, 1] are shares of samples.
        line: (step_size,), what the line shows; by default the mean of the values.
    """

    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    label: str
    style: Style
    units: str = ""
    line: NDArray[np.float64] | None = None

    @property
    def mean(self) -> NDArray[np.float64]:
        """The line; a mean over draws is not finite where one of the draws is not."""
        if self.line is not None:
            return self.line
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            return np.asarray(self.values.mean(axis=0))


def curve(values: xr.DataArray, label: str, style: Style) -> Curve:
    """Make a curve of one slice, or of its draws.

    Args:
        values: over draw and step_size.
        label: legend entry.
        style: colour, dashes and marker.

    Returns:
        The curve, with the units of ``values``.
    """
    array = values.transpose("draw", "step_size")
    units = str(array.attrs.get("units", ""))
    return Curve(array["step_size"].values, array.values, label, style, units)


def lines_of_draws(
    values: xr.DataArray, distances: xr.DataArray, label: str, style: Style
) -> list[Curve]:
    """Make a curve of each draw, as draws have norms, and so distances, of their own.

    Args:
        values: over draw and step_size.
        distances: over draw and step_size, of :func:`landscape.slices.distance`.
        label: legend entry of the first; a norm that is not finite is added to it.
        style: colour, dashes and marker.

    Returns:
        The curves, in the order of draws.
    """
    lengths = norm(distances.to_dataset(name="distance")).values
    label += "".join(f", norm {each:g}" for each in lengths if not np.isfinite(each))
    return [
        replace(curve(values.isel(draw=[i]), "_" * (i > 0) + label, style), steps=along)
        for i, along in enumerate(distances.values)
    ]


def sets_together(values: xr.DataArray) -> list[tuple[str, list[str], Style]]:
    """Say which evaluation sets share a curve.

    Args:
        values: with the coordinates evaluation_set and kind.

    Returns:
        Label, names of the sets and style of each curve, in the order of the sets. More than two
        other batches, which no style tells apart, are one.
    """
    looks = set_styles(values)
    others = [n for n, kind in zip(looks, values["kind"].values, strict=True) if kind == OTHER]
    together = others if len(others) > 2 else []
    found = []
    for name, look in looks.items():
        if name not in together:
            found.append((name_label(name), [name], look))
        elif name == together[0]:
            found.append((f"{len(together)} other batches", together, look))
    return found


def of_sets(values: xr.DataArray, names: Sequence[str]) -> xr.DataArray:
    """Take the values of sets that share a curve, as if they were draws.

    Args:
        values: over draw, evaluation_set and more.
        names: of the sets.

    Returns:
        Values over draw and the other dimensions.
    """
    each = [values.sel(evaluation_set=name) for name in names]
    if len(each) == 1:
        return each[0]
    return xr.concat(
        [
            one.drop_vars(["evaluation_set", "kind", "samples", "batch_norm"], errors="ignore")
            for one in each
        ],
        "draw",
    )


def curves_of_sets(values: xr.DataArray) -> list[Curve]:
    """Make a curve for each evaluation set.

    Args:
        values: over draw, evaluation_set and step_size.

    Returns:
        The curves of :func:`sets_together`, in the order of the sets.
    """
    return [
        curve(of_sets(values, names), label, look) for label, names, look in sets_together(values)
    ]


def draw(
    ax: Axes,
    curves: Sequence[Curve],
    *,
    scale: str = "linear",
    value_scale: str = "auto",
    among: Sequence[Curve] = (),
    origin: bool = True,
    bars: bool = False,
) -> list[Artist]:
    """Draw curves and set both scales.

    Of several draws the line is the mean, and a band reaches from the lowest to the highest; bars
    at the samples do where four or more bands would mix.

    Args:
        ax: where to draw.
        curves: what is drawn.
        scale: of the steps, "auto", "linear" or "symlog"; see :func:`set_scales`.
        value_scale: of the values, "auto", "linear" or "log"; see :func:`set_scales`.
        among: the curves of all panels that share their scales; ``curves`` unless given.
        origin: whether step size 0 is marked; False where the abscissa is not a step size.
        bars: whether there are bars in any case.

    Returns:
        What a legend should explain: the labelled lines, and marks of values that are not finite.
    """
    if origin:
        ax.axvline(0, color="0.75", linewidth=0.6, zorder=0.5, gid="origin")
    marked: Counter[tuple[float, float]] = Counter()
    handles: list[Artist] = []
    lines: list[Line2D] = []
    apart = len({each.style.marker for each in curves}) > 1  # whether markers tell curves apart
    banded = sum(len(each.values) > 1 for each in curves) < MANY and not bars
    for place, each in enumerate(curves):
        mean, style = each.mean, asdict(each.style)
        (line,) = ax.plot(each.steps, mean, label=each.label, gid="curve", **style)
        line.set(markeredgewidth=0, zorder=2.5)
        lines.append(line)
        handles += [line] if not each.label.startswith("_") else []
        low, high = each.values.min(axis=0), each.values.max(axis=0)
        if len(each.values) > 1:
            finite = np.isfinite(low) & np.isfinite(high)
            if banded:
                ax.fill_between(
                    each.steps, low, high, where=finite, color=line.get_color(), alpha=0.18, lw=0
                ).set_gid("band")
            else:
                ends = each.steps[finite], low[finite], high[finite]
                _bars(ax, *ends, line.get_color(), place - (len(curves) - 1) / 2)
        _mark(ax, each.steps, mean, each.style, marked)
    set_scales(ax, among or curves, scale, value_scale)
    for place, (line, each) in enumerate(zip(lines, curves, strict=True)):
        if each.steps.size > FEW:
            line.set_markevery(shown := _with_marker(ax, each, place if apart else None))
            line.set_marker(line.get_marker() if shown else "")
    return handles + mark_notes(among or curves)


def _with_marker(ax: Axes, one: Curve, place: int | None) -> list[int]:
    """Which of many samples have a marker: isolated ones, and some that tell curves apart.

    Args:
        ax: where the curve is drawn, its scale set.
        one: the curve.
        place: of the curve among others, so that their markers do not meet; None where all curves
            have one marker, which tells nothing.

    Returns:
        The indices, ascending.
    """
    found = set(lonely(one.mean))
    seen = np.isfinite(one.steps)
    if place is not None and seen.any():
        along = ax.xaxis.get_transform().transform(np.where(seen, one.steps, 0))
        ends = along[seen].min(), along[seen].max()
        evenly = (np.arange(MARKERS) + (0.2 + 0.23 * place) % 1) / MARKERS
        found |= {int(np.argmin(np.abs(along - at))) for at in ends[0] + np.ptp(ends) * evenly}
    return sorted(found)


def _bars(ax: Axes, steps: Floats, low: Floats, high: Floats, color: Any, place: float) -> None:
    """Draw a bar at every step, beside those of other curves."""
    bars = ax.vlines(steps, low, high, color=color, lw=0.5, alpha=0.6, gid="bars", zorder=2)
    if (figure := ax.get_figure(root=True)) is not None:
        aside = ScaledTranslation(0.7 * place / 72, 0, figure.dpi_scale_trans)
        bars.set_transform(ax.transData + aside)


def band_note(dataset: xr.Dataset, count: int = 1) -> str:
    """Explain line and band for the legend.

    Args:
        dataset: anything with the dimension draw.
        count: how many curves a panel has.

    Returns:
        The note; empty for a single draw.
    """
    draws = dataset.sizes["draw"]
    return f"line: mean of {draws} draws, {around(count)}: min to max" if draws > 1 else ""


def around(count: int) -> str:
    """Name what shows the spread of draws around a line.

    Args:
        count: how many curves a panel has.

    Returns:
        "band", or "bars" where bands would mix.
    """
    return "band" if count < MANY else "bars"


def mark_notes(curves: Sequence[Curve]) -> list[Artist]:
    """Make legend entries for the marks of values that are not finite.

    Args:
        curves: all that is drawn.

    Returns:
        One entry for each of NaN, +∞ and −∞ that occurs.
    """
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
    """Scale both axes to the curves.

    Shares of samples that fill most of an axis from 0 to 1 get one.

    Args:
        ax: whose scales are set.
        curves: what is drawn into it, or into all panels that share its scales.
        scale: of the steps: "linear"; "symlog", which is linear up to the smallest step size
            sampled; or "auto", which is "linear" unless samples would fall on one another there,
            and otherwise symlog, over two decades.
        value_scale: of the values: "linear"; "log", which where a value is not above 0 is linear up
            to the smallest magnitude sampled, so that 0 and negative values keep a place; or
            "auto", which is "linear" for shares of samples, and otherwise "log" where the largest
            magnitude is more than 100 times the smallest above 0.

    Raises:
        UnknownNameError: for an unknown scale.
    """
    if scale not in SCALES:
        raise UnknownNameError("scale", scale, SCALES)
    if value_scale not in VALUE_SCALES:
        raise UnknownNameError("value scale", value_scale, VALUE_SCALES)
    if scale != "linear":
        steps = np.concatenate([each.steps for each in curves])
        if scale == "symlog":
            ticks.symlog(ax, "x", steps)
        elif any(crowded(each.steps) for each in curves):
            sizes = np.abs(steps[np.isfinite(steps)])
            ticks.symlog(ax, "x", sizes[sizes >= sizes.max() / 100])
    values = np.concatenate([each.values.ravel() for each in curves])
    values = values[np.isfinite(values)]
    sizes = np.abs(values[values != 0])
    shares = {each.units for each in curves} == {"1"} and ((values >= 0) & (values <= 1)).all()
    wide = sizes.size and sizes.max() > 100 * sizes.min()
    if sizes.size and (value_scale == "log" or (value_scale == "auto" and wide and not shares)):
        if values.min() > 0:
            ax.set_yscale("log")
            ticks.logarithmic(ax.yaxis, values)
        else:
            ticks.symlog(ax, "y", values, linscale=0.5)
    elif shares and values.size and np.ptp(values) > FILLED:
        ax.set_ylim(-0.03, 1.03)  # the same range in every figure that has room for it


def crowded(steps: NDArray[np.float64]) -> bool:
    """Say whether many samples would fall on one another on a linear axis.

    Args:
        steps: (step_size,), ascending.

    Returns:
        Whether more than a third of them are closer than a tenth of the mean distance.
    """
    gaps = np.diff(steps[np.isfinite(steps)])
    return bool(gaps.size) and bool((gaps < 0.1 * gaps.mean()).mean() > 1 / 3)


def _mark(
    ax: Axes,
    steps: NDArray[np.float64],
    values: NDArray[np.float64],
    style: Style,
    marked: "Counter[tuple[float, float]]",
) -> None:
    """Mark values that a line cannot show at the edge of the axes, stacked where they coincide."""
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


def lonely(values: NDArray[np.float64]) -> list[int]:
    """Find the points that no line reaches.

    Args:
        values: (n,), along a line.

    Returns:
        The indices of finite values without a finite neighbour.
    """
    finite = np.pad(np.isfinite(values), 1)
    return [int(i) for i in np.flatnonzero(finite[1:-1] & ~finite[:-2] & ~finite[2:])]


def draw_step(
    panel: Axes,
    function: Callable[[Floats], Floats],
    ends: tuple[float, float],
    label: str,
    look: Style,
) -> list[Artist]:
    """Draw a function of the margin that jumps at 0 and is constant on either side.

    The value at 0 is a full circle, a limit that is not reached there a hollow one.

    Args:
        panel: where to draw.
        function: margins -> values, both (3,); it is asked at −1, 0 and 1.
        ends: where on the x axis the margins −1 and 1 lie.
        label: legend entry.
        look: colour and dashes.

    Returns:
        What a legend should explain.
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
    """Place points for drawing a formula, equally many between any two neighbouring samples.

    Args:
        steps: (n,), the sampled step sizes, ascending.

    Returns:
        (40 · n,), from the first to the last of ``steps``.
    """
    places = np.arange(len(steps))
    return np.interp(np.linspace(0, places[-1], 40 * len(steps)), places, steps)


def fit(panel: Axes, seen: Sequence[float]) -> None:
    """Fit the axis of the values to values that should be visible.

    Args:
        panel: whose y limits are set.
        seen: (n,), the values; those that are not finite are ignored.
    """
    finite = np.array(seen)[np.isfinite(seen)]
    if finite.size:
        margin = 0.07 * (np.ptp(finite) or abs(finite[0]) or 1)
        panel.set_ylim(finite.min() - margin, finite.max() + margin)
