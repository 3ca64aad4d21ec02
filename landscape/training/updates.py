"""One update of a model: calls an optimizer's step as it needs, and counts the passes."""

from collections.abc import Callable

import torch
from torch import Tensor

from landscape.metrics import SampleLoss
from landscape.optimizers.line_search.base import COUNTS, LineSearch
from landscape.runtime.nested import Nested, cloned

Batch = tuple[Nested, Nested]


class Updater:
    """Makes updates of a model, with the closure that the kind of optimizer asks for.

    Args:
        forward: inputs (N, …) -> the model's outputs, (N, …).
        optimizer: over the model's parameters.
        loss: (outputs, targets) -> values whose plain mean counts; a line search uses its own.
    """

    def __init__(
        self,
        forward: Callable[[Nested], Nested],
        optimizer: torch.optim.Optimizer,
        loss: SampleLoss,
    ) -> None:
        self._forward = forward
        self._optimizer = optimizer
        self._loss = loss
        self.passes = dict.fromkeys(COUNTS, 0)  # of an optimizer that does not count its own

    @property
    def counts(self) -> dict[str, int]:
        """Totals of each of :data:`COUNTS`; only a line search counts searches and their trials."""
        optimizer = self._optimizer
        return optimizer.counts if isinstance(optimizer, LineSearch) else dict(self.passes)

    def __call__(
        self, inputs: Nested, targets: Nested, search_batch: Callable[[], Batch] | None = None
    ) -> Tensor:
        """Make one update.

        Args:
            inputs: those of the batch, (N, …).
            targets: its targets, (N, …).
            search_batch: draws another batch, inputs and targets, on which a line search evaluates
                its step sizes; the same batch unless given.

        Returns:
            The batch's mean loss before the update, a detached scalar.
        """
        optimizer = self._optimizer
        if isinstance(optimizer, LineSearch):
            if search_batch is None or not optimizer.searches_next:
                return optimizer.step(lambda: (self._outputs(inputs), targets))
            others, labels = search_batch()
            return optimizer.step(
                lambda: (self._outputs(inputs), targets), lambda: (self._outputs(others), labels)
            )

        def closure() -> Tensor:
            """Mean loss of the batch and, where gradients are on, its gradient."""
            backward = torch.is_grad_enabled()
            if backward:
                optimizer.zero_grad(set_to_none=True)
            loss = self._loss(self._outputs(inputs), targets).mean()
            self.passes["forward_passes"] += 1
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
                self.passes["backward_passes"] += 1
            return loss

        self.passes["steps"] += 1
        loss = optimizer.step(closure)  # type: ignore[arg-type]
        return torch.as_tensor(loss).detach()

    def _outputs(self, inputs: Nested) -> Nested:
        # A copy: a model may work in place on its input, which the next evaluation needs as it was.
        return self._forward(cloned(inputs))
