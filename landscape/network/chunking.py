"""How many samples are evaluated at once."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from landscape.network.forward import Forward
from landscape.runtime.nested import Nested, device_of, nbytes, part_of, samples_of

# Samples at once, at most; no CPU gets faster with more.
MOST = 1000
MOST_ON_GPU = 8192
# Bytes of the largest tensor in a forward pass on a CPU. Twice as many no longer fit into the
# caches; four times as many are allocated and freed anew for every layer: three times as slow.
CACHED = 8 * 2**20
# Samples of the forward pass that measures a GPU's memory.
TRIED = 64


class EvalBatchSize:
    """How many samples are evaluated at once: the number given or the fastest, fewer if too many.

    The fastest number is what takes half of a GPU's free memory, or what stays in a CPU's caches.
    It is chosen once and kept as long as this object.

    Args:
        size: samples at once; chosen by :meth:`choose` unless given.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size

    def choose(self, forward: Forward, inputs: Nested) -> int:
        """The number of samples at once for ``inputs``; chosen at the first call unless given.

        On a CPU the choice is the same for the same model. On a GPU it is measured, which resets
        the device's record of its peak memory.

        Args:
            forward: how the model is run.
            inputs: (N, …), on the model's device.

        Returns:
            Samples at once, at least 1.
        """
        if self._size is None:
            kind = device_of(inputs).type
            if kind == "cuda":
                self._size = _by_memory(forward, inputs)
            else:
                self._size = _by_cache(forward, inputs) if kind == "cpu" else MOST
        return self._size

    def over(self, samples: int, run: Callable[[slice], None], *, halving: bool = True) -> None:
        """Call ``run`` on slices that cover ``samples``; the size must be known.

        Args:
            samples: how many there are in all.
            run: evaluates one slice of the samples.
            halving: whether a slice that does not fit into the memory is halved and tried again;
                the smaller size is then kept.

        Raises:
            OutOfMemoryError: torch's, where a single sample does not fit, or any slice if
                ``halving`` is off.
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
    """The largest power of two, up to ``most``, whose samples of ``each`` bytes fit ``budget``.

    Args:
        budget: bytes in all.
        each: bytes per sample.
        most: samples, at most.

    Returns:
        A number of samples, 1 even where that does not fit.
    """
    size = 1 << (most.bit_length() - 1)
    while size > 1 and size * each > budget:
        size //= 2
    return size


def _by_memory(forward: Forward, inputs: Nested) -> int:
    """How many samples take half of a GPU's free memory, by the peak of a small forward pass."""
    few = part_of(inputs, slice(TRIED))
    samples = samples_of(few)
    device = device_of(inputs)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        forward.eager(few)
    except torch.OutOfMemoryError:
        return max(1, samples // 2)
    each = (torch.cuda.max_memory_allocated(device) - before) / samples
    unused = torch.cuda.memory_reserved(device) - before
    return fitting((torch.cuda.mem_get_info(device)[0] + unused) / 2, each, MOST_ON_GPU)


def _by_cache(forward: Forward, inputs: Nested) -> int:
    """How many samples keep each tensor within a CPU's caches, by two small forward passes."""
    sizes = []
    for samples in (2, 4):
        few = part_of(inputs, torch.arange(samples) % samples_of(inputs))
        with _Sizes() as computed:
            try:
                forward.eager(few)
            except Exception:  # not every network can be watched, or run on this few samples
                return MOST
        sizes.append([nbytes(few), *computed.bytes])
    # Only what grows with the number of samples counts; weights do not.
    each = max(four - two for two, four in zip(*sizes, strict=False)) / 2
    return MOST if MOST * each <= CACHED else fitting(CACHED, each, MOST)


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The size in bytes of each tensor that is computed inside, in order."""

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
