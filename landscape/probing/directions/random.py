"""The direction "random": Gaussian, with the norms of the network's own filters [Li2018]."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd

from landscape.probing.directions.direction import DirectionContext, Tangent

ALL = "all"
FILTER, LAYER, NONE = "filter", "layer", "none"
NORMALISATIONS = (FILTER, LAYER, NONE)
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

WORDS = {
    FILTER: "each filter with the norm of the network's own",
    LAYER: "each layer with the norm of the network's own",
    NONE: "not normalised: one standard deviation a weight",
}


def random(context: DirectionContext) -> Tangent:
    """Point in a random direction, drawn anew for each checkpoint and draw.

    Every weight is drawn from a normal distribution of mean 0 and variance 1. Then, with the
    argument "filter" (the default),

        d_i ← d_i · ‖θ_i‖ / ‖d_i‖

    for each filter i: the weights of one output of a layer, as a row of a linear layer, a channel
    of a convolution or the vector of a word. With "layer" i is a whole parameter, with "none"
    nothing is rescaled. A filter of norm 0 stays where it is. So do biases and the parameters of
    normalisation layers, unless the argument has ",all", as "filter,all": then each of these is
    drawn too, and is one filter. Frozen parameters stay.

    Args:
        context: the model at the point.

    Returns:
        The tangent.
    """
    chosen = context.argument.split(",") if context.argument else [FILTER]
    every = ALL in chosen
    how = next((each for each in chosen if each != ALL), FILTER)
    small = _small(context.model)
    generator = torch.Generator().manual_seed(context.seed)
    values = {}
    for name, parameter in context.model.named_parameters():
        if name not in context.gradient or (name in small and not every):
            continue
        # On the CPU, so that a seed means the same on every device.
        drawn = torch.randn(parameter.shape, generator=generator, dtype=_drawn(parameter.dtype))
        values[name] = drawn.to(parameter)
        if how == NONE:
            continue
        weights, groups = parameter.detach(), _transposed(context.model, name)
        if how == LAYER or name in small:
            values[name] = _rescaled(values[name], weights, ())
        elif groups:
            # (in, out / groups, …) → (groups, in / groups, out / groups, …): an output is a filter.
            apart = (groups, -1, *weights.shape[1:])
            scaled = _rescaled(values[name].view(apart), weights.reshape(apart), (0, 2))
            values[name] = scaled.flatten(0, 1)
        else:
            values[name] = _rescaled(values[name], weights, (0,))
    stay = "" if every else "; biases and norm layers stay"
    return Tangent(values, about=f"a random direction, {WORDS[how]}{stay}")


def _drawn(dtype: torch.dtype) -> torch.dtype:
    """In what a parameter's direction is drawn: float32 for narrower types too."""
    return torch.promote_types(dtype, torch.float32)


def _small(model: nn.Module) -> set[str]:
    """The names of biases, of other vectors, and of the parameters of normalisation layers."""
    vectors = {name for name, parameter in model.named_parameters() if parameter.ndim < 2}
    norms = {
        f"{prefix}.{name}".strip(".")
        for prefix, module in model.named_modules()
        if isinstance(module, NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    return vectors | norms


def _transposed(model: nn.Module, name: str) -> int:
    """The number of groups of a transposed convolution, if it is the weight of one; else 0."""
    prefix, _, own = name.rpartition(".")
    module = model.get_submodule(prefix)
    return module.groups if isinstance(module, _ConvTransposeNd) and own == "weight" else 0


def _rescaled(drawn: Tensor, weights: Tensor, filters: tuple[int, ...]) -> Tensor:
    """d_i · ‖θ_i‖ / ‖d_i‖ for each place i along the dimensions that count filters."""
    summed = tuple(i for i in range(weights.ndim) if i not in filters)
    own, length = (
        torch.linalg.vector_norm(
            each, dim=summed, keepdim=True, dtype=torch.promote_types(each.dtype, torch.float64)
        )
        for each in (weights, drawn)
    )
    return (drawn * torch.where(own == 0, 0.0, own / length)).to(drawn.dtype)
