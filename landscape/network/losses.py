"""Losses that give one value per sample, made from a user's function or torch module."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy


def sample_loss(loss: Any) -> SampleLoss:
    """Make a per-sample loss from a function or a torch loss module.

    >>> from torch.nn import CrossEntropyLoss
    >>> loss = sample_loss(CrossEntropyLoss())
    >>> loss(model(images[:64]), labels[:64]).shape
    torch.Size([64])

    Args:
        loss: a function of (logits, targets) or a torch loss module. A module that averages
            (``reduction="mean"``) is copied, and the copy does not.

    Returns:
        Logits (N, C) and targets (N,) -> one value a sample, (N,). It raises
        :class:`InvalidValueError` where the given loss returns anything else.

    Raises:
        InvalidValueError: for a module that sums, or whose mean is weighted by class: its value
            is no mean over samples; for anything else that is not a function.
    """
    if loss is cross_entropy or isinstance(loss, _Checked):
        return loss
    if isinstance(loss, nn.Module):
        loss = _unreduced(loss)
    if not callable(loss) or isinstance(loss, type):
        received = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
        raise InvalidValueError(
            f"loss is {received}; give a function of (logits, targets) or a torch loss module"
        )
    return _Checked(loss)


def _unreduced(loss: nn.Module) -> nn.Module:
    reduction, name = getattr(loss, "reduction", "none"), type(loss).__name__
    if reduction == "sum":
        raise InvalidValueError(f"{name} sums over the batch; give it reduction='none' or 'mean'")
    if reduction == "mean" and getattr(loss, "weight", None) is not None:
        raise InvalidValueError(
            f"{name} with class weights divides by the weights of the batch, so that no sample "
            "has a value of its own; give it reduction='none' or no weight"
        )
    loss = deepcopy(loss)
    if reduction == "mean":
        loss.reduction = "none"  # type: ignore[assignment]
    return loss


@dataclass(frozen=True)
class _Checked:
    function: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        if isinstance(self.function, nn.Module):
            self.function.to(logits.device)
        values: object = self.function(logits, targets)
        if isinstance(values, Tensor) and values.shape == targets.shape:
            return values
        received = (
            f"shape {tuple(values.shape)}"
            if isinstance(values, Tensor)
            else f"a {type(values).__name__}"
        )
        raise InvalidValueError(
            f"the loss returns {received}; it must return one value per sample, shape (N,), "
            "e.g. with reduction='none'"
        )
