"""Checkpoint files: this package's own, and those that other training code wrote.

Files are read as plain data: no code in them is run, and a file that would need it is refused.
"""

import hashlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.arguments import local_path
from landscape.errors import CheckpointError, MissingFileError
from landscape.histories.layout import Run
from landscape.runtime.atomic import atomic_write, make_folder

FORMAT, VERSION = "landscape checkpoint", 1
KEPT = 2 * 2**30  # bytes of checkpoints that are kept in memory
SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin")

# Where other training code keeps these, the likeliest first.
STATE_KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "net",
    "network",
    "params",
    "weights",
)
ITERATION_KEYS = ("iteration", "global_step", "step", "it", "iterations", "n_iter")
LEARNING_RATE_KEYS = ("learning_rate", "lr")
OPTIMIZER_KEYS = ("optimizer", "optimizer_state_dict", "optim", "optimizer_state")
WRAPPERS = ("module.", "_orig_mod.", "model.")


@dataclass(frozen=True)
class Checkpoint:
    """A state of a training run.

    Attributes:
        iteration: the number of updates made.
        model: the state dict: parameters and buffers by name.
        epoch: passes over the training data that were finished; NaN where unknown.
        learning_rate: that of the next update; NaN where unknown.
        training: everything else that continuing the run needs; None where unknown.
        run: the task and the settings of the run it belongs to; None where unknown.
    """

    iteration: int
    model: dict[str, Tensor]
    epoch: float = math.nan
    learning_rate: float = math.nan
    training: dict[str, Any] | None = None
    run: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the model's names, dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            values = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(values.view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one step: a crash leaves the old file or the new one.

    Args:
        path: the file; folders above it are made.
        checkpoint: what it is to hold.
    """
    make_folder(path.parent)
    content = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    # Through memory, since torch's own writer hides errors of the disk.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, **content}, buffer)
    with atomic_write(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def read(path: Path) -> Checkpoint:
    """Read a checkpoint of this package, or one that other training code wrote.

    Other code's file is a state dict, or a dict that holds one under a usual key (or as its only
    one). Its iteration, epoch and learning rate are taken from the usual keys; without one, the
    iteration is the last number in the file's name, or 0.

    Args:
        path: a file that ``torch.save`` wrote.

    Returns:
        The checkpoint, on the CPU.

    Raises:
        MissingFileError: where there is no such file.
        CheckpointError: for a file that is damaged, holds no state dict or would run code.
    """
    content = _load(path)
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        if content.get("version") != VERSION:
            raise CheckpointError(
                f"{path} has checkpoint version {content.get('version')!r}; "
                f"this landscape reads version {VERSION}"
            )
        return _own(content, path)
    numbers = re.findall(r"\d+", path.stem)
    named = int(numbers[-1]) if numbers else 0
    iteration = _number(content, ITERATION_KEYS)
    return Checkpoint(
        iteration=_iteration(named if math.isnan(iteration) else iteration, path),
        model=_state(content, path),
        epoch=_number(content, ("epoch",)),
        learning_rate=_learning_rate(content),
    )


def _own(content: Mapping[str, Any], path: Path) -> Checkpoint:
    missing = [field.name for field in fields(Checkpoint) if field.name not in content]
    if missing or not _is_state(content["model"]):
        raise CheckpointError(
            f"{path} is damaged: it lacks {', '.join(missing) or 'a state dict'}; write it again"
        )
    values = {field.name: content[field.name] for field in fields(Checkpoint)}
    return Checkpoint(**{**values, "iteration": _iteration(values["iteration"], path)})


def _iteration(value: Any, path: Path) -> int:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < 2**63:
        raise CheckpointError(
            f"{path} is at iteration {value!r}; an iteration is a number from 0 to 2^63 − 1"
        )
    return int(value)


def load_into(model: nn.Module, checkpoint: Checkpoint, path: Path | str) -> None:
    """Set the parameters and buffers of a model, all of them or none.

    Prefixes that wrappers put before every name (``module.``, ``_orig_mod.``, ``model.``) are
    dropped where the names then fit.

    Args:
        model: changed in place.
        checkpoint: the state to load.
        path: what an error calls the checkpoint.

    Raises:
        CheckpointError: for tensors that are missing, unexpected, of another shape, or of a type
            that the model's would not hold exactly.
    """
    wanted = model.state_dict()
    given = max(_unwrapped(checkpoint.model), key=lambda state: len(state.keys() & wanted.keys()))
    shared = {name: (given[name], tensor) for name, tensor in wanted.items() if name in given}
    differing = [
        f"{name} {tuple(one.shape)} instead of {tuple(other.shape)}"
        for name, (one, other) in shared.items()
        if one.shape != other.shape
    ]
    inexact = [
        f"{name} {one.dtype} instead of {other.dtype}"
        for name, (one, other) in shared.items()
        if torch.promote_types(one.dtype, other.dtype) != other.dtype
        or one.is_floating_point() != other.is_floating_point()
        or one.is_sparse
    ]
    wrong = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "of another shape": differing,
        "of another type": inexact,
    }
    if any(wrong.values()):
        raise CheckpointError(
            f"{path} does not fit the model: "
            + "; ".join(f"{what}: {_first(names)}" for what, names in wrong.items() if names)
        )
    model.load_state_dict(given)


def find(paths: Sequence[Path]) -> list[Path]:
    """Find checkpoint files, in natural order of their names.

    Args:
        paths: files, folders of files, or run folders with a folder ``checkpoints``.

    Returns:
        The files, each once; "step-9" comes before "step-10".

    Raises:
        MissingFileError: for a path that does not exist and for a folder without checkpoints.
    """
    found = {file.resolve(): file for path in paths for file in _files(local_path(path))}
    return sorted(found.values(), key=lambda file: (_natural(file.name), _natural(str(file))))


class CheckpointFiles:
    """Checkpoint files, each read only once.

    What is read is kept in memory, up to :data:`KEPT` bytes in all; other files are read again each
    time.

    Args:
        paths: as for :func:`find`, whose errors this raises.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = find(paths)
        self._kept: dict[Path, Checkpoint] = {}
        self._left = KEPT

    @classmethod
    def of(cls, paths: "Sequence[Path] | CheckpointFiles") -> "CheckpointFiles":
        """Make checkpoint files of paths, unless they are that already.

        Args:
            paths: as for :func:`find`, or checkpoint files.

        Returns:
            The files; ``paths`` itself where it is one.
        """
        return paths if isinstance(paths, cls) else cls(paths)  # type: ignore[arg-type]

    def read(self, path: Path) -> Checkpoint:
        """Read a file, or return it from memory.

        Args:
            path: one of ``paths``.

        Returns:
            The checkpoint, as :func:`read` reads it, whose errors this raises.
        """
        if path in self._kept:
            return self._kept[path]
        checkpoint = read(path)
        size = sum(tensor.nbytes for tensor in checkpoint.model.values())
        if size <= self._left:
            self._left -= size
            self._kept[path] = checkpoint
        return checkpoint


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a run's folder, a folder or files")
    if not path.is_dir():
        return [path]
    own = Run(path).checkpoints
    folder = own if own.is_dir() else path
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
    if not files:
        raise MissingFileError(f"no checkpoints in {folder}; looked for *{', *'.join(SUFFIXES)}")
    return files


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts step-9 before step-10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _load(path: Path) -> Any:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a file that torch.save wrote")
    if not path.is_file():
        raise CheckpointError(f"{path} is a folder; give a file that torch.save wrote")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty; give a file that torch.save wrote")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    # A file that is no checkpoint can raise whatever reading a pickle or an archive can.
    except Exception as error:
        with path.open("rb") as file:
            archive = file.read(2) == b"PK"
        blocked = re.search(r"GLOBAL (\S+)", str(error))
        if blocked:
            reason = (
                f"holds {blocked[1]}, and loading that could run code; save the state dict alone, "
                "torch.save(model.state_dict(), path)"
            )
        elif archive:
            reason = "is damaged or cut off (or an archive of something else); copy it again"
        else:
            reason = "is no checkpoint; give a file that torch.save wrote, of a state dict"
        raise CheckpointError(f"{path} {reason}") from error


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) for key in value)
        and all(isinstance(tensor, Tensor) for tensor in value.values())
    )


def _state(content: Any, path: Path) -> dict[str, Tensor]:
    if _is_state(content):
        return dict(content)
    parts = content if isinstance(content, Mapping) else {}
    states = {key: part for key, part in parts.items() if _is_state(part)}
    for key in STATE_KEYS:
        if key in states:
            return dict(states[key])
    if len(states) == 1:
        return dict(*states.values())
    keys = f"a dict of {_first([str(key) for key in parts])}" if parts else type(content).__name__
    raise CheckpointError(
        f"{path} holds no state dict but {keys}; give a state dict, "
        f"alone or under one of {', '.join(STATE_KEYS)}"
    )


def _number(content: Any, keys: Sequence[str]) -> float:
    """Value of the first key that holds a plain number, else NaN."""
    for key in keys:
        value = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if abs(value) < 2**63 else math.inf
    return math.nan


def _learning_rate(content: Any) -> float:
    for key in OPTIMIZER_KEYS:
        state = content.get(key) if isinstance(content, Mapping) else None
        groups = state.get("param_groups") if isinstance(state, Mapping) else None
        if isinstance(groups, (list, tuple)) and groups:
            return _number(groups[0], ("lr",))
    return _number(content, LEARNING_RATE_KEYS)


def _unwrapped(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The state as it is, and without each wrapper's prefix where all names have it."""
    yield dict(state)
    for prefix in WRAPPERS:
        if state and all(name.startswith(prefix) for name in state):
            yield from _unwrapped({name.removeprefix(prefix): state[name] for name in state})


def _first(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
