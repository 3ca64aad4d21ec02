"""Which samples an update sees, given nothing but the seed and the iteration."""

import torch
from torch import Tensor

from landscape.data import Data
from landscape.errors import InvalidValueError
from landscape.runtime import randomness

# The first number of a key to a random stream of training, so that no two streams are one.
INITIALISATION, ORDER, AUGMENTATION, MODEL, SEARCH = range(101, 106)


class Batches:
    """``size`` samples an update, in an order that is new in each epoch; the last few are dropped.

    Raises :class:`InvalidValueError` for more samples than there are.
    """

    def __init__(self, data: Data, size: int, seed: int, device: torch.device) -> None:
        self.per_epoch = len(data) // size
        if self.per_epoch == 0:
            raise InvalidValueError(
                f"batch_size is {size}; the task has {len(data)} training samples"
            )
        self.data = data
        self._size = size
        self._seed = seed
        self._device = device
        self._epoch = -1  # whose order is kept

    def batch(self, iteration: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets and indices of the batch of the update after ``iteration`` others."""
        generator = randomness.generator(AUGMENTATION, self._seed, iteration)
        indices = self._order(iteration)[self._place(iteration)]
        return *self.data.take(indices, generator), indices

    def search_batch(self, iteration: int, size: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of ``size`` samples outside of the batch at ``iteration``."""
        generator = randomness.generator(SEARCH, self._seed, iteration)
        order, batch = self._order(iteration), self._place(iteration)
        rest = torch.cat([order[: batch.start], order[batch.stop :]])
        chosen = torch.randperm(len(rest), generator=generator)[:size]
        return self.data.take(rest[chosen.to(rest.device)], generator)

    def check_search_batch(self, size: int) -> None:
        """Refuse, with :class:`InvalidValueError`, a fresh batch that the data cannot fill."""
        others = len(self.data) - self._size
        if size > others:
            raise InvalidValueError(
                f"search_batch is {size}; there are {others} training samples outside of a batch"
            )

    def _place(self, iteration: int) -> slice:
        start = iteration % self.per_epoch * self._size
        return slice(start, start + self._size)

    def _order(self, iteration: int) -> Tensor:
        epoch = iteration // self.per_epoch
        if epoch != self._epoch:
            generator = randomness.generator(ORDER, self._seed, epoch)
            self._kept = torch.randperm(len(self.data), generator=generator).to(self._device)
            self._epoch = epoch
        return self._kept
