"""The direction "normalised-gradient": steepest descent, measured in distance."""

import math

import torch

from landscape.probing.directions.direction import DirectionContext, Tangent


def normalised_gradient(context: DirectionContext) -> Tangent:
    """−∇L / ‖∇L‖, so that the step size is the distance.

    Where the gradient is exactly 0 it has no direction: the tangent is NaN, and so is its norm.
    """
    length = context.gradient_norm
    # −(g / ‖g‖) and (−g) / ‖g‖ are the same bits.
    scaled = torch._foreach_div(list(context.gradient.values()), -(length or math.nan))
    descent = dict(zip(context.gradient, scaled, strict=True))
    return Tangent(descent, norm=1.0 if length > 0 else math.nan, slope=-length)
