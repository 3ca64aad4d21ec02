"""A measure: from a model's outputs and targets to the loss and the margin of every unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from landscape import arguments
from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.measures import kinds, users_loss
from landscape.network.measures.kinds import (
    Classes,
    Kind,
    Labels,
    Numbers,
    Probabilities,
)
from landscape.network.measures.units import Units
from landscape.network.measures.users_loss import IGNORED, OWN, UsersLoss
from landscape.runtime.nested import Nested, cloned, described, leaves, samples_of

# Classes of the batch with one sample of each: its logits are a square.
MOST_CLASSES = 1024
# The metrics that are stored unless others are asked for, by the second value of a unit.
DEFAULT_METRICS: Mapping[str | None, tuple[str, ...]] = {
    kinds.MARGIN: ("loss", "accuracy", "smooth_accuracy"),
    kinds.RESIDUAL: ("loss", "mean_absolute_error", "r_squared"),
    None: ("loss",),
}


@dataclass(frozen=True)
class Measure:
    """What is measured of outputs and targets: a loss, and what the targets are.

    Called with outputs and targets it gives the loss of each unit (sample, pixel or token), of
    which the plain mean is the loss of the batch; or, of a loss that gives nothing else, that mean.

    >>> measure = Measure(torch.nn.CrossEntropyLoss())
    >>> measure(model(images[:64]), labels[:64]).shape
    torch.Size([64])

    Attributes:
        loss: a function of (outputs, targets) or a torch loss module. One that averages is also
            asked for the values that it averages, and its mean is compared with ours. "model" is
            the loss that the model computes itself, its output's ``.loss``.
        kind: what the targets are: "classes", "labels" (0 or 1 each, outputs are logits),
            "probabilities" (likewise, outputs are probabilities) or "regression". Known of torch's
            own losses; else it follows from the shapes of outputs and targets.
        class_dim: the dimension of the logits that counts the classes, 1 or −1, where both fit.
        shift_labels: whether outputs are of the next token: those at t belong to the target at
            t + 1, and the last ones to none.
        ignore_index: the label of units that do not count; by default that of the loss, and of
            pixels and tokens −100.

    Raises:
        InvalidValueError: for a loss that sums over the batch, and for anything that is not
            allowed.
    """

    loss: Any = cross_entropy
    kind: str | None = None
    class_dim: int | None = None
    shift_labels: bool = False
    ignore_index: int | None = None
    _users: UsersLoss | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.kind is not None:
            arguments.one_of("kind", self.kind, users_loss.KINDS)
        for name in ("class_dim", "ignore_index"):
            if getattr(self, name) is not None:
                arguments.integer(name, getattr(self, name))
        arguments.flag("shift_labels", self.shift_labels)
        if self.own:
            return
        found = users_loss.users_loss(self.loss)
        if self.ignore_index is not None:
            found = replace(found, ignore_index=self.ignore_index)
        object.__setattr__(self, "_users", replace(found, kind=self.kind or found.kind))

    @property
    def own(self) -> bool:
        """Whether the model computes the loss itself."""
        return isinstance(self.loss, str) and self.loss == OWN

    @property
    def name(self) -> str:
        """What stores and messages call the loss."""
        return self._users.name if self._users else "the model's own loss"

    @property
    def unit(self) -> str:
        """The unit of the loss on axes: nats for a cross-entropy, else a pure number."""
        known = self._users.kind if self._users else users_loss.CLASSES
        return "1" if known in (None, users_loss.REGRESSION) else "nat"

    def default_metrics(self, targets: Nested) -> tuple[str, ...]:
        """Choose the metrics of which a slice is made unless others are asked for.

        Args:
            targets: those of at least one sample.

        Returns:
            Names in :data:`landscape.metrics.METRICS`.
        """
        if not isinstance(targets, Tensor):
            return DEFAULT_METRICS[None]
        known = self._users.kind if self._users else None
        if known == users_loss.REGRESSION:
            return DEFAULT_METRICS[kinds.RESIDUAL]
        classes = known is not None or not targets.is_floating_point()
        return DEFAULT_METRICS[kinds.MARGIN if classes else None]

    def check_metrics(self, names: Sequence[str]) -> None:
        """Refuse metrics that are made of the loss, where that is no cross-entropy.

        Args:
            names: of metrics.

        Raises:
            InvalidValueError: for focal loss where the loss is one of real numbers.
        """
        if "focal_loss" in names and self._users and self._users.kind == users_loss.REGRESSION:
            raise InvalidValueError(
                f"focal_loss is made of a cross-entropy, and the loss is {self.name}; leave it out"
            )

    def fit(self, outputs: Nested, targets: Nested) -> Kind:
        """Find what the targets are.

        Args:
            outputs: (N, …), as the model gives them.
            targets: (N, …).

        Returns:
            The kind.

        Raises:
            InvalidValueError: where outputs and targets do not fit each other or the loss.
        """
        outputs, targets = self._shifted(self._apart(outputs)[0], targets)
        known = self._users.kind if self._users else None
        index = self._users.ignore_index if self._users else self.ignore_index
        tensors = isinstance(outputs, Tensor) and isinstance(targets, Tensor)
        if known is None and not (tensors and not targets.is_floating_point()):
            return Kind()
        samples = samples_of(targets)
        if not tensors or outputs.ndim == 0 or len(outputs) != samples:
            raise InvalidValueError(self._misfit(outputs, targets))
        if known == users_loss.REGRESSION:
            if outputs.shape != targets.shape:
                raise InvalidValueError(
                    f"outputs of shape {tuple(outputs.shape)} and targets of shape "
                    f"{tuple(targets.shape)} differ, and a difference of them would be taken of "
                    "all pairs; give targets of the outputs' shape"
                )
            return Numbers()
        if known in (users_loss.LABELS, users_loss.PROBABILITIES):
            if _sizes(outputs) != _sizes(targets):
                raise InvalidValueError(self._misfit(outputs, targets))
            return Labels(known == users_loss.PROBABILITIES)
        if outputs.shape == targets.shape and outputs.ndim > 1 and known is not None:
            return Probabilities()
        if targets.is_floating_point():
            raise InvalidValueError(self._misfit(outputs, targets))
        plain = self._users is not None and self._users.function is cross_entropy
        if index is None and targets.ndim > 1 and (plain or self.own):
            index = IGNORED
        found = kinds.classes(outputs, targets, self.class_dim, index, not plain and not self.own)
        if found is None and known is not None:
            raise InvalidValueError(self._misfit(outputs, targets))
        return found or Kind()

    def units(self, kind: Kind, targets: Nested) -> Units:
        """Find the units of some samples.

        Args:
            kind: what the targets are.
            targets: (N, …).

        Returns:
            Their units.
        """
        targets = self._shifted_targets(targets)
        samples = samples_of(targets)
        each, keep = kind.each(targets), kind.keep(targets)
        kept = None if keep is None else keep.reshape(-1)
        labels = kind.unit_targets(targets)
        if labels is None:
            return Units(samples, each)
        ignores = isinstance(kind, Classes) and kind.ignore_index is not None
        flat = labels.reshape(-1) if kept is None else labels.reshape(-1)[kept]
        return Units(samples, each, flat, self._weight(kind, flat), kept, ignores)

    def values(self, kind: Kind, outputs: Nested, targets: Nested) -> Tensor:
        """Give the loss of each unit, not divided by weights.

        Args:
            kind: what the targets are.
            outputs: (N, …), as the model gives them; the loss may write to them.
            targets: (N, …).

        Returns:
            (N · units,) with those that do not count, (N,) of a loss that has one value a sample,
            or a scalar, their mean.

        Raises:
            InvalidValueError: where the loss returns anything else.
        """
        outputs, own = self._apart(outputs)
        if self._users is None:
            assert own is not None
            return own
        outputs, targets = self._shifted(outputs, targets)
        values = self._users.values(*self._arranged(kind, outputs, targets))
        samples = samples_of(targets)
        if values.numel() == 1 and (values.ndim == 0 or samples > 1):
            return values.reshape(())
        units = samples * kind.each(targets)
        shapes = [(samples,), (units,), *(tuple(each.shape) for _, each in leaves(targets))]
        if (labels := kind.unit_targets(targets)) is not None:
            shapes.append(tuple(labels.shape))
        # In another order than that of the targets it would not be known which do not count.
        if values.numel() in (samples, units) and tuple(values.shape) in shapes:
            return values.reshape(-1)
        raise InvalidValueError(
            f"the loss returns shape {tuple(values.shape)}; it must return one value per sample, "
            f"shape ({samples},), one for each target, or their mean"
        )

    def of_units(self, kind: Kind, outputs: Nested, targets: Nested) -> Tensor:
        """Give the margin or the residual of each unit.

        Args:
            kind: what the targets are.
            outputs: (N, …), as the model gives them.
            targets: (N, …).

        Returns:
            (N · units,), with those that do not count.
        """
        return kind.of_units(*self._shifted(self._apart(outputs)[0], targets))

    def predictions(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:
        """Give outputs and targets as a metric of a user's own takes them.

        Args:
            outputs: (N, …), as the model gives them.
            targets: (N, …).

        Returns:
            Copies of both, of the next token where labels are shifted.
        """
        outputs, targets = self._shifted(self._apart(outputs)[0], targets)
        return cloned(outputs), cloned(targets)

    def __call__(self, outputs: Nested, targets: Nested) -> Tensor:
        """Give values whose plain mean is the loss of the batch; differentiable.

        Args:
            outputs: (N, …), as the model gives them; the loss may write to them.
            targets: (N, …).

        Returns:
            (U,), (N,) or a scalar.
        """
        if self.loss is cross_entropy and _plain(outputs, targets):
            values: Tensor = cross_entropy(outputs, targets)
            return values
        kind = self.fit(outputs, targets)
        values = self.values(kind, outputs, targets)
        if not isinstance(kind, Classes) or values.ndim == 0:
            return values
        labels = self._shifted_targets(targets).reshape(-1)
        if len(values) != len(labels):
            return values
        weight = self._weight(kind, labels)
        if weight is None and kind.ignore_index is None:
            return values
        if weight is None:
            weight = (labels != kind.ignore_index).double()
        # Σ w·l / Σ w as a plain mean; the loss has multiplied by w.
        mean: Tensor = values * (len(values) / weight.sum()).to(values.dtype)
        return mean

    def margins(self, outputs: Nested, targets: Nested) -> Tensor:
        """Give the margin of each unit that counts, of a batch; differentiable.

        Args:
            outputs: (N, …), as the model gives them.
            targets: (N, …).

        Returns:
            (U,).

        Raises:
            InvalidValueError: where there are no classes.
        """
        kind = self.fit(outputs, targets)
        if kind.second != kinds.MARGIN:
            raise InvalidValueError(f"{self.name} has no classes, and so no margins")
        values = self.of_units(kind, outputs, targets)
        keep = kind.keep(self._shifted_targets(targets))
        return values if keep is None else values[keep.reshape(-1)]

    def check(self, kind: Kind, outputs: Nested, targets: Nested, what: str) -> None:
        """Refuse targets that do not fit the outputs.

        Args:
            kind: what the targets are.
            outputs: some of the model's outputs, of which the number of classes counts.
            targets: (N, …).
            what: whose targets they are, for the message.
        """
        # The outputs may be of another set, whose samples are padded to another length.
        kind.check(self._apart(outputs)[0], self._shifted_targets(targets), what)

    def check_mean(
        self, kind: Kind, outputs: Nested, targets: Nested, margins: bool = True
    ) -> None:
        """Refuse a loss whose own mean is not ours.

        Class weights, ignored classes and denominators of one's own show so, whatever they are
        called: the mean that the user's loss returns is compared with the mean of its values, once
        on the batch given and, of plain classes, once on one with every class. Where nothing but a
        mean is to be had for targets of several units a sample, that has to be the plain mean over
        the units whose margins are measured.

        Args:
            kind: what the targets are.
            outputs: (N, …), as the model gives them.
            targets: (N, …).
            margins: whether margins are measured.

        Raises:
            InvalidValueError: where the two means differ by more than rounding.
        """
        users = self._users
        predictions, labels = self._shifted(self._apart(outputs)[0], targets)
        if users is None or users.mean is None:
            if margins and isinstance(kind, Classes) and labels.ndim > 1:
                mean = self.values(kind, cloned(outputs), targets)
                self._require_units(kind, predictions, labels, mean)
            return
        batches = [("the first batch", predictions, labels)]
        if isinstance(kind, Classes) and labels.ndim == 1:
            batches.append(("a batch with one sample of each class", *_one_of_each(predictions)))
        for what, outputs_, targets_ in batches:
            wide = outputs_.detach()
            wide = wide.to(torch.promote_types(wide.dtype, torch.float32))
            ours = self._mean(kind, wide.clone(), targets_)
            theirs = users.own_mean(*self._arranged(kind, wide, targets_)).double()
            if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6, equal_nan=True):
                raise InvalidValueError(
                    f"{users.name} returns {theirs:.6g} on {what}, where the mean of its values is "
                    f"{ours:.6g}: it divides by something of its own, so that no slice of that "
                    "mean can be made of them; give it reduction='none', whose plain mean is then "
                    "probed, or a function that returns the mean"
                )

    def _mean(self, kind: Kind, outputs: Tensor, targets: Tensor) -> Tensor:
        """Σ w·l / Σ w in float64."""
        assert self._users is not None
        arranged = self._arranged(kind, outputs, targets)
        values = self._users.values(*arranged).double().reshape(-1)
        units = replace(self, shift_labels=False).units(kind, targets)
        if len(values) != len(targets) * units.each:
            return values.mean()
        kept = units.kept(values, slice(None))
        return kept.mean() if units.weight is None else kept.sum() / units.weight.sum()

    def _require_units(self, kind: Classes, outputs: Tensor, targets: Tensor, mean: Tensor) -> None:
        """Refuse margins of other units than those that a loss averages over."""
        ours = replace(self, loss=cross_entropy, shift_labels=False, ignore_index=kind.ignore_index)
        plain = ours._mean(kind, outputs.detach().float(), targets)
        if mean.ndim == 0 and not torch.allclose(plain, mean.double(), rtol=1e-3, atol=1e-5):
            raise InvalidValueError(
                f"{self.name} gives {mean:.6g} on the first batch, where the cross-entropy over "
                f"its {targets.numel()} targets is {plain:.6g}, so that accuracies might be of "
                "other targets than the loss; give Measure(…, shift_labels=True) if outputs are "
                "of the next token, the ignore_index, or metrics='loss'"
            )

    def _arranged(self, kind: Kind, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:
        arranges = self._users is not None and self._users.arranges
        return kind.for_loss(outputs, targets) if arranges else (outputs, targets)

    def _apart(self, outputs: Nested) -> tuple[Nested, Tensor | None]:
        return outputs if self.own else (outputs, None)

    def _shifted(self, outputs: Nested, targets: Nested) -> tuple[Nested, Nested]:
        if not self.shift_labels:
            return outputs, targets
        if not isinstance(targets, Tensor) or targets.ndim < 2:
            raise InvalidValueError(
                f"shift_labels is for targets (N, T) of tokens; they have {described(targets)}"
            )
        last = self.class_dim != 1 and outputs.shape[1] == targets.shape[1]
        shifted = outputs[:, :-1] if last else outputs[:, :, :-1]
        return shifted, targets[:, 1:]

    def _shifted_targets(self, targets: Nested) -> Nested:
        return targets[:, 1:] if self.shift_labels else targets

    def _weight(self, kind: Kind, labels: Tensor) -> Tensor | None:
        """The class weights of labels, (U,) float64; 0 for those that are ignored."""
        users = self._users
        if users is None or users.weight is None or not isinstance(kind, Classes):
            return None
        weight = users.weight.detach().double().to(labels.device)
        if users.smooths and bool((weight == 0).any()):
            raise InvalidValueError(
                f"{users.name} smooths labels and gives a class the weight 0, so that its samples "
                "have a loss without a weight; choose one of the two"
            )
        if kind.ignore_index is None:
            return weight[labels]
        ignored = labels == kind.ignore_index
        return weight[labels.masked_fill(ignored, 0)].masked_fill(ignored, 0.0)

    @cached_property
    def described(self) -> str:
        """The loss and how it is measured in one line, as a store keeps it."""
        users = self._users
        said = {
            "kind": users.kind if users else None,
            "class_dim": self.class_dim,
            "shift_labels": self.shift_labels or None,
            "ignore_index": users.ignore_index if users else self.ignore_index,
            "weight": users.weight.tolist() if users and users.weight is not None else None,
        }
        told = (f"{name}={value}" for name, value in said.items() if value is not None)
        return f"{self.name} ({', '.join(told) or 'as it is'})"

    def _misfit(self, outputs: Any, targets: Any) -> str:
        shape = described(outputs)
        said = f"the model's output has {shape}, and the targets {described(targets)}"
        if isinstance(targets, Tensor) and targets.ndim == 1 and not targets.is_floating_point():
            return (
                f"{said}; for class labels, logits of shape ({len(targets)}, classes) are needed, "
                "for one logit each loss=torch.nn.BCEWithLogitsLoss()"
            )
        if isinstance(targets, Tensor) and targets.is_floating_point():
            return (
                f"{said}; {self.name} needs class labels, or probabilities in the outputs' shape; "
                "for numbers, give loss=torch.nn.MSELoss(), for labels of 0 or 1 "
                "BCEWithLogitsLoss()"
            )
        return (
            f"{said}, which fit no measure: class labels (N, …) need logits (N, classes, …) or "
            "(N, …, classes); name another part of the output (output=…), or give a loss of your "
            "own, a function of (outputs, targets)"
        )


def as_measure(loss: Any) -> Measure:
    """Make a measure of a loss.

    Args:
        loss: a :class:`Measure`, or what it takes as its loss.

    Returns:
        The measure.
    """
    return loss if isinstance(loss, Measure) else Measure(loss)


def _sizes(tensor: Tensor) -> list[int]:
    """The shape, but for dimensions of size 1 after the first."""
    return [len(tensor), *(size for size in tensor.shape[1:] if size != 1)]


def _plain(outputs: Nested, targets: Nested) -> bool:
    return (
        isinstance(outputs, Tensor)
        and isinstance(targets, Tensor)
        and outputs.ndim == 2
        and targets.ndim == 1
        and len(outputs) == len(targets)
        and not targets.is_floating_point()
    )


def _one_of_each(logits: Tensor) -> tuple[Tensor, Tensor]:
    classes = min(logits.shape[1], MOST_CLASSES)
    each = torch.arange(classes, device=logits.device)
    made = torch.sin(torch.arange(classes * logits.shape[1], device=logits.device) ** 2 % 97.0)
    return made.view(classes, -1).to(logits.dtype), each
