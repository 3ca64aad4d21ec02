"""Checks of what a user's closure is, returns and leaves behind."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from landscape.errors import InvalidValueError

Closure = Callable[[], tuple[Tensor, Tensor]]


def mean(values: Tensor, targets: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The mean over a batch.

    Args:
        values: one value per sample, (N,), or a scalar, which is taken for their mean.
        targets: the batch's class labels, (N,).
        dtype: to sum in; that of the values unless given.

    Returns:
        A scalar.

    Raises:
        InvalidValueError: for values of another shape.
    """
    if values.ndim == 0:
        return values
    if values.shape != targets.shape:
        raise InvalidValueError(
            f"the loss or metric has shape {tuple(values.shape)} for {len(targets)} samples; "
            "return one value per sample or their mean"
        )
    return (values if dtype is None else values.to(dtype)).mean()


def check_finite(**values: float) -> None:
    """Refuse a step on NaN or infinity.

    Args:
        **values: name -> number that the step needs.

    Raises:
        InvalidValueError: for the first that is not finite.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise InvalidValueError(
                f"the {name} is {value}; a step needs it finite (no step was taken)"
            )


def check_unscaled(optimizer: Optimizer) -> None:
    """Refuse a step that a GradScaler takes.

    Args:
        optimizer: whose step it is.

    Raises:
        InvalidValueError: where a GradScaler called ``step``.
    """
    # A GradScaler sets these two on the optimizer while it calls step().
    scales = [optimizer.__dict__.pop(name, None) for name in ("found_inf", "grad_scale")]
    if any(scale is not None for scale in scales):
        raise InvalidValueError(
            f"a GradScaler calls {type(optimizer).__name__}.step(), whose trials it cannot scale; "
            "call step(closure) without it, e.g. with bfloat16 autocast"
        )


def check_closure(what: str, closure: Closure | None) -> Closure:
    """Refuse what cannot be called.

    Args:
        what: the closure's name, for the message.
        closure: what was given.

    Returns:
        The closure.

    Raises:
        InvalidValueError: for anything that is not a function, None too.
    """
    if not callable(closure):
        raise InvalidValueError(
            f"the {what} is {closure!r}; give step() a function that runs the model and returns "
            "(logits, targets)"
        )
    return closure


def checked(returned: object) -> tuple[Tensor, Tensor]:
    """What a closure returned, if logits and targets fit each other.

    Args:
        returned: what the closure returned.

    Returns:
        Logits (N, C) of a float dtype and targets (N,) of int64, N at least 1.

    Raises:
        InvalidValueError: for anything else.
    """
    if isinstance(returned, tuple | list) and len(returned) == 2:
        logits, targets = returned
        if isinstance(logits, Tensor) and isinstance(targets, Tensor):
            fits = (
                logits.ndim == 2 and targets.ndim == 1 and 0 < targets.shape[0] == logits.shape[0]
            )
            if fits and logits.is_floating_point() and targets.dtype == torch.int64:
                return logits, targets
    raise InvalidValueError(
        f"the closure returned {_received(returned)}; return a tuple of two tensors, logits (N, C) "
        "of a float dtype and targets (N,) of int64, and leave the loss and backward() to step()"
    )


def _received(returned: object) -> str:
    if not isinstance(returned, tuple | list):
        return _kind(returned)
    if [isinstance(part, Tensor) for part in returned] == [True, True]:
        shapes = [f"{tuple(t.shape)} {t.dtype}" for t in returned]
        return f"logits {shapes[0]} and targets {shapes[1]}"
    kinds = ", ".join(map(_kind, returned))
    return f"a {type(returned).__name__} of {len(returned)} ({kinds})"


def _kind(returned: object) -> str:
    if returned is None:
        return "None"
    if isinstance(returned, Tensor):
        return f"a tensor of shape {tuple(returned.shape)}" if returned.ndim else "a scalar tensor"
    kind = type(returned)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"a {module}{kind.__name__}"


def check_no_gradient(parameters: Sequence[Tensor]) -> None:
    """Refuse a closure that ran a backward pass.

    Args:
        parameters: those of the optimizer, whose gradients were cleared before the closure ran.

    Raises:
        InvalidValueError: where one of them has a gradient.
    """
    if any(p.grad is not None for p in parameters):
        raise InvalidValueError(
            "the closure called backward(); return (logits, targets) and leave that to step()"
        )


def check_graph(logits: Tensor) -> None:
    """Refuse logits that no gradient flows through.

    Args:
        logits: (N, C).

    Raises:
        InvalidValueError: where they do not require a gradient.
    """
    if not logits.requires_grad:
        raise InvalidValueError(
            "the closure's logits carry no gradient; run the model with gradients enabled and "
            "with a parameter that requires them"
        )
