"""Checkpoint files: this package's own, and those that other training code wrote.

Files are read as plain data: no code in them is run, and a file that would need it is refused.
"""

import hashlib
import io
import math
import re
import warnings
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.arguments import local_path
from landscape.errors import CheckpointError, LandscapeError, MissingFileError, shown, users_code
from landscape.histories.layout import Run, check_record
from landscape.runtime.atomic import atomic_write, make_folder
from landscape.runtime.tensors import content, unusual
from landscape.training import file_kinds

FORMAT, VERSION = "landscape checkpoint", 1
KEPT = 2 * 2**30  # bytes of checkpoints that are kept in memory
SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin")
# What of a checkpoint its file holds.
SAVED = ("iteration", "model", "epoch", "learning_rate", "training", "run")
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
WRAPPERS = ("module.", "_orig_mod.", "model.")
INNER_WRAPPERS = r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."


@dataclass(frozen=True)
class Checkpoint:
    """A state of a training run.

    Attributes:
        iteration: the number of updates made.
        model: the state dict: parameters and buffers by name, and what modules keep by
            ``get_extra_state``.
        epoch: passes over the training data that were finished; NaN where unknown.
        learning_rate: that of the next update; NaN where unknown.
        training: everything else that continuing the run needs; None where unknown.
        run: the task and the settings of the run it belongs to; None where unknown.
        optimizers: state dicts of the optimizers that other training code kept beside the model.
        iteration_known: False where neither the file nor its name says the iteration.
    """

    iteration: int
    model: Mapping[str, Any]
    epoch: float = math.nan
    learning_rate: float = math.nan
    training: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    optimizers: tuple[Mapping[str, Any], ...] = ()
    iteration_known: bool = True

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the model's names, dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for name, tensor in _tensors(dict(sorted(self.model.items()))):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(content(tensor))
        for name, value in sorted(self.model.items()):
            if not isinstance(value, Tensor):
                digest.update(f"{name} {value!r}\n".encode())
        return digest.hexdigest()[:16]

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        parts = (self.model, self.training, self.optimizers)
        return sum(tensor.nbytes for _, tensor in _tensors(parts) if not unusual(tensor))


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
        deque(_tensors(loaded), maxlen=0)  # without an end in what contains itself
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
        for _, tensor in _tensors(value):
            if what := unusual(tensor):
                raise CheckpointError(f"{path} holds {shown(name)}, which is {what}")
        checked[name] = value.detach() if isinstance(value, Tensor) else value
    return _with_versions(checked, state)


def _with_versions(
    state: OrderedDict[str, Any], source: Mapping[str, Any], prefix: str = ""
) -> OrderedDict[str, Any]:
    """Keep what torch notes beside a state dict: the versions by which modules convert old ones."""
    versions = getattr(source, "_metadata", None)
    if isinstance(versions, Mapping):
        state._metadata = {  # type: ignore[attr-defined]
            f"{name}.".removeprefix(prefix).removesuffix("."): version
            for name, version in versions.items()
            if isinstance(name, str) and f"{name}.".startswith(prefix)
        }
    return state


def copied(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a state dict to the CPU.

    Args:
        state: what ``model.state_dict()`` gives.

    Returns:
        The same names and values, which share no memory with the model.
    """
    values = (
        (
            name,
            value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else deepcopy(value),
        )
        for name, value in state.items()
    )
    return _with_versions(OrderedDict(values), state)


def check_state(model: nn.Module) -> None:
    """Refuse a model whose checkpoints could be written and not read.

    Args:
        model: it is left as it is.

    Raises:
        CheckpointError: where a module keeps by ``get_extra_state`` what a file of data cannot
            hold, and where the model does not load its own state.
        InvalidValueError: where its ``state_dict()`` fails.
    """
    with users_code("the model's state_dict()"):
        state = model.state_dict()
    for name, value in state.items():
        if isinstance(value, Tensor):
            continue
        buffer = io.BytesIO()
        try:
            torch.save(value, buffer)
            buffer.seek(0)
            torch.load(buffer, weights_only=True)
        except Exception as error:
            raise CheckpointError(
                f"the model's {name} is a {type(value).__name__}, which no checkpoint can hold "
                "as data; let get_extra_state give tensors, numbers, strings, lists or dicts"
            ) from error
    load_into(model, Checkpoint(0, copied(state)), "its own state")


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
            that the model's would not hold exactly, and where the model's own hooks fail.
    """
    with users_code("the model's state_dict()"):
        wanted = model.state_dict()
    given = max(_unwrapped(checkpoint.model), key=lambda state: len(state.keys() & wanted.keys()))
    shared = {
        name: (given[name], tensor)
        for name, tensor in wanted.items()
        if isinstance(tensor, Tensor) and isinstance(given.get(name), Tensor)
    }
    differing = [
        f"{name} {tuple(one.shape)} instead of {tuple(other.shape)}"
        for name, (one, other) in shared.items()
        if not nn.parameter.is_lazy(other) and one.shape != other.shape
    ]
    inexact = [
        f"{name} {one.dtype} instead of {other.dtype}"
        for name, (one, other) in shared.items()
        if not _holds(other.dtype, one.dtype)
    ]
    wrong = {"of another shape": differing, "of another type": inexact}
    names = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
    }
    if any(wrong.values()):
        raise CheckpointError(_misfit(path, names | wrong))
    before = {
        name: value.clone()
        for name, value in wanted.items()
        if isinstance(value, Tensor) and not nn.parameter.is_lazy(value)
    }
    reason = None
    try:
        # What is missing is up to the model, whose modules may convert what older versions wrote.
        refused = model.load_state_dict(given, strict=False)
        names = {"missing": refused.missing_keys, "unexpected": refused.unexpected_keys}
        if any(names.values()):
            reason = _misfit(path, names)
    except Exception as error:
        text = " ".join(str(error).split())
        reason = f"{path} does not fit the model: {type(error).__name__}: {text}"
    if reason is not None:
        with torch.no_grad():
            for name, value in before.items():
                if not torch.equal(wanted[name], value):
                    wanted[name].copy_(value)
        raise CheckpointError(reason)


def _misfit(path: Path | str, wrong: Mapping[str, Sequence[str]]) -> str:
    parts = "; ".join(f"{what}: {_first(names)}" for what, names in wrong.items() if names)
    return f"{path} does not fit the model: {parts}"


def _holds(dtype: torch.dtype, other: torch.dtype) -> bool:
    """Whether every value of the type ``other`` is one of ``dtype`` too, of the same kind."""
    if dtype == other:
        return True
    if dtype.is_floating_point != other.is_floating_point or dtype.is_complex != other.is_complex:
        return False
    try:
        if dtype.is_floating_point:
            wide, narrow = torch.finfo(dtype), torch.finfo(other)
            return (
                wide.eps <= narrow.eps
                and wide.max >= narrow.max
                and wide.smallest_normal <= narrow.smallest_normal
            )
        return torch.promote_types(dtype, other) == dtype
    except (RuntimeError, TypeError):  # a type that torch can store and not compute with
        return False


def find(paths: Sequence[Path]) -> list[Path]:
    """Find checkpoint files, in natural order of their names.

    Args:
        paths: files, folders of files, or run folders with a folder ``checkpoints``.

    Returns:
        The files, each once, also where links lead to it; "step-9" comes before "step-10".

    Raises:
        MissingFileError: for a path that does not exist and for a folder without checkpoints.
        CheckpointError: for a folder that holds one checkpoint in several files.
    """
    found: dict[Path, Path] = {}
    for file in (file for path in paths for file in _files(local_path(path))):
        real = file.resolve()
        # A link counts as the file that it leads to, which is named where both are given.
        if real not in found or not file.is_symlink():
            found[real] = file
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
        if checkpoint.size <= self._left:
            self._left -= checkpoint.size
            self._kept[path] = checkpoint
        return checkpoint


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a run's folder, a folder or files")
    if not path.is_dir():
        return [path]
    own = Run(path).checkpoints
    folder = own if own.is_dir() else path
    if several := file_kinds.explain_folder(folder):
        raise CheckpointError(f"{folder} {several}")
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
    keys = f"a dict of {_first([_shown_key(key) for key in parts])}" if parts else _kind(loaded)
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


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a value, with the keys that lead to it."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _tensors(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from _tensors(each, f"{name}.{i}")


def _unwrapped(state: Mapping[str, Any]) -> Iterator[OrderedDict[str, Any]]:
    """The state as it is, and without what wrappers add to all names, or keep beside them."""
    yield _with_versions(OrderedDict(state), state)
    inner = {re.sub(INNER_WRAPPERS, "", name): value for name, value in state.items()}
    if len(inner) == len(state) and inner.keys() != state.keys():
        yield from _unwrapped(inner)
    counted = {name: value for name, value in state.items() if name != "n_averaged"}
    for prefix in WRAPPERS:
        if counted and all(name.startswith(prefix) for name in counted):
            bare = OrderedDict((n.removeprefix(prefix), value) for n, value in counted.items())
            yield from _unwrapped(_with_versions(bare, state, prefix))


def _first(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
