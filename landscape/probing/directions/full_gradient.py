"""The direction "full-gradient": steepest descent on the training set, or on its first samples."""

import torch

from landscape.probing.directions.direction import DirectionContext, Tangent


def full_gradient(context: DirectionContext) -> Tangent:
    """Point along −∇L of the mean loss over training samples: θ − s·∇L.

    It is summed over batches, each with the weight of its units. Of a loss that gives nothing but
    its mean, and so no weights, and under the statistics of each batch, it is that of the mean over
    batches, weighted by their samples.

    Args:
        context: the model at the point, with its training data; the argument is how many of its
            samples are taken, from the first, by default all.

    Returns:
        The tangent.
    """
    samples = int(context.argument) if context.argument else None
    gradient = context.training_gradient(samples)
    descent = torch._foreach_neg(list(gradient.values()))
    which = "all training samples" if samples is None else f"the first {samples} training samples"
    return Tangent(
        dict(zip(gradient, descent, strict=True)),
        about=f"steepest descent on {which}, not normalised: θ − s·∇L",
    )
