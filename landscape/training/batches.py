"""The samples of each update, which depend only on the seed and the iteration."""

import torch
from torch import Tensor

from landscape.data import Data
from landscape.errors import InvalidValueError
from landscape.runtime import randomness
from landscape.runtime.nested import Nested

# The first number of each random stream's key, so that no two streams of training coincide.
INITIALISATION, ORDER, AUGMENTATION, MODEL, SEARCH = range(101, 106)


class Batches:
    """Batches of training data, in a new order in each epoch; the samples left over are dropped.

    Args:
        data: the training data.
        size: samples per batch.
        seed: of the order, of the augmentation and of fresh batches.
        device: where the order is kept, that of the data.

    Raises:
        InvalidValueError: for a batch larger than the data.
    """

    def __init__(self, data: Data, size: int, seed: int, device: torch.device) -> None:
        self.per_epoch = len(data) // size
        if self.per_epoch == 0:
            raise InvalidValueError(
                f"batch_size is {size}; the task has {len(data)} training samples, so choose at "
                "most that"
            )
        self.data = data
        self._size = size
        self._seed = seed
        self._device = device
        self._epoch = -1  # whose order is kept

    def batch(self, iteration: int) -> tuple[Nested, Nested, Tensor]:
        """Take the batch of one update.

        Args:
            iteration: the number of updates made before it.

        Returns:
            Inputs (N, …), augmented; targets (N, …); and the samples' places in the data,
            (N,) int64.
        """
        generator = randomness.generator(AUGMENTATION, self._seed, iteration)
        indices = self._order(iteration)[self._place(iteration)]
        return *self.data.take(indices, generator), indices

    def search_batch(self, iteration: int, size: int) -> tuple[Nested, Nested]:
        """Draw a fresh batch, from samples outside of the update's own batch.

        Args:
            iteration: the number of updates made before it.
            size: samples of the fresh batch.

        Returns:
            Inputs (size, …), augmented, and targets (size, …).
        """
        generator = randomness.generator(SEARCH, self._seed, iteration)
        order, batch = self._order(iteration), self._place(iteration)
        rest = torch.cat([order[: batch.start], order[batch.stop :]])
        chosen = torch.randperm(len(rest), generator=generator)[:size]
        return self.data.take(rest[chosen.to(rest.device)], generator)

    def check_search_batch(self, size: int) -> None:
        """Refuse a fresh batch that the data cannot fill.

        Args:
            size: samples of the fresh batch.

        Raises:
            InvalidValueError: for more samples than there are outside of a batch.
        """
        others = len(self.data) - self._size
        if size > others:
            raise InvalidValueError(
                f"search_batch is {size}; there are {others} training samples outside of a batch, "
                "so choose at most that, or a smaller batch_size"
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
