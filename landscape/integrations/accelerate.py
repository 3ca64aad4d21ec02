"""The Recorder in a training loop of Hugging Face Accelerate."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import nn
from torch.utils.data import DataLoader

from landscape.errors import InvalidValueError
from landscape.integrations.extras import needed
from landscape.integrations.logs import logged
from landscape.study.recorder import Recorder

with needed("accelerate"):
    from accelerate import Accelerator
    from accelerate.data_loader import BatchSamplerShard
    from accelerate.optimizer import AcceleratedOptimizer

# An accelerator's mixed precision, which stays in the model's forward -> the probe's precision.
_PRECISIONS = {"no": None, "bf16": "bfloat16"}


def recorder(
    accelerator: Accelerator,
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Any,
    validation: Any = None,
    *,
    on_slice: Callable[[xr.Dataset], object] | None = None,
    collate: Callable[[list[Any]], Any] | None = None,
    **options: Any,
) -> "Recorder | Bystander":
    """Make a Recorder of a prepared model: unwrapped, and on the main process alone.

    >>> import torch
    >>> from accelerate import Accelerator
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> accelerator = Accelerator(cpu=True)
    >>> loader = DataLoader(TensorDataset(images[:600], labels[:600]), batch_size=100)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    >>> recorder = landscape.integrations.accelerate.recorder(
    ...     accelerator, "run.zarr", model, optimizer, loader, validation, at=[0, 4]
    ... )
    >>> for inputs, targets in loader:
    ...     with recorder(inputs, targets):
    ...         optimizer.zero_grad()
    ...         accelerator.backward(torch.nn.functional.cross_entropy(model(inputs), targets))
    ...         optimizer.step()
    >>> landscape.open("run.zarr")["iteration"].values.tolist()
    [0, 4]

    The training is not changed. Of several processes, the main one records, along the gradient of
    its own part of the batch, while the others wait for it at their next exchange. After each
    slice, its :func:`landscape.statistics.scalars` go to the accelerator's trackers, as
    ``landscape/peak_width/same_batch``.

    Args:
        accelerator: the one that prepared model and optimizer.
        path: the store, as of :class:`landscape.Recorder`.
        model: the model, prepared or not.
        optimizer: its optimizer, prepared or not.
        train: the training data: a DataLoader, prepared or not, or what
            :func:`landscape.probe` takes.
        validation: the validation data, likewise, or None.
        on_slice: what is done with each slice, in place of handing its scalars to the trackers.
        collate: how Datasets are collated that are given without a DataLoader.
        **options: ``at`` or ``every``, ``loss``, ``target`` and the other options of
            :class:`landscape.Recorder`. ``precision`` is that of the accelerator.

    Returns:
        On the main process the Recorder; on the others a :class:`Bystander`, whose blocks do
        nothing.

    Raises:
        InvalidValueError: for options that the Recorder refuses, and for what it cannot measure:
            accumulated gradients, a model in parts (FSDP, DeepSpeed), and mixed precision but for
            "bf16".
    """
    _require_whole(accelerator)
    precision = _PRECISIONS[accelerator.mixed_precision]
    if precision and options.setdefault("precision", precision) != precision:
        raise InvalidValueError(
            f"precision is {options['precision']!r}, but the accelerator runs the model in "
            f"{accelerator.mixed_precision}; leave precision out"
        )
    if not accelerator.is_main_process:
        return Bystander()

    def log(slice_: xr.Dataset) -> None:
        accelerator.log(logged(slice_), step=int(slice_["iteration"].item()))

    if isinstance(optimizer, AcceleratedOptimizer):
        optimizer = optimizer.optimizer
    return Recorder(
        path,
        accelerator.unwrap_model(model, keep_torch_compile=False),
        optimizer,
        _collated(_whole(train), collate),
        None if validation is None else _collated(_whole(validation), collate),
        on_slice=on_slice or log,
        **options,
    )


class Bystander:
    """Stands where other processes than the main one have a Recorder; it does nothing."""

    def __call__(self, *_batch: Any, **_about: Any) -> AbstractContextManager[None]:
        """Return a block that does nothing.

        Returns:
            The context in which the caller makes the update.
        """
        return nullcontext()

    def due(self, _iteration: int) -> bool:
        """Tell that no step is to be probed here.

        Returns:
            False.
        """
        return False


def _collated(source: Any, collate: Callable[[list[Any]], Any] | None) -> Any:
    """A loader of a Dataset, with the training's way of collating it."""
    if collate is None or isinstance(source, DataLoader) or not hasattr(source, "__getitem__"):
        return source
    if isinstance(source, (tuple, list, Mapping)):
        return source
    return DataLoader(source, collate_fn=collate)


def _whole(source: Any) -> Any:
    """A loader of all that the processes together show, of one that is shared among them."""
    shard = getattr(source, "batch_sampler", None)
    if not isinstance(shard, BatchSamplerShard):
        return source
    return DataLoader(
        source.dataset, batch_sampler=shard.batch_sampler, collate_fn=source.collate_fn
    )


def _require_whole(accelerator: Accelerator) -> None:
    """Refuse trainings in which no process has the whole model, or a step is of several batches."""
    kind = str(accelerator.distributed_type.value)
    if kind != "NO" and not kind.startswith("MULTI_"):
        raise InvalidValueError(
            f"the training is distributed by {kind}, which splits the model; a slice needs all of "
            "it on one device, so train on one, or by data parallelism (DDP)"
        )
    if (batches := accelerator.gradient_accumulation_steps) != 1:
        raise InvalidValueError(
            f"gradient_accumulation_steps is {batches}; a slice goes along the gradient of one "
            "batch, so give 1"
        )
    if (mixed := accelerator.mixed_precision) not in _PRECISIONS:
        raise InvalidValueError(
            f"mixed_precision is {mixed!r}; slices are measured with "
            f"{' or '.join(map(repr, _PRECISIONS))}"
        )
