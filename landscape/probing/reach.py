"""How far a slice has to go: to where the loss has risen, by doubling and bisection."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

from landscape.errors import RangeWarning
from landscape.network.point import Point
from landscape.probing.directions.direction import Direction, norm
from landscape.probing.evaluation import Evaluator
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.probing.path import Path
from landscape.probing.settings import AutoRange

# How many doublings away from the first the next ones lie, until one on either side of the rise
# is found. Bisection then goes on to an eighth of a doubling, if the passes suffice.
DOUBLINGS = (0, 1, 2, 3, 5, 9, 17)
FINEST = 1 / 8
PASSES = 10

SIDES = ("negative", "positive")
MARGIN = 0.25  # of the length of a path, by which a range goes beyond it


class Reach(NamedTuple):
    """How far a slice goes on one side of 0.

    Attributes:
        distance: |s| of the step size s at which the loss has risen, above 0; NaN where there is
            none.
        problem: what the loss does instead of rising there; "" where it has risen.
    """

    distance: float
    problem: str = ""


class Reaches(NamedTuple):
    """How far a slice goes on both sides of 0.

    Attributes:
        negative: towards negative step sizes.
        positive: towards positive step sizes.
    """

    negative: Reach
    positive: Reach


class ChosenRange(NamedTuple):
    """The step sizes that were chosen for all checkpoints.

    Attributes:
        step_sizes: ascending, with an exact 0.
        summary: how many, from where to where, and which checkpoints decided, in words.
    """

    step_sizes: tuple[float, ...]
    summary: str


def find_reach(
    loss: Callable[[float], float], limit: float, first: float, most: float = math.inf
) -> Reach:
    """Find the first distance at which the loss has risen, in at most ten evaluations.

    >>> landscape.probing.reach.find_reach(lambda s: s**2, limit=9, first=1)
    Reach(distance=3.1, problem='')

    Args:
        loss: distance from 0, above 0 -> loss there.
        limit: the loss that counts as risen; it is higher than that at 0.
        first: the distance near which the search begins, above 0.
        most: no larger distance is tried.

    Returns:
        The smallest distance found at which the loss is at least ``limit``, of two digits. Where
        the loss is not finite from some distance on, the largest found before that.
    """
    largest = math.floor(math.log2(most)) - 1 if math.isfinite(most) else 1000
    start = min(round(math.log2(first)), largest)
    found: dict[float, float] = {}
    below, above = -math.inf, math.inf  # the loss rises between 2^below and 2^above
    doublings = iter(DOUBLINGS)
    for _ in range(PASSES):
        if math.isfinite(above - below):
            exponent = (below + above) / 2
        else:
            away = next(doublings, math.inf)
            exponent = start + away if above == math.inf else start - away
        if above - below <= FINEST or not -1000 < exponent <= largest:
            break
        found[exponent] = loss(_distance(exponent))
        if found[exponent] < limit:  # NaN is not
            below = exponent
        else:
            above = exponent
    if above == math.inf:
        return Reach(math.nan, f"does not rise up to a distance of {_distance(below):g}")
    at = f"at a distance of {_distance(above):g}"
    if math.isfinite(found[above]):
        risen = "" if math.isfinite(below) else f"has risen {at} already, the smallest tried"
        return Reach(_distance(above), risen)
    distance = _distance(below) if math.isfinite(below) else math.nan
    return Reach(distance, f"is not finite {at}")


def _distance(exponent: float) -> float:
    return float(f"{2.0**exponent:.2g}")


def find_reaches(
    evaluator: Evaluator,
    origin: Point,
    direction: Direction,
    batch: EvaluationSet,
    rise: float,
    most: float,
) -> Reaches:
    """Find where the loss of the gradient's batch has risen, on both sides of a slice's origin.

    Args:
        evaluator: after its check of the batch.
        origin: where the slice has its 0; the model is left elsewhere.
        direction: the direction of the slice.
        batch: the batch that gave the gradient.
        rise: as of :class:`AutoRange`.
        most: the largest distance that the parameters' type has.

    Returns:
        Both, in one forward pass at 0 and at most ten on each side.

    Raises:
        InvalidValueError: where the model or the loss fails, and where the model moves its own
            parameters.
    """

    def loss(step_size: float) -> float:
        origin.move(direction.tangent, step_size, direction.buffers)
        value = float(evaluator.values(batch).mean())
        evaluator.require_at(origin, direction.tangent, step_size)
        return value

    start = loss(0.0)
    if not math.isfinite(start):
        return Reaches(*[Reach(math.nan, "is not finite at step size 0")] * 2)
    # L(0) + rise · max(|L(0)|, 1)
    limit = start + rise * max(abs(start), 1.0)
    # Where the loss would have risen, or have fallen by as much, if it were straight; and where
    # the network is another one, since along a direction without much slope that is far too far.
    straight = abs((limit - start) / direction.slope) if direction.slope else math.inf
    other = norm([*origin.parameters.values()]) / direction.norm if direction.norm else math.inf
    first = min(straight, other)
    first = min(max(first, 1e-18), 1e18) if math.isfinite(first) and first else 1.0
    return Reaches(
        find_reach(lambda distance: loss(-distance), limit, first, most),
        find_reach(loss, limit, first, most),
    )


def path_reaches(path: Path, axis: int) -> Reaches:
    """Find how far a slice or a plane goes to show a path with a margin around it.

    Args:
        path: the path, projected.
        axis: along which direction, 0 or 1.

    Returns:
        How far it goes on both sides.
    """
    along = path.step_sizes[axis]
    low, high = min(float(along.min()), 0.0), max(float(along.max()), 0.0)
    margin = MARGIN * (high - low)
    if not (math.isfinite(margin) and margin > 0):
        return Reaches(*[Reach(math.nan, "has no path beside it along the direction")] * 2)
    return Reaches(Reach(margin - low), Reach(margin + high))


def choose(auto: AutoRange, found: Mapping[int, Reaches]) -> ChosenRange:
    """Choose the step sizes that hold for every checkpoint.

    On each side they go as far as at the checkpoint that needs most. Where no checkpoint has a
    rise on a side, they go as far there as on the other side; where none has any, from −1 to 1.

    Args:
        auto: how they are spaced.
        found: iteration of each checkpoint -> how far its slice goes.

    Returns:
        The step sizes.

    Warns:
        RangeWarning: where the loss of a checkpoint does not rise on a side.
    """
    known = [
        {i: each[side].distance for i, each in found.items() if not math.isnan(each[side].distance)}
        for side in range(len(SIDES))
    ]
    # Of its own side, of the other side, or 1.
    distances = [[*(own or other).values()] or [1.0] for own, other in (known, reversed(known))]
    step_sizes = auto.step_sizes(*distances)
    ends = []
    for side, own, end in zip(SIDES, known, (step_sizes[0], step_sizes[-1]), strict=True):
        _warn_of(side, found, end)
        why = "the loss does not rise"
        if own:
            why = f"iteration {max(own, key=lambda i: own[i])} needs that"
        ends.append(f"{end:g} ({why})" if len(found) > 1 or not own else f"{end:g}")
    return ChosenRange(step_sizes, f"{len(step_sizes)} step sizes from {' to '.join(ends)}")


def _warn_of(side: str, found: Mapping[int, Reaches], end: float) -> None:
    """Say at once for all checkpoints that no rise was found on a side."""
    problems = {
        iteration: problem
        for iteration, reaches in found.items()
        if (problem := getattr(reaches, side).problem)
    }
    if not problems:
        return
    first, problem = next(iter(problems.items()))
    others = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    warnings.warn(
        f"towards {side} step sizes the loss of the gradient's batch {problem} at iteration "
        f"{first}{others}; the range ends there at {end:g}",
        RangeWarning,
        stacklevel=3,
    )
