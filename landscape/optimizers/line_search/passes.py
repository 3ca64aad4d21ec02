"""The forward and backward passes of one step, counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from landscape.errors import InvalidValueError, users_code
from landscape.metrics import SampleLoss
from landscape.optimizers.line_search.closures import (
    Closure,
    check_graph,
    check_no_gradient,
    checked,
    mean,
)


@dataclass(frozen=True)
class Start:
    """h at step size 0.

    Attributes:
        value: h(0), a scalar.
        gradient: parameter -> ∇h, of its shape; None where it is ∇L or not needed.
    """

    value: Tensor
    gradient: Mapping[Tensor, Tensor] | None = None


class Passes:
    """The passes of one step.

    Args:
        group: the first parameter group, with the settings and the counts.
        loss: (logits, targets) -> what is descended: one value per sample, (N,), or their mean.
        h: (logits, targets) -> what is searched: the same.
        may_be_exact: whether the slope may be taken by autograd where the logits are too narrow
            for a finite difference.

    Attributes:
        exact: whether the slope is taken by autograd.
    """

    def __init__(
        self, group: dict[str, Any], loss: SampleLoss, h: SampleLoss, may_be_exact: bool
    ) -> None:
        self._group = group
        self._loss = loss
        self._h = h
        self._may_be_exact = may_be_exact and group["preset"] == "robust"
        self._first: Tensor | None = None
        self.exact = group["slope"] == "autograd"

    def gradient(
        self, closure: Closure, parameters: Sequence[Tensor], with_h: bool
    ) -> tuple[Tensor, Start | None]:
        """Set ``p.grad`` to ∇L, and take h(0) from the same forward pass if it is wanted.

        Args:
            closure: () -> (logits (N, C), targets (N,)).
            parameters: those of the optimizer, at θ.
            with_h: whether h(0) is wanted.

        Returns:
            The mean loss, a detached scalar, and h(0) or None.

        Raises:
            InvalidValueError: for a closure or a loss that cannot be used, or where no parameter
                gets a gradient.
        """
        for p in parameters:
            p.grad = None
        with torch.enable_grad():
            logits, targets = self._forward(closure, parameters)
            check_no_gradient(parameters)
            check_graph(logits)
            with users_code("the loss"):
                losses = self._loss(logits, targets)
                loss = mean(losses.detach(), targets)
            start = None
            if with_h and self._h is self._loss:
                start = Start(self._mean(losses.detach(), targets))
            elif with_h:
                start = self._start(logits, targets, parameters, retain_graph=True)
            # ∇ of the mean; passing its weights saves the graph two nodes.
            with users_code("the gradient of the loss"):
                weights = torch.full_like(losses, 1 / losses.numel())
                losses.backward(weights)  # type: ignore[no-untyped-call]
            self._group["backward_passes"] += 1
        if all(p.grad is None for p in parameters):
            raise InvalidValueError(
                "none of the optimizer's parameters has a gradient; give it parameters that the "
                "closure's model uses and that require one"
            )
        return loss, start

    def start(self, closure: Closure, parameters: Sequence[Tensor]) -> Start:
        """h(0) where the parameters are, from a forward pass of its own.

        Args:
            closure: () -> (logits (N, C), targets (N,)).
            parameters: those of the optimizer, at θ.

        Returns:
            h(0), and ∇h if the slope is taken by autograd.
        """
        with torch.set_grad_enabled(self.exact):
            logits, targets = self._forward(closure, parameters)
            if self.exact:
                check_graph(logits)
            return self._start(logits, targets, parameters, retain_graph=False)

    def h(self, closure: Closure, parameters: Sequence[Tensor]) -> Tensor:
        """The value that is searched, where the parameters are.

        Args:
            closure: () -> (logits (N, C), targets (N,)).
            parameters: those of the optimizer, moved to the step size.

        Returns:
            A scalar.
        """
        logits, targets = self._forward(closure, parameters)
        return self._searched(logits, targets)

    def _start(
        self, logits: Tensor, targets: Tensor, parameters: Sequence[Tensor], *, retain_graph: bool
    ) -> Start:
        if not self.exact:
            return Start(self._searched(logits.detach(), targets))
        value = self._searched(logits, targets)
        trained = [p for p in parameters if p.requires_grad]
        with users_code("the gradient of the searched metric"):
            of_h = torch.autograd.grad(
                value, trained, retain_graph=retain_graph, materialize_grads=True
            )
        self._group["backward_passes"] += 1
        return Start(value.detach(), dict(zip(trained, of_h, strict=True)))

    def _forward(self, closure: Closure, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """One evaluation of the closure, checked; logits in at least float32."""
        versions = [p._version for p in parameters]
        self._group["forward_passes"] += 1
        logits, targets = checked(closure())
        if self._first is None:
            self._first = logits
        elif logits is self._first:
            raise InvalidValueError(
                "the closure returned the same logits again; run the model inside of it"
            )
        if [p._version for p in parameters] != versions:
            raise InvalidValueError(
                "the parameters moved while the closure ran; it must evaluate the model and "
                "leave every step to the optimizer"
            )
        if logits.dtype not in (torch.float32, torch.float64):
            # ε · ∇L is below what such logits resolve.
            self.exact = self.exact or self._may_be_exact
            logits = logits.float()
        return logits, targets

    def _searched(self, logits: Tensor, targets: Tensor) -> Tensor:
        with users_code("the searched metric"):
            return self._mean(self._h(logits, targets), targets)

    def _mean(self, values: Tensor, targets: Tensor) -> Tensor:
        """The mean that is searched: in float64, so that small differences survive it."""
        narrow = self._group["preset"] == "thesis" or values.device.type == "mps"
        return mean(values, targets, None if narrow else torch.float64)
