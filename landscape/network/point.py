"""A point of parameter space: what a model is at one moment, and how to move from there."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.runtime import randomness
from landscape.runtime.interrupts import interrupts_held


class Point:
    """Parameters and buffers of a model as they are now, copied; the model is moved in place.

    Every position is computed as θ + s·d from the stored θ and never from the last position, so
    nothing accumulates and s = 0 gives θ bit for bit. The live tensors stay the same objects,
    so that compiled and captured graphs stay valid.

    Args:
        model: the model that is moved.

    Attributes:
        parameters: parameter name -> the stored θ, a copy of its shape and dtype.
    """

    def __init__(self, model: nn.Module) -> None:
        self._live = {name: p.detach() for name, p in model.named_parameters()}
        self.parameters = {name: p.clone() for name, p in self._live.items()}
        self._owners = [(module, dict(module._buffers)) for module in model.modules()]
        self._live_buffers = [
            buffer
            for _, buffers in self._owners
            for buffer in buffers.values()
            # An expanded buffer cannot be written to, not even by a forward pass.
            if buffer is not None and not _overlaps(buffer)
        ]
        self._buffers = [buffer.detach().clone() for buffer in self._live_buffers]

    def shifted(self, parameters: Mapping[str, Tensor]) -> "Point":
        """A point of the same model and buffers with other ``parameters``.

        Args:
            parameters: parameter name -> tensor of that parameter's shape, for all parameters.

        Returns:
            The other point; the model is not moved.
        """
        other = copy.copy(self)
        other.parameters = dict(parameters)
        return other

    @torch.no_grad()
    def move(self, tangent: Mapping[str, Tensor], step_size: float) -> None:
        """Set the model's parameters to θ + step_size · tangent.

        Args:
            tangent: parameter name -> tensor of that parameter's shape; a parameter without one
                stays at θ.
            step_size: signed displacement along the tangent, in multiples of it.
        """
        _copy(list(self._live.values()), list(self.parameters.values()))
        if step_size != 0:  # else −0 and non-finite tangents would leave traces
            moved = [self._live[name] for name in tangent]
            torch._foreach_add_(moved, list(tangent.values()), alpha=step_size)

    @torch.no_grad()
    def reset_buffers(self) -> None:
        """Put every buffer back: the same tensor with the same values."""
        for module, buffers in self._owners:
            if not _same(module._buffers, buffers):
                module._buffers.clear()
                module._buffers.update(buffers)
        _copy(self._live_buffers, self._buffers)

    def restore(self) -> None:
        """Put the model back to this point, bit for bit."""
        self.move({}, 0)
        self.reset_buffers()


def _same(first: Mapping[str, Tensor | None], second: Mapping[str, Tensor | None]) -> bool:
    """Whether both hold the very same tensors under the same names."""
    return first.keys() == second.keys() and all(first[n] is second[n] for n in first)


def _overlaps(tensor: Tensor) -> bool:
    pairs = zip(tensor.stride(), tensor.shape, strict=True)
    return any(stride == 0 and size > 1 for stride, size in pairs)


def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


@contextmanager
def preserved(model: nn.Module) -> Iterator[Point]:
    """Put parameters, buffers, modes and global random generators back as they were on leaving.

    So does leaving by an exception. Ctrl-C is held back while the model is being put back.

    Args:
        model: the model to preserve.

    Yields:
        The :class:`Point` that it will be put back to.

    Raises:
        KeyboardInterrupt: for a Ctrl-C that was held back.
    """
    modes = [(module, module.training) for module in model.modules()]
    with randomness.preserved(), _casts_not_cached():
        point = Point(model)
        try:
            yield point
        finally:
            with interrupts_held() as interrupts:
                try:
                    point.restore()
                finally:
                    for module, training in modes:
                        module.training = training
    if interrupts:
        raise interrupts[0]


@contextmanager
def _casts_not_cached() -> Iterator[None]:
    """Keep a caller's autocast from reusing weights that it cast before they moved."""
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(cached)
