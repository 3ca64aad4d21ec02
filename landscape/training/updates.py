"""One update of a model: what an optimizer's step needs, and what it took."""

from collections.abc import Callable

import torch
from torch import Tensor

from landscape.metrics import SampleLoss
from landscape.optimizers.line_search.base import COUNTS, LineSearch

Batch = tuple[Tensor, Tensor]


class Updater:
    """Steps ``optimizer`` on batches for a model, with the closure that its kind asks for.

    ``forward(inputs)`` gives the model's logits.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        loss: SampleLoss,
    ) -> None:
        self._forward = forward
        self._optimizer = optimizer
        self._loss = loss
        self.passes = dict.fromkeys(COUNTS, 0)  # of an optimizer that does not count its own

    @property
    def counts(self) -> dict[str, int]:
        """How many of each of :data:`COUNTS` there were; searches are a line search's alone."""
        optimizer = self._optimizer
        return optimizer.counts if isinstance(optimizer, LineSearch) else dict(self.passes)

    def __call__(
        self, inputs: Tensor, targets: Tensor, search_batch: Callable[[], Batch] | None = None
    ) -> Tensor:
        """One update on a batch; returns the loss before it, detached.

        ``search_batch()`` gives another batch, on which a line search evaluates its step sizes.
        """
        optimizer = self._optimizer
        if isinstance(optimizer, LineSearch):
            if search_batch is None or not optimizer.searches_next:
                return optimizer.step(lambda: (self._forward(inputs), targets))
            others, labels = search_batch()
            return optimizer.step(
                lambda: (self._forward(inputs), targets), lambda: (self._forward(others), labels)
            )

        def closure() -> Tensor:
            """Loss and, where gradients are on, its gradient."""
            backward = torch.is_grad_enabled()
            if backward:
                optimizer.zero_grad(set_to_none=True)
            loss = self._loss(self._forward(inputs), targets).mean()
            self.passes["forward_passes"] += 1
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
                self.passes["backward_passes"] += 1
            return loss

        self.passes["steps"] += 1
        loss = optimizer.step(closure)  # type: ignore[arg-type]
        return torch.as_tensor(loss).detach()
