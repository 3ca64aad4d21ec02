"""Models and step sizes that cannot be probed, refused before anything is measured."""

from collections.abc import Sequence
from math import inf

import torch
from torch import nn

from landscape.errors import InvalidValueError
from landscape.network.sharing import check_apart


def check_step_sizes(model: nn.Module, step_sizes: Sequence[float]) -> None:
    """Refuse step sizes that the parameters' own type takes for infinite.

    Args:
        model: the model that is moved.
        step_sizes: along one direction.

    Raises:
        InvalidValueError: for the largest, if it is too large.
    """
    furthest = max(map(abs, step_sizes))
    name, most = largest(model)
    if furthest > most:
        parameter = dict(model.named_parameters())[name]
        raise InvalidValueError(
            f"the step sizes go up to {furthest:g}; the model's {name} is {parameter.dtype}, "
            f"so choose at most {most:g}"
        )


def largest(model: nn.Module) -> tuple[str, float]:
    """Find the parameter whose own type has the smallest largest number.

    Args:
        model: the model that is moved.

    Returns:
        Its name, and that number.
    """
    limits = [
        (float(torch.finfo(parameter.dtype).max), name)
        for name, parameter in model.named_parameters()
        if parameter.is_floating_point()
    ]
    most, name = min(limits, key=lambda each: each[0], default=(inf, ""))
    return name, most


def check_model(model: nn.Module) -> None:
    """Refuse a model that cannot be moved.

    Args:
        model: the model that is to be probed.

    Raises:
        InvalidValueError: for a scripted model, one without parameters or without values of them,
            and for parameters that share memory.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        # Its layers have lost their classes, so that batch norm cannot be found among them.
        raise InvalidValueError(
            "the model is or has a ScriptModule; give the module that it was made from"
        )
    parameters = dict(model.named_parameters())
    if not parameters:
        raise InvalidValueError("the model has no parameters, so there is nothing to move")
    for name, parameter in parameters.items():
        if nn.parameter.is_lazy(parameter) or parameter.is_meta:
            raise InvalidValueError(
                f"the model's {name} has no values yet; run the model once, or load its weights"
            )
    check_apart(parameters.items())
