"""A direction of parameter space: a tangent, and what a reader of its slice needs to know."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError, UnknownNameError, shown
from landscape.metrics import SampleLoss
from landscape.network.state import State
from landscape.runtime.nested import Nested
from landscape.slices.schema import NUMBERS


@dataclass(frozen=True)
class Direction:
    """A tangent of parameter space at one point: θ + s·tangent for a step size s.

    Attributes:
        name: its name in the registry, or one of your own.
        symbol: how axes call it, as "−∇L".
        tangent: parameter name -> tensor of that parameter's shape; other parameters do not move.
        norm: ‖tangent‖₂ over all parameters, in float64.
        slope: ∇L · tangent, the derivative of the batch's mean loss along it at s = 0, in the
            loss's units; below 0 where positive step sizes descend.
        gradient: parameter name -> ∇L of the batch's mean loss, with which an optimizer steps.
        gradient_norm: ‖∇L‖₂, in float64.
        buffers: buffer name -> by how much it moves per step size; other buffers stay.
        about: what it is and how it was normalised, a phrase for captions.
        numbers: further numbers that are stored beside the slice, by names of
            :data:`landscape.slices.schema.NUMBERS`, as its ``eigenvalue``.
        taken_on: name of the evaluation set whose loss it was taken of.
    """

    name: str
    symbol: str
    tangent: Mapping[str, Tensor]
    norm: float
    slope: float
    gradient: Mapping[str, Tensor]
    gradient_norm: float
    buffers: Mapping[str, Tensor] = field(default_factory=dict)
    about: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    taken_on: str = "same_batch"

    @property
    def descends(self) -> bool:
        """Whether small positive step sizes lower the batch's loss."""
        return self.slope < 0


@dataclass(frozen=True)
class Tangent:
    """What a direction's function returns; norm and slope are computed if they are left out.

    Attributes:
        values: parameter name -> tensor of that parameter's shape.
        norm: ‖values‖₂, if it is known exactly.
        slope: ∇L · values, if it is known exactly.
        buffers: as of :class:`Direction`.
        about: likewise; by default the summary of the kind of direction.
        numbers: likewise.
        taken_on: likewise.
    """

    values: Mapping[str, Tensor]
    norm: float | None = None
    slope: float | None = None
    buffers: Mapping[str, Tensor] = field(default_factory=dict)
    about: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    taken_on: str = "same_batch"


@dataclass(frozen=True)
class Landmarks:
    """Other points of the model that is probed, from which directions are made.

    Attributes:
        towards: name -> the point to which a direction leads.
        path: points along a training, in order.
    """

    towards: Mapping[str, State] = field(default_factory=dict)
    path: Sequence[State] = ()


NO_LANDMARKS = Landmarks()


def _unknown(asked: object) -> NoReturn:
    raise InvalidValueError(f"the direction asks for {asked!r}, which is not known here")


@dataclass(frozen=True)
class DirectionContext:
    """What a direction can be made from: the model at the point, the batch and its gradient.

    Attributes:
        model: at the point where the slice starts, in the mode in which it is probed; it must be
            left as it is.
        inputs: those of the gradient's batch, (N, …); a tensor or a nested dict or tuple of them.
        targets: its targets, (N, …), likewise.
        loss: (outputs, targets) -> values whose plain mean is the batch's loss.
        forward: how the model is run, inputs -> outputs (N, …).
        gradient: parameter name -> ∇L of the batch's mean loss; parameters without
            ``requires_grad`` are left out. A direction of one's own gets a copy.
        gradient_norm: ‖∇L‖₂, in float64.
        optimizer: the class of the optimizer that takes the step, "" if there is none.
        seed: seed for random draws; a different one for each checkpoint, draw and direction of a
            plane.
        argument: what follows the direction's name and a colon, as "layer" in "random:layer".
        number: K in the name of a direction, as 2 in "hessian-2".
        landmarks: other points of the model.
        step: largest norm of the gradient or None -> parameter name -> its value after the
            optimizer's next step, for which the gradient is clipped to that norm.
        training_gradient: number of training samples, from the first, or None for all -> parameter
            name -> ∇L over them.
        loss_on: name of an evaluation set, "" for the gradient's batch -> the model's outputs on
            it and its mean loss, a scalar; with gradients switched on, both are differentiable.
    """

    model: nn.Module
    inputs: Nested
    targets: Nested
    loss: SampleLoss
    forward: Callable[[Nested], Nested]
    gradient: Mapping[str, Tensor]
    gradient_norm: float
    seed: int
    optimizer: str = ""
    argument: str = ""
    number: int = 1
    landmarks: Landmarks = NO_LANDMARKS
    step: Callable[[float | None], Mapping[str, Tensor]] = _unknown
    training_gradient: Callable[[int | None], Mapping[str, Tensor]] = _unknown
    loss_on: Callable[[str], tuple[Nested, Tensor]] = _unknown


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors by name.

    Args:
        tensors: name -> tensor.

    Returns:
        The copies.
    """
    return {name: each.detach().clone() for name, each in tensors.items()}


def checked(given: object, model: nn.Module) -> Tangent:
    """Check what a direction's own function gives, and copy it.

    Args:
        given: what it has returned.
        model: the model that is to move along it.

    Returns:
        The tangent, of copies in the types and on the devices of the parameters and buffers.

    Raises:
        InvalidValueError: for anything but a :class:`Tangent`, and where its names, shapes or types
            are not those of the model.
    """
    if not isinstance(given, Tangent):
        raise InvalidValueError(
            f"the direction's function gives {type(given).__name__}; let it return a Tangent of "
            "tensors by parameter name"
        )
    if unknown := [name for name in given.numbers if name not in NUMBERS]:
        raise InvalidValueError(
            f"the direction's function gives the number {shown(unknown[0])}; allowed are "
            f"{', '.join(NUMBERS)}"
        )
    return replace(
        given,
        values=_like("parameter", given.values, dict(model.named_parameters())),
        buffers=_like("buffer", given.buffers, dict(model.named_buffers())),
    )


def _like(what: str, given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, each of the shape and type of the model's own of that name."""
    found = {}
    for name, each in given.items():
        if name not in own:
            raise UnknownNameError(what, name, own)
        expected = own[name]
        shape = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
        if shape != tuple(expected.shape):
            raise InvalidValueError(
                f"the direction's function gives {shape} for the {what} {name!r}; give a tensor of "
                f"its shape, {tuple(expected.shape)}"
            )
        if each.is_complex() and not expected.is_complex():
            raise InvalidValueError(
                f"the direction's function gives complex numbers for the {what} {name!r}, which is "
                f"{expected.dtype}; give real ones"
            )
        dense = each.detach() if each.layout == torch.strided else each.detach().to_dense()
        found[name] = dense.to(expected.device, expected.dtype, copy=True)
    return found


def mean_gradient(
    model: nn.Module,
    inputs: Nested,
    targets: Nested,
    loss: SampleLoss,
    forward: Callable[[Nested], Nested] | None = None,
) -> dict[str, Tensor]:
    """Compute ∇L of the mean loss on a batch, in the model's present mode.

    Leaves ``.grad`` and ``requires_grad`` alone. A parameter that the loss does not reach has
    gradient 0; those without ``requires_grad`` are left out.

    Args:
        model: the model whose parameters are differentiated.
        inputs: (N, …).
        targets: (N, …).
        loss: (outputs, targets) -> values whose plain mean is the batch's loss.
        forward: how the model is run, inputs -> outputs (N, …); by default the model itself.

    Returns:
        Parameter name -> a tensor of its shape and dtype.

    Raises:
        InvalidValueError: where no parameter requires a gradient.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise InvalidValueError(
            "the model has no parameter with requires_grad=True; unfreeze at least one"
        )
    with torch.enable_grad():
        mean = loss((forward or model)(inputs), targets).mean()
        if not mean.requires_grad:
            raise InvalidValueError(
                "the loss depends on no parameter with requires_grad=True, as where the model's "
                "output is detached or its weights are merged; there is no gradient to go along"
            )
        gradients = torch.autograd.grad(
            mean, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
    # Those of sparse embeddings are sparse.
    dense = [g if g.layout == torch.strided else g.to_dense() for g in gradients]
    return dict(zip(parameters, dense, strict=True))


def norm(tensors: Sequence[Tensor]) -> float:
    """Compute the 2-norm over all elements, √Σ t².

    Args:
        tensors: tensors of any shape.

    Returns:
        The norm, summed in float64.
    """
    return math.sqrt(sum_of_products(tensors, tensors))


def sum_of_products(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Compute the dot product over all elements, Σ a·b; of complex ones, the real part of Σ ā·b.

    That is the dot product of real and imaginary parts, to which torch's gradients belong.

    Args:
        first: tensors of any shape.
        second: tensors of the same shapes.

    Returns:
        The sum, in float64.
    """
    # A part at a time: a whole tensor in float64 would need twice the tensor's memory.
    products: list[Tensor] = []
    for a, b in zip(first, second, strict=True):
        parts = (torch.split(_real(each).reshape(-1), 2**20) for each in (a, b))
        products += [x.double().dot(y.double()).cpu() for x, y in zip(*parts, strict=True)]
    return float(torch.stack(products).sum()) if products else 0.0


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
