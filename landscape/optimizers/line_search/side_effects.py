"""What an evaluation changes besides its result, and how a step's trials leave it unchanged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook


class Generators:
    """The random generators of the CPU and of the parameters' devices, as they are now.

    Args:
        parameters: those of the optimizer.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        devices = {p.device for p in parameters if p.device.type != "cpu"}
        self._all = [torch.default_generator, *map(_default_generator, devices)]
        self._start = self._states()

    def rewind(self) -> None:
        """Put the generators back to where they were when this object was made."""
        self._set(self._start)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """On leaving, put the generators back to where they were on entering."""
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
    """The layers of a model that may keep running statistics.

    Args:
        model: any model.

    Returns:
        Its batch norm and instance norm layers.
    """
    return [layer for layer in model.modules() if isinstance(layer, _NormBase)]


@contextmanager
def running_statistics_kept(layers: Sequence[_NormBase] | None = None) -> Iterator[None]:
    """Inside, layers in train mode normalise by the batch and leave running statistics alone.

    Args:
        layers: as :func:`norm_layers` gives them; without, a hook on all modules finds the layers
            as they run, whatever the model.

    Yields:
        Nothing.
    """
    switched: list[tuple[_NormBase, Tensor | None, Tensor | None]] = []

    def switch(module: nn.Module, _: object = None) -> None:
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            switched.append((module, module.running_mean, module.running_var))
            module.track_running_stats = False
            # Instance norm updates the statistics that it has, whatever the switch says.
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
