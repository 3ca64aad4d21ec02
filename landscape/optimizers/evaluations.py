"""The evaluations of one step: of one closure, on one line, from one random state.

They are checked here, since a closure is a user's, and leave no trace but the gradient.
Errors are :class:`InvalidValueError`.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook

from landscape.errors import InvalidValueError


def mean(values: Tensor, targets: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The mean of ``values`` (N,), summed in ``dtype``; a scalar is taken for the mean."""
    if values.ndim == 0:
        return values
    if values.shape != targets.shape:
        raise InvalidValueError(
            f"the loss or metric has shape {tuple(values.shape)} for {len(targets)} samples; "
            "return one value per sample or their mean"
        )
    return values.mean(dtype=dtype)


def check_finite(**values: float) -> None:
    """Refuse a step on NaN or infinity."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise InvalidValueError(
                f"the {name} is {value}; a step needs it finite (none was taken)"
            )


def checked(returned: object) -> tuple[Tensor, Tensor]:
    """What a closure returned, if it is logits (N, C) and targets (N,) that fit."""
    match returned:
        case Tensor() as logits, Tensor() as targets:
            fits = logits.ndim == 2 and targets.shape == logits.shape[:1] and len(targets) > 0
            if fits and logits.is_floating_point() and targets.dtype == torch.int64:
                return logits, targets
            kinds = [f"{tuple(t.shape)} {t.dtype}" for t in (logits, targets)]
            received = f"logits {kinds[0]} and targets {kinds[1]}"
        case _:
            received = f"a {type(returned).__name__}"
    raise InvalidValueError(
        f"the closure returned {received}; return logits (N, C) of a float dtype and targets (N,) "
        "of int64"
    )


def check_graph(logits: Tensor, parameters: Sequence[Tensor]) -> None:
    """Refuse logits that have no gradient, and gradients that are already there."""
    if any(p.grad is not None for p in parameters):
        raise InvalidValueError(
            "the closure called backward(); return (logits, targets) and leave that to step()"
        )
    if not logits.requires_grad:
        raise InvalidValueError(
            "the closure's logits carry no gradient; run the model with gradients enabled and "
            "with a parameter that requires them"
        )


class Line:
    """θ − s·∇L: the parameters that have a gradient, moved in place along it."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = [p for p in parameters if p.grad is not None]
        self._gradients = [p.grad for p in self.parameters if p.grad is not None]
        self._origin: list[Tensor] = []
        self._at = 0.0

    def move(self, step_size: float) -> None:
        """Set the parameters to θ − step_size · ∇L, from the stored θ; 0 is θ bit for bit."""
        if step_size == self._at:
            return
        if not self._origin:
            self._origin = [p.clone() for p in self.parameters]
        elif self._at != 0:
            torch._foreach_copy_(self.parameters, self._origin)
        self._at = step_size
        if step_size != 0:
            self.leave(step_size)
        torch.clear_autocast_cache()  # else autocast goes on with the weights that it has cast

    def leave(self, step_size: float) -> None:
        """Subtract step_size · ∇L from where the parameters are."""
        torch._foreach_add_(self.parameters, self._gradients, alpha=-step_size)


class Generators:
    """The random generators of the CPU and of the parameters' devices, as they are now."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        devices = {p.device for p in parameters if p.device.type != "cpu"}
        self._all = [torch.default_generator, *map(_default_generator, devices)]
        self._start = self._states()

    def rewind(self) -> None:
        """Put them back to the start."""
        self._set(self._start)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """On leaving, put them to where they were on entering."""
        states = self._states()
        try:
            yield
        finally:
            self._set(states)

    def _states(self) -> list[Tensor]:
        return [generator.get_state() for generator in self._all]

    def _set(self, states: list[Tensor]) -> None:
        for generator, state in zip(self._all, states, strict=True):
            generator.set_state(state)


def _default_generator(device: torch.device) -> torch.Generator:
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    generators: Sequence[torch.Generator] = torch.get_device_module(device).default_generators
    return generators[device.index]


def norm_layers(model: nn.Module) -> list[_NormBase]:
    """The layers of ``model`` that may keep running statistics."""
    return [layer for layer in model.modules() if isinstance(layer, _NormBase)]


@contextmanager
def running_statistics_kept(layers: Sequence[_NormBase] | None = None) -> Iterator[None]:
    """Inside, layers in train mode normalise by the batch and move no running statistics.

    Without ``layers`` a hook on all modules finds them as they run, whatever the model.
    """
    switched: list[tuple[_NormBase, Tensor | None, Tensor | None]] = []

    def switch(module: nn.Module, _: object = None) -> None:
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            switched.append((module, module.running_mean, module.running_var))
            module.track_running_stats = False
            # Instance norm moves the statistics that it has, whatever the switch says.
            module.running_mean = module.running_var = None

    hook = register_module_forward_pre_hook(switch) if layers is None else None
    try:
        for layer in layers or ():
            switch(layer)
        yield
    finally:
        if hook:
            hook.remove()
        for layer, mean, variance in switched:
            layer.track_running_stats = True
            layer.running_mean, layer.running_var = mean, variance
