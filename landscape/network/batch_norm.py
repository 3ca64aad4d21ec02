"""Which statistics normalisation layers use while a slice is measured.

* ``batch``: those of the batch itself, as in training; running ones are neither used nor updated.
* ``running``: the checkpoint's running statistics, as in evaluation.
* ``recalibrated``: running statistics estimated afresh at each point from training batches, as in
  [Izmailov2018].
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from landscape.network.point import has_own_modes, preserved
from landscape.runtime.nested import Nested


class BatchNorm:
    """The normalisation layers of a model, switched together.

    Args:
        model: its batch norm and instance norm layers are switched.
        forward: how the model is run, inputs (N, …) -> outputs (N, …); the model itself unless
            given.
        frozen: the layers that stay as they are, see :func:`frozen_layers`.

    Attributes:
        layers: the layers that are switched.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: Callable[[Nested], Nested] | None = None,
        frozen: Collection[nn.Module] = (),
    ) -> None:
        self._forward = forward or model
        self._layers = [m for m in _norm_layers(model) if m not in frozen]
        self.layers = frozenset[nn.Module](self._layers)
        self._batch_layers = [m for m in self._layers if isinstance(m, _BatchNorm)]

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Put the layers' switches back on leaving; the point resets their statistics (buffers)."""
        switches = [(m, m.training, m.track_running_stats, m.momentum) for m in self._layers]
        try:
            yield
        finally:
            for layer, training, track, momentum in switches:
                layer.training, layer.track_running_stats = training, track
                layer.momentum = momentum

    def mixes_samples(self, policy: str) -> bool:
        """Whether these layers make a sample's output depend on the rest of its batch.

        Args:
            policy: "batch", "running" or "recalibrated", as above.

        Returns:
            True where it depends on the other samples. Where it is false, other parts of the model
            may still mix them.
        """
        return any(policy == "batch" or m.running_mean is None for m in self._batch_layers)

    def use(self, policy: str, batches: Sequence[Nested] = ()) -> None:
        """Switch all layers to ``policy``; call inside :meth:`preserved`.

        Recalibrated statistics are the plain mean over the batches of their mean and unbiased
        variance, from one forward pass a batch.

        Args:
            policy: "batch", "running" or "recalibrated".
            batches: training inputs for "recalibrated", each (N, …); not used otherwise.
        """
        if policy == "recalibrated":
            self._switch(training=True, track=True)
            for layer in self._layers:
                layer.reset_running_stats()
            for i, inputs in enumerate(batches if self._layers else ()):
                for layer in self._layers:
                    layer.momentum = 1 / (i + 1)  # the mean over the batches so far
                self._forward(inputs)
        self._switch(training=policy == "batch", track=policy != "batch")

    def _switch(self, *, training: bool, track: bool) -> None:
        for layer in self._layers:
            layer.training = training
            # Without tracking, batch norm passes its running statistics to no kernel. Instance
            # norm updates them all the same; they are buffers, which the point resets.
            layer.track_running_stats = track and layer.running_mean is not None


def frozen_layers(model: nn.Module) -> frozenset[nn.Module]:
    """The normalisation layers that are in eval mode while the model is in train mode.

    Of a model that is in eval mode, those that its own ``train()`` leaves there.

    Args:
        model: the model; it is left as it is.

    Returns:
        Its frozen batch norm and instance norm layers.
    """
    layers = _norm_layers(model)
    if not model.training and layers:
        if not has_own_modes(model):
            return frozenset()
        with preserved(model, training=True):
            return frozenset(m for m in layers if not m.training)
    return frozenset(m for m in layers if not m.training)


def _norm_layers(model: nn.Module) -> list[_NormBase]:
    return [m for m in model.modules() if isinstance(m, _NormBase)]
