"""Numbers beside the points of a line, as many as have room."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from numpy.typing import NDArray

from landscape.plots.drawing.captions import WIDER, text_width

SIZE = 5.5  # points
GAP = 3.5  # points between a point and its number
MOST = 12  # numbers
# Where a number is, seen from its point: right, left, above, below, and between.
PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


def beside(
    ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], words: Sequence[str]
) -> list[Annotation]:
    """Write a word beside the first and the last point, and beside those between that have room.

    No two words overlap, none covers another point, and none leaves the axes; the first and the
    last word are written even where they cover points.

    Args:
        ax: where to write; its limits are final.
        x: (n,), where the points lie; those that are not finite get no word.
        y: (n,), where the points lie.
        words: (n,), what is written.

    Returns:
        What was written.
    """
    if (figure := ax.get_figure(root=True)) is None:
        return []
    figure.draw_without_rendering()  # which lays the axes out
    points = 72 / figure.dpi  # of a pixel
    place = ax.transData.transform(np.column_stack([x, y])) * points
    (left, low), (right, high) = ax.bbox.get_points() * points
    seen = [i for i in range(len(words)) if np.isfinite(place[i]).all()]
    line = _along(place[seen])
    taken: list[tuple[float, float, float, float]] = []
    written: list[Annotation] = []
    for i in _order(seen):
        wide, tall = 72 * WIDER * text_width(words[i], SIZE), 1.1 * SIZE
        others = line[np.abs(line - place[i]).max(1) > 1]
        best: tuple[int, tuple[float, float, float, float], tuple[int, int]] | None = None
        for side in PLACES:
            corner = [
                place[i, k] + side[k] * GAP - (1 - side[k]) / 2 * size
                for k, size in ((0, wide), (1, tall))
            ]
            box = (corner[0], corner[1], corner[0] + wide, corner[1] + tall)
            inside = left <= box[0] and box[2] <= right and low <= box[1] and box[3] <= high
            if not inside or any(_overlap(box, each) for each in taken):
                continue
            covered = int(_inside(others, box).sum())
            if best is None or covered < best[0]:
                best = covered, box, side
        if best is None or (best[0] and i not in (seen[0], seen[-1])) or len(written) == MOST:
            continue
        _, box, side = best
        taken.append(box)
        written.append(
            ax.annotate(
                words[i],
                (x[i], y[i]),
                (side[0] * GAP, side[1] * GAP),
                fontsize=SIZE,
                textcoords="offset points",
                ha=_ALIGNED[side[0]],
                va={1: "bottom", 0: "center", -1: "top"}[side[1]],
                gid="number",
                zorder=5,
            )
        )
    return written


_ALIGNED = {1: "left", 0: "center", -1: "right"}


def _order(places: Sequence[int]) -> list[int]:
    """The ends first, then always the middle of the longest stretch between two."""
    if len(places) < 3:
        return list(places)
    found, stretches = [places[-1], places[0]], [(0, len(places) - 1)]
    while stretches:
        first, last = stretches.pop(0)
        if last - first > 1:
            middle = (first + last) // 2
            found.append(places[middle])
            stretches += [(first, middle), (middle, last)]
    return found


def _along(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a line, (n, 2), and more between them, about 2 points of 1/72 inch apart."""
    found = [points[:1]]
    for one, other in pairwise(points):
        count = min(int(np.hypot(*(other - one)) / 2) + 1, 500)
        found.append(one + (other - one) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(found)


def _inside(
    points: NDArray[np.float64], box: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    """Which points, (n, 2), lie in a box or at most 1 from it."""
    left, low, right, high = box
    x, y = points.T
    inside = (x > left - 1) & (x < right + 1) & (y > low - 1) & (y < high + 1)
    return np.asarray(inside, np.bool_)


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    """Whether two boxes (left, bottom, right, top) share a point."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
