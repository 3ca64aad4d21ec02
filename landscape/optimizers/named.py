"""Optimizers by name, with their options checked."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch.optim import Optimizer

from landscape.errors import InvalidValueError, unknown

# Name, in lower case -> class. Its constructor takes the parameters first, then ``lr`` and
# options. An optimizer that is not torch's is registered here, by one more entry.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    name.lower(): optimizer
    for name, optimizer in vars(torch.optim).items()
    if inspect.isclass(optimizer)
    and issubclass(optimizer, Optimizer)
    # The base class, and the one that takes none but sparse gradients.
    and optimizer not in (Optimizer, torch.optim.SparseAdam)
}


def names() -> list[str]:
    """Every name that :func:`build` knows, sorted."""
    return sorted(OPTIMIZERS)


def build(
    name: str,
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    options: Mapping[str, object],
) -> Optimizer:
    """The optimizer called ``name`` (in any case) over ``parameters``.

    ``options`` are the constructor's other arguments, e.g. ``{"momentum": 0.9}``.

    Raises :class:`InvalidValueError` for an unknown name, an unknown option or a bad value.
    """
    optimizer = OPTIMIZERS.get(name.lower())
    if optimizer is None:
        raise unknown("optimizer", name, names())
    known = inspect.signature(optimizer).parameters
    allowed = [option for option in known if option not in ("params", "lr")]
    for option, value in options.items():
        if option not in allowed:
            raise unknown(f"option of {name}", option, allowed)
        _check(f"{option} of {name}", value, known[option].default)
    try:
        return optimizer(parameters, lr=learning_rate, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in options.items())
        reason = " ".join(str(error).split())
        raise InvalidValueError(
            f"{name} does not take lr={learning_rate!r}{settings and ', '}{settings}: {reason}"
        ) from error


def _check(what: str, value: object, default: object) -> None:
    """Refuse what torch would take and misread."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InvalidValueError(f"{what} is {value!r}; give true or false")
    elif isinstance(default, (int, float)) and (
        isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise InvalidValueError(f"{what} is {value!r}; give a finite number")
