"""The ranks of torch.distributed that take one step together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed

from landscape.errors import InvalidValueError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


class Ranks:
    """Those of ``group``; of the default group, once there is one, unless given.

    Raises :class:`InvalidValueError` for a group that this process is not in.
    """

    def __init__(self, group: "ProcessGroup | None" = None) -> None:
        self._group = group
        if group is not None and self.size < 1:
            raise InvalidValueError(
                "process_group does not hold this rank; give one that does, or None for all ranks"
            )

    @property
    def size(self) -> int:
        """How many there are; 1 without torch.distributed."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return 1
        return distributed.get_world_size(self._group)

    def means(self, scalars: Sequence[Tensor]) -> list[float]:
        """The mean of each over the ranks, the same bits on all; waits for the device once."""
        size, device = self.size, scalars[0].device
        if size == 1 and device.type == "cpu":
            return [scalar.item() for scalar in scalars]
        values = torch.stack([scalar.to(device) for scalar in scalars])
        if size > 1:
            distributed.all_reduce(values, group=self._group)
            values /= size
        numbers: list[float] = values.tolist()
        return numbers

    def __deepcopy__(self, _: object) -> "Ranks":
        return self  # a group cannot be copied
