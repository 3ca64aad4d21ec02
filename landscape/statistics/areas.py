"""The area around the best point of a plane within a tolerance of it."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from landscape.arguments import number
from landscape.errors import UnknownNameError
from landscape.slices.planes import require_plane
from landscape.slices.selection import labelled, metric_values, mode_of
from landscape.statistics.curves import Floats, sign_of
from landscape.statistics.grids import applied_to_planes, best_places, grid, lengths
from landscape.statistics.widths import AGAINST

Bools = NDArray[np.bool_]


class Area(NamedTuple):
    """The area around the best point of each plane.

    Attributes:
        area: (…), in units of step_size · step_size_2.
        open: (…), whether it goes beyond what was measured, so that ``area`` is a lower bound.
    """

    area: Floats
    open: Bools


def area(
    values: ArrayLike,
    step_sizes: ArrayLike,
    step_sizes_2: ArrayLike,
    tolerance: float = 0.1,
    relative: bool = False,
    mode: str = "max",
) -> Area:
    """Measure the area around the best value whose values are within ``tolerance`` of it.

    It is that of the connected part, around the best point, of the region with

        value(s, t) ≥ best − tolerance          (relative: best − tolerance · |best|)

    where best is the best finite value, of several the one nearest to 0; as :func:`peak_width` is
    on a line. Between samples the value is linear on triangles: each cell of the grid is cut into
    four by its diagonals, with the mean of its corners in the middle. With ``mode="min"``, as for a
    loss, the sign of the values is turned.

    A cell with an infinitely bad corner has no part in the area, the limit of its crossings. A cell
    with a NaN, or an infinitely good corner, has none either; where the area reaches its corners,
    or the border of the plane, it is marked open.

    >>> found = landscape.statistics.area(
    ...     [[0, 0, 0], [0, 1, 0], [0, 0, 0]], [-1, 0, 1], [-1, 0, 1], tolerance=0.5
    ... )
    >>> float(found.area), bool(found.open)
    (0.666..., False)

    Args:
        values: (…, step_size, step_size_2), the metric over each plane, in its units.
        step_sizes: (step_size,), finite and ascending, at least 2.
        step_sizes_2: (step_size_2,), the same along the second direction.
        tolerance: largest distance from the best value, at least 0, in units of the metric, or as a
            share of the best value if ``relative``.
        relative: whether the tolerance is a share of the best value.
        mode: "max" if higher values are better, "min" if lower ones are.

    Returns:
        An :class:`Area`; NaN and open where no value is finite.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or fewer than 2, a tolerance that is not finite or below 0, and an unknown
            mode.
    """
    y, s, t = grid(values, step_sizes, step_sizes_2)
    tolerance = number("tolerance", tolerance, least=0)
    y = sign_of(mode) * y
    y = np.where(y == np.inf, np.nan, y)
    place = best_places(y, s, t)
    best = np.take_along_axis(y.reshape(*y.shape[:-2], -1), place[..., None], -1)[..., 0]
    known = np.isfinite(best)
    with np.errstate(invalid="ignore"):  # of planes without a finite value
        threshold = best - tolerance * (np.abs(best) if relative else 1.0)
        height = y - threshold[..., None, None]
    middle = np.mean([height[..., i, j] for i, j in CORNERS], axis=0)  # of each cell
    start = (np.arange(len(s) * len(t)) == place[..., None]).reshape(y.shape) & (height >= 0)
    reached, reached_middle = _connected(height >= 0, middle >= 0, start)
    cells = np.multiply.outer(np.diff(s), np.diff(t))
    total = np.zeros(y.shape[:-2])
    for one, other in SIDES:
        corners = [height[..., i, j] for i, j in (one, other)]
        own = reached_middle | reached[..., *one] | reached[..., *other]
        share = _share_above(np.stack([*corners, middle], axis=-1))
        total += (np.where(own, share, 0.0) * cells / 4).sum((-2, -1))
    border = np.ones(y.shape[-2:], bool)
    border[1:-1, 1:-1] = False
    unseen = np.isnan(middle)
    beyond = [(unseen & reached[..., i, j]).any((-2, -1)) for i, j in CORNERS]
    open_: Bools = ~known | (reached & border).any((-2, -1)) | np.any(beyond, axis=0)
    return Area(np.where(known, total, np.nan), open_)


def areas(
    dataset: xr.Dataset,
    metric: str = "accuracy",
    against: str = "step-size",
    tolerance: float = 0.1,
    relative: bool = False,
    mode: str | None = None,
) -> xr.Dataset:
    """Measure the area around the best point of every plane (:func:`area`).

    Args:
        dataset: planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        against: "step-size", or "distance", for which areas are multiplied by that of the
            parallelogram of the directions, ‖d₁‖ · ‖d₂‖ · √(1 − cos²).
        tolerance: as in :func:`area`.
        relative: whether the tolerance is a share of the best value.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``area`` in step sizes² or distances², and ``open``: where it is true, the area goes beyond
        what was measured, and ``area`` is a lower bound. Both have the dimensions of the metric
        without step_size and step_size_2.

    Raises:
        InvalidValueError: for slices along one direction, an unknown metric, mode or value of
            ``against``, a metric whose mode is not known, a tolerance that is not finite or below
            0, and distances along directions without norms or cosine.
        UnknownNameError: for a name that is not known.
    """
    require_plane(dataset)
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    found, open_ = applied_to_planes(
        dataset, values, lambda y, s, t: area(y, s, t, tolerance, relative, mode), [[], []]
    )
    if against == "distance":
        first, second, cos = lengths(dataset)
        with np.errstate(invalid="ignore"):  # 0 · ∞
            found = found * first * second * np.sqrt(1 - cos**2)
    of = values.attrs.get("long_name", metric)
    return labelled(
        values,
        area=(found, f"area within a tolerance of the best {of}", "1"),
        open=(open_, "whether it goes beyond what was measured", "1"),
    ).assign_attrs(metric=metric, against=against, tolerance=tolerance, relative=int(relative))


# The corners of all cells of a grid, as slices of its samples, and the two corners of each side.
_LOW, _HIGH = slice(None, -1), slice(1, None)
CORNERS = ((_LOW, _LOW), (_LOW, _HIGH), (_HIGH, _HIGH), (_HIGH, _LOW))
SIDES = tuple(zip(CORNERS, (*CORNERS[1:], CORNERS[0]), strict=True))


def _connected(inside: Bools, inside_middle: Bools, start: Bools) -> tuple[Bools, Bools]:
    """The points inside, samples and middles of cells, that edges inside join to ``start``."""
    reached, middle = start, np.zeros_like(inside_middle)
    while True:
        more = reached.copy()
        # Along the sides of cells, and across them: a middle is joined to its four corners.
        more[..., 1:, :] |= reached[..., :-1, :]
        more[..., :-1, :] |= reached[..., 1:, :]
        more[..., 1:] |= reached[..., :-1]
        more[..., :-1] |= reached[..., 1:]
        for i, j in CORNERS:
            middle = middle | (reached[..., i, j] & inside_middle)
        for i, j in CORNERS:
            more[..., i, j] |= middle
        more &= inside
        if (more == reached).all():
            return reached, middle
        reached = more


def _share_above(heights: Floats) -> Floats:
    """The share of triangles with a height ≥ 0, linear between (…, 3) corners; 0 with a NaN."""
    low, between, high = np.moveaxis(np.sort(heights, axis=-1), -1, 0)

    def crossing(above: Floats, below: Floats) -> Floats:
        """How far from the corner above an edge crosses 0, as a share of the edge."""
        return above / (above - below)

    with np.errstate(all="ignore"):  # of triangles where this is not the case
        one = crossing(high, between) * crossing(high, low)
        two = 1 - (1 - crossing(high, low)) * (1 - crossing(between, low))
    found = np.select([low >= 0, between >= 0, high >= 0], [np.ones_like(low), two, one], 0.0)
    return np.where(np.isnan(heights).any(-1), 0.0, found)
