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
from landscape.optimizers.line_search.line import narrow


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
        may_be_exact: whether the slope may be taken by autograd where ε is lost in logits or
            parameters too narrow for a finite difference.

    Attributes:
        exact: whether the slope is taken by autograd.
        may_be_exact: whether it may be, by the preset too.
    """

    def __init__(
        self, group: dict[str, Any], loss: SampleLoss, h: SampleLoss, may_be_exact: bool
    ) -> None:
        self._group = group
        self._loss = loss
        self._h = h
        self.may_be_exact = may_be_exact and group["preset"] == "robust"
        self._first: Tensor | None = None
        self._at_start: Tensor | None = None  # the logits that gave h(0)
        self._logits_dtype = torch.float32
        self.exact = group["slope"] == "autograd"

    def watched(self, closure: Closure, parameters: Sequence[Tensor], *, gradients: bool) -> None:
        """One evaluation of which nothing is kept; it is not counted.

        Args:
            closure: () -> (logits (N, C), targets (N,)).
            parameters: those of the optimizer, at θ; their gradients are cleared.
            gradients: whether gradients are enabled.

        Raises:
            InvalidValueError: for a closure that cannot be used.
        """
        for p in parameters:
            p.grad = None
        with torch.set_grad_enabled(gradients):
            self._evaluated(closure, parameters)
            check_no_gradient(parameters)

    def repeats(self, closure: Closure, parameters: Sequence[Tensor]) -> Tensor:
        """Whether one more evaluation, not counted, gives the logits that gave h(0).

        Args:
            closure: () -> (logits (N, C), targets (N,)).
            parameters: those of the optimizer, at θ.

        Returns:
            A scalar: 1 where they agree up to rounding, else 0.
        """
        first = self._at_start
        assert first is not None
        again = self._evaluated(closure, parameters)[0].to(first.dtype)
        if again.shape != first.shape:
            return torch.zeros((), device=again.device)
        largest = first.where(first.isfinite(), 0).abs().max()
        rounding = torch.finfo(self._logits_dtype).eps ** 0.5
        near = (again - first).abs() <= rounding * largest
        same = near | (again == first) | (again.isnan() & first.isnan())
        all_same: Tensor = same.all()
        return all_same.float()

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
        self._avoid_eps(*parameters)
        with torch.enable_grad():
            logits, targets = self._forward(closure, parameters)
            check_no_gradient(parameters)
            check_graph(logits)
            with users_code("the loss"):
                losses = self._loss(logits, targets)
                loss = mean(losses.detach(), targets)
            start = None
            if with_h:
                self._at_start = logits.detach()
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
            self._at_start = logits.detach()
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
        """One evaluation of the closure, counted and checked; logits in at least float32."""
        self._group["forward_passes"] += 1
        logits, targets = self._evaluated(closure, parameters)
        if self._first is None:
            self._first = logits
        elif logits is self._first:
            raise InvalidValueError(
                "the closure returned the same logits again; run the model inside of it"
            )
        self._logits_dtype = logits.dtype
        self._avoid_eps(logits)
        return (logits.float() if narrow(logits.dtype) else logits), targets

    def _avoid_eps(self, *tensors: Tensor) -> None:
        """Take the slope by autograd, if allowed, where ε · ∇L is below what tensors resolve."""
        if self.may_be_exact and not self.exact:
            self.exact = any(narrow(dtype) for dtype in {t.dtype for t in tensors})

    def _evaluated(self, closure: Closure, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """One evaluation of the closure, checked."""
        versions = [p._version for p in parameters]
        logits, targets = checked(closure())
        if [p._version for p in parameters] != versions:
            raise InvalidValueError(
                "the parameters moved while the closure ran; it must evaluate the model and "
                "leave every step to the optimizer"
            )
        return logits, targets

    def _searched(self, logits: Tensor, targets: Tensor) -> Tensor:
        with users_code("the searched metric"):
            return self._mean(self._h(logits, targets), targets)

    def _mean(self, values: Tensor, targets: Tensor) -> Tensor:
        """The mean that is searched: in float64, so that small differences survive it."""
        narrow = self._group["preset"] == "thesis" or values.device.type == "mps"
        return mean(values, targets, None if narrow else torch.float64)
