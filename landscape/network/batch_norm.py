"""Which statistics normalisation layers use while a slice is measured.

* ``batch``: those of the batch itself, as in training; running ones are neither used nor moved.
* ``running``: the checkpoint's running ones, as in evaluation.
* ``recalibrated``: running ones estimated afresh at each point from training batches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase


class BatchNorm:
    """The normalisation layers of a model, switched together.

    ``forward`` is how the model is run, the model itself unless given.
    """

    def __init__(self, model: nn.Module, forward: Callable[[Tensor], Tensor] | None = None) -> None:
        self._forward = forward or model
        self._layers = [m for m in model.modules() if isinstance(m, _NormBase)]
        self._batch_layers = [m for m in self._layers if isinstance(m, _BatchNorm)]

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Put the layers' switches back on leaving (their statistics are buffers of the point)."""
        switches = [(m, m.training, m.track_running_stats, m.momentum) for m in self._layers]
        try:
            yield
        finally:
            for layer, training, track, momentum in switches:
                layer.training, layer.track_running_stats = training, track
                layer.momentum = momentum

    def mixes_samples(self, policy: str) -> bool:
        """Whether a sample's output depends on its batch under ``policy``.

        If so, a set has to be evaluated whole; if not, in chunks of any size.
        """
        return any(policy == "batch" or m.running_mean is None for m in self._batch_layers)

    def use(self, policy: str, batches: Sequence[Tensor] = ()) -> None:
        """Switch all layers to ``policy``; call inside :meth:`preserved`.

        ``batches`` are the inputs from which ``recalibrated`` estimates its statistics: the
        plain mean over batches of their mean and unbiased variance, in one forward pass each.
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
            # Without tracking, batch norm hands its running statistics to no kernel. (Instance
            # norm moves them all the same; they are buffers, and the point resets them.)
            layer.track_running_stats = track and layer.running_mean is not None
