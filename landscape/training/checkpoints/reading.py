"""Checkpoint files: this package's own, and those that other training code wrote.

Files are read as plain data: no code in them is run, and a file that would need it is refused.
"""

import math
import re
import warnings
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.errors import CheckpointError, LandscapeError, MissingFileError, shown
from landscape.histories.layout import check_record
from landscape.runtime.tensors import unusual
from landscape.training.checkpoints import file_kinds
from landscape.training.checkpoints.checkpoint import FORMAT, SAVED, VERSION, Checkpoint, tensors_in
from landscape.training.checkpoints.state_dicts import first_of, with_versions

SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin")
EXTRA = "_extra_state"  # how torch ends the name of what get_extra_state() gives

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


def read(path: Path) -> Checkpoint:
    """Read a checkpoint of this package, or one that other training code wrote.

    Other code's file is a state dict, or a dict that holds one under a usual key (or as its only
    one). Its iteration, epoch and learning rate are taken from the usual keys; without one, the
    iteration is the last number in the file's name (of a link, in that of the file it leads to),
    or 0.

    Args:
        path: a file that ``torch.save`` wrote.

    Returns:
        The checkpoint, on the CPU.

    Raises:
        MissingFileError: where there is no such file.
        CheckpointError: for a file that is damaged, holds no state dict or would run code, and for
            values that no checkpoint has.
    """
    loaded = _load(path)
    with read_safely(path):
        deque(tensors_in(loaded), maxlen=0)  # without an end in what contains itself
        return _own(loaded, path) if _is_own(loaded) else _foreign(loaded, path)


@contextmanager
def read_safely(what: Path | str) -> Iterator[None]:
    """Use what a file held, which may be of any type at any place, and turn a misfit into one line.

    Args:
        what: what an error calls the checkpoint.

    Yields:
        Nothing.

    Raises:
        LandscapeError: as it was raised inside.
        CheckpointError: for any other exception.
    """
    try:
        yield
    except LandscapeError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{what} is damaged or no checkpoint: {type(error).__name__}: {shown(str(error))}"
        ) from error


def _is_own(loaded: Any) -> bool:
    kind = loaded.get("format") if isinstance(loaded, Mapping) else None
    return isinstance(kind, str) and kind == FORMAT


def _own(loaded: Mapping[str, Any], path: Path) -> Checkpoint:
    version = loaded.get("version")
    if not isinstance(version, int) or version != VERSION:
        raise CheckpointError(
            f"{path} has checkpoint version {shown(version)}; this landscape reads version "
            f"{VERSION}"
        )
    missing = [name for name in SAVED if name not in loaded]
    if missing or not _is_state(loaded["model"]):
        raise CheckpointError(
            f"{path} is damaged: it lacks {', '.join(missing) or 'a state dict'}; write it again"
        )
    for name in ("epoch", "learning_rate"):
        if not _is_number(loaded[name]):
            raise CheckpointError(
                f"{path} is damaged: its {name.replace('_', ' ')} is {shown(loaded[name])}; it has "
                "to be a number"
            )
    if not isinstance(loaded["training"], dict | None):
        raise CheckpointError(
            f"{path} is damaged: its training is {shown(loaded['training'])}; it has to be a dict"
        )
    if loaded["run"] is not None:
        check_record(loaded["run"], path)
    return Checkpoint(
        iteration=_iteration(loaded["iteration"], path),
        model=_checked(loaded["model"], path),
        epoch=float(loaded["epoch"]),
        learning_rate=float(loaded["learning_rate"]),
        training=loaded["training"],
        run=loaded["run"],
    )


def _foreign(loaded: Any, path: Path) -> Checkpoint:
    named, iteration = _named_iteration(path), _number(loaded, ITERATION_KEYS)
    known = not math.isnan(iteration)
    optimizers = tuple(_optimizers(loaded))
    return Checkpoint(
        iteration=_iteration(iteration if known else named or 0, path),
        model=_checked(_state(loaded, path), path),
        epoch=_finite(_number(loaded, ("epoch",))),
        learning_rate=_finite(_learning_rate(loaded, optimizers)),
        optimizers=optimizers,
        iteration_known=known or named is not None,
    )


def _named_iteration(path: Path) -> int | None:
    """The last number in the file's name; of a link, in the name of the file it leads to."""
    # Where it leads to a file without a suffix, as in a cache by hashes, the link has the name.
    target = path.resolve()
    for name in [target.stem] * (target.suffix.lower() in SUFFIXES) + [path.stem]:
        if numbers := re.findall(r"[0-9]+", name):
            return int(numbers[-1]) if len(numbers[-1]) < 20 else 2**63
    return None


def _iteration(value: Any, path: Path) -> int:
    if not _is_number(value) or not 0 <= value < 2**63 or value != int(value):
        raise CheckpointError(
            f"{path} is at iteration {shown(value)}; an iteration is a number from 0 to 2^63 − 1"
        )
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _checked(state: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The state dict with torch's own versions of its modules, and with plain tensors alone."""
    checked: OrderedDict[str, Any] = OrderedDict()
    for name, value in state.items():
        for _, tensor in tensors_in(value):
            if what := unusual(tensor):
                raise CheckpointError(f"{path} holds {shown(name)}, which is {what}")
        checked[name] = value.detach() if isinstance(value, Tensor) else value
    return with_versions(checked, state)


def _load(path: Path) -> Any:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a file that torch.save wrote")
    if not path.is_file():
        several = file_kinds.explain_folder(path) if path.is_dir() else None
        kind = several or f"is {'a folder' if path.is_dir() else 'no regular file'}; give a file"
        raise CheckpointError(f"{path} {kind}{'' if several else ' that torch.save wrote'}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty; give a file that torch.save wrote")
    if damaged := file_kinds.damaged_part(path):
        raise CheckpointError(
            f"{path} is damaged or cut off ({damaged} does not fit its checksum); copy it again"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    # A file that is no checkpoint can raise whatever reading a pickle or an archive can.
    except Exception as error:
        raise CheckpointError(f"{path} {file_kinds.explain(path, error)}") from error


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(isinstance(key, str) for key in value)
        and any(isinstance(tensor, Tensor) for tensor in value.values())
        and all(isinstance(v, Tensor) or name.endswith(EXTRA) for name, v in value.items())
    )


def _state(loaded: Any, path: Path) -> Mapping[str, Any]:
    if _is_state(loaded):
        return loaded  # type: ignore[no-any-return]
    parts = loaded if isinstance(loaded, Mapping) else {}
    states: dict[Any, Mapping[str, Any]] = {k: p for k, p in parts.items() if _is_state(p)}
    for key in STATE_KEYS:
        if key in states:
            return states[key]
    if len(states) == 1:
        [state] = states.values()
        return state
    if file_kinds.is_shard(path.name):
        raise CheckpointError(f"{path} is one of several shards; give the whole state dict")
    keys = f"a dict of {first_of([_shown_key(key) for key in parts])}" if parts else _kind(loaded)
    raise CheckpointError(
        f"{path} holds no state dict but {keys}; give a state dict, "
        f"alone or under one of {', '.join(STATE_KEYS)}"
    )


def _shown_key(key: Any) -> str:
    return shown(key)[1:-1] if isinstance(key, str) else shown(key)


def _kind(loaded: Any) -> str:
    return "an empty dict" if isinstance(loaded, Mapping) else type(loaded).__name__


def _number(loaded: Any, keys: Sequence[str]) -> float:
    """Value of the first key that holds a plain number, else NaN."""
    for key in keys:
        value: Any = loaded.get(key) if isinstance(loaded, Mapping) else None
        if isinstance(value, Tensor) and not unusual(value) and value.numel() == 1:
            value = value.item()
        if _is_number(value):
            return float(value) if abs(value) < 2**63 else math.inf
    return math.nan


def _optimizers(value: Any) -> Iterator[Mapping[str, Any]]:
    """The state dicts of optimizers in a value, at any depth: what has ``param_groups``."""
    if isinstance(value, Mapping):
        if "param_groups" in value:
            yield value
        else:
            for each in value.values():
                yield from _optimizers(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _optimizers(each)


def _learning_rate(loaded: Any, optimizers: Sequence[Mapping[str, Any]]) -> float:
    for state in optimizers:
        groups = state["param_groups"]
        if isinstance(groups, (list, tuple)) and groups:
            return _number(groups[0], ("lr",))
    return _number(loaded, LEARNING_RATE_KEYS)
