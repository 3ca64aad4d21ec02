"""The direction "update": what the optimizer does next."""

from landscape.network.state import difference
from landscape.probing.directions.direction import DirectionContext, Tangent


def update(context: DirectionContext) -> Tangent:
    """Point from θ to where the optimizer's next step leads: step size 1 is the whole update.

    Momentum, adaptive learning rates, weight decay and a line search are in it. Its argument is the
    norm to which the gradient is clipped before, as ``torch.nn.utils.clip_grad_norm_`` does.

    Args:
        context: the model at the point, with the step of its optimizer.

    Returns:
        The tangent.
    """
    clip = float(context.argument) if context.argument else None
    start = {name: p.detach().clone() for name, p in context.model.named_parameters()}
    end = context.step(clip)
    clipped = "" if clip is None else f", its gradient clipped to the norm {clip:g}"
    return Tangent(
        difference(context.model, end, start),
        about=f"the next update of {context.optimizer or 'plain SGD'}, whole at step size "
        f"1{clipped}",
    )
