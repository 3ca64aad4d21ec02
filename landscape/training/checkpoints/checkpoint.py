"""A checkpoint, and how it is written."""

import hashlib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.runtime.atomic import atomic_write, make_folder
from landscape.runtime.tensors import content, unusual

FORMAT, VERSION = "landscape checkpoint", 1
# What of a checkpoint its file holds.
SAVED = ("iteration", "model", "epoch", "learning_rate", "training", "run")


@dataclass(frozen=True)
class Checkpoint:
    """A state of a training run.

    Attributes:
        iteration: the number of updates made.
        model: the state dict: parameters and buffers by name, and what modules keep by
            ``get_extra_state``.
        epoch: passes over the training data, 0.5 in the midst of the first; NaN where unknown.
        learning_rate: that of the next update; NaN where unknown.
        training: everything else that continuing the run needs; None where unknown.
        run: the task and the settings of the run it belongs to; None where unknown.
        optimizers: state dicts of the optimizers that other training code kept beside the model.
        iteration_known: False where neither the file nor its name says the iteration.
        may_be_epoch: whether the iteration is but a number in a name, and may count epochs.
        weights: which of the file's sets of weights this is, by its key.
        weight_sets: the keys of all sets in the file.
        plain: whether these weights are those that are taken by default, and no average.
    """

    iteration: int
    model: Mapping[str, Any]
    epoch: float = math.nan
    learning_rate: float = math.nan
    training: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    optimizers: tuple[Mapping[str, Any], ...] = ()
    iteration_known: bool = True
    may_be_epoch: bool = False
    weights: str = "model"
    weight_sets: tuple[str, ...] = ("model",)
    plain: bool = True

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the model's names, dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for name, tensor in tensors_in(dict(sorted(self.model.items()))):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(content(tensor))
        for name, value in sorted(self.model.items()):
            if not isinstance(value, Tensor):
                digest.update(f"{name} {value!r}\n".encode())
        return digest.hexdigest()[:16]

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        parts = (dict(self.model), self.training, self.optimizers)
        return sum(tensor.nbytes for _, tensor in tensors_in(parts) if not unusual(tensor))


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one step: a crash leaves the old file or the new one.

    Args:
        path: the file; folders above it are made.
        checkpoint: what it is to hold.
    """
    make_folder(path.parent)
    saved = {name: getattr(checkpoint, name) for name in SAVED}
    # Through memory, since torch's own writer hides errors of the disk.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, **saved}, buffer)
    with atomic_write(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def tensors_in(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a value, at any depth of dicts and lists.

    Args:
        value: anything.
        name: what the names begin with.

    Yields:
        The keys that lead to it, with "." between them, and the tensor.
    """
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from tensors_in(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from tensors_in(each, f"{name}.{i}")
