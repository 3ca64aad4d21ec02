"""Optimizers x seeds on one task: one run folder each, and any part of them can go on anywhere.

Machines that share the folder must take disjoint parts of the list, since nothing else keeps them
apart.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import torch

from landscape.arguments import local_path
from landscape.errors import (
    CheckpointError,
    InvalidValueError,
    LandscapeError,
    MissingFileError,
    StoreError,
)
from landscape.histories import reading
from landscape.histories.layout import Run
from landscape.optimizers import named
from landscape.runtime.progress import Advance, Progress, silent
from landscape.study import runs
from landscape.tasks import Task
from landscape.training.loop import Training
from landscape.training.settings import TrainingSettings

# Fields that a variant sets in another way (its name, options by name), or the benchmark for all.
_NOT_ITS_OWN = ("optimizer", "options", "seed", "checkpoints")
_SETTINGS = tuple(f.name for f in fields(TrainingSettings) if f.name not in _NOT_ITS_OWN)


@dataclass(frozen=True)
class BenchmarkRun:
    """One run of a benchmark: its settings, and the folder that it is or will be in.

    Attributes:
        task: what is trained.
        settings: how it is trained.
        folder: the run's folder.
        source: where the task came from, as :func:`landscape.study.runs.train` takes it.
    """

    task: Task = field(repr=False, compare=False)
    settings: TrainingSettings
    folder: Path
    source: Mapping[str, Any] | None = None

    def state(self) -> tuple[int, float]:
        """Read how far the run is.

        Returns:
            The number of finished epochs, and the best validation accuracy so far, from 0 to 1 (NaN
            before the first epoch's end).

        Raises:
            InvalidValueError: where the folder holds a run with other settings.
            LandscapeError: where its record or its history is damaged.
        """
        run = Run(self.folder)
        if run.begun:
            run.require(runs.record_of(self.task, self.settings, self.source), runs.BEFORE)
        if not run.history.exists():
            return 0, nan
        accuracy = reading.open_(run.history)["validation_accuracy"].values
        return len(accuracy), float(accuracy.max()) if len(accuracy) else nan


def split(text: str, at: str = ",") -> list[str]:
    """Split text at a character, but not within brackets.

    Args:
        text: what is split.
        at: the character.

    Returns:
        The parts, at least one.
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == at and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def variant(text: str) -> tuple[str, dict[str, Any]]:
    """Read a variant, written as ``name:setting=value:…``.

    >>> landscape.study.benchmark.variant("sa-sls:slope_factor=10:search_batch=1024")
    ('sa-sls,slope_factor=10,search_batch=1024',
     {'optimizer': 'sa-sls', 'search_batch': 1024, 'options': {'slope_factor': 10}})

    Args:
        text: an optimizer and settings. A setting is a field of :class:`TrainingSettings` (except
            the seed and the checkpoints, which the benchmark sets), or else an option of the
            optimizer. Its value is JSON, or else plain text: ``adam:betas=[0.9,0.99]``.

    Returns:
        A name for the runs, and the fields of the settings that the variant changes.

    Raises:
        InvalidValueError: for a setting without a value, one that a variant cannot change, and one
            that is given twice.
    """
    optimizer, *pairs = (part.strip() for part in split(text, ":"))
    changes: dict[str, Any] = {"optimizer": optimizer}
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise InvalidValueError(f"optimizer {text!r} has {pair!r}; give name:setting=value")
        if name in _NOT_ITS_OWN:
            raise InvalidValueError(
                f"optimizer {text!r} sets {name!r}, which a variant cannot; give an option of "
                f"the optimizer by its own name, or {', '.join(_SETTINGS)}"
            )
        if name in changes or name in options:
            raise InvalidValueError(f"optimizer {text!r} sets {name!r} twice; give it once")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        (changes if name in _SETTINGS else options)[name] = parsed
    short = re.sub(r'[\s"]', "", ",".join([optimizer.lower(), *pairs]))
    return short.replace(":", ","), changes | {"options": options}


def benchmark_runs(
    task: Task,
    variants: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    *,
    source: Mapping[str, Any] | None = None,
    **changes: Any,
) -> list[BenchmarkRun]:
    """List the runs of a benchmark, seed by seed, so that a part of the list has all optimizers.

    The folders are ``out/<task>/<variant>-<seed>``; the folder of the task
    ``path/to/file.py:my_task`` is ``file,my_task``.

    Args:
        task: what is trained.
        variants: optimizers with settings, as :func:`variant` reads them.
        seeds: one run of each variant for each.
        out: the folder of the benchmark.
        source: where the task came from, as :func:`landscape.study.runs.train` takes it.
        **changes: fields of :class:`TrainingSettings` for all runs; a variant's own come first.

    Returns:
        The runs; nothing is trained yet.

    Raises:
        InvalidValueError: for settings that are not allowed, and for two variants that are the
            same.
    """
    settings = [
        (name, TrainingSettings.for_task(task, **{**changes, **own}))
        for name, own in map(variant, variants)
    ]
    _require_distinct(variants, [each for _, each in settings])
    folder = local_path(out) / _folder(task.name)
    return [
        BenchmarkRun(task, replace(each, seed=seed), folder / f"{name}-{seed}", source)
        for seed in seeds
        for name, each in settings
    ]


def benchmark(
    todo: Sequence[BenchmarkRun],
    *,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Iterator[tuple[BenchmarkRun, str | None]]:
    """Train all runs to the end, one after the other.

    Finished runs take no time; others go on where they stopped. When one fails, the others still go
    on.

    Args:
        todo: runs, as :func:`benchmark_runs` lists them.
        device: where the models are trained.
        progress: reports on each run.

    Yields:
        Each run after its turn, with None, or with one line on why it failed.

    Raises:
        InvalidValueError: before anything is trained, for what :func:`check` refuses.
    """
    check(todo, device)
    for one in todo:
        failure = None  # only the line: an error would keep the network and its data in memory
        try:
            if one.state()[0] < one.settings.epochs:
                runs.train(
                    one.task,
                    one.settings,
                    one.folder,
                    source=one.source,
                    device=device,
                    progress=partial(_of_run, progress, one),
                )
        except (LandscapeError, OSError) as error:
            failure = str(error)
        yield one, failure


def _of_run(
    progress: Progress, one: BenchmarkRun, what: str, total: int
) -> AbstractContextManager[Advance]:
    """Report on a run by its name."""
    return progress(f"{one.folder.name}, {what}", total)


def check(todo: Sequence[BenchmarkRun], device: torch.device | str = "cpu") -> None:
    """Refuse folders that hold runs with other settings, and settings that fail.

    Of each variant that is not finished, one run is made and tried on a batch. Damaged folders are
    not reported here: each fails when its turn comes.

    Args:
        todo: runs, as :func:`benchmark_runs` lists them.
        device: where the models are tried.

    Raises:
        InvalidValueError: for the first that is refused.
    """
    checked: list[tuple[str, TrainingSettings]] = []
    for one in todo:
        with suppress(MissingFileError, CheckpointError, StoreError):
            if one.state()[0] >= one.settings.epochs:
                continue
        settings = one.task.name, replace(one.settings, seed=0)
        if settings not in checked:
            checked.append(settings)
            Training(one.task, one.settings, device).check()


def shard(todo: Sequence[BenchmarkRun], share: str) -> Sequence[BenchmarkRun]:
    """Take one of n disjoint shares: a block, so that it has all optimizers.

    Args:
        todo: runs, as :func:`benchmark_runs` lists them.
        share: "i/n", the i-th of n shares, i from 1 to n.

    Returns:
        The runs of that share.

    Raises:
        InvalidValueError: for anything else than i/n.
    """
    first, _, parts = share.partition("/")
    if not (first.isdecimal() and parts.isdecimal() and 1 <= int(first) <= int(parts)):
        raise InvalidValueError(f"the part is {share!r}; give i/n with 1 ≤ i ≤ n, as in 1/2")
    i, n = int(first), int(parts)
    return todo[len(todo) * (i - 1) // n : len(todo) * i // n]


def _require_distinct(variants: Sequence[str], settings: Sequence[TrainingSettings]) -> None:
    """Refuse a run that would be trained twice: ``sgd,SGD``, or ``sgd,torch.sgd``."""
    said = [asdict(each) | {"optimizer": named.find(each.optimizer)} for each in settings]
    for i, each in enumerate(said):
        first = said.index(each)
        if first < i:
            raise InvalidValueError(
                f"optimizer {variants[i].strip()!r} was given twice, first as "
                f"{variants[first].strip()!r}; give each once"
            )


def _folder(name: str) -> str:
    """Name of a task's folder; for a task in a file, it does not depend on the current folder."""
    where, _, own = name.rpartition(":")
    where = Path(where).stem if where.endswith(".py") else where
    return ",".join(part for part in (where, own) if part).replace("/", "_")
