"""Optimizers x seeds on one task: each a run's folder, any part of which can go on anywhere.

Machines that share the folder take disjoint parts of the list; nothing else keeps them apart.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import Any

import torch

from landscape import runs, store
from landscape.errors import InvalidValueError
from landscape.progress import Progress, silent
from landscape.tasks import Task
from landscape.training import TrainingSettings

_SETTINGS = tuple(field.name for field in fields(TrainingSettings))


@dataclass(frozen=True)
class Piece:
    """One run of a benchmark: its settings, and the folder that it is in or will be."""

    settings: TrainingSettings
    folder: Path

    def state(self) -> tuple[int, float]:
        """Its finished epochs, and the best validation accuracy so far (NaN without any)."""
        history = runs.Run(self.folder).history
        if not history.exists():
            return 0, nan
        accuracy = store.open_(history)["validation_accuracy"].values
        return len(accuracy), float(accuracy.max()) if len(accuracy) else nan


def variant(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``name:setting=value:…``: a name for the runs, and changes to the settings.

    A setting is a field of :class:`TrainingSettings`, or else an option of the optimizer:
    ``sa-sls:slope_factor=10:search_batch=1024``.
    """
    optimizer, *pairs = text.strip().split(":")
    changes: dict[str, Any] = {"optimizer": optimizer}
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise InvalidValueError(f"optimizer {text!r} has {pair!r}; give name:setting=value")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        (changes if name in _SETTINGS else options)[name] = parsed
    return text.strip().replace(":", ","), changes | {"options": options}


def pieces(
    task: Task, variants: Sequence[str], seeds: Sequence[int], out: Path, **changes: Any
) -> list[Piece]:
    """The runs of a benchmark, seed by seed, so that a part of them covers all optimizers.

    ``variants`` as :func:`variant` reads them; ``changes`` hold for all. Folders are
    ``out/<task>/<variant>-<seed>``.
    """
    named = [variant(text) for text in variants]
    names = [name for name, _ in named]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValueError(f"optimizer {name!r} was given twice; give each once")
    return [
        Piece(
            TrainingSettings.of(task, **{**changes, **own, "seed": seed}),
            out / task.name.replace("/", "_").replace(":", ",") / f"{name}-{seed}",
        )
        for seed in seeds
        for name, own in named
    ]


def benchmark(
    task: Task,
    todo: Sequence[Piece],
    *,
    source: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Iterator[Piece]:
    """Train every piece to its end, one after the other; gives each when it is finished.

    What is finished already takes no time; what is not goes on where it stopped. Raises
    :class:`InvalidValueError` at once where a folder holds a run with other settings.
    """
    check(task, todo, source)
    for piece in todo:
        if piece.state()[0] < piece.settings.epochs:
            runs.train(
                task, piece.settings, piece.folder, source=source, device=device, progress=progress
            )
        yield piece


def check(task: Task, pieces: Sequence[Piece], source: Mapping[str, Any] | None) -> None:
    """Refuse folders that hold runs with other settings."""
    for piece in pieces:
        run = runs.Run(piece.folder)
        if run.record.exists():
            run.require(runs.record_of(task, piece.settings, source))


def part(todo: Sequence[Piece], share: str) -> Sequence[Piece]:
    """The ``i``-th of ``n`` disjoint shares, "i/n"."""
    first, _, parts = share.partition("/")
    if not (first.isdecimal() and parts.isdecimal() and 1 <= int(first) <= int(parts)):
        raise InvalidValueError(f"the part is {share!r}; give i/n with 1 ≤ i ≤ n, as in 1/2")
    return todo[int(first) - 1 :: int(parts)]
