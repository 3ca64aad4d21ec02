"""Folders that are one checkpoint, as Hugging Face's libraries write them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from landscape.errors import CheckpointError, shown

# The files that hold a model's weights, or say which files do; the first that is there is read.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
INDEX = ".index.json"
STATE = "trainer_state.json"


def weights_file(folder: Path) -> Path | None:
    """Find the file of a folder that has the weights.

    Args:
        folder: any folder.

    Returns:
        The file; None where the folder is not one checkpoint.
    """
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def of(path: Path) -> Path | None:
    """The folder that is the checkpoint.

    Args:
        path: a folder or a file.

    Returns:
        The folder itself, or that of a file which is the weights of one; None for other files.
    """
    if path.is_dir():
        return path
    return path.parent if path.name in WEIGHTS else None


def position(folder: Path) -> dict[str, Any]:
    """Read where in the training the checkpoint is.

    Args:
        folder: one checkpoint.

    Returns:
        ``global_step`` and ``epoch``, as far as ``trainer_state.json`` says them.
    """
    if not (folder / STATE).is_file():
        return {}
    state = _json(folder / STATE)
    return {name: state[name] for name in ("global_step", "epoch") if name in state}


def sharded(index: Path, load: Callable[[Path], Any]) -> dict[str, Any]:
    """Read a state dict that lies in several files.

    Args:
        index: the file that says which tensor is in which file.
        load: reads one of these.

    Returns:
        The state dict.

    Raises:
        CheckpointError: for an index that says no such thing, and for tensors that are missing or
            too many.
    """
    places = _json(index).get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(file, str) and Path(file).name == file for file in places.values()
    ):
        raise CheckpointError(
            f"{index} is damaged: its weight_map is {shown(places)}; it has to name files beside it"
        )
    files = sorted(set(places.values()))
    if missing := [file for file in files if not (index.parent / file).is_file()]:
        raise CheckpointError(f"{index.parent} lacks the shard {shown(missing[0])}; copy it too")
    state: dict[str, Any] = {}
    for file in files:
        part = load(index.parent / file)
        wanted = {name for name, home in places.items() if home == file}
        if not isinstance(part, Mapping) or part.keys() != wanted:
            raise CheckpointError(
                f"{index.parent / file} does not hold the tensors that {index.name} says; copy all "
                "files of one checkpoint"
            )
        state |= part
    return state


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: it is no JSON; copy it again") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object; copy it again")
    return found
