"""The direction "gradient": steepest descent, as the published study takes it (Eq. 8)."""

import torch

from landscape.probing.directions.direction import DirectionContext, Tangent


def gradient(context: DirectionContext) -> Tangent:
    """−∇L of the mean loss on the batch: θ − s·∇L, so that the step size is a learning rate."""
    names, gradients = list(context.gradient), list(context.gradient.values())
    descent = dict(zip(names, torch._foreach_neg(gradients), strict=True))
    length = context.gradient_norm
    return Tangent(descent, norm=length, slope=-length * length)
