"""Train a task, stopping at the iterations to be probed; every stop can be continued from.

To draw the same samples again, the iteration and the state of the global generators are enough: a
batch depends on (seed, iteration) alone, and what a model draws itself (dropout) comes from the
global generators.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from landscape.data import TensorData
from landscape.errors import CheckpointError, InvalidValueError, shown, users_code
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.network.point import preserved
from landscape.optimizers import named, schedules
from landscape.optimizers.line_search.base import COUNTS, LineSearch
from landscape.runtime import randomness
from landscape.runtime.interrupts import interrupts_held
from landscape.runtime.nested import Nested, cloned, described
from landscape.runtime.progress import Advance, unheard
from landscape.tasks.task import Task
from landscape.training.batches import INITIALISATION, MODEL, Batches
from landscape.training.checkpoints import (
    Checkpoint,
    check_state,
    copied,
    load_into,
    read_safely,
)
from landscape.training.settings import TrainingSettings, checkpoint_iterations
from landscape.training.updates import Updater
from landscape.training.validation import EpochRecord, validate

# (inputs, targets, indices) of a batch -> the context in which its update is made.
Around = Callable[[Nested, Nested, Tensor], AbstractContextManager[object]]


class Training:
    """One training run of a task, held at some iteration.

    ``model`` (on ``device``), ``optimizer``, ``iteration`` (the number of updates made) and
    ``record`` (that of the last finished epoch, or None) are those of the moment. The caller's
    global generators are left as they are.

    >>> task = landscape.load_task("digits-mlp")
    >>> settings = landscape.TrainingSettings(epochs=1, checkpoints=1)
    >>> training = landscape.Training(task, settings)
    >>> [type(event).__name__ for event in training.run()]
    ['EpochRecord', 'Checkpoint']
    >>> training.iteration
    11

    Args:
        task: the model, its data and its loss.
        settings: how it is trained.
        device: where the model and data in tensors are kept.

    Raises:
        InvalidValueError: for a batch larger than the data, for a model that cannot be made, and
            for settings that the optimizer, its schedule or the device does not take.
    """

    def __init__(
        self, task: Task, settings: TrainingSettings, device: torch.device | str = "cpu"
    ) -> None:
        self.settings = settings
        self.device = torch.device(device)
        self._batches = Batches(
            task.train.to(self.device), settings.batch_size, settings.seed, self.device
        )
        if settings.search_batch is not None:
            self._batches.check_search_batch(settings.search_batch)
        self.steps_per_epoch = self._batches.per_epoch
        self.steps = self.steps_per_epoch * settings.epochs
        self.checkpoint_iterations = checkpoint_iterations(
            len(task.train), settings.batch_size, settings.epochs, settings.checkpoints
        )
        with users_code("making the model"), randomness.seeded(INITIALISATION, settings.seed):
            made = task.model()
            _check_trainable(made)
            self.model: nn.Module = made.to(self.device)
        self._forward = Forward(
            self.model,
            settings.precision,
            compile=settings.compile,
            channels_last=settings.channels_last,
            calling=task.calling,
        )
        if settings.channels_last:
            self.model.to(memory_format=torch.channels_last)
        assert settings.learning_rate is not None
        assert settings.schedule is not None
        self.optimizer = named.build(
            settings.optimizer,
            self.model.parameters(),
            settings.learning_rate,
            settings.options,
            loss=task.measure,
            model=self.model,
            steps_per_epoch=self.steps_per_epoch,
        )
        self._update = Updater(self._forward, self.optimizer, task.measure)
        self.schedule = schedules.build(
            settings.schedule, self.optimizer, settings.epochs, settings.schedule_options
        )
        self.iteration = 0
        self.record: EpochRecord | None = None
        self._loss = task.measure
        self._validation = task.validation.to(self.device)
        # Fixed on a GPU: its free memory may differ where the run goes on.
        self._eval_batch_size = EvalBatchSize(2000 if self.device.type == "cuda" else None)
        self._yielded = 0  # the iteration of the latest checkpoint that run() gave
        self._cut_off = False
        self._before = dict.fromkeys(COUNTS, 0)  # what was counted before the epoch in progress
        self._losses: list[float] = []  # of the epoch in progress, like the seconds
        self._seconds = 0.0
        with randomness.seeded(MODEL, settings.seed):
            self._random = randomness.capture()

    def run(
        self,
        advance: Advance = unheard,
        around: Around = lambda *_: nullcontext(),
    ) -> Iterator[Checkpoint | EpochRecord]:
        """Train to the end, with a record after each epoch and a checkpoint where one is due.

        Both are given between two updates, the record first. Training waits meanwhile, and nothing
        that the caller does then changes it, not even to the global generators. Ctrl-C lets the
        update in progress finish and is then raised, so that :meth:`checkpoint` holds all that was
        done. After Ctrl-C, and after leaving the loop early, ``run()`` may be called again.

        Args:
            advance: called after each update.
            around: (inputs, targets, indices) of a batch -> the context in which its update is
                made.

        Yields:
            A record after each epoch, and a checkpoint at each of ``checkpoint_iterations``.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            InvalidValueError: where the model or its loss fails.
        """
        self._choose_memory_format()
        while True:
            if len(self._losses) == self.steps_per_epoch:
                yield self._finish_epoch()
            if self.iteration in self.checkpoint_iterations and self.iteration > self._yielded:
                self._yielded = self.iteration
                yield self.checkpoint()
            if self.iteration == self.steps:
                return
            self._advance(advance, around)

    @property
    def whole(self) -> bool:
        """False after an error cut off an update: there is then no state worth keeping."""
        return not self._cut_off

    def check(self) -> None:
        """Refuse what would fail at the first update or validation, before anything is trained.

        The model, the data and the global generators are left as they are.

        Raises:
            InvalidValueError: where the model, the loss or the augmentation fails on a batch, in
                training or in validation, where the loss depends on no parameter that is trained,
                where a label is not one of the model's classes, and where a line search cannot move
                the parameters, because they share memory.
            CheckpointError: for a model whose state no checkpoint can hold.
        """
        if isinstance(self.optimizer, LineSearch):
            self.optimizer.check_parameters()
        self._check_numbers()
        with torch.no_grad(), self._forward.precision_context(), preserved(self.model):
            check_state(self.model)
            self.model.eval()
            for what, data in (("training", self._batches.data), ("validation", self._validation)):
                inputs, targets = data.take(torch.arange(min(len(data), self.settings.batch_size)))
                with users_code(f"the model on {what} data of {described(inputs)}"):
                    outputs = self._forward.eager(cloned(inputs))
                kind = self._loss.fit(outputs, targets)
                everything = data.targets if isinstance(data, TensorData) else targets
                self._loss.check(kind, outputs, everything, f"{what} data")
                with users_code("the loss"):
                    self._loss.check_mean(kind, outputs, targets)
                    self._loss(outputs, targets)
            self._check_update()

    def _check_numbers(self) -> None:
        """Refuse settings of the optimizer that the parameters' own type takes for infinite."""
        for group in self.optimizer.param_groups:
            dtypes = {p.dtype for p in group["params"] if p.is_floating_point()}
            most = min((torch.finfo(each).max for each in dtypes), default=inf)
            for name, value in group.items():
                if isinstance(value, float) and most < abs(value) < inf:
                    what = "learning rate" if name == "lr" else name
                    raise InvalidValueError(
                        f"the {what} is {value:g}; the model's parameters hold numbers up to "
                        f"{most:g}, so choose less"
                    )

    def _check_update(self) -> None:
        """Refuse a first batch that cannot be trained on, up to the gradient."""
        self.model.train()
        inputs, targets, _ = self._batches.batch(0)
        with torch.enable_grad(), users_code(f"training on a batch of {described(inputs)}"):
            loss = self._loss(self._forward.eager(cloned(inputs)), targets).mean()
        if not loss.requires_grad:
            raise InvalidValueError(
                "the loss depends on no parameter that is trained; give a model whose output has a "
                "gradient"
            )
        trained = [p for p in self.model.parameters() if p.requires_grad]
        with users_code("the gradient of the loss"):
            torch.autograd.grad(loss, trained, allow_unused=True)

    @property
    def epoch(self) -> float:
        """Passes over the training data so far, 0.5 in the midst of the first."""
        return self.iteration / self.steps_per_epoch

    def checkpoint(self) -> Checkpoint:
        """Copy the run's present state to the CPU, to be probed or continued.

        Returns:
            The checkpoint, which shares no memory with the run.

        Raises:
            CheckpointError: where an error cut off an update, which leaves no state to continue
                from.
        """
        if self._cut_off:
            raise CheckpointError(
                f"an error cut off update {self.iteration + 1}; continue from an earlier checkpoint"
            )
        return Checkpoint(
            iteration=self.iteration,
            model=copied(self.model.state_dict()),
            epoch=self.epoch,
            learning_rate=self._learning_rate(),
            training={
                "settings": self._fixed(),
                "optimizer": deepcopy(self.optimizer.state_dict()),
                "schedule": deepcopy(self.schedule.state_dict()) if self.schedule else None,
                "random": self._random,
                "yielded": self._yielded,
                "losses": list(self._losses),
                "passes": dict(self._update.passes),
                "before": dict(self._before),
                "seconds": self._seconds,
                "record": asdict(self.record) if self.record else None,
            },
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint, to the same bits as the run that it came from.

        The number of epochs and of checkpoints may differ from that run's.

        Args:
            checkpoint: a state of a run of the same task with the same other settings.

        Raises:
            CheckpointError: where it holds no training, or one with other settings, where it does
                not fit the model, or where it is past this run's end.
        """
        state = checkpoint.training
        if state is None:
            raise CheckpointError(
                f"the checkpoint at iteration {checkpoint.iteration} holds a model without its "
                "training; it can be probed, not continued"
            )
        if "before" not in state:
            raise CheckpointError(
                f"the checkpoint at iteration {checkpoint.iteration} comes from an older version's "
                "training; it can be probed, not continued"
            )
        with read_safely(f"the checkpoint at iteration {checkpoint.iteration}"):
            self._resume(checkpoint, state)

    def _resume(self, checkpoint: Checkpoint, state: Mapping[str, Any]) -> None:
        # A setting that the checkpoint does not record has its default.
        before = asdict(TrainingSettings()) | state["settings"]
        for name, value in self._fixed().items():
            if before.get(name) != value:
                raise CheckpointError(
                    f"the checkpoint was trained with {name} {shown(before.get(name))}, "
                    f"this run with {value!r}; give the same"
                )
        if checkpoint.iteration > self.steps:
            raise CheckpointError(
                f"the checkpoint is at iteration {checkpoint.iteration}; "
                f"this run ends at {self.steps}; train for more epochs"
            )
        with randomness.preserved():
            randomness.restore(state["random"])
        load_into(self.model, checkpoint, "the checkpoint")
        # A copy, since the optimizer keeps the very tensors that it is given.
        self.optimizer.load_state_dict(deepcopy(state["optimizer"]))
        if self.schedule:
            self.schedule.load_state_dict(deepcopy(state["schedule"]))
        self.iteration = checkpoint.iteration
        self._random = state["random"]
        self._yielded = int(state["yielded"])
        self._losses = [float(loss) for loss in state["losses"]]
        self._update.passes = {name: int(state["passes"][name]) for name in COUNTS}
        self._before = {name: int(state["before"][name]) for name in COUNTS}
        self._seconds = float(state["seconds"])
        record = state.get("record")  # which older checkpoints lack
        self.record = EpochRecord(**record) if record else None
        self._cut_off = False

    def _choose_memory_format(self) -> None:
        """See :meth:`Forward.choose_memory_format`."""
        if self._forward.channels_last is None:
            data = self._batches.data
            inputs, _ = data.take(torch.arange(min(2, len(data))))
            with self._forward.precision_context():
                self._forward.choose_memory_format(inputs)

    def _advance(self, advance: Advance, around: Around) -> None:
        """Train to the end of the epoch, or to a checkpoint that is due before it."""
        epoch = self.iteration // self.steps_per_epoch
        end = (epoch + 1) * self.steps_per_epoch
        end = min([i for i in self.checkpoint_iterations if i > self.iteration] + [end])
        self.model.train()
        losses: list[Tensor] = []
        with users_code("training"), self._own_turn(), interrupts_held() as interrupts:
            self._cut_off = True
            while self.iteration < end and not interrupts:
                losses.append(self._step(around))
                self.iteration += 1
                advance()
            # The one place where the host waits for the device.
            self._losses += torch.stack(losses).tolist()
            self._cut_off = False
        if interrupts:
            raise interrupts[0]

    def _step(self, around: Around) -> Tensor:
        """Make one update, on the next batch; the result is the loss before it."""
        inputs, targets, indices = self._batches.batch(self.iteration)
        size = self.settings.search_batch
        fresh = None if size is None else partial(self._batches.search_batch, self.iteration, size)
        with around(inputs, targets, indices):
            return self._update(inputs, targets, fresh)

    def _finish_epoch(self) -> EpochRecord:
        with users_code("validation"), self._own_turn():
            validation_loss, validation_accuracy = validate(
                self.model, self._validation, self._loss, self._eval_batch_size, self._forward
            )
        counts = self._update.counts
        counted = {
            name: count - self._before[name] for name, count in counts.items() if name != "steps"
        }
        self.record = EpochRecord(
            epoch=self.iteration // self.steps_per_epoch,
            iteration=self.iteration,
            loss=torch.tensor(self._losses, dtype=torch.float64).mean().item(),
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            step_size=self._learning_rate(),
            seconds=self._seconds,
            **counted,
        )
        self._losses, self._before, self._seconds = [], dict(counts), 0.0
        if self.schedule:
            schedules.advance(self.schedule, validation_loss)
        return self.record

    def _learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _fixed(self) -> dict[str, Any]:
        """The settings that a run cannot change half way."""
        settings = asdict(self.settings) | {"samples": len(self._batches.data)}
        return {k: v for k, v in settings.items() if k not in ("epochs", "checkpoints")}

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        """The run's own global random state inside, the caller's outside; its time is counted."""
        started = time.perf_counter()
        with self._forward.precision_context(), randomness.preserved():
            randomness.restore(self._random)
            try:
                yield
            finally:
                self._random = randomness.capture()
                self._seconds += time.perf_counter() - started


def _check_trainable(model: nn.Module) -> None:
    """Refuse a model that there is nothing to train of, or that has no size yet."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(tensor) or tensor.is_meta:
            raise InvalidValueError(
                f"the model's {name} has no values yet; let the task's model run once on a sample "
                "before it is given, or name its sizes"
            )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InvalidValueError(
            "the model has no parameter that is trained; give one with parameters that require "
            "gradients"
        )
