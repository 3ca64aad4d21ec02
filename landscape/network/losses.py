"""Losses that give one value per sample, made from a user's function or torch module."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy

# Classes of the batch with one sample of each: its logits are a square.
MOST_CLASSES = 1024


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
    averaging = None
    if isinstance(loss, nn.Module):
        averaging = loss if getattr(loss, "reduction", None) == "mean" else None
        loss = _unreduced(loss)
    if not callable(loss) or isinstance(loss, type):
        received = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
        raise InvalidValueError(
            f"loss is {received}; give a function of (logits, targets) or a torch loss module"
        )
    return _Checked(loss, averaging)


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


def check_mean(loss: SampleLoss, logits: Tensor, targets: Tensor) -> None:
    """Refuse a loss whose own mean is not the mean over the samples.

    Class weights, ignored classes and denominators of one's own show so, whatever they are called:
    the mean that the user's module returns is compared with the mean of its values, once on
    the batch given and once on one with every class.

    Args:
        loss: as :func:`sample_loss` makes it.
        logits: (N, C), a model's output.
        targets: class labels, (N,), int64.

    Raises:
        InvalidValueError: where the two means differ by more than rounding.
    """
    if not isinstance(loss, _Checked) or loss.averaging is None:
        return
    classes = min(logits.shape[1], MOST_CLASSES)
    each = torch.arange(classes, device=targets.device)
    made = torch.sin(torch.arange(classes * logits.shape[1], device=logits.device) ** 2 % 97.0)
    for what, outputs, labels in (
        ("the first batch", logits.detach(), targets),
        ("a batch with one sample of each class", made.view(classes, -1).to(logits.dtype), each),
    ):
        wide = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        ours = loss(wide, labels).double().mean()
        theirs = loss.mean(wide, labels).double()
        if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise InvalidValueError(
                f"{type(loss.averaging).__name__} returns {theirs:.6g} on {what}, where the mean "
                f"over the samples is {ours:.6g}: it weighs samples or leaves some out, so that "
                "no slice of that mean can be made of one value a sample; give it "
                "reduction='none', whose plain mean is then probed, or no weights"
            )


@dataclass(frozen=True)
class _Checked:
    """A loss with one value a sample; of a module that averages, that module too."""

    function: Callable[[Tensor, Tensor], Tensor]
    averaging: nn.Module | None = None

    def mean(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What the user's own module returns."""
        assert self.averaging is not None
        module = deepcopy(self.averaging).to(logits.device)
        value: Tensor = module(logits.clone(), targets.clone())
        return value

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        if isinstance(self.function, nn.Module):
            self.function.to(logits.device)
        # The labels may be the user's own memory, and a loss may write to what it is given.
        values: object = self.function(logits, targets.clone())
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
