"""The Recorder as a callback of Hugging Face's Trainer."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from landscape.errors import InvalidValueError
from landscape.integrations.accelerate import Bystander, recorder
from landscape.integrations.extras import needed
from landscape.integrations.logs import logged
from landscape.runtime.randomness import preserved
from landscape.study.recorder import Recorder

with needed("transformers"):
    from transformers import (
        Trainer,
        TrainerCallback,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )

# What the Trainer hands to the model beside the batch.
_NO_INPUT = "num_items_in_batch"


class LandscapeCallback(TrainerCallback):  # type: ignore[misc]
    """Records slices of a training by Hugging Face's Trainer.

    It is added to a Trainer that exists, whose data and logs it uses:

    >>> import torch
    >>> from transformers import Trainer, TrainingArguments
    >>> class Digits(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = model
    ...
    ...     def forward(self, pixel_values, labels=None):
    ...         logits = self.net(pixel_values)
    ...         if labels is None:
    ...             return {"logits": logits}
    ...         return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}
    >>> data = [{"pixel_values": x, "labels": y} for x, y in zip(images, labels, strict=True)]
    >>> arguments = TrainingArguments(
    ...     "run", max_steps=5, per_device_train_batch_size=100, use_cpu=True, report_to="none",
    ...     save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    ...     remove_unused_columns=False,
    ... )
    >>> trainer = Trainer(Digits(), arguments, train_dataset=data)
    >>> callback = landscape.integrations.transformers.LandscapeCallback(
    ...     trainer, "run.zarr", at=[0, 4], validation=validation,
    ... )
    >>> trainer.add_callback(callback)
    >>> trained = trainer.train()
    {'landscape/...}
    >>> landscape.open("run.zarr")["iteration"].values.tolist()
    [0, 4]

    The training ends at the same bits with and without it. An iteration is the Trainer's
    ``global_step``, so that a training that goes on from a checkpoint goes on in the same store;
    see :class:`landscape.Recorder`. After each slice, its :func:`landscape.statistics.scalars` go
    to ``trainer.log``, as ``landscape/peak_width/same_batch``, and so to TensorBoard, W&B and the
    others that the Trainer reports to.

    The Trainer shows its callbacks no batch, so that the batch is taken from the model's arguments.
    A slice is measured between the step's backward pass and the optimizer's step: the parameters
    are those before the step, and running statistics of batch norm have seen the batch. Of several
    processes, the main one records, along the gradient of its own part of the batch.

    Args:
        trainer: the Trainer that it is added to.
        path: the store, a folder.
        train: the training data, as in :func:`landscape.probe`; by default that of the Trainer.
        validation: the validation data, likewise; by default the Trainer's ``eval_dataset``, if it
            has one. Datasets are collated as the Trainer does.
        **options: ``at`` or ``every``, ``loss``, ``target`` and the other options of
            :class:`landscape.Recorder`; they are checked when the training starts. ``batch_size``
            is that of the Trainer unless given, and ``precision`` that of its accelerator.
    """

    def __init__(
        self,
        trainer: Trainer,
        path: str | Path,
        train: Any = None,
        validation: Any = None,
        **options: Any,
    ) -> None:
        self._trainer = trainer
        self._path = path
        self._train = train
        self._validation = validation
        self._options = options
        self._recorder: Recorder | Bystander = Bystander()
        self._watch = _BatchWatch()
        self._step: AbstractContextManager[None] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Make the Recorder; the Trainer calls this.

        Args:
            args: the Trainer's arguments.
            state: its state.
            control: what it does next.
            **kwargs: model, optimizer and the loaders.

        Raises:
            InvalidValueError: for options that the Recorder refuses, and for what it cannot
                measure: accumulated gradients, a model in parts or on several devices, and mixed
                precision but for "bf16".
        """
        self._recorder, self._step = Bystander(), None
        self._watch.stop()
        if (batches := args.gradient_accumulation_steps) != 1:
            raise InvalidValueError(
                f"gradient_accumulation_steps is {batches}; a slice goes along the gradient of one "
                "batch, so give 1"
            )
        if args.n_gpu > 1:
            raise InvalidValueError(
                f"the batch is split over {args.n_gpu} GPUs in one process; use one process for "
                "each GPU (torchrun), or let CUDA_VISIBLE_DEVICES show one"
            )
        loader = kwargs["train_dataloader"]
        self._recorder = recorder(
            self._trainer.accelerator,
            self._path,
            kwargs["model"],
            kwargs["optimizer"],
            loader if self._train is None else self._train,
            self._trainers_validation() if self._validation is None else self._validation,
            collate=loader.collate_fn,
            **{"on_slice": self._log, "batch_size": args.train_batch_size} | self._options,
        )

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at the batch of a step that is to be probed; the Trainer calls this.

        Args:
            args: the Trainer's arguments.
            state: its state.
            control: what it does next.
            **kwargs: model, optimizer and the loaders.
        """
        self._watch.stop()  # a step that failed left it
        if self._recorder.due(state.global_step):
            self._watch.start(kwargs["model"])

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Probe before the optimizer's step; the Trainer calls this.

        Args:
            args: the Trainer's arguments.
            state: its state.
            control: what it does next.
            **kwargs: model, optimizer and the loaders.

        Raises:
            InvalidValueError: for a batch that was not seen, or cannot be split or probed.
        """
        self._step = None
        if isinstance(self._recorder, Bystander) or not self._recorder.due(state.global_step):
            return
        batch = self._watch.stop()
        if batch is None:
            raise InvalidValueError(
                "the step's batch was not seen, for the Trainer did not call its model as "
                "model(**batch); use landscape.Recorder in a loop of your own"
            )
        inputs, targets = self._recorder.split(batch, "the batch", collated=True)
        epoch = float("nan") if state.epoch is None else state.epoch
        self._step = self._recorder(inputs, targets, iteration=state.global_step, epoch=epoch)
        self._step.__enter__()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the slice after the optimizer's step; the Trainer calls this.

        Args:
            args: the Trainer's arguments.
            state: its state.
            control: what it does next.
            **kwargs: model, optimizer and the loaders.
        """
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)

    def _log(self, slice_: xr.Dataset) -> None:
        self._trainer.log(logged(slice_))

    def _trainers_validation(self) -> Any:
        given = self._trainer.eval_dataset
        if isinstance(given, Mapping):
            raise InvalidValueError(
                f"the Trainer has {len(given)} validation sets; give one as validation"
            )
        if given is None:
            return None
        with preserved():  # preparing a loader may draw a seed
            return self._trainer.get_eval_dataloader()


class _BatchWatch:
    """Keeps a copy of what a model is called with next."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._batch: dict[str, Any] | None = None

    def start(self, model: nn.Module) -> None:
        self._handle = model.register_forward_pre_hook(self._see, with_kwargs=True)

    def stop(self) -> dict[str, Any] | None:
        """What was seen, once; None where the model was not called."""
        if self._handle is not None:
            self._handle.remove()
        seen, self._handle, self._batch = self._batch, None, None
        return seen

    def _see(self, _model: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        if self._batch is None and kwargs:
            # A copy, for a model may write to its inputs.
            self._batch = deepcopy({k: v for k, v in kwargs.items() if k != _NO_INPUT})
