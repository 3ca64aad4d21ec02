"""Learning-rate schedules by name, all stepped once an epoch, after its validation."""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from landscape.errors import InvalidValueError, UnknownNameError


def milestones(
    optimizer: Optimizer,
    epochs: int,
    fractions: Sequence[float] = (0.3, 0.6, 0.8),
    factor: float = 0.1,
) -> LRScheduler:
    """Multiply the learning rate by ``factor`` after given fractions of the epochs.

    Args:
        optimizer: whose learning rate is scheduled.
        epochs: how many epochs the run has.
        fractions: of the epochs, from 0 to 1; by default after 60, 120 and 160 of 200 epochs.
        factor: by which the learning rate is multiplied each time.

    Returns:
        The schedule.
    """
    ends = [round(fraction * epochs) for fraction in fractions]
    return lr_scheduler.MultiStepLR(optimizer, ends, factor)


def ramp_cosine(
    optimizer: Optimizer, epochs: int, ramp: int = 7, start: float = 0.25
) -> LRScheduler:
    """Ramp the learning rate up linearly, times cosine annealing over all epochs.

    Args:
        optimizer: whose learning rate is scheduled.
        epochs: how many epochs the run has.
        ramp: how many epochs the ramp takes.
        start: the fraction of the learning rate at which it starts.

    Returns:
        The schedule.
    """
    return lr_scheduler.ChainedScheduler(
        [
            lr_scheduler.LinearLR(optimizer, start, total_iters=ramp),
            lr_scheduler.CosineAnnealingLR(optimizer, epochs),
        ]
    )


# Those that take the number of epochs.
_OWN: Mapping[str, Callable[..., LRScheduler]] = {
    "milestones": milestones,
    "ramp-cosine": ramp_cosine,
}
# Torch's, except those that are made from functions or other schedules.
_TORCH: Mapping[str, Callable[..., LRScheduler]] = {
    name.lower(): schedule
    for name, schedule in vars(lr_scheduler).items()
    if inspect.isclass(schedule)
    and issubclass(schedule, LRScheduler)
    and not name.startswith("_")
    and name
    not in ("LRScheduler", "LambdaLR", "MultiplicativeLR", "ChainedScheduler", "SequentialLR")
}
CONSTANT = "constant"


def names() -> list[str]:
    """Every name that :func:`build` knows, sorted."""
    return sorted([CONSTANT, *_OWN, *_TORCH])


def build(
    name: str, optimizer: Optimizer, epochs: int, options: Mapping[str, object]
) -> LRScheduler | None:
    """Build the schedule called ``name`` for a run.

    >>> from torch.optim import SGD
    >>> optimizer = SGD(model.parameters(), lr=1.0)
    >>> schedule = build("milestones", optimizer, 10, {"fractions": [0.5]})
    >>> for _ in range(5):
    ...     advance(schedule, validation_loss=0.0)
    >>> optimizer.param_groups[0]["lr"]
    0.1

    Args:
        name: one of :func:`names`, in upper or lower case.
        optimizer: whose learning rate is scheduled.
        epochs: how many epochs the run has.
        options: the schedule's other arguments, as ``{"step_size": 10}`` for ``steplr``.

    Returns:
        The schedule; None for a constant learning rate.

    Raises:
        InvalidValueError: for an unknown name, an unknown option or a value that is not allowed.
        UnknownNameError: for a name that is not known.
    """
    lower = name.lower()
    if lower not in names():
        raise UnknownNameError("schedule", name, names())
    schedule = _OWN.get(lower) or _TORCH.get(lower)
    known = [] if schedule is None else list(inspect.signature(schedule).parameters)
    allowed = [option for option in known if option not in ("optimizer", "epochs", "last_epoch")]
    for option in options:
        if option not in allowed:
            raise UnknownNameError(f"option of schedule {name}", option, allowed or ["none"])
    if schedule is None:
        return None
    arguments = [epochs] if lower in _OWN else []
    try:
        _rehearse(schedule(_twin(optimizer), *arguments, **options), epochs)
        return schedule(optimizer, *arguments, **options)
    except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in options.items()) or "no options"
        reason = " ".join(str(error).split())
        raise InvalidValueError(f"schedule {name} fails with {settings}: {reason}") from error


def _twin(optimizer: Optimizer) -> Optimizer:
    """An optimizer with the same settings and nothing to train."""
    twin = SGD([Tensor([0])], lr=optimizer.param_groups[0]["lr"])
    twin.defaults = optimizer.defaults
    group = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    twin.param_groups[0].update(group)
    return twin


def _rehearse(schedule: LRScheduler, epochs: int) -> None:
    """Go through all epochs, so that a schedule that fails does so before anything is trained."""
    for epoch in range(epochs):
        rate = schedule.optimizer.param_groups[0]["lr"]
        if not 0 <= rate < math.inf:
            raise ValueError(f"the learning rate of epoch {epoch + 1} is {rate!r}")
        advance(schedule, 0.0)


def advance(schedule: LRScheduler, validation_loss: float) -> None:
    """Advance a schedule by one epoch.

    Args:
        schedule: what :func:`build` returned.
        validation_loss: mean loss of the epoch's validation, which only ``reducelronplateau``
            uses.
    """
    arguments: tuple[Any, ...] = ()
    if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
        arguments = (validation_loss,)
    with warnings.catch_warnings():
        # In a resumed run, the optimizer's steps before this one were another process's.
        warnings.filterwarnings("ignore", ".*lr_scheduler.step")
        schedule.step(*arguments)
