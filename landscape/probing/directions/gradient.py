"""The direction "gradient": steepest descent (Eq. 8 of [Hackel2023])."""

import torch

from landscape.probing.directions.direction import DirectionContext, Tangent


def gradient(context: DirectionContext) -> Tangent:
    """Point along −∇L of the batch's mean loss: θ − s·∇L, so that s is a learning rate.

    Args:
        context: the model at the point, the batch and its gradient.

    Returns:
        The tangent, with its exact norm ‖∇L‖ and slope −‖∇L‖².
    """
    names, gradients = list(context.gradient), list(context.gradient.values())
    descent = dict(zip(names, torch._foreach_neg(gradients), strict=True))
    length = context.gradient_norm
    return Tangent(descent, norm=length, slope=-length * length)
