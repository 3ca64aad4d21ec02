"""The direction "towards": straight to another checkpoint."""

import torch

from landscape.errors import InvalidValueError, shown
from landscape.network.state import difference
from landscape.probing.directions.direction import DirectionContext, Tangent

STATISTICS = (
    "; running statistics are interpolated with the parameters, and give NaN where beyond these a "
    "variance falls below 0"
)


def towards(context: DirectionContext) -> Tangent:
    """Point from θ to another point θ_B: step size 0 is here, 1 is there [Goodfellow2015].

    Buffers of real numbers, as running statistics of batch norm, move along, so that the other
    checkpoint is reached with its own; the policy "recalibrated" estimates them instead.

    Args:
        context: the model at the point; the argument names the other one of its landmarks.

    Returns:
        The tangent.

    Raises:
        InvalidValueError: where there is no such other point, and for one of another architecture.
    """
    known, name = context.landmarks.towards, context.argument
    if not name and len(known) == 1:
        (name,) = known
    if name not in known:
        there = f"; there are {', '.join(known)}" if known else ""
        raise InvalidValueError(
            f"direction 'towards' needs another point, and {shown(name)} is not known{there}; "
            "give a checkpoint (--direction towards:PATH), or another model (towards=)"
        )
    end = known[name]
    at = f", at iteration {end.iteration}" if end.iteration else ""
    end.require_fits(context.model, name)
    start = {name: p.detach() for name, p in context.model.named_parameters()}
    buffers = {
        name: end.buffers[name].to(buffer) - buffer.detach()
        for name, buffer in context.model.named_buffers()
        if name in end.buffers and torch.is_floating_point(buffer)
    }
    return Tangent(
        difference(context.model, end.parameters, start),
        buffers=buffers,
        about=f"the straight line to another checkpoint{at}: 0 is here, 1 is there"
        + STATISTICS * bool(buffers),
    )
