"""The ranks of torch.distributed that take one step together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed

from landscape.errors import InvalidValueError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


class Ranks:
    """The ranks of a process group.

    Args:
        group: a group that this process is in; unless given the default group, which may be
            initialised later.

    Raises:
        InvalidValueError: for a group that this process is not in.
    """

    def __init__(self, group: "ProcessGroup | None" = None) -> None:
        self._group = group
        if group is not None and self.size < 1:
            raise InvalidValueError(
                "process_group does not hold this rank; give one that does, or None for all ranks"
            )

    @property
    def size(self) -> int:
        """How many ranks there are; 1 without torch.distributed."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return 1
        return distributed.get_world_size(self._group)

    def means(self, scalars: Sequence[Tensor]) -> list[float]:
        """The mean of each scalar over the ranks; waits for the device once.

        Args:
            scalars: this rank's, on any devices; at least one, and equally many on all ranks.

        Returns:
            Their means, the same bits on all ranks.
        """
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
