"""How many samples are evaluated at once."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from landscape.network.forward import Forward

MOST = 1000  # with more, no CPU gets faster
MOST_ON_GPU = 8192
# Of the largest tensor in a forward pass on a CPU. Twice that leaves the caches, and four times
# that is memory which the system gives and takes anew for every layer: three times as slow.
CACHED = 8 * 2**20
TRIED = 64


class EvalBatchSize:
    """As many samples as were asked for, or as are fastest; fewer once they are too many.

    On a GPU the fastest are as many as fit into its memory, on a CPU as many as stay in its
    caches. What was found is kept, for as long as this object is.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size

    def choose(self, forward: Forward, inputs: Tensor) -> int:
        """Samples at once for ``inputs`` (N, …); a size that is open is chosen at the first call.

        It is the same for the same model on a CPU. Measuring it on a GPU resets the device's peak
        of memory.
        """
        if self._size is None:
            kind = inputs.device.type
            if kind == "cuda":
                self._size = _by_memory(forward, inputs)
            else:
                self._size = _by_cache(forward, inputs) if kind == "cpu" else MOST
        return self._size

    def over(self, samples: int, run: Callable[[slice], None], *, halving: bool = True) -> None:
        """``run`` on slices that cover ``samples``; the size must be known.

        A slice that does not fit into the memory is halved and tried again, unless ``halving`` is
        off; one that still does not raises torch's OutOfMemoryError.
        """
        assert self._size is not None
        start = 0
        while start < samples:
            size = min(self._size, samples - start)
            try:
                run(slice(start, start + size))
            except torch.OutOfMemoryError:
                if size == 1 or not halving:
                    raise
                self._size = size // 2
            else:
                start += size


def fitting(budget: float, each: float, most: int) -> int:
    """The largest power of two, up to ``most``, whose samples of ``each`` bytes fit ``budget``."""
    size = 1 << (most.bit_length() - 1)
    while size > 1 and size * each > budget:
        size //= 2
    return size


def _by_memory(forward: Forward, inputs: Tensor) -> int:
    """Those that take half of a GPU's free memory, by the peak of a small forward pass."""
    few = inputs[:TRIED]
    device = inputs.device
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        forward.eager(few)
    except torch.OutOfMemoryError:
        return max(1, len(few) // 2)
    each = (torch.cuda.max_memory_allocated(device) - before) / len(few)
    unused = torch.cuda.memory_reserved(device) - before
    return fitting((torch.cuda.mem_get_info(device)[0] + unused) / 2, each, MOST_ON_GPU)


def _by_cache(forward: Forward, inputs: Tensor) -> int:
    """Those whose largest tensor stays in a CPU's caches, by a small forward pass."""
    sizes = []
    for samples in (2, 4):
        few = inputs[torch.arange(samples) % len(inputs)]
        with _Sizes() as computed:
            try:
                forward.eager(few)
            except Exception:  # not every network bears to be looked on, or so few samples
                return MOST
        sizes.append([few.nbytes, *computed.bytes])
    # What grows with the samples; weights do not.
    each = max(four - two for two, four in zip(*sizes, strict=False)) / 2
    return MOST if MOST * each <= CACHED else fitting(CACHED, each, MOST)


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The size of each tensor that is computed inside, in their order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: list[int] = []

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        results = operation(*args, **(kwargs or {}))
        for result in results if isinstance(results, (tuple, list)) else (results,):
            if isinstance(result, Tensor):
                self.bytes.append(result.numel() * result.element_size())
        return results
