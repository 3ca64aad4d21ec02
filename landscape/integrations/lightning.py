"""The Recorder as a callback of Lightning."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from landscape.errors import InvalidValueError
from landscape.integrations.extras import needed
from landscape.integrations.logs import logged
from landscape.study.recorder import Recorder

with needed("lightning"):
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy


class LandscapeCallback(Callback):  # type: ignore[misc]
    """Records slices of a training by Lightning's automatic optimisation.

    >>> import logging, torch, lightning.pytorch as pl
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    >>> class Digits(pl.LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = model
    ...
    ...     def forward(self, inputs):
    ...         return self.net(inputs)
    ...
    ...     def training_step(self, batch, batch_idx):
    ...         return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
    ...
    ...     def configure_optimizers(self):
    ...         return torch.optim.SGD(self.parameters(), lr=0.1)
    >>> callback = landscape.integrations.lightning.LandscapeCallback(
    ...     "run.zarr", at=[0, 4], validation=validation
    ... )
    >>> trainer = pl.Trainer(
    ...     callbacks=[callback], max_steps=5, accelerator="cpu", logger=False,
    ...     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ... )
    >>> trainer.fit(Digits(), DataLoader(TensorDataset(images, labels), batch_size=100))
    >>> landscape.open("run.zarr")["iteration"].values.tolist()
    [0, 4]

    The training ends at the same bits with and without it. An iteration is Lightning's
    ``global_step``, so that a training that goes on from a checkpoint goes on in the same store;
    see :class:`landscape.Recorder`. After each slice, its :func:`landscape.statistics.scalars` go
    to every logger of the trainer, as ``landscape/peak_width/same_batch``.

    Of several processes, the first one records, along the gradient of its own part of the batch.

    Args:
        path: the store, a folder.
        train: the training data, as in :func:`landscape.probe`; by default the trainer's training
            loader.
        validation: the validation data, likewise; by default the trainer's validation loader, if it
            has one.
        model: the LightningModule -> the module from inputs (N, …) to logits (N, C); by default the
            LightningModule itself, by its ``forward``.
        **options: ``at`` or ``every``, ``loss``, ``target`` and the other options of
            :class:`landscape.Recorder`; they are checked when the training starts. ``precision`` is
            not that of the trainer, but "float32" unless given.
    """

    def __init__(
        self,
        path: str | Path,
        train: Any = None,
        validation: Any = None,
        *,
        model: Callable[[LightningModule], nn.Module] = lambda module: module,
        **options: Any,
    ) -> None:
        super().__init__()
        self._path = path
        self._train = train
        self._validation = validation
        self._model = model
        self._options = options
        self._recorder: Recorder | None = None
        self._step: AbstractContextManager[None] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the Recorder; Lightning calls this.

        Args:
            trainer: the trainer.
            pl_module: what it trains.

        Raises:
            InvalidValueError: for options that the Recorder refuses, and for what it cannot
                measure: manual optimisation, and a model in parts (FSDP, DeepSpeed).
        """
        self._recorder = self._step = None
        if not pl_module.automatic_optimization:
            raise InvalidValueError(
                "automatic_optimization is False; the callback sees the steps of the automatic one "
                "alone, so use landscape.Recorder in training_step"
            )
        if isinstance(trainer.strategy, (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)):
            raise InvalidValueError(
                f"the strategy is {type(trainer.strategy).__name__}, which splits the model; a "
                "slice needs all of it on one device, so train on one, or with strategy='ddp'"
            )
        if not trainer.is_global_zero:
            return
        train = trainer.train_dataloader if self._train is None else self._train
        validation = (
            _only(trainer.val_dataloaders) if self._validation is None else self._validation
        )

        def log(slice_: xr.Dataset) -> None:
            for logger in trainer.loggers:
                logger.log_metrics(logged(slice_), step=int(slice_["iteration"].item()))

        options: dict[str, Any] = {"on_slice": log, "task": type(pl_module).__name__}
        options |= self._options
        self._recorder = Recorder(
            self._path,
            self._model(pl_module),
            trainer.optimizers[0],
            train,
            validation,
            **options,
        )

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Probe before the step; Lightning calls this.

        Args:
            trainer: the trainer.
            pl_module: what it trains.
            batch: the step's batch, on the model's device.
            batch_idx: its place in the epoch.

        Raises:
            InvalidValueError: where gradients are accumulated over batches, and for a batch that
                cannot be split or probed.
        """
        if self._recorder is None:
            return
        if (batches := trainer.accumulate_grad_batches) != 1:
            raise InvalidValueError(
                f"accumulate_grad_batches is {batches}; a slice goes along the gradient of one "
                "batch, so give 1"
            )
        inputs, targets = self._recorder.split(batch, "the batch", collated=True)
        whole = float(trainer.num_training_batches)  # ∞ where the loader has no length
        self._step = self._recorder(
            inputs,
            targets,
            iteration=trainer.global_step,
            epoch=trainer.current_epoch + batch_idx / whole,
        )
        self._step.__enter__()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Mapping[str, Any],
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write the slice after the step; Lightning calls this.

        Args:
            trainer: the trainer.
            pl_module: what it trains.
            outputs: what the step gave.
            batch: the step's batch.
            batch_idx: its place in the epoch.
        """
        # Of a step that failed or was skipped the block is dropped, and nothing is written.
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)


def _only(loaders: Any) -> Any:
    """The one validation loader of a trainer, which may be in a list; None without any."""
    if not isinstance(loaders, (list, tuple)):
        return loaders
    if len(loaders) > 1:
        raise InvalidValueError(
            f"the trainer has {len(loaders)} validation loaders; give one as validation"
        )
    return loaders[0] if loaders else None
