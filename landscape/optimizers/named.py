"""Optimizers by name, with their options checked."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from numbers import Real
from typing import Any

import torch
from torch.optim import Optimizer

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.metrics import SampleLoss, cross_entropy
from landscape.optimizers.line_search.base import LineSearch
from landscape.optimizers.recipes import RECIPES

# What the training that a line search belongs to gives it; not options.
_GIVEN = ("loss", "model", "metric", "process_group")

_TORCH: dict[str, Callable[..., Optimizer]] = {
    name.lower(): optimizer
    for name, optimizer in vars(torch.optim).items()
    if inspect.isclass(optimizer)
    and issubclass(optimizer, Optimizer)
    # The base class, and the one that takes only sparse gradients.
    and optimizer not in (Optimizer, torch.optim.SparseAdam)
}


def names() -> list[str]:
    """Every name that :func:`build` knows, sorted.

    Where a recipe and an optimizer of torch share a name, it is the recipe's; torch's is called
    ``torch.`` and the name.

    Returns:
        Names in lower case.
    """
    return sorted([*RECIPES, *(f"torch.{n}" if n in RECIPES else n for n in _TORCH)])


def find(name: str) -> Callable[..., Optimizer]:
    """Find the class of an optimizer: a recipe's, or one of torch's.

    Args:
        name: one of :func:`names`, in upper or lower case.

    Returns:
        The class.

    Raises:
        UnknownNameError: for an unknown name.
    """
    lower = name.lower()
    if lower in RECIPES:
        module, attribute = RECIPES[lower].optimizer.split(":")
        optimizer: Callable[..., Optimizer] = getattr(import_module(module), attribute)
        return optimizer
    if lower.removeprefix("torch.") in _TORCH:
        return _TORCH[lower.removeprefix("torch.")]
    raise UnknownNameError("optimizer", name, names())


def build(
    name: str,
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    options: Mapping[str, object],
    *,
    loss: SampleLoss = cross_entropy,
    model: torch.nn.Module | None = None,
    steps_per_epoch: int | None = None,
) -> Optimizer:
    """Build the optimizer called ``name``.

    >>> optimizer = landscape.optimizers.build("sgd", model.parameters(), 0.1, {"momentum": 0.9})
    >>> type(optimizer).__name__, optimizer.param_groups[0]["momentum"]
    ('SGD', 0.9)

    Args:
        name: one of :func:`names`, in upper or lower case.
        parameters: the parameters to train.
        learning_rate: the learning rate; for a line search, the step size that the first search
            starts from.
        options: the other arguments of the optimizer's constructor; those of a recipe are not
            added.
        loss: for line searches: the loss to be minimised, (logits, targets) -> one value a
            sample, (N,).
        model: for line searches: the model that the parameters belong to.
        steps_per_epoch: for line searches: what ``n`` is where it has no default.

    Returns:
        The optimizer.

    Raises:
        InvalidValueError: for an unknown name, an unknown option or a value that is not allowed.
        UnknownNameError: for a name that is not known.
    """
    optimizer = find(name)
    known = inspect.signature(optimizer).parameters
    line_search = is_line_search(name)
    hidden = ("params", "lr", *(_GIVEN if line_search else ()))
    allowed = [option for option in known if option not in hidden]
    for option, value in options.items():
        if option not in allowed:
            raise UnknownNameError(f"option of {name}", option, allowed)
        _check(f"{option} of {name}", value, known[option].default)
    given: dict[str, Any] = {}
    if line_search:
        given = {"loss": loss, "model": model}
        if optimizer.n is None and steps_per_epoch is not None:  # type: ignore[attr-defined]
            given["n"] = steps_per_epoch
    try:
        return optimizer(parameters, lr=learning_rate, **(given | dict(options)))
    except Exception as error:  # torch checks little of what it is given
        settings = ", ".join(f"{key}={value!r}" for key, value in options.items())
        reason = " ".join(str(error).split())
        raise InvalidValueError(
            f"{name} does not take lr={learning_rate!r}{settings and ', '}{settings}: {reason}"
        ) from error


def is_line_search(name: str) -> bool:
    """Whether the optimizer called ``name`` searches its step size.

    Args:
        name: one of :func:`names`, in upper or lower case.

    Returns:
        True for a line search.

    Raises:
        InvalidValueError: for an unknown name.
    """
    optimizer = find(name)
    return inspect.isclass(optimizer) and issubclass(optimizer, LineSearch)


def _check(what: str, value: object, default: object) -> None:
    """Refuse what torch would accept and misread."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InvalidValueError(f"{what} is {value!r}; give true or false")
    elif isinstance(default, (int, float)) and value is not None:
        number = isinstance(value, (Real, torch.Tensor)) and not isinstance(value, bool)
        if not number or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidValueError(f"{what} is {value!r}; give a finite number")
