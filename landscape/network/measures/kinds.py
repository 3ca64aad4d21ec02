"""What targets are, and which values of each unit outputs and targets give.

Each kind arranges outputs and targets for the loss, says which units count, and gives the second
value of a unit beside its loss: the margin where there are classes or labels, the residual where
there are numbers.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor

from landscape.errors import InvalidValueError
from landscape.metrics import margin
from landscape.runtime.nested import Nested

MARGIN, RESIDUAL = "margin", "residual"


class Kind:
    """A kind of target; this one is anything of which only a user's own loss makes something.

    Attributes:
        second: the value of a unit beside its loss: "margin", "residual" or None.
    """

    second: ClassVar[str | None] = None

    def for_loss(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:
        """Arrange outputs and targets as torch's losses take them.

        Args:
            outputs: (N, …).
            targets: (N, …).

        Returns:
            Both.
        """
        return outputs, targets

    def unit_targets(self, targets: Nested) -> Tensor | None:
        """Give the target of each unit.

        Args:
            targets: (N, …).

        Returns:
            (N, …units); of probabilities, the most probable class; None where only a user's loss
            knows what they are.
        """
        return torch.as_tensor(targets) if self.second else None

    def each(self, targets: Nested) -> int:
        """Count the units of a sample.

        Args:
            targets: (N, …).

        Returns:
            How many there are.
        """
        return prod(targets.shape[1:]) if self.second else 1

    def keep(self, targets: Nested) -> Tensor | None:  # noqa: ARG002
        """Say which units count.

        Args:
            targets: (N, …).

        Returns:
            (N, …units), bool; None where all do.
        """
        return None

    def of_units(self, outputs: Nested, targets: Nested) -> Tensor:
        """Give the second value of each unit.

        Args:
            outputs: (N, …).
            targets: (N, …).

        Returns:
            (N · each,).
        """
        raise NotImplementedError

    def check(self, outputs: Nested, targets: Nested, what: str) -> None:
        """Refuse targets that do not fit the outputs.

        Args:
            outputs: some of the model's outputs, of which the number of classes counts.
            targets: (N, …), of any number of samples.
            what: whose targets they are, for the message.
        """


@dataclass(frozen=True)
class Classes(Kind):
    """One class of several for each unit: labels (N, …), logits (N, C, …) or (N, …, C).

    Attributes:
        last: whether the classes are the last dimension, not the one after the samples.
        ignore_index: the label of units that do not count; None for none.
    """

    last: bool
    ignore_index: int | None = None
    second: ClassVar[str | None] = MARGIN

    def for_loss(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:  # noqa: D102
        # torch's losses take (n, C) and (n,) of every number of units.
        if self.last and outputs.ndim > 2:
            return outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
        return outputs, targets

    def keep(self, targets: Nested) -> Tensor | None:  # noqa: D102
        if self.ignore_index is None:
            return None
        keep: Tensor = targets != self.ignore_index
        return None if bool(keep.all()) else keep

    def of_units(self, outputs: Nested, targets: Nested) -> Tensor:  # noqa: D102
        if self.ignore_index is not None:  # a place in the logits is looked up for every unit
            targets = targets.masked_fill(targets == self.ignore_index, 0)
        rows, labels = self.for_loss(outputs, targets)
        return margin(rows, labels).reshape(-1)

    def check(self, outputs: Nested, targets: Nested, what: str) -> None:  # noqa: D102
        classes = outputs.shape[-1 if self.last else 1]
        counted = targets
        if self.ignore_index is not None:
            counted = targets[targets != self.ignore_index]
        if not counted.numel():
            raise InvalidValueError(
                f"every target of {what} is {self.ignore_index}, which is ignored; give some that "
                "count"
            )
        low, high = (int(t) for t in counted.aminmax())
        if low < 0 or high >= classes:
            hint = ""
            if classes == 1:
                hint = "; for one logit, give loss=torch.nn.BCEWithLogitsLoss()"
            elif low < 0 and self.ignore_index is None:
                hint = "; give a loss with ignore_index if some are to be ignored"
            raise InvalidValueError(
                f"the labels of {what} run from {low} to {high}; the model has {classes} outputs, "
                f"so 0 to {classes - 1} are allowed{hint}"
            )


@dataclass(frozen=True)
class Probabilities(Kind):
    """Probabilities of the classes of each unit, soft or one-hot: targets and logits (N, C, …)."""

    second: ClassVar[str | None] = MARGIN

    def for_loss(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:  # noqa: D102
        return outputs, targets.to(outputs.dtype)

    def unit_targets(self, targets: Nested) -> Tensor | None:  # noqa: D102
        label: Tensor = targets.argmax(1)
        return label

    def each(self, targets: Nested) -> int:  # noqa: D102
        return prod(targets.shape[2:])

    def of_units(self, outputs: Nested, targets: Nested) -> Tensor:  # noqa: D102
        return margin(outputs, targets.argmax(1)).reshape(-1)

    def check(self, outputs: Nested, targets: Nested, what: str) -> None:  # noqa: ARG002, D102
        sums = targets.double().sum(1)
        if not bool(((targets >= 0).all() & ((sums - 1).abs() < 1e-3)).all()):
            raise InvalidValueError(
                f"the targets of {what}, of shape {tuple(targets.shape)}, are no probabilities of "
                "classes, which sum to 1; for several labels a sample, give "
                "loss=torch.nn.BCEWithLogitsLoss(), for numbers torch.nn.MSELoss()"
            )


@dataclass(frozen=True)
class Labels(Kind):
    """Labels that hold or not, 0 or 1 each: outputs and targets of one shape.

    Attributes:
        probabilities: whether outputs are probabilities, not logits.
    """

    probabilities: bool = False
    second: ClassVar[str | None] = MARGIN

    def for_loss(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:  # noqa: D102
        return outputs.reshape(targets.shape), targets.to(outputs.dtype)

    def of_units(self, outputs: Nested, targets: Nested) -> Tensor:  # noqa: D102
        wide = outputs.to(torch.promote_types(outputs.dtype, torch.float32)).reshape(-1)
        # p − (1 − p) = 2σ(z) − 1 = tanh(z/2)
        held = 2 * wide - 1 if self.probabilities else torch.tanh(wide / 2)
        return torch.where(targets.reshape(-1) > 0.5, held, -held)

    def check(self, outputs: Nested, targets: Nested, what: str) -> None:  # noqa: ARG002, D102
        if not bool(((targets >= 0) & (targets <= 1)).all()):
            low, high = targets.aminmax()
            raise InvalidValueError(
                f"the targets of {what} run from {low:g} to {high:g}; labels that hold or not are "
                "0 or 1, or probabilities between"
            )


@dataclass(frozen=True)
class Numbers(Kind):
    """Real numbers, as in regression: outputs and targets of one shape."""

    second: ClassVar[str | None] = RESIDUAL

    def for_loss(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:  # noqa: D102
        return outputs, targets.to(outputs.dtype)

    def of_units(self, outputs: Nested, targets: Nested) -> Tensor:  # noqa: D102
        wide = torch.promote_types(outputs.dtype, torch.float32)
        residual: Tensor = outputs.to(wide) - targets.to(wide)
        return residual.reshape(-1)


def classes(
    outputs: Any, targets: Tensor, dim: int | None, ignore_index: int | None, prefers_first: bool
) -> Classes | None:
    """Find the dimension of the classes.

    Args:
        outputs: logits, a tensor with one dimension more than the targets.
        targets: class labels (N, …).
        dim: the dimension where it is given, 1 or −1.
        ignore_index: the label of units that do not count.
        prefers_first: whether dimension 1 is meant where both would fit, as torch's losses do.

    Returns:
        The kind; None where no dimension fits.

    Raises:
        InvalidValueError: where both fit and none is meant.
    """
    shape, wanted = tuple(outputs.shape), tuple(targets.shape)
    first = len(shape) > 1 and shape[:1] + shape[2:] == wanted
    last = len(shape) > 1 and shape[:-1] == wanted
    if dim is not None:
        first, last = first and dim in (1, 1 - len(shape)), last and dim in (-1, len(shape) - 1)
    elif first and last and len(shape) > 2:
        if not prefers_first:
            raise InvalidValueError(
                f"outputs of shape {shape} for targets of shape {wanted} have their classes in "
                "dimension 1 or in the last; say which, as in Measure(class_dim=-1)"
            )
        last = False
    return Classes(last and not first, ignore_index) if first or last else None
