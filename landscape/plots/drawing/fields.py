"""Fields: values over a plane, drawn as filled contours, the same way in every figure.

Nothing is smoothed, clipped or replaced. Where a value is not finite, all cells that touch it stay
grey, and the sample has a mark: × for NaN, ▲ for +∞, ▼ for −∞.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.plots.drawing.curves import VALUE_SCALES
from landscape.slices import wording
from landscape.slices.planes import SECOND, cosine
from landscape.slices.selection import norm
from landscape.statistics import AGAINST

Floats = NDArray[np.float64]

MOST = 11  # levels
WIDE = 10  # largest over smallest value from which levels are logarithmic
PATH_COLOR = "#C8102E"
HALO: list[patheffects.AbstractPathEffect] = [
    patheffects.withStroke(linewidth=1.2, foreground="white", alpha=0.8)
]
NOT_FINITE: tuple[tuple[Callable[[Any], Any], str, str], ...] = (
    (np.isnan, "x", "NaN"),
    (np.isposinf, "^", "+∞"),
    (np.isneginf, "v", "−∞"),
)


@dataclass(frozen=True)
class Frame:
    """Where points of a plane lie in a picture.

    Attributes:
        unit: length of the first direction, in the units of the axes.
        unit_2: length of the second one.
        cosine: of the angle between them in the picture.
    """

    unit: float = 1.0
    unit_2: float = 1.0
    cosine: float = 0.0

    def __call__(self, s: Floats, t: Floats) -> tuple[Floats, Floats]:
        """Place the points θ + s·d₁ + t·d₂.

        Args:
            s: step sizes along the first direction, of any shape.
            t: those along the second one, of a shape that fits.

        Returns:
            x and y.
        """
        # x = s·‖d₁‖ + t·‖d₂‖·cos    y = t·‖d₂‖·sin
        sine = np.sqrt(1 - self.cosine**2)
        return s * self.unit + t * self.unit_2 * self.cosine, t * self.unit_2 * sine + 0 * s


def limits(frames: Sequence[Frame], s: Floats, t: Floats) -> Floats:
    """Find what axes have to show so that planes are seen whole.

    Args:
        frames: where the points of each lie.
        s: (step_size,), step sizes along the first direction.
        t: (step_size_2,), those along the second one.

    Returns:
        ((lowest x, highest x), (lowest y, highest y)) over all planes.
    """
    places = [np.broadcast_arrays(*each(s[None, :], t[:, None])) for each in frames]
    return np.array([[np.min(each), np.max(each)] for each in zip(*places, strict=True)])


def frame(one: xr.Dataset, against: str) -> Frame:
    """Choose where the points of a plane lie, so that lengths in the picture are true.

    Args:
        one: planes at one checkpoint and one draw.
        against: "step-size", where each axis has its own unit and both are at right angles, or
            "distance", where one unit of either axis is one unit of distance between parameters.

    Returns:
        The frame.

    Raises:
        InvalidValueError: where norms or angle are needed and not finite.
        UnknownNameError: for an unknown ``against``.
    """
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    if against == "step-size":
        return Frame()
    found = [float(each) for each in (norm(one), one["direction_norm_2"], cosine(one))]
    if not np.isfinite(found).all() or min(found[:2]) <= 0 or abs(found[2]) >= 1:
        raise InvalidValueError(
            f"at {wording.checkpoint_label(one)} the directions have norms {found[0]:g} and "
            f"{found[1]:g} and the cosine {found[2]:g}, which give no distances; show it against "
            "step-size"
        )
    return Frame(*found)


def levels(values: Floats, value_scale: str, units: str = "") -> Floats:
    """Choose the levels between which a field is filled.

    Args:
        values: of any shape, all that is drawn; values that are not finite are ignored.
        value_scale: "linear"; "log", with levels in both signs and 0 where a value is not above 0;
            or "auto", which is "linear" for shares of samples, and otherwise "log" where the
            largest magnitude is more than 10 times the smallest above 0.
        units: those of the values; values of units "1" within [0, 1] are shares of samples.

    Returns:
        (n,), at least two, ascending, from at most the smallest to at least the largest value.

    Raises:
        UnknownNameError: for an unknown scale.
    """
    if value_scale not in VALUE_SCALES:
        raise UnknownNameError("value scale", value_scale, VALUE_SCALES)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.array([0.0, 1.0])
    sizes = np.abs(finite[finite != 0])
    shares = units == "1" and bool(((finite >= 0) & (finite <= 1)).all())
    wide = sizes.size and sizes.max() > WIDE * sizes.min()
    if sizes.size and (value_scale == "log" or (value_scale == "auto" and wide and not shares)):
        found = _decades(sizes.min(), sizes.max())
        if finite.min() <= 0:
            found = np.concatenate([-found[::-1], [0], found])
            inner = found[(found > finite.min()) & (found < finite.max())]
            first = found[max(np.searchsorted(found, finite.min(), "right") - 1, 0)]
            last = found[min(np.searchsorted(found, finite.max(), "left"), len(found) - 1)]
            found = np.concatenate([[first], inner, [last]])
        return np.unique(found)
    ticks = MaxNLocator(MOST - 2, steps=[1, 2, 2.5, 5, 10]).tick_values(finite.min(), finite.max())
    found = np.asarray(ticks, np.float64)
    inside = (found >= finite.min()) & (found <= finite.max())
    # One level below the smallest value and one above the largest, and no others.
    ends = np.pad(inside, 1)
    kept = found[inside | ends[2:] | ends[:-2]]
    return kept if kept.size > 1 else found


def _decades(smallest: float, largest: float) -> Floats:
    """Levels of round numbers, as many to a decade as fit."""
    low, high = int(np.floor(np.log10(smallest))), int(np.ceil(np.log10(largest)))
    for parts in ([1, 2, 5], [1, 3], [1]):
        found = np.outer(10.0 ** np.arange(low, high + 2), parts).ravel()
        first = max(int(np.searchsorted(found, smallest * (1 + 1e-12), "right")) - 1, 0)
        last = int(np.searchsorted(found, largest * (1 - 1e-12), "left"))
        found = found[first : max(last, first + 1) + 1]
        if found.size <= MOST:
            return found
    every = -(-(high - low) // (MOST - 1))  # decades from level to level
    return np.asarray(10.0 ** np.arange(low, high + every, every, dtype=np.float64))


def level(value: float) -> str:
    """Write a level, which is a round number, with a true minus sign.

    Args:
        value: the level.

    Returns:
        The text.
    """
    return f"{value:g}".replace("-", "−")


def draw_field(
    ax: Axes, frame: Frame, s: Floats, t: Floats, values: Floats, bounds: Floats
) -> QuadContourSet:
    """Fill the bands between levels, draw and label the levels, and mark what is not finite.

    Args:
        ax: where to draw.
        frame: where the points lie.
        s: (step_size,), step sizes along the first direction.
        t: (step_size_2,), those along the second one.
        values: (step_size_2, step_size).
        bounds: the levels, of :func:`levels`.

    Returns:
        What a colour bar explains.
    """
    x, y = frame(s[None, :], t[:, None])
    finite = np.isfinite(values)
    corners = np.array([(a[i, j]) for a in (x, y) for i, j in ((0, 0), (0, -1), (-1, -1), (-1, 0))])
    ground = Polygon(corners.reshape(2, 4).T, gid="ground", facecolor="0.87", edgecolor="0.7")
    ground.set(hatch="////", linewidth=0, zorder=0.5)
    ax.add_patch(ground)
    masked = np.ma.masked_where(~finite, values)
    norm, colors = _colors(bounds)
    look: dict[str, Any] = {"corner_mask": False, "levels": bounds}
    filled = ax.contourf(x, y, masked, cmap=colors, norm=norm, zorder=1, **look)
    filled.set_gid("field")
    # A level is drawn where values lie on both of its sides.
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0, 0)
    inner = bounds[(bounds > low) & (bounds < high)]
    if inner.size and _cells(finite).any():
        lines = ax.contour(
            x, y, masked, corner_mask=False, levels=inner, colors="0.15", linewidths=0.4, zorder=1.5
        )
        lines.set_gid("levels")
        for text in ax.clabel(lines, fontsize=5, fmt=level, inline=True, inline_spacing=2):
            text.set_path_effects(HALO)
    for found, marker, label in NOT_FINITE:
        at = found(values)
        if at.any():
            ax.plot(x[at], y[at], marker, gid=label, label="_mark", **_MARK)
    across, upwards = limits([frame], s, t)
    ax.set(xlim=across, ylim=upwards)
    return filled


_MARK: dict[str, Any] = {"color": "0.3", "ms": 2.5, "mew": 0.7, "ls": "", "zorder": 2}


def _cells(finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells have four finite corners."""
    return finite[1:, 1:] & finite[1:, :-1] & finite[:-1, 1:] & finite[:-1, :-1]


def _colors(bounds: Floats) -> tuple[BoundaryNorm, ListedColormap]:
    """One colour a band, from dark to light, none so dark that a label is not read on it."""
    count = len(bounds) - 1
    places = np.linspace(0.25, 1, count) if count > 1 else [0.6]
    colors = ListedColormap(sns.color_palette("viridis", as_cmap=True)(places))
    return BoundaryNorm(bounds, count), colors


def not_finite_notes(values: Floats) -> list[Artist]:
    """Make legend entries for marks of values that are not finite, and for the grey around them.

    Args:
        values: all that is drawn, of any shape.

    Returns:
        One entry for each of NaN, +∞ and −∞ that occurs, and one for the cells.
    """
    found: list[Artist] = [
        Line2D([], [], color="0.3", marker=marker, ls="", ms=3.5, mew=0.8, label=label)
        for there, marker, label in NOT_FINITE
        if there(values).any()
    ]
    if found:
        look: dict[str, Any] = {"facecolor": "0.87", "edgecolor": "0.7", "hatch": "////", "lw": 0}
        found.append(Patch(label="cells without a value", **look))
    return found


def draw_path(ax: Axes, x: Floats, y: Floats) -> None:
    """Draw a training path from its first point, a hollow circle, to its last, a full one.

    Args:
        ax: where to draw.
        x: (path,), where its points lie.
        y: (path,), where its points lie.
    """
    look: dict[str, Any] = {"color": PATH_COLOR, "zorder": 3, "label": "_path"}
    halo = patheffects.withStroke(linewidth=2.0, foreground="white")
    ax.plot(x, y, lw=0.9, path_effects=[halo], gid="path", **look)
    ax.plot(x, y, "o", ms=2.2, mew=0, gid="path points", **look)
    ax.plot(x[:1], y[:1], "o", ms=4, mfc="white", mew=0.9, gid="path start", **look)
    ax.plot(x[-1:], y[-1:], "o", ms=4, mew=0, gid="path end", **look)


def outside(ax: Axes, x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> int:
    """Count points that lie outside of what axes show.

    Args:
        ax: the axes, whose limits are set.
        x: (n,), where the points lie.
        y: (n,), where the points lie.

    Returns:
        How many are not seen; those that are not finite are among them.
    """
    (left, right), (low, high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    slack_x, slack_y = 1e-9 * (right - left), 1e-9 * (high - low)
    x, y = np.asarray(x), np.asarray(y)
    seen = (x >= left - slack_x) & (x <= right + slack_x)
    seen &= (y >= low - slack_y) & (y <= high + slack_y)
    return int((~seen).sum())


def mark(ax: Axes, x: Floats, y: Floats, name: str) -> None:
    """Mark a point.

    Args:
        ax: where to draw.
        x: (1,), where it lies.
        y: (1,), where it lies.
        name: "origin" or "best sampled".
    """
    ax.plot(x, y, gid=name, label="_mark", zorder=4, clip_on=False, **MARKS[name])


def mark_note(name: str) -> Artist:
    """Make a legend entry for :func:`mark`.

    Args:
        name: what is marked.

    Returns:
        The entry.
    """
    return Line2D([], [], label=name, **MARKS[name])


MARKS: dict[str, dict[str, Any]] = {
    "origin": {"marker": "+", "color": "black", "ms": 6, "mew": 1.1, "ls": ""},
    "best sampled": {"marker": "*", "mfc": "white", "mec": "black", "ms": 6, "mew": 0.6, "ls": ""},
}


def explained(shares: Sequence[float]) -> str:
    """Word shares of a path's variance.

    Args:
        shares: from 0 to 1, one for each panel.

    Returns:
        "93 %", or "80 to 93 %" where they differ.
    """
    ends = [f"{100 * each:.3g}" for each in (min(shares), max(shares))]
    return f"{' to '.join(dict.fromkeys(ends))} %"


def labels(dataset: xr.Dataset, against: str) -> tuple[str, str]:
    """Label both axes of a plane.

    Args:
        dataset: planes.
        against: as in :func:`frame`.

    Returns:
        The labels. Of distances the second axis is at right angles to the first direction.
    """
    along, along_2 = (wording.step_label(dataset[each], dataset) for each in ("step_size", SECOND))
    if against == "step-size":
        return along, along_2
    along, along_2 = (each.replace("step size", "distance", 1) for each in (along, along_2))
    return along, along_2 if dataset.attrs.get("orthogonal", False) else "distance across"
