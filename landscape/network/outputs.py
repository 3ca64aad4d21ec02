"""What a model's output and its labels must be before anything is computed from them."""

from typing import Any

from torch import Tensor

from landscape.errors import InvalidValueError


def count_classes(logits: Any, samples: int) -> int:
    """The number of classes of a model's output, whose shape is checked.

    Args:
        logits: what the model returned; (samples, classes) is allowed.
        samples: how many samples it was run on.

    Returns:
        The number of classes.

    Raises:
        InvalidValueError: for anything but a tensor of that shape.
    """
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != samples:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InvalidValueError(
            f"the model's output has shape {shape}; logits of shape ({samples}, classes) are needed"
        )
    return logits.shape[1]


def check_targets(targets: Tensor, classes: int, what: str) -> None:
    """Refuse labels outside of 0 … classes − 1.

    Args:
        targets: class labels, (N,), of an integer dtype; at least one.
        classes: the number of the model's outputs.
        what: whose labels they are, for the message.

    Raises:
        InvalidValueError: for a label out of range.
    """
    low, high = (int(t) for t in targets.aminmax())
    if low < 0 or high >= classes:
        raise InvalidValueError(
            f"the labels of {what} run from {low} to {high}; the model has {classes} outputs, "
            f"so 0 to {classes - 1} are allowed"
        )
