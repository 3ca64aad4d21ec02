"""Where one optimizer step leads; the optimizer itself is left as it is."""

import copy
from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.sls import LineSearch
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation_sets import EvaluationSet


def after_step(
    model: nn.Module,
    direction: Direction,
    optimizer: torch.optim.Optimizer | None,
    learning_rate: float,
    batch: EvaluationSet,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Compute the parameters one optimizer step after the point where the gradient was taken.

    A copy of the parameters and of the optimizer takes the step. A line search, however, runs on
    the model itself, which is left at the last point that it tried.

    Args:
        model: at the point where the gradient was taken.
        direction: the direction there, with the gradient that the optimizer steps with.
        optimizer: the optimizer of the model; None for plain SGD, θ − learning rate · ∇L.
        learning_rate: that of plain SGD; ignored if there is an optimizer.
        batch: the batch on which a line search runs.
        forward: how a line search runs the model, inputs -> logits; by default the model itself.

    Returns:
        Parameter name -> its value after the step.

    Raises:
        InvalidValueError: where neither an optimizer nor a learning rate is given, or where the
            optimizer needs a closure.
    """
    named = dict(model.named_parameters())
    if isinstance(optimizer, LineSearch):
        return _after_search(model, forward or model, named, optimizer, batch)
    gradients = direction.gradient
    if optimizer is None:
        if not isfinite(learning_rate):
            raise InvalidValueError(
                "origin 'after-step' needs to know the step: give an optimizer or a learning rate"
            )
        # θ − learning rate · ∇L
        return {
            name: p - learning_rate * gradients[name] if name in gradients else p.clone()
            for name, p in named.items()
        }
    twins, stepper = copy.deepcopy((named, optimizer))
    for name, gradient in gradients.items():
        twins[name].grad = gradient.clone()  # an optimizer may write to it
    try:
        # The step of the class: the wrapper that a scheduler puts around it steps the original.
        type(stepper).step(stepper)
    except TypeError as error:
        raise InvalidValueError(
            f"origin 'after-step' cannot take a step of {type(stepper).__name__}, which needs a "
            "closure; choose 'before-step'"
        ) from error
    return {name: p.detach() for name, p in twins.items()}


def _after_search(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    named: dict[str, nn.Parameter],
    optimizer: LineSearch,
    batch: EvaluationSet,
) -> dict[str, Tensor]:
    gradients = [p.grad for p in named.values()]
    # A copy of the optimizer alone: its parameters and layers stay those of the model.
    own = {id(each): each for each in (*named.values(), *model.modules())}
    stepper = copy.deepcopy(optimizer, own)
    for p in named.values():
        p.grad = None
    try:
        type(stepper).step(stepper, lambda: (forward(batch.inputs), batch.targets))
        return {name: p.detach().clone() for name, p in named.items()}
    finally:
        for p, gradient in zip(named.values(), gradients, strict=True):
            p.grad = gradient
