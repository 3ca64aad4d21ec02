"""The slope of a slice, measured: does the loss fall as the gradient says?"""

import math
import warnings
from dataclasses import replace
from itertools import pairwise

from landscape.errors import InvalidValueError, SlopeWarning
from landscape.network.point import Point
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation import Evaluator, Values, gradient_policy
from landscape.probing.evaluation_sets import EvaluationSet

# By how much the loss is to change, relative to itself, from one try to the next.
CHANGES = (1e-2, 1e-3, 1e-4)
AGREED = 0.1
SETTLED = 0.05


def check_slope(
    evaluator: Evaluator,
    point: Point,
    batch: EvaluationSet,
    direction: Direction,
    values: Values,
) -> None:
    """Compare the slope that the gradient gives with a central finite difference of the loss.

    It is that of steepest descent, whatever the direction: along another one the slope may be so
    small that nothing shows it.

    The difference is taken over smaller and smaller steps, and ends at the first that agrees
    within a tenth. One that settles elsewhere shows a loss that does not follow its gradient. What
    never settles shows nothing: the loss is too curved, or its digits do not suffice.

    Args:
        evaluator: after its check of the batch.
        point: where the gradient was taken; the model is left elsewhere.
        batch: the batch that gave the gradient.
        direction: the direction, with the gradient of the batch's mean loss.
        values: those of the batch at the point.

    Raises:
        InvalidValueError: where the loss stays the same along the direction.

    Warns:
        SlopeWarning: where the difference settles at another slope, as with a straight-through
            estimator, a detached part or a backward pass of one's own.
    """
    direction = _steepest(direction)
    slope = direction.slope
    comparable = gradient_policy(batch.batch_norm) == batch.batch_norm and evaluator.resolves
    start = float(values.mean()) if comparable else math.nan
    if not math.isfinite(slope) or not math.isfinite(start) or slope == 0 or start == 0:
        return
    ratios = []
    for change in CHANGES:
        step = change * abs(start / slope)
        ends = []
        for signed in (step, -step):
            point.move(direction.tangent, signed)
            ends.append(float(evaluator.values(batch).mean()))
        ratios.append((ends[0] - ends[1]) / (2 * step) / slope)
        if abs(ratios[-1] - 1) < AGREED:
            return
    for earlier, ratio in pairwise(ratios):
        if abs(ratio - earlier) < SETTLED and _resolved(point, direction, step):
            _report(slope, ratio)
            return


def _steepest(direction: Direction) -> Direction:
    """Along −∇L; a direction of the same slope per length is that already."""
    length = direction.gradient_norm
    if direction.slope == -length * direction.norm:
        return direction
    tangent = {name: -each for name, each in direction.gradient.items()}
    return replace(direction, tangent=tangent, norm=length, slope=-length * length)


def _report(slope: float, ratio: float) -> None:
    said = f"by the gradient the loss changes by {slope:.6g} per unit of step size"
    if abs(ratio) < SETTLED / 2:
        raise InvalidValueError(
            f"{said}, but it stays the same along the direction: the model does not follow its "
            "parameters, as one that has merged, cached or quantised its weights"
        )
    warnings.warn(
        f"{said}, but measured it changes by {slope * ratio:.6g}: the backward pass is not the "
        "derivative of the forward pass, as with a straight-through estimator or a detached part",
        SlopeWarning,
        stacklevel=2,
    )


def _resolved(point: Point, direction: Direction, step: float) -> bool:
    """Whether the parameters have digits enough to be moved by so little."""
    off = whole = 0.0
    for name, tangent in direction.tangent.items():
        start = point.parameters[name]
        wanted = tangent * step
        off += float(((start + wanted) - start - wanted).abs().double().square().sum())
        whole += float(wanted.abs().double().square().sum())
    return off < SETTLED**2 * whole
