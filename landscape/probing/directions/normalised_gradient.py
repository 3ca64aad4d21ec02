"""The direction "normalised-gradient": steepest descent, measured in distance."""

import math

import torch

from landscape.probing.directions.direction import DirectionContext, Tangent


def normalised_gradient(context: DirectionContext) -> Tangent:
    """Point along −∇L / ‖∇L‖, so that the step size is a distance in parameter space.

    Args:
        context: the model at the point, the batch and its gradient.

    Returns:
        The tangent, with its norm 1 by definition and slope −‖∇L‖. Where the gradient is exactly
        0 it has no direction, and the tangent is NaN.
    """
    length = context.gradient_norm
    # −g / ‖g‖; dividing by −‖g‖ gives the same bits as negating g first.
    scaled = torch._foreach_div(list(context.gradient.values()), -(length or math.nan))
    descent = dict(zip(context.gradient, scaled, strict=True))
    return Tangent(descent, norm=1.0, slope=-length)
