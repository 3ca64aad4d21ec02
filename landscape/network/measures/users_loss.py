"""A user's loss: its value for each unit, and the mean that it returns itself."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.runtime.nested import Nested, cloned, device_of

# What the losses of torch take: logits or log-probabilities of classes, one logit for each label,
# one probability for each label, or real numbers.
CLASSES, LABELS, PROBABILITIES, REGRESSION = "classes", "labels", "probabilities", "regression"
KINDS = (CLASSES, LABELS, PROBABILITIES, REGRESSION)
_KIND_OF: Mapping[Any, str] = MappingProxyType(
    {
        **dict.fromkeys((nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss), CLASSES),
        **dict.fromkeys((F.cross_entropy, F.nll_loss, F.multi_margin_loss, cross_entropy), CLASSES),
        **dict.fromkeys((nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits), LABELS),
        **dict.fromkeys((nn.BCELoss, F.binary_cross_entropy), PROBABILITIES),
        **dict.fromkeys((nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss), REGRESSION),
        **dict.fromkeys((F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss), REGRESSION),
    }
)
# Those whose mean is divided by the weights of the batch's classes.
_WEIGHTED = (nn.CrossEntropyLoss, nn.NLLLoss, F.cross_entropy, F.nll_loss)
IGNORED = -100  # by torch's losses, and by ours of pixels and tokens
OWN = "model"  # the loss that the model computes itself


@dataclass(frozen=True)
class UsersLoss:
    """A loss, taken apart.

    Attributes:
        name: what messages call it.
        kind: one of :data:`KINDS`, of torch's own losses; None of any other.
        function: (outputs, targets) -> one value a unit or a sample or, where nothing else is to
            be had, their mean.
        mean: (outputs, targets) -> what the user's loss returns, where it averages and
            ``function`` does not; None for no such loss.
        weight: weights of the classes, (C,), by which the mean is divided; None for none.
        ignore_index: the label of units that do not count; None for none.
        smooths: whether labels are smoothed.
        arranges: whether outputs and targets are arranged as torch's losses take them; a user's
            own function gets them as they are.
    """

    name: str
    kind: str | None
    function: Callable[[Nested, Nested], Any]
    mean: Callable[[Nested, Nested], Any] | None = None
    weight: Tensor | None = None
    ignore_index: int | None = None
    smooths: bool = False
    arranges: bool = False

    def values(self, outputs: Nested, targets: Nested) -> Tensor:
        """Call the loss.

        Args:
            outputs: (N, …); the loss may write to them.
            targets: (N, …); they may be the user's own memory, and are copied.

        Returns:
            Whatever the loss returns, a tensor.

        Raises:
            InvalidValueError: where it returns anything else.
        """
        if self.function is cross_entropy:
            index = IGNORED if self.ignore_index is None else self.ignore_index
            return cross_entropy(outputs, targets, index)
        if isinstance(self.function, nn.Module):
            self.function.to(device_of(outputs))
        values: object = self.function(outputs, cloned(targets))
        if not isinstance(values, Tensor):
            raise InvalidValueError(
                f"the loss returns a {type(values).__name__}; it must return one value for each "
                "sample, shape (N,), for each target, or their mean, all of them a tensor"
            )
        return values

    def own_mean(self, outputs: Nested, targets: Nested) -> Tensor:
        """Call the loss as the user made it.

        Args:
            outputs: (N, …).
            targets: (N, …).

        Returns:
            The mean that it returns, a scalar.
        """
        assert self.mean is not None
        mean = self.mean
        if isinstance(mean, nn.Module):
            mean = deepcopy(mean).to(device_of(outputs))
        value: Tensor = mean(cloned(outputs), cloned(targets))
        return value


def users_loss(loss: Any) -> UsersLoss:
    """Take a loss apart.

    Args:
        loss: a function of (outputs, targets), or a torch loss module. What has a ``reduction`` to
            the mean is asked for its values without it, and for the mean to compare with.

    Returns:
        Its parts.

    Raises:
        InvalidValueError: for one that sums over the batch, and for anything that is no function.
    """
    if isinstance(loss, nn.Module):
        return _of_module(loss)
    if not callable(loss) or isinstance(loss, type):
        received = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
        raise InvalidValueError(
            f"loss is {received}; give a function of (outputs, targets), a torch loss module, or "
            f"{OWN!r} for the loss that the model computes itself"
        )
    return _of_function(loss)


def _of_module(loss: nn.Module) -> UsersLoss:
    name, reduction = type(loss).__name__, getattr(loss, "reduction", "none")
    _refuse_sum(name, reduction)
    known = (kind for c, kind in _KIND_OF.items() if isinstance(c, type) and isinstance(loss, c))
    kind = next(known, None)
    values = deepcopy(loss)
    if reduction == "mean":
        values.reduction = "none"  # type: ignore[assignment]
    weighted = isinstance(loss, _WEIGHTED[:2]) and reduction == "mean"
    weight = getattr(loss, "weight", None) if weighted else None
    return UsersLoss(
        name,
        kind,
        values,
        loss if reduction == "mean" else None,
        weight,
        _index(getattr(loss, "ignore_index", None)),
        bool(getattr(loss, "label_smoothing", 0)),
        kind is not None,
    )


def _of_function(loss: Callable[..., Any]) -> UsersLoss:
    function = loss.func if isinstance(loss, partial) else loss
    known = loss.keywords if isinstance(loss, partial) else {}
    name = getattr(function, "__name__", type(function).__name__)
    try:
        parameters = dict(inspect.signature(loss).parameters)
    except (TypeError, ValueError):  # a builtin that does not describe its arguments
        parameters = {}
    kind = _KIND_OF.get(function) if getattr(function, "__hash__", None) else None

    def given(argument: str) -> Any:
        default = parameters[argument].default if argument in parameters else None
        return known.get(argument, None if default is inspect.Parameter.empty else default)

    reduction = given("reduction")
    _refuse_sum(name, reduction)
    averages = reduction == "mean"
    weighted = averages and function in _WEIGHTED[2:]
    return UsersLoss(
        name,
        kind,
        partial(loss, reduction="none") if averages else loss,
        loss if averages else None,
        given("weight") if weighted else None,
        # Ours ignores pixels and tokens, not samples.
        None if function is cross_entropy else _index(given("ignore_index")),
        bool(given("label_smoothing")),
        kind is not None,
    )


def _index(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _refuse_sum(name: str, reduction: Any) -> None:
    if reduction == "sum":
        raise InvalidValueError(
            f"{name} sums over the batch, so that its gradient grows with the batch; give it "
            "reduction='none' or 'mean'"
        )
