"""The units of a set of samples: what a loss is averaged over, as samples, pixels or tokens."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Units:
    """The units of some samples that count, in the order of the samples.

    Attributes:
        samples: how many samples there are.
        each: units of a sample, those that are ignored included.
        targets: the target of each unit that counts, (U,); None where only a user's loss knows
            what they are.
        weight: the weight of each unit's loss in the mean, (U,) float64; None where all weigh the
            same.
        keep: which units count, (samples · each,) bool; None where all do.
        ignores: whether some might not count, of these or of other samples.
    """

    samples: int
    each: int
    targets: Tensor | None = None
    weight: Tensor | None = None
    keep: Tensor | None = None
    ignores: bool = False

    @cached_property
    def _ends(self) -> list[int] | None:
        """Where the units of each sample begin and end, (samples + 1,), if they are not as many."""
        if self.keep is None:
            return None
        counts = self.keep.view(self.samples, self.each).sum(1).cpu()
        return [0, *counts.cumsum(0).tolist()]

    @property
    def count(self) -> int:
        """How many units count."""
        return self.samples * self.each if self._ends is None else self._ends[-1]

    @property
    def sample(self) -> Tensor:
        """The sample that each unit belongs to, (U,) int64, from 0."""
        owner = torch.arange(self.samples).repeat_interleave(self.each)
        return owner if self.keep is None else owner[self.keep.cpu()]

    def within(self, part: slice) -> slice:
        """Find the units of a part of the samples.

        Args:
            part: samples, from start to stop.

        Returns:
            The places of their units among those that count.
        """
        start, stop, _ = part.indices(self.samples)
        if self._ends is None:
            return slice(start * self.each, stop * self.each)
        return slice(self._ends[start], self._ends[stop])

    def kept(self, values: Tensor, part: slice) -> Tensor:
        """Leave out the values of units that do not count.

        Args:
            values: of the units of a part of the samples, (samples, …) with ``each`` values a
                sample.
            part: the samples, from start to stop.

        Returns:
            (units that count,).
        """
        flat = values.reshape(-1)
        if self.keep is None:
            return flat
        start, stop, _ = part.indices(self.samples)
        return flat[self.keep[start * self.each : stop * self.each]]
