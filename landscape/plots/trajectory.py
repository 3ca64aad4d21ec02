"""The path of a training, as it lies on a plane or along a line, and how far off it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.plots.drawing import fields, numbers, style, ticks
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoint,
    choose_checkpoints,
    choose_draw,
    draw_note,
)
from landscape.slices.planes import is_plane, path_shown
from landscape.slices.schema import upgraded
from landscape.slices.selection import norm
from landscape.statistics import AGAINST


@figure
def plot_trajectory(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    draw: int | None = None,
    against: str = "step-size",
) -> NDArray[np.object_]:
    """Plot a training's path on a plane, and below it how far from the plane each point lies.

    Numbers beside points are iterations; the first point is a hollow circle, the last a full one.
    The title says how much of the path's variance the plane keeps, the axes how much either
    direction does, where this is known. Along a line the path's step size is drawn over iterations.
    By default the slices are those of the last checkpoint.

    Returns:
        The axes of the path and of the distances.

    Raises:
        InvalidValueError: without a training path, for an option that the dataset does not have,
            and where norms that are not finite give no distances.
        UnknownNameError: for an unknown ``against``.
    """
    if not path_shown(dataset):
        raise InvalidValueError(
            "these slices hold no path of a training; probe several checkpoints of one run, along "
            "directions of that path (principal-1, principal-2)"
        )
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    dataset = upgraded(dataset)
    at = choose_checkpoints(dataset, None)[-1]
    at = at if checkpoint is None else choose_checkpoint(dataset, checkpoint)
    chosen = choose_draw(dataset, draw)
    one = dataset.isel(checkpoint=at, draw=chosen)
    iterations = one["path_iteration"].values
    by = wording.placed_by(dataset)

    plane = is_plane(dataset)
    panels = style.axes(ax, 2, height=5.0 if plane else 4.2, sharex=not plane)
    path, away = panels
    if ax is None and (place := path.get_subplotspec()) is not None:
        place.get_gridspec().set_height_ratios([2.2, 1])
    if plane:
        frame = fields.frame(one, against)
        x, y = frame(one["path_step_size"].values, one["path_step_size_2"].values)
        fields.mark(path, *frame(np.zeros(1), np.zeros(1)), "origin")
        label, label_2 = fields.labels(dataset, against)
        path.set_xlabel(_with_share(label, one, ""))
        path.set_ylabel(_with_share(label_2, one, "_2"))
        if against == "distance":
            path.set_aspect("equal", adjustable="datalim")
    else:
        length = 1.0 if against == "step-size" else float(norm(one))
        x, y = iterations.astype(np.float64), one["path_step_size"].values * length
        word = "step size" if against == "step-size" else "distance"
        label = wording.step_label(one["step_size"], dataset).replace("step size", word, 1)
        path.set_ylabel(_with_share(label, one, ""))
        path.axhline(0, color="0.75", linewidth=0.6, zorder=0.5, gid="origin")
    fields.draw_path(path, x, y)
    path.margins(0.12)
    path.grid(True, axis="both")

    away.plot(iterations, one["path_distance"].values, "o-", color="0.3", ms=2.2, gid="distance")
    away.set_ylim(bottom=0)
    away.set_xlabel(by)
    away.set_ylabel(f"distance from the {'plane' if plane else 'line'}")
    ticks.whole(away.xaxis, 5)

    kept = fields.explained([float(one["path_explained"])])
    source = wording.source_label(dataset, *draw_note(dataset, chosen))
    path.set_title(f"{source}\n{kept} of the path's variance is kept".strip())
    if plane:
        look: dict[str, Any] = {"marker": "o", "color": fields.PATH_COLOR, "lw": 0.9, "ms": 2.5}
        unseen = int((~(np.isfinite(x) & np.isfinite(y))).sum())
        label = "training path" + f", {unseen} of {len(x)} points not finite" * bool(unseen)
        handles = [Line2D([], [], label=label, **look), fields.mark_note("origin")]
        style.legend_below(away, handles, columns=3, title=f"numbers: {by}")
        numbers.beside(path, x, y, [str(each) for each in iterations])
    return np.array(panels, dtype=object)


def _with_share(label: str, one: xr.Dataset, which: str) -> str:
    """The label with the share of the path's variance along its direction, where it is stored."""
    name = f"explained_variance{which}"
    share = float(one[name]) if name in one.coords else np.nan
    return f"{label} ({fields.explained([share])})" if np.isfinite(share) else label
