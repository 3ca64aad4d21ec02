"""Where one optimizer step leads; the optimizer itself is left as it is."""

import copy
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError, users_code
from landscape.optimizers.line_search.sls import LineSearch
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.runtime.nested import Nested, cloned


def after_step(
    model: nn.Module,
    gradients: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer | None,
    learning_rate: float,
    batch: EvaluationSet,
    forward: Callable[[Nested], Nested] | None = None,
    clip: float | None = None,
) -> dict[str, Tensor]:
    """Compute the parameters one optimizer step after the point where the gradient was taken.

    A copy of the optimizer takes the step, on the model itself, which is left there.

    Args:
        model: at the point where the gradient was taken.
        gradients: parameter name -> ∇L there, with which the optimizer steps.
        optimizer: the optimizer of the model; None for plain SGD, θ − learning rate · ∇L.
        learning_rate: that of plain SGD; ignored if there is an optimizer.
        batch: the batch on which a line search runs.
        forward: how a line search runs the model, inputs -> logits; by default the model itself.
        clip: the norm to which the gradient is clipped first; None for not at all. A line search
            takes its own gradient, which is not.

    Returns:
        Parameter name -> its value after the step.

    Raises:
        InvalidValueError: where neither an optimizer nor a learning rate is given, where the
            optimizer holds parameters that are not the model's, and where it cannot be copied or
            its step fails, as one that needs a closure.
    """
    named = dict(model.named_parameters())
    if optimizer is None:
        if not isfinite(learning_rate):
            raise InvalidValueError(
                "the optimizer's step is needed, for origin 'after-step' or direction 'update': "
                "give an optimizer or a learning rate, that of plain SGD"
            )
        if clip is None:
            # θ − learning rate · ∇L
            return {
                name: p - learning_rate * gradients[name] if name in gradients else p.clone()
                for name, p in named.items()
            }
        optimizer = torch.optim.SGD(named.values(), lr=learning_rate)
    check_owner(optimizer, model)
    kept = [p.grad for p in named.values()]
    searches, run = isinstance(optimizer, LineSearch), forward or model
    what = f"the step of {type(optimizer).__name__} (choose 'before-step' if it needs a closure)"
    try:
        for name, p in named.items():
            # An optimizer may write to the gradient; a line search takes its own.
            p.grad = None if searches or name not in gradients else gradients[name].clone()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(named.values(), clip)
        with users_code(what):
            stepper = _copied(optimizer, model)
            # The step of the class: the wrapper that a scheduler puts around it steps the original.
            if isinstance(stepper, LineSearch):
                type(stepper).step(
                    stepper, lambda: (run(cloned(batch.inputs)), cloned(batch.targets))
                )
            else:
                type(stepper).step(stepper)
    finally:
        for p, gradient in zip(named.values(), kept, strict=True):
            p.grad = gradient
    return {name: p.detach().clone() for name, p in named.items()}


def check_owner(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Refuse an optimizer of another model, or of a copy of the model.

    Args:
        optimizer: any of torch's.
        model: the model whose parameters it is to step.

    Raises:
        InvalidValueError: where one of its parameters is not the model's.
    """
    own = {id(p) for p in model.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    if foreign := [p for p in held if id(p) not in own]:
        raise InvalidValueError(
            f"{len(foreign)} of the {len(held)} parameters of the {type(optimizer).__name__} are "
            "not the model's, as those of a copy of it; give the optimizer that was made from this "
            "model's parameters()"
        )


def _copied(optimizer: torch.optim.Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """A copy of the optimizer with all its attributes; parameters and layers stay the model's."""
    twin = object.__new__(type(optimizer))
    same: dict[int, Any] = {id(each): each for each in (*model.parameters(), *model.modules())}
    same[id(optimizer)] = twin
    # torch's own way of copying keeps three attributes.
    twin.__dict__.update(copy.deepcopy(vars(optimizer), same))
    return twin
