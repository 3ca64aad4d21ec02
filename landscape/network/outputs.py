"""What a model's output and its labels must be, before anything is made of them."""

from typing import Any

from torch import Tensor

from landscape.errors import InvalidValueError


def count_classes(logits: Any, samples: int) -> int:
    """The number of classes of ``logits`` (samples, classes); refuses any other shape."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != samples:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InvalidValueError(
            f"the model's output has shape {shape}; logits of shape ({samples}, classes) are needed"
        )
    return logits.shape[1]


def check_targets(targets: Tensor, classes: int, what: str) -> None:
    """Refuse ``targets`` (N,) outside of 0 … classes − 1; ``what`` names them in the message."""
    low, high = (int(t) for t in targets.aminmax())
    if low < 0 or high >= classes:
        raise InvalidValueError(
            f"the labels of {what} run from {low} to {high}; the model has {classes} outputs, "
            f"so 0 to {classes - 1} are allowed"
        )
