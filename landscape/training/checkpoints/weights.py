"""The sets of weights that a file holds: the plain ones, and averages of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.errors import CheckpointError, InvalidValueError, UnknownNameError, shown
from landscape.training.checkpoints import file_kinds
from landscape.training.checkpoints.state_dicts import COUNT, first_of

EXTRA = "_extra_state"  # how torch ends the name of what get_extra_state() gives
# Where other training code keeps the plain weights, the likeliest first. Lightning's averaging
# puts the average under "state_dict", and them elsewhere.
STATE_KEYS = (
    "current_model_state",
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "net",
    "network",
    "params",
    "weights",
)
_AVERAGE = re.compile(r"(?<![a-z])(ema|swa|avg|averaged?|shadow)(?![a-z])")
# What the only set of a file is called that is a state dict itself.
BARE, BARE_AVERAGE = "state_dict", "averaged"


@dataclass(frozen=True)
class Weights:
    """One of the sets of weights in a file.

    Attributes:
        name: its key in the file.
        state: the state dict.
        plain: whether it is what is taken unless another is asked for, and no average.
        names: of all sets in the file.
    """

    name: str
    state: Mapping[str, Any]
    plain: bool
    names: tuple[str, ...]


def choose(loaded: Any, path: Path, wanted: str | None = None) -> Weights:
    """Choose a set of weights.

    Args:
        loaded: what the file holds.
        path: what an error calls the file.
        wanted: the set's name; None for the plain weights, or the only ones.

    Returns:
        The set.

    Raises:
        CheckpointError: for a file without a state dict.
        InvalidValueError: where there are several and none is the plain one.
        UnknownNameError: for a name that the file does not have.
    """
    sets = _sets(loaded)
    if not sets:
        raise CheckpointError(_nothing(loaded, path))
    if wanted is not None and wanted not in sets:
        raise UnknownNameError(f"set of weights in {path}:", wanted, map(_shown_key, sets))
    usual = [key for key in STATE_KEYS if key in sets]
    plain = [key for key in sets if not is_average(key, sets)]
    default = next(iter(usual), None)
    if default is None and len(plain or sets) == 1:
        [default] = plain or sets
    name = wanted or default
    if name is None:
        raise InvalidValueError(
            f"{path} holds several sets of weights, none under a usual name: "
            f"{first_of([_shown_key(key) for key in sets])}; choose one with --weights (weights=)"
        )
    return Weights(name, sets[name], name == default and name in plain, tuple(sets))


def is_state(value: Any) -> bool:
    """Whether a value is a state dict.

    Args:
        value: anything.

    Returns:
        True for a dict of tensors, and of what modules keep by ``get_extra_state``, by name.
    """
    return (
        isinstance(value, dict)
        and all(isinstance(key, str) for key in value)
        and any(isinstance(tensor, Tensor) for tensor in value.values())
        and all(isinstance(v, Tensor) or name.endswith(EXTRA) for name, v in value.items())
    )


def is_average(name: str, sets: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a set of weights is an average over training.

    Args:
        name: the set's.
        sets: all sets of the file.

    Returns:
        True where its name, or a count of what was averaged, says so.
    """
    return COUNT in sets[name] or bool(_AVERAGE.search(name.lower()))


def _sets(loaded: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(loaded, dict):
        return {}
    if is_state(loaded):
        return {BARE_AVERAGE if COUNT in loaded else BARE: loaded}
    named = {key: value for key, value in loaded.items() if isinstance(key, str)}
    found = {key: _inner(key, value) for key, value in named.items()}
    return {key: state for key, state in found.items() if state is not None}


def _inner(key: str, value: Any) -> Mapping[str, Any] | None:
    """A state dict, also where it is the only one in a dict under a name that says weights."""
    if is_state(value):
        return value if value.keys() != {COUNT} else None
    if isinstance(value, dict) and (key in STATE_KEYS or _AVERAGE.search(key.lower())):
        inner = [each for each in value.values() if is_state(each)]
        return inner[0] if len(inner) == 1 else None
    return None


def _nothing(loaded: Any, path: Path) -> str:
    if file_kinds.is_shard(path.name):
        return f"{path} is one of several shards; give the whole state dict"
    parts = loaded if isinstance(loaded, dict) else {}
    keys = f"a dict of {first_of([_shown_key(key) for key in parts])}" if parts else _kind(loaded)
    return (
        f"{path} holds no state dict but {keys}; give a state dict, "
        f"alone or under one of {', '.join(STATE_KEYS[1:])}"
    )


def _shown_key(key: Any) -> str:
    return shown(key)[1:-1] if isinstance(key, str) else shown(key)


def _kind(loaded: Any) -> str:
    return "an empty dict" if isinstance(loaded, dict) else type(loaded).__name__
