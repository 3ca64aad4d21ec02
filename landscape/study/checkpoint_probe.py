"""Probe checkpoints into a store."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import isnan, nan
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from landscape import arguments, store
from landscape.arguments import local_path
from landscape.data import digest
from landscape.errors import InvalidValueError, StoreError, UnknownNameError, shown
from landscape.histories.layout import DATA, SLICES, Run, lengthless, require_same_data
from landscape.network.state import State
from landscape.probing.directions.direction import Landmarks
from landscape.probing.directions.registry import OPTIMIZER, PATH, TARGET
from landscape.probing.prober import Prober
from landscape.probing.settings import STEP_SIZES, AutoRange, ProbeSettings, comparable
from landscape.runtime import randomness
from landscape.runtime.atomic import require_room
from landscape.runtime.devices import versions
from landscape.runtime.locks import exclusive
from landscape.runtime.progress import Advance, Progress, silent
from landscape.runtime.tensors import content as content_of
from landscape.store import metadata
from landscape.store.metadata import read
from landscape.study.damaged_rows import Redo, damaged_rows
from landscape.study.next_step import optimizer_of
from landscape.study.placement import ITERATION, PLAIN, Survey, placed
from landscape.study.unfinished import Unfinished
from landscape.tasks import Task, load_task, source
from landscape.tasks.loading import is_own
from landscape.training import checkpoints
from landscape.training.checkpoints import Checkpoint, CheckpointFiles

# What stores are that were made before these were recorded.
DEFAULTS: Mapping[str, Any] = {"weights": PLAIN, "placed_by": ITERATION}


def probe(
    task: Task,
    paths: Sequence[Path] | CheckpointFiles,
    out: Path,
    settings: ProbeSettings,
    *,
    learning_rate: float = nan,
    at: Sequence[int] | None = None,
    redo: bool = False,
    weights: str | None = None,
    allow: Sequence[str | type] = (),
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> int:
    """Probe checkpoints into a store, or go on with one.

    Checkpoints that the store holds already are not probed again, but for those whose rows are
    damaged, with ``redo``. Where no file says its iteration and all know their epochs, they are
    placed by these: the store's ``placed_by`` is then "epoch", and its ``iteration`` the epoch.

    >>> from pathlib import Path
    >>> task = landscape.load_task("digits-mlp")
    >>> torch.save(task.model().state_dict(), "weights.pt")
    >>> settings = landscape.ProbeSettings(step_sizes=[-0.1, 0, 0.1])
    >>> landscape.study.probe(task, [Path("weights.pt")], Path("landscape.zarr"), settings)
    1

    Args:
        task: the model, its data and its loss.
        paths: checkpoint files, folders of files, or run folders; or
            :class:`landscape.training.checkpoints.CheckpointFiles`, which have ``weights`` and
            ``allow`` of their own.
        out: the store, a folder: new, or of a probe with the same settings.
        settings: how each checkpoint is probed. Step sizes "auto" are those of the store, if there
            is one; else they go as far as at the checkpoint that needs most, and the store's
            attribute ``range`` says which that was.
        learning_rate: that of a step of plain SGD, above 0, for ``origin="after-step"`` at
            checkpoints that no landscape run wrote. NaN is the step that the checkpoint's optimizer
            would take, which has to be torch's SGD.
        at: iterations of the checkpoints that are probed, −1 for the last one; by default all. The
            others still are the path of the training, from which the directions "principal-K" are
            made, and which is projected onto a plane.
        redo: whether to probe the checkpoints again whose rows in the store are damaged. What is
            whole stays as it is.
        weights: which of several sets of weights in a file to take, by its key, as
            ``"model_ema"``; None for the plain ones.
        allow: what files may hold beside plain data: names of harmless classes, as
            ``"argparse.Namespace"``, or classes of one's own, of which a file can make objects
            with any arguments.
        device: where the model is probed.
        progress: reports on the probe.

    Returns:
        The number of checkpoints that were probed now.

    Raises:
        MissingFileError: where a path has no checkpoint.
        CheckpointError: for a file that is no checkpoint or does not fit the model.
        InvalidValueError: for settings that are not allowed or do not suit the data, for data other
            than the run's or the store's, for checkpoints of two runs, twice at one iteration or
            at none, for another checkpoint than the store was made from at an iteration, for a
            step that is not known, for weights that a file does not have, and for what must not
            be allowed, and for a direction that the checkpoints do not give.
        UnknownNameError: for an iteration at which there is no checkpoint.
        StoreError: for a store with other settings or of other weights, and for one that cannot be
            written.

    Warns:
        RangeWarning: for step sizes "auto", where the loss of a checkpoint does not rise on a side.
    """
    out = local_path(out)
    require_room(out)
    given = not (isinstance(learning_rate, float) and isnan(learning_rate))
    if given:
        learning_rate = arguments.number("learning_rate", learning_rate, above=0)
    with randomness.preserved():
        model = task.model().to(device)
    if next(model.parameters(), None) is None:
        raise InvalidValueError("the model has no parameters, so there is nothing to move")
    own = {**task.metrics, **settings.own_metrics}
    settings = replace(
        settings,
        own_metrics=own,
        batch_size=task.batch_size if settings.batch_size is None else settings.batch_size,
    )
    files = CheckpointFiles.of(paths, weights, allow)
    survey = placed(model, files, _placed_by(out))
    found, run = _asked(survey.found, at), survey.run
    data = {DATA: digest(task.train, task.validation)}
    require_same_data(f"{files.paths[0]} is of a run", run, data)
    prober = Prober(task.train, task.validation, settings, device=device, **task.how)
    needs = {kind.needs for kind in settings.kinds}
    stepping = settings.origin == "after-step" or OPTIMIZER in needs
    landmarks = _landmarks(model, files, survey, settings)

    def load(path: Path) -> tuple[Checkpoint, dict[str, Any]]:
        """Load a checkpoint into the model; with it, what a prober is told of it."""
        checkpoint = files.read(path)
        checkpoints.load_into(model, checkpoint, path)
        return checkpoint, {
            "iteration": survey.place(checkpoint),
            "learning_rate": checkpoint.learning_rate,
            "optimizer": optimizer_of(checkpoint, model, task.measure, learning_rate, path)
            if stepping
            else None,
            "landmarks": landmarks,
        }

    about: dict[str, Any] = {}
    if settings.searches:
        if out.exists():
            prober = prober.with_settings(**_step_sizes_of(out, settings))
        else:
            reaches = {}
            with progress("finding the range", len(found)) as advance:
                for done, (iteration, (path, _)) in enumerate(found.items(), 1):
                    reaches[iteration] = prober.reaches(model, **load(path)[1])
                    advance(1, f"checkpoint {done} of {len(found)}, {survey.placed_by} {iteration}")
            prober, about["range"] = prober.fixed(reaches)
    wanted: dict[str, Any] = {
        "task": task.name,
        "training_samples": len(task.train),
        "device": torch.device(device).type,
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "settings": prober.settings.as_dict(),
        "weights": survey.weights,
        "placed_by": survey.placed_by,
    }
    if stepping and given:
        wanted["learning_rate"] = learning_rate
    if landmarks.towards or landmarks.path:
        wanted["landmarks"] = _said(landmarks)
    about |= {
        "optimizer": run.get("optimizer", "unknown"),
        "run": run,
        "loss": prober.loss,
        **data,
        **versions(torch.device(device)),
    }

    def slice_at(path: Path, rows: Unfinished | None, advance: Advance) -> xr.DataTree:
        checkpoint, told = load(path)
        slice_ = prober(model, epoch=checkpoint.epoch, rows=rows, advance=advance, **told)
        slice_["iteration"].attrs["long_name"] = survey.placed_by
        return slice_

    with ExitStack() as held:
        digests: dict[str, str] = {}
        writer: store.Writer | None = None
        again = Redo()
        if out.exists():
            held.enter_context(exclusive(out))
            writer = _there(out, wanted, run, redo)
            require_same_data(f"{out} was", writer.attributes, data)
            if "loss" in writer.attributes:  # which older stores lack
                store.require_same(writer, {"loss": prober.loss})
            if redo:
                again = damaged_rows(writer, found)
                writer.forget_rows(again.rows.values())
            digests = _digests(writer, found, again)
        todo = [i for i in found if str(i) not in digests or i in again.rows]
        if writer is not None and todo:
            store.upgrade(writer)
        if writer is not None:
            writer.reserve(len(digests) + len(set(todo) - set(again.rows)))
        with progress(f"probing {task.name}", prober.points * len(todo)) as advance:
            for done, iteration in enumerate(todo, 1):
                path, content = found[iteration]
                rows = None
                if settings.direction_2 is not None:
                    made_from = {**wanted, **data, "loss": prober.loss, "checkpoint": content}
                    rows = Unfinished(out, made_from | versions(torch.device(device)))
                slice_ = slice_at(path, rows, advance)
                if writer is None:
                    writer = store.create(
                        out, slice_, rows=len(todo), attributes={**wanted, **about}
                    )
                    held.enter_context(exclusive(out))
                digests[str(iteration)] = content
                if again.shared:
                    writer.write_shared(slice_, again.shared)
                    again = replace(again, shared=())
                writer.write(slice_, again.rows.get(iteration), digests=digests)
                if rows is not None:
                    rows.remove()
                at_iteration = f"checkpoint {done} of {len(todo)}, {survey.placed_by} {iteration}"
                advance(0, at_iteration, _at_start(slice_))
    return len(todo)


def _at_start(slice_: xr.DataTree) -> dict[str, float]:
    """What a log says of a checkpoint: loss and accuracy at step size 0, means over the draws."""
    values = slice_.to_dataset()
    sets = list(values["evaluation_set"].values)
    chosen = "validation" if "validation" in sets else sets[0]
    zeros = {name: 0.0 for name in ("step_size", "step_size_2") if name in values.dims}
    if not all(0 in values[name] for name in zeros):
        return {}
    start = values.sel({"evaluation_set": chosen, **zeros})
    of = str(chosen).replace("_", " ")
    names = {"loss": f"{of} loss", "accuracy": "accuracy" if "loss" in start else f"{of} accuracy"}
    return {
        name: float(start[metric].mean(skipna=False))
        for metric, name in names.items()
        if metric in start
    }


def _asked(found: Mapping[int, tuple[Path, str]], at: Sequence[int] | None) -> Any:
    """The checkpoints that are probed, of those found."""
    if at is None:
        return found
    wanted = arguments.integers("at", at, -1)
    last = max(found)
    chosen = dict.fromkeys(last if each == -1 else each for each in wanted)
    for each in chosen:
        if each not in found:
            raise UnknownNameError("checkpoint", each, map(str, found))
    return {each: found[each] for each in sorted(chosen)}


def _landmarks(
    model: torch.nn.Module, files: CheckpointFiles, survey: Survey, settings: ProbeSettings
) -> Landmarks:
    """The other checkpoints that directions need, each loaded into the model once."""

    def state(path: Path, of: CheckpointFiles) -> State:
        checkpoint = of.read(path)
        checkpoints.load_into(model, checkpoint, path)
        return State.of(model, checkpoint.iteration, checkpoint.epoch)

    towards = {}
    for kind in settings.kinds:
        if kind.needs != TARGET:
            continue
        if not kind.argument:
            raise InvalidValueError(
                f"direction {kind.name!r} needs to know where it leads; give {kind.takes} after a "
                f"colon (--direction {kind.name}:PATH)"
            )
        there = files.like([Path(kind.argument)])
        if len(there.paths) != 1:
            # A run's folder or a folder of checkpoints: where it has come to.
            there = files.like([max(there.paths, key=lambda path: there.read(path).iteration)])
        towards[kind.argument] = state(there.paths[0], there)
    needs_path = any(kind.needs == PATH for kind in settings.kinds)
    path: list[State] = []
    if needs_path or (settings.direction_2 is not None and len(survey.found) > 1):
        path = [
            replace(state(file, files), iteration=iteration)
            for iteration, (file, _) in survey.found.items()
        ]
    return Landmarks(towards, path)


def _said(landmarks: Landmarks) -> dict[str, Any]:
    """What a store keeps of other checkpoints: whether they are the same shows by checksums."""

    def checksum(state: State) -> str:
        digest = hashlib.sha256()
        for name, each in (*state.parameters.items(), *state.buffers.items()):
            digest.update(f"{name} {each.dtype} {tuple(each.shape)}".encode())
            digest.update(content_of(each))
        return digest.hexdigest()[:16]

    towards = {name: checksum(state) for name, state in landmarks.towards.items()}
    return {
        **({"towards": towards} if towards else {}),
        **({"path": [checksum(state) for state in landmarks.path]} if landmarks.path else {}),
    }


def _step_sizes_of(out: Path, wanted: ProbeSettings) -> dict[str, tuple[float, ...]]:
    """The step sizes of an existing store; what is no store of slices is refused later."""
    settings = read(out).attributes.get("settings", {})
    steps = tuple(settings.get("step_sizes", STEP_SIZES))
    there = {"step_sizes": steps, "step_sizes_2": tuple(settings.get("step_sizes_2") or steps)}
    # Those that were asked for as numbers have to be the store's.
    return {
        name: there[name]
        for name, each in zip(there, wanted.axes, strict=False)
        if isinstance(each, AutoRange)
    }


def _there(
    out: Path, wanted: Mapping[str, Any], run: Mapping[str, Any], redo: bool
) -> store.Writer:
    """A writer on the existing store, if it was made as ``wanted``."""
    writer = store.resume(out, damaged=redo)
    about = writer.attributes
    if about["along"] != "checkpoint" or "search" in about:
        what = "the history of a training" if about["along"] == "epoch" else "what a training wrote"
        raise StoreError(f"{out} holds {what}, not slices of checkpoints; give another store")
    store.require_same(writer, wanted, lambda attributes: comparable({**DEFAULTS, **attributes}))
    if run and writer.attributes.get("run"):
        store.require_same(
            writer, {"run": run}, lambda attributes: {"run": lengthless(attributes["run"])}
        )
    return writer


def _placed_by(out: Path) -> str | None:
    """By what the checkpoints of a store are placed; None where there is no store yet."""
    return str(metadata.read(out).attributes.get("placed_by", ITERATION)) if out.is_dir() else None


def _digests(
    writer: store.Writer, found: Mapping[int, tuple[Path, str]], again: Redo
) -> dict[str, str]:
    """Digests of the finished checkpoints; refuses one that differs from the one ``found``."""
    recorded = writer.attributes.get("digests", {})
    placed_by = writer.attributes.get("placed_by", ITERATION)
    # A crash may leave one more in the attributes.
    there = {str(i) for i in (*writer.column("iteration"), *again.rows)}
    if lacking := sorted(there - recorded.keys()):
        raise StoreError(
            f"{writer.path} is damaged: it has no digest of the checkpoint at {placed_by} "
            f"{lacking[0]}; probe into another store"
        )
    digests = {i: content for i, content in recorded.items() if i in there}
    for iteration, (path, content) in found.items():
        if digests.get(str(iteration), content) != content:
            raise InvalidValueError(
                f"{path} differs from the checkpoint at {placed_by} {iteration} that {writer.path} "
                "was made from; use another store"
            )
    return digests


def task_of(
    paths: Sequence[Path] | CheckpointFiles,
    spec: str | None,
    *,
    data: Path | None = None,
    download: bool = False,
    weights: str | None = None,
    allow: Sequence[str | type] = (),
) -> tuple[Task, int]:
    """Load the task that checkpoints belong to.

    A file is data: of what a checkpoint says, only the name of a built-in task is followed, and
    where that task's data lie. From there arrays, and the published files of the data sets, are
    read, without running anything in them; nothing is fetched into that folder. A task of one's
    own is code, and so has to be given.

    Args:
        paths: checkpoint files, folders of files, or run folders.
        spec: the task's name, which replaces what a run's own checkpoints say; None where they say
            it.
        data: the folder of the data sets, or an .npz of arrays, likewise.
        download: whether a data set that is not in that folder is fetched into it; without
            ``data``, into ``./data``.
        weights: as for :func:`probe`.
        allow: as for :func:`probe`.

    Returns:
        The task, and the batch size it was trained with (its default where unknown), in samples.

    Raises:
        InvalidValueError: where neither the checkpoints nor ``spec`` name a task, and where the
            checkpoints name one that is not built in.
    """
    files = CheckpointFiles.of(paths, weights, allow)
    run = files.read(files.paths[0]).run or {}
    name = spec or run.get("task")
    if name is None:
        raise InvalidValueError(
            f"{files.paths[0]} does not say which task it belongs to; give --task, a built-in one "
            "or your own as my_module:my_task"
        )
    if spec is None and is_own(name):
        raise InvalidValueError(
            f"{files.paths[0]} belongs to task {shown(name)}, which is no built-in one, and code "
            "that a file names is not run; if you trust it, give it yourself: --task "
            + (shlex.quote(name) if name.isprintable() else shown(name))
        )
    if data is None and run.get("data") and not download:
        data = Path(run["data"])
    kept: dict[str, Any] = {}
    if spec is None or source(spec)["task"] == run.get("task"):
        kept = {n: run[n] for n in ("dataset", "train_samples") if n in run}
        if data is not None and data.suffix == ".npz":
            kept.pop("dataset", None)
    task = load_task(name, data=data, download=download, **kept)
    return task, int(run.get("batch_size", task.batch_size))


def default_store(paths: Sequence[Path]) -> Path:
    """Choose where slices go: into the run's folder, or into the current one.

    Args:
        paths: checkpoint files, folders of files, or run folders.

    Returns:
        The store of the run where ``paths`` is one run's folder, else ``landscape.zarr`` in the
        current folder.
    """
    if len(paths) == 1 and Run(local_path(paths[0])).exists:
        return Run(local_path(paths[0])).slices
    return Path(SLICES)
