"""A run: a task trained into a folder, from which it can go on after any interruption.

The folder holds ``run.json`` (task and settings), ``checkpoints/iteration-….pt`` (the probed
iterations), ``latest.pt`` (where to go on) and ``history.zarr`` (one row per epoch).
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from landscape import store
from landscape.arguments import local_path
from landscape.data import digest
from landscape.errors import CheckpointError, InvalidValueError
from landscape.histories.layout import HISTORY_NAMES, LENGTH, Run
from landscape.probing.settings import ProbeSettings
from landscape.runtime.atomic import atomic_write, new_folder
from landscape.runtime.devices import versions
from landscape.runtime.interrupts import interrupts_held
from landscape.runtime.locks import exclusive
from landscape.runtime.progress import Progress, silent
from landscape.study.recorder import Recorder
from landscape.tasks import Task
from landscape.training import checkpoints
from landscape.training.checkpoints import Checkpoint
from landscape.training.loop import Around, Training
from landscape.training.settings import TrainingSettings
from landscape.training.validation import EpochRecord

# The values of settings that an older run's record does not mention.
BEFORE = {"train_samples": None, **asdict(TrainingSettings())}


def record_of(
    task: Task, settings: TrainingSettings, source: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Make a run's record: what it is asked to do.

    Args:
        task: what is trained.
        settings: how it is trained.
        source: where the task came from, in plain JSON values, or None.

    Returns:
        What the run's folder keeps in ``run.json``.
    """
    return {
        "task": task.name,
        **(source or {}),
        "data_digest": digest(task.train, task.validation),
        **asdict(settings),
    }


def train(
    task: Task,
    settings: TrainingSettings,
    out: Path,
    *,
    source: Mapping[str, Any] | None = None,
    probe: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Training:
    """Train a task into a folder, or go on with the run in it.

    Going on reaches the same bits as never having stopped. A run loses at most the epoch in
    progress. With more epochs than the run has, a run without a schedule goes on too, with further
    checkpoints where a run of that length has them after the end of the shorter one.

    >>> from pathlib import Path
    >>> task = landscape.load_task("digits-mlp")
    >>> settings = landscape.TrainingSettings(epochs=1, checkpoints=1)
    >>> landscape.study.train(task, settings, Path("run")).iteration
    11
    >>> sorted(path.name for path in Path("run").iterdir())
    ['checkpoints', 'history.zarr', 'latest.pt', 'run.json']

    Args:
        task: what is trained.
        settings: how it is trained.
        out: the run's folder, new or of a run with the same settings.
        source: where the task came from, in plain JSON values, which the run's record keeps.
        probe: fields of :class:`ProbeSettings`. With them, the iterations of the checkpoints are
            also probed during the training, on the batch of the next update; see :class:`Recorder`.
        device: where the model is trained.
        progress: reports on the training.

    Returns:
        The finished training.

    Raises:
        InvalidValueError: where ``out`` holds something else or a run with other settings, and for
            what the model, the optimizer or the probe does not take.
        CheckpointError: where ``latest.pt`` is damaged.
        KeyboardInterrupt: after Ctrl-C; calling this again goes on from there.
    """
    out = local_path(out)
    run = Run(out)
    training = Training(task, settings, device)
    record = record_of(task, settings, source)
    training.check()
    around = _recording(run, task, training, record, probe)
    with ExitStack() as held:
        with new_folder(run.folder):
            held.enter_context(exclusive(run.folder))
            _open_run(run, record)
        _go_on(run, task, training, around, progress)
    return training


def _go_on(run: Run, task: Task, training: Training, around: Around, progress: Progress) -> None:
    """Move ``training`` to where the folder's run stopped, and train it to the end."""
    if run.latest.exists():
        training.resume(_latest(run))
    record = run.read()  # as it was written, so that all of a run's files agree
    settings = training.settings
    writer: store.Writer | None = None
    if run.history.exists():
        writer = store.resume(run.history)
        writer.reserve(settings.epochs)
        length = {name: record[name] for name in LENGTH if name in record}
        if length != {name: writer.attributes.get(name) for name in length}:
            writer.set_attributes(length)
        writer.forget(training.iteration // training.steps_per_epoch)

    def keep(epoch: EpochRecord) -> None:
        nonlocal writer
        writer = writer or _history(run, epoch, record, training)
        writer.write(_history_row(epoch), epoch.epoch - 1)

    # The row may be missing that follows the writing of latest.pt.
    if training.record and not (writer and writer.finished[training.record.epoch - 1]):
        keep(training.record)
    with progress(f"training {task.name}", training.steps) as advance:
        advance(training.iteration)
        written = True
        try:
            for event in training.run(advance, around):
                # Ctrl-C waits here; a second one leaves the last epoch to be trained again.
                with interrupts_held() as interrupts:
                    written = False
                    if isinstance(event, Checkpoint):
                        path = run.checkpoint(event.iteration)
                        checkpoints.write(path, replace(event, run=record))
                    else:
                        # In this order, so that a run with all rows is a finished one.
                        checkpoints.write(run.latest, replace(training.checkpoint(), run=record))
                        keep(event)
                    written = True
                if isinstance(event, EpochRecord):
                    advance(0, f"epoch {event.epoch} of {settings.epochs}", _measured(event))
                if interrupts:
                    raise interrupts[0]
        except KeyboardInterrupt:
            if written and training.whole:
                checkpoints.write(run.latest, replace(training.checkpoint(), run=record))
            raise


def _measured(epoch: EpochRecord) -> dict[str, float]:
    """What a log says of an epoch: where there are no classes, there is no accuracy."""
    values = {"validation loss": epoch.validation_loss, "accuracy": epoch.validation_accuracy}
    return {name: value for name, value in values.items() if name != "accuracy" or value == value}


def _recording(
    run: Run,
    task: Task,
    training: Training,
    record: Mapping[str, Any],
    settings: Mapping[str, Any] | None,
) -> Around:
    """The context of an update: a recorder's step, or nothing."""
    if settings is None:
        return lambda *_: nullcontext()
    most = training.settings.batch_size
    asked = ProbeSettings.from_mapping(settings).batch_size
    if asked is not None and asked > most:
        raise InvalidValueError(
            f"the probe's batch_size is {asked}, and the training's {most}; a batch of the "
            f"training is probed, so choose at most {most}"
        )
    recorder = Recorder(
        run.recording,
        training.model,
        training.optimizer,
        task.train,
        task.validation,
        # No update follows the last iteration.
        at=[i for i in training.checkpoint_iterations if i < training.steps],
        loss=task.loss,
        task=task.name,
        run=record,
        **{"batch_size": training.settings.batch_size, **settings},
    )

    def step(inputs: Tensor, targets: Tensor, indices: Tensor) -> AbstractContextManager[None]:
        return recorder(
            inputs,
            targets,
            indices=indices,
            iteration=training.iteration,
            epoch=training.epoch,
        )

    return step


def _open_run(run: Run, record: Mapping[str, Any]) -> None:
    """Write a new run's record, or check the one there is; new is where nothing was trained."""
    unfinished = set(run.folder.glob(f".{run.record.name}.*.tmp"))
    if run.begun or set(run.folder.iterdir()) - unfinished - {run.record}:
        run.require(record, BEFORE)
        there = run.read()
        if all(there.get(name) == record[name] for name in LENGTH):
            return
        record = there | {name: record[name] for name in LENGTH}  # it goes on for longer
    with atomic_write(run.record) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")


def _latest(run: Run) -> Checkpoint:
    try:
        return checkpoints.read(run.latest)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}; or put the last of {run.checkpoints} in its place, or delete it to begin "
            "anew"
        ) from error


def _history(
    run: Run, event: EpochRecord, record: Mapping[str, Any], training: Training
) -> store.Writer:
    epochs = training.settings.epochs
    return store.create(
        run.history,
        _history_row(event),
        rows=epochs,
        along="epoch",
        chunk=min(epochs, 1000),
        attributes={**record, **versions(training.device)},
    )


def _history_row(event: EpochRecord) -> xr.DataTree:
    values = asdict(event)
    row = xr.Dataset(
        {name: ("epoch", np.array([v])) for name, v in values.items() if name != "epoch"},
        {"epoch": ("epoch", np.array([values["epoch"]]))},
    )
    for name, variable in row.variables.items():
        variable.attrs["long_name"], variable.attrs["units"] = HISTORY_NAMES[str(name)]
    return xr.DataTree(row)
