"""Directions in parameter space along which a slice is taken. Positive step sizes descend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss


@dataclass(frozen=True)
class Direction:
    """A tangent of parameter space and the gradient it came from.

    ``tangent`` maps parameter names to tensors of their shapes; ``gradient_norm`` is ‖∇L‖₂ in
    float64. θ + s·tangent descends for small positive s.
    """

    name: str
    tangent: Mapping[str, Tensor]
    gradient_norm: float


def gradient(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: SampleLoss,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Direction:
    """−∇L of the mean loss on a batch, in the model's present mode (Eq. 8).

    ``inputs`` (N, …), ``targets`` (N,); ``forward`` is how the model is run, the model itself
    unless given. Leaves ``.grad`` and ``requires_grad`` alone. A parameter
    that the loss does not reach has gradient 0; frozen ones are left out.

    Raises :class:`InvalidValueError` where no parameter requires a gradient.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise InvalidValueError(
            "the model has no parameter with requires_grad=True; unfreeze at least one"
        )
    with torch.enable_grad():
        mean = loss((forward or model)(inputs), targets).mean()
        gradients = torch.autograd.grad(
            mean, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
    torch._foreach_neg_(gradients)
    return Direction("gradient", dict(zip(parameters, gradients, strict=True)), _norm(gradients))


def _norm(tensors: Sequence[Tensor]) -> float:
    """√Σ t² in float64, a piece at a time: a whole tensor in float64 would double the memory."""
    pieces = [piece for t in tensors for piece in torch.split(t.reshape(-1), 2**20)]
    squares: list[Tensor] = []
    for piece in pieces:
        wide = piece.double()
        squares.append(wide.dot(wide).cpu())
    return float(torch.stack(squares).sum().sqrt())


def normalised_gradient(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: SampleLoss,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Direction:
    """−∇L / ‖∇L‖, so that the step size is the distance; see :func:`gradient`.

    Where the gradient is exactly 0 it has no direction, and the tangent is NaN.
    """
    steepest = gradient(model, inputs, targets, loss, forward)
    tangent = dict(steepest.tangent)
    torch._foreach_div_(list(tangent.values()), steepest.gradient_norm or float("nan"))
    return Direction("normalised-gradient", tangent, steepest.gradient_norm)


DirectionFunction = Callable[..., Direction]

DIRECTIONS: Mapping[str, DirectionFunction] = MappingProxyType(
    {"gradient": gradient, "normalised-gradient": normalised_gradient}
)
