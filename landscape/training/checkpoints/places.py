"""Where in a training a checkpoint of other code is: what its file says, or its name."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.runtime.tensors import unusual
from landscape.training.checkpoints import folders
from landscape.training.checkpoints.file_kinds import SUFFIXES

ITERATION_KEYS = ("iteration", "global_step", "step", "it", "iterations", "n_iter")
_ITERATION = re.compile(r"(?<![a-z])(?:iteration|iter|it|step|update)s?[-_=. ]*([0-9]+)", re.I)
_ANY = re.compile("([0-9]+)")
# The name of a folder is often that of a model, as "llama-3".
_FOLDER = re.compile(r"(?:^|checkpoint|ckpt)[-_=. ]*([0-9]+)$", re.I)
_EPOCH = re.compile(r"(?<![a-z])(?:epoch|ep)s?[-_=. ]*([0-9]+)", re.I)


@dataclass(frozen=True)
class Place:
    """Where in a training a checkpoint is.

    Attributes:
        iteration: the number of updates made; None where unknown.
        epoch: passes over the data, as the training counted them; NaN where unknown.
        may_be_epoch: whether the iteration is but a number in a name, and may count epochs.
    """

    iteration: float | None
    epoch: float
    may_be_epoch: bool = False


def place_of(loaded: Any, path: Path) -> Place:
    """Find the place of a checkpoint.

    The file counts before its name. In a name, a number after a word such as "step" is the
    iteration, one after "epoch" the epoch, and the last number of any other the iteration (of a
    folder only one as in "checkpoint-500"). It may count epochs where the file knows its epoch and
    that is not clearly less: no training makes fewer updates than passes over its data.

    Args:
        loaded: what the file holds.
        path: the file, or a folder that is one checkpoint.

    Returns:
        The place.
    """
    iteration = number(loaded, ITERATION_KEYS)
    epoch = finite(number(loaded, ("epoch",)))
    name = _name(path)
    said = _last(_EPOCH, name)
    if math.isnan(epoch) and said is not None:
        epoch = float(said)
    if not math.isnan(iteration):
        return Place(iteration, epoch)
    named = _last(_ITERATION, name)
    if named is not None or said is not None:
        return Place(named, epoch)
    last = _last(_ANY if folders.of(path) is None else _FOLDER, name)
    return Place(last, epoch, last is not None and last <= epoch + 1)


def number(loaded: Any, keys: Sequence[str]) -> float:
    """Take the value of the first key that holds a plain number.

    Args:
        loaded: what a file holds.
        keys: the likeliest first.

    Returns:
        The number; infinity for one of more than 63 bits, NaN where there is none.
    """
    for key in keys:
        value: Any = loaded.get(key) if isinstance(loaded, Mapping) else None
        if isinstance(value, Tensor) and not unusual(value) and value.numel() == 1:
            value = value.item()
        if is_number(value):
            return float(value) if abs(value) < 2**63 else math.inf
    return math.nan


def is_number(value: Any) -> bool:
    """Whether a value is a plain number.

    Args:
        value: anything.

    Returns:
        True for an integer or a float, False for a truth value.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def finite(value: float) -> float:
    """Take what is finite.

    Args:
        value: a number.

    Returns:
        The number, or NaN for an infinite one.
    """
    return value if math.isfinite(value) else math.nan


def _name(path: Path) -> str:
    """The name that may say the place; of a link, that of what it leads to."""
    home = folders.of(path)
    if home is not None:
        return home.resolve().name
    # Where it leads to a file without a suffix, as in a cache by hashes, the link has the name.
    target = path.resolve()
    names = [target.stem] * (target.suffix.lower() in SUFFIXES) + [path.stem]
    return next((name for name in names if re.search("[0-9]", name)), names[-1])


def _last(pattern: re.Pattern[str], name: str) -> int | None:
    if numbers := pattern.findall(name):
        return int(numbers[-1]) if len(numbers[-1]) < 20 else 2**63
    return None
