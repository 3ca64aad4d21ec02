"""A metric over the plane of two directions, as filled contours."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.plots.drawing import fields, style, theme
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoints,
    choose_draw,
    choose_plane,
    draw_note,
    main_metric,
    main_set,
)
from landscape.slices.planes import SECOND, path_shown, require_plane
from landscape.slices.selection import mode_of

# Inches: labels and colour bar; labels, legend and title of the figure; a panel's title; a letter.
BESIDE, BELOW, TITLE, LETTER = 1.3, 1.1, 0.42, 0.055
WIDEST = 0.42  # inches of a number and the room beside it
STEPS = (1, 2, 2.5, 5, 10)
KEPT = 0.01  # share of a path's variance below which its projection is but a point
NOTE = 0.15  # inches of a line of the legend on what is not finite


@figure
def plot_plane(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    draw: int | None = None,
    against: str = "step-size",
    value_scale: str = "auto",
    path: bool = True,
) -> NDArray[np.object_]:
    """Plot ``metric`` over a plane as filled contours, one panel per checkpoint.

    By default it is the last checkpoint, on validation if it was measured. The origin, if it lies
    in the plane, and the best sampled point are marked; the best is in the panel's title. A
    training path, if one was projected onto the plane, is drawn from a hollow to a full circle,
    unless the plane keeps less than 1 % of its variance, as one of random directions does.
    With ``against="distance"`` lengths and angles are those between parameters. Cells that touch a
    value that is not finite are grey.

    Returns:
        The axes, one per checkpoint.

    Raises:
        InvalidValueError: for slices along one direction or a plane of a single row, for an
            option that the dataset does not have, and where norms that are not finite give no
            distances.
    """
    require_plane(dataset)
    counts = dataset.sizes["step_size"], dataset.sizes[SECOND]
    if min(counts) < 2:
        raise InvalidValueError(
            f"contours need at least 2 step sizes along each direction; the plane has {counts[0]} "
            f"and {counts[1]}"
        )
    metric = main_metric(dataset, metric)
    values = choose_plane(dataset, metric, slope_factor)
    name = main_set(dataset, evaluation_set)
    positions = choose_checkpoints(dataset, checkpoint)
    positions = positions[-1:] if checkpoint is None else positions
    chosen = choose_draw(dataset, draw)
    values = values.sel(evaluation_set=name).isel(draw=chosen, checkpoint=positions)
    one = dataset.isel(draw=chosen)
    frames = [fields.frame(one.isel(checkpoint=at), against) for at in positions]
    s, t = dataset["step_size"].values, dataset[SECOND].values
    bounds = fields.levels(values.values, value_scale, str(values.attrs.get("units", "")))

    columns = _columns(len(positions))
    width = theme.width_or(theme.COLUMN_WIDTH if columns < 3 else theme.PAGE_WIDTH)
    whole = fields.limits(frames, s, t)
    tall = np.divide(*np.ptp(whole, axis=1)[::-1]) if against == "distance" else 0.9
    inches = (width - BESIDE) / columns  # of a panel
    row = TITLE + inches * min(max(tall, 0.3), 1.5)
    unseen = fields.not_finite_notes(values.values)
    height = BELOW + NOTE * len(unseen) + row * -(-len(positions) // columns)
    panels = style.axes(ax, len(positions), columns=columns, height=height, width=width)
    found: list[tuple[float, int, int]] = []
    lost: list[float] = []  # shares of paths that are not drawn
    better = _mode(dataset, metric)
    origin = bool(s[0] <= 0 <= s[-1] and t[0] <= 0 <= t[-1])
    for panel, at, frame, field in zip(panels, positions, frames, values, strict=True):
        panel.grid(False)
        filled = fields.draw_field(panel, frame, s, t, field.values, bounds)
        if against == "distance":
            panel.set_aspect("equal", adjustable="box")
        if origin:
            fields.mark(panel, *frame(np.zeros(1), np.zeros(1)), "origin")
        lines = [wording.checkpoint_label(field)]
        if better and (best := _best(field.values, s, t, better)):
            value, where, where_2 = best
            fields.mark(panel, *frame(np.array([where]), np.array([where_2])), "best sampled")
            a, b, c = map(wording.number, (value, where, where_2))
            lines.append(f"best {a}" + f" at ({b}, {c})" * (columns == 1))
        if path and path_shown(dataset):
            if (share := float(one["path_explained"][at])) < KEPT:
                lost.append(share)
            else:
                found.append(_path(panel, frame, one.isel(checkpoint=at)))
        panel.set_title("\n".join(lines), fontsize=6.5)
    for panel in panels:
        panel.set(xlim=whole[0], ylim=whole[1])
        panel.xaxis.set_major_locator(MaxNLocator(max(int(inches / WIDEST), 2), steps=STEPS))
    along, along_2 = fields.labels(dataset, against)
    if len(panels) > 1:
        along, along_2 = fill(along, int(inches / LETTER)), fill(along_2, int(row / LETTER))
    style.outer_labels(panels, columns, [along] * len(panels), [along_2] * len(panels))
    bar = panels[0].figure.colorbar(
        filled, ax=panels, aspect=30, pad=0.02, ticks=bounds, spacing="uniform"
    )
    bar.ax.set_yticks(bounds, [fields.level(each) for each in bounds])
    bar.ax.tick_params(labelsize=5.5 if len(bounds) > 8 else 6.5, length=2, width=0.6)
    bar.outline.set_linewidth(0.6)
    bar.set_label(wording.value_label(values, name))
    title = wording.source_label(dataset, *draw_note(dataset, chosen))
    handles = _notes(origin, bool(better), found) + unseen
    note = f"training path left out: {fields.explained(lost)} of its variance" if lost else ""
    style.title_and_legend(panels, handles, new=ax is None, title=title, note=note)
    return np.array(panels, dtype=object)


def _columns(count: int) -> int:
    """How many panels are side by side."""
    return min(count, 3 if style.on_a_page() and count != 4 else 2)


def _mode(dataset: xr.Dataset, metric: str) -> str:
    """Which values are better; "" where that is not known, and no best is marked."""
    try:
        return mode_of(dataset, metric)
    except InvalidValueError:
        return ""


def _best(
    values: NDArray[np.float64], s: NDArray[np.float64], t: NDArray[np.float64], mode: str
) -> tuple[float, float, float] | None:
    """The best finite value and where it is; of several the one nearest to the origin."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    best = (values[finite].min if mode == "min" else values[finite].max)()
    rows, columns = np.nonzero(values == best)
    far = np.hypot(s[columns] / (np.abs(s).max() or 1), t[rows] / (np.abs(t).max() or 1))
    nearest = int(np.argmin(far))
    return float(best), float(s[columns[nearest]]), float(t[rows[nearest]])


def _path(panel: Axes, frame: fields.Frame, one: xr.Dataset) -> tuple[float, int, int]:
    """Draw the path; the share of its variance, how many points it has and how many are outside."""
    x, y = frame(one["path_step_size"].values, one["path_step_size_2"].values)
    fields.draw_path(panel, x, y)
    return float(one["path_explained"]), fields.outside(panel, x, y), len(x)


def _notes(origin: bool, best: bool, paths: Sequence[tuple[float, int, int]]) -> list[Artist]:
    """The legend's entries for origin, best point and path."""
    shown = {"origin": origin, "best sampled": best}
    handles = [fields.mark_note(name) for name, there in shown.items() if there]
    if paths:
        shares, outside, points = zip(*paths, strict=True)
        label = f"training path ({fields.explained(shares)} of its variance)"
        if sum(outside):
            label += f", {sum(outside)} of {sum(points)} points outside"
        look: dict[str, Any] = {"marker": "o", "ms": 2.5, "lw": 0.9, "color": fields.PATH_COLOR}
        handles.append(Line2D([], [], label=label, **look))
    return handles
