"""How many samples are evaluated at once."""

import torch
from torch import Tensor

from landscape.forward import Forward

DEFAULT = 1000
LARGEST = 8192  # with more, no device gets faster
TRIED = 64


class Chunk:
    """As many samples as were asked for, or as fit into the device's memory; fewer once too many.

    What was found is kept, for as long as this object is.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size

    def size(self, forward: Forward, inputs: Tensor) -> int:
        """Samples at once for ``inputs`` (N, …); a size that is open is chosen at the first call.

        Measuring it resets the device's peak of memory.
        """
        if self._size is None:
            on_gpu = inputs.device.type == "cuda"
            self._size = _measured(forward, inputs) if on_gpu else DEFAULT
        return self._size

    def halve(self, tried: int) -> None:
        """So many samples, at least two, were too many."""
        self._size = tried // 2


def fitting(free: float, each: float) -> int:
    """The largest power of two whose samples take half of ``free`` at most, of ``each`` bytes."""
    size = LARGEST
    while size > 1 and size * each > free / 2:
        size //= 2
    return size


def _measured(forward: Forward, inputs: Tensor) -> int:
    """The fitting size, by the peak of a small forward pass."""
    few = inputs[:TRIED]
    device = inputs.device
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    forward.plain(few)
    each = (torch.cuda.max_memory_allocated(device) - before) / len(few)
    unused = torch.cuda.memory_reserved(device) - before
    return fitting(torch.cuda.mem_get_info(device)[0] + unused, each)
