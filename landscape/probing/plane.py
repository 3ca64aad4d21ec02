"""Two directions that span a plane."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from landscape.errors import InvalidValueError
from landscape.probing.directions.direction import Direction, norm, sum_of_products

ALIKE = 1 - 1e-6  # the cosine from which two directions count as one
APART = 5e-2  # and up to which one made orthogonal to the other still counts as itself


def span(first: Direction, second: Direction, orthogonal: bool) -> tuple[Direction, float]:
    """Prepare the second direction of a plane.

    Args:
        first: the first direction.
        second: the second direction, as it was taken.
        orthogonal: whether to take away the part of the second along the first.

    Returns:
        The second direction, and the cosine between the two as they were taken.

    Raises:
        InvalidValueError: where both point the same way, or opposite ways.
    """
    inner = _inner(first.tangent, second.tangent)
    lengths = first.norm * second.norm
    cosine = inner / lengths if lengths else math.nan
    if abs(cosine) > ALIKE:
        raise InvalidValueError(
            f"the directions {first.name} and {second.name} have the cosine {cosine:.6g}, so they "
            "span no plane; choose another second one (--and, direction_2=)"
        )
    if not orthogonal:
        return second, cosine
    # d_2 − (d_1 · d_2 / d_1 · d_1) d_1; nothing of it lies along a first direction of 0.
    share = inner / first.norm**2 if first.norm else 0.0
    tangent = _without(second.tangent, first.tangent, share)
    shared = [name for name in tangent if name in first.gradient]
    return replace(
        second,
        tangent=tangent,
        buffers=_without(second.buffers, first.buffers, share),
        norm=norm([*tangent.values()]),
        slope=sum_of_products([first.gradient[n] for n in shared], [tangent[n] for n in shared]),
        about=f"{second.about}; then made orthogonal to the first direction",
        # An eigenvalue is that of the direction as it was taken.
        numbers=second.numbers if abs(cosine) < APART else dict.fromkeys(second.numbers, math.nan),
    ), cosine


def _inner(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    shared = [name for name in first if name in second]
    return sum_of_products([first[n] for n in shared], [second[n] for n in shared])


def _without(
    second: Mapping[str, Tensor], first: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Subtract by name: second − share · first."""
    names = dict.fromkeys((*second, *first))
    with torch.no_grad():
        return {
            n: second[n] - share * first[n]
            if n in second and n in first
            else second[n]
            if n in second
            else -share * first[n]
            for n in names
        }
