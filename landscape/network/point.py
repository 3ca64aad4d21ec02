"""A point of parameter space: what a model is at one moment, and how to move from there."""

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import torch
from torch import Tensor, nn

from landscape.errors import users_code
from landscape.network.attributes import Attributes, writable
from landscape.network.sharing import Memory
from landscape.runtime import randomness
from landscape.runtime.interrupts import interrupts_held

_NONE: Mapping[str, Tensor] = MappingProxyType({})


class Point:
    """Parameters, buffers and plain attributes of a model as they are now; it is moved in place.

    Every position is computed as θ + s·d from the stored θ and never from the last position, so
    nothing accumulates and s = 0 gives θ bit for bit. The live tensors stay the same objects,
    so that compiled and captured graphs stay valid. What shares a parameter's memory, as a buffer
    registered from its ``.data``, moves along with it.

    Args:
        model: the model that is moved.

    Attributes:
        parameters: parameter name -> the stored θ, a copy of its shape and dtype.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._live = {name: p.detach() for name, p in model.named_parameters()}
        self.parameters = {name: p.clone() for name, p in self._live.items()}
        memory = Memory(self._live)
        # Nothing can be registered in a scripted module anew.
        plain = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
        self._parameters = [(module, dict(module._parameters)) for module in plain]
        self._owners = [(module, dict(module._buffers)) for module in plain]
        # Of each module, its buffers and what they hold.
        self._buffers = {
            module: (live, [buffer.detach().clone() for buffer in live])
            for module in model.modules()
            if (live := [b for b in module.buffers(recurse=False) if _moves_alone(b, memory)])
        }
        self._attributes = Attributes(model, memory.shares)
        kept = {
            id(b): k
            for live, values in self._buffers.values()
            for b, k in zip(live, values, strict=True)
        }
        self._named = {name: b for name, b in model.named_buffers() if id(b) in kept}
        # What buffers that move along are at step size 0, by name, and what those are put back to
        # that have moved, by identity. The second is one for all points of the model.
        self._starts: Mapping[str, Tensor] = {n: kept[id(b)] for n, b in self._named.items()}
        self._places: dict[int, Tensor] = {}

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
    def away(
        self, tangent: Mapping[str, Tensor], step_size: float, buffers: Mapping[str, Tensor] = _NONE
    ) -> "Point":
        """The point at θ + step_size · tangent; the model is not moved.

        Args:
            tangent: as of :meth:`move`.
            step_size: likewise.
            buffers: likewise.

        Returns:
            The other point.
        """
        if step_size == 0:
            return self
        other = self.shifted(
            {
                name: start.add(tangent[name], alpha=step_size) if name in tangent else start
                for name, start in self.parameters.items()
            }
        )
        other._starts = {**self._starts, **self._moved(buffers, step_size)}
        return other

    def _moved(self, buffers: Mapping[str, Tensor], step_size: float) -> dict[str, Tensor]:
        return {
            name: self._starts[name] + step_size * moves if step_size else self._starts[name]
            for name, moves in buffers.items()
            if name in self._starts
        }

    @torch.no_grad()
    def move(
        self, tangent: Mapping[str, Tensor], step_size: float, buffers: Mapping[str, Tensor] = _NONE
    ) -> None:
        """Set the model's parameters to θ + step_size · tangent.

        Args:
            tangent: parameter name -> tensor of that parameter's shape; a parameter without one
                stays at θ.
            step_size: signed displacement along the tangent, in multiples of it.
            buffers: buffer name -> by how much it moves per step size; :meth:`reset_buffers` puts
                it where it then is.
        """
        self._places.clear()
        there = {**self._starts, **self._moved(buffers, step_size)}
        self._places.update({id(self._named[name]): there[name] for name in there})
        _copy(list(self._live.values()), list(self.parameters.values()))
        if step_size != 0:  # else −0 and non-finite tangents would leave traces
            moved = [self._live[name] for name in tangent]
            torch._foreach_add_(moved, list(tangent.values()), alpha=step_size)

    @torch.no_grad()
    def strayed(self, tangent: Mapping[str, Tensor], step_size: float) -> str | None:
        """Look whether the model's parameters still are where :meth:`move` has put them.

        Args:
            tangent: that of the last move.
            step_size: that of the last move.

        Returns:
            The name of the first parameter that another hand has moved or replaced, as a forward
            pass that clips its weights does; None where there is none.
        """
        now = dict(self._model.named_parameters())
        for name, start in self.parameters.items():
            if step_size != 0 and name in tangent:
                (start,) = torch._foreach_add([start], [tangent[name]], alpha=step_size)
            if name not in now or not same_values(now[name].detach(), start):
                return name
        return next((name for name in now if name not in self.parameters), None)

    @torch.no_grad()
    def reset_buffers(self, but: Collection[nn.Module] = ()) -> None:
        """Put every buffer and plain attribute back: the same objects with the same values.

        Args:
            but: modules that keep the buffers and attributes that they have now.
        """
        for module, buffers in self._owners:
            if not _same(module._buffers, buffers):
                module._buffers.clear()
                module._buffers.update(buffers)
        for module, (live, kept) in self._buffers.items():
            if module not in but:
                _copy(live, [self._places.get(id(b), k) for b, k in zip(live, kept, strict=True)])
        self._attributes.reset(but)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the model back to this point, bit for bit."""
        for module, parameters in self._parameters:
            if not _same(module._parameters, parameters):
                module._parameters.clear()
                module._parameters.update(parameters)
        for name, parameter in self._model.named_parameters():
            live = self._live.get(name)
            if live is not None and parameter.data_ptr() != live.data_ptr():
                parameter.data = live
        self.move({}, 0)
        self.reset_buffers()


def _moves_alone(buffer: Tensor, memory: Memory) -> bool:
    """Whether a buffer can be put back: not if it is expanded, which no forward pass can change."""
    return writable(buffer) and not memory.shares(buffer)


def _same(first: Mapping[str, Tensor | None], second: Mapping[str, Tensor | None]) -> bool:
    """Whether both hold the very same tensors under the same names."""
    return first.keys() == second.keys() and all(first[n] is second[n] for n in first)


def same_values(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors have the same shape, dtype and values; NaN counts as equal to NaN.

    Args:
        first: any tensor with values.
        second: another, on the same device.

    Returns:
        True where they have.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return torch.equal(first, second) or bool(
        ((first == second) | (first != first) & (second != second)).all()
    )


def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


@contextmanager
def preserved(model: nn.Module, training: bool | None = None) -> Iterator[Point]:
    """Put a model and the global random generators back as they were on leaving.

    Parameters, buffers, plain attributes, modes and ``requires_grad`` are put back bit for bit,
    also after an exception. Ctrl-C is held back while the model is being put back.

    Args:
        model: the model to preserve.
        training: whether the model is put into train or eval mode, by its own methods, before the
            point is taken: a mode may have effects of its own, as weights that ``eval()`` merges.
            None leaves the modes alone.

    Yields:
        The :class:`Point` at which the model is inside.

    Raises:
        InvalidValueError: where the model's own ``train`` or ``eval`` fails.
        KeyboardInterrupt: for a Ctrl-C that was held back.
    """
    modes = [(module, module.training) for module in model.modules()]
    kept = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    with randomness.preserved(), _casts_not_cached():
        start = point = Point(model)
        try:
            if training is not None:
                _switch(model, training)
                point = Point(model) if has_own_modes(model) else start
            yield point
        finally:
            with interrupts_held() as interrupts:
                try:
                    point.restore()
                    if point is not start:
                        _switch(model, modes[0][1])
                        start.restore()
                finally:
                    for module, training in modes:
                        module.training = training
                    for parameter, wanted, gradient in kept:
                        parameter.requires_grad_(wanted)
                        parameter.grad = gradient
    if interrupts:
        raise interrupts[0]


def has_own_modes(model: nn.Module) -> bool:
    """Whether a module has a ``train`` or ``eval`` of its own, which may do more than torch's.

    Args:
        model: the model, of which every module is looked at.

    Returns:
        True where one has.
    """
    return any(
        getattr(type(module), name) is not getattr(nn.Module, name) or name in vars(module)
        for module in model.modules()
        for name in ("train", "eval")
    )


def _switch(model: nn.Module, training: bool) -> None:
    with users_code(f"the model's {'train' if training else 'eval'}()"):
        model.train(training)


@contextmanager
def _casts_not_cached() -> Iterator[None]:
    """Keep a caller's autocast from reusing weights that it cast before they moved."""
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(cached)
