"""What checkpoint files hold, read as plain data."""

import warnings
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from landscape.errors import CheckpointError, MissingFileError
from landscape.training.checkpoints import file_kinds, folders
from landscape.training.checkpoints.weights import is_state
from landscape.training.harmless import allowed_globals


def load(path: Path, allow: Sequence[str | type] = ()) -> Any:
    """Read what a checkpoint holds.

    Args:
        path: a file, or a folder that is one checkpoint.
        allow: what the file may hold beside plain data, as for
            :func:`landscape.training.harmless.allowed_globals`, whose errors this raises.

    Returns:
        What was saved, on the CPU; of a folder, and of a file that is the weights of one, a dict
        with the place in the training beside the weights.

    Raises:
        MissingFileError: where there is no such file.
        CheckpointError: for a file that is damaged or no checkpoint, or would run code.
    """
    safe = allowed_globals(allow)
    home = folders.of(path)
    file = folders.weights_file(path) if path.is_dir() else path
    if home is None or file is None:
        return _file(path, safe)
    one = partial(_file, safe=safe)
    loaded = folders.sharded(file, one) if file.name.endswith(folders.INDEX) else one(file)
    beside = folders.position(home)
    if is_state(loaded):
        return {"model": loaded, **beside}
    return {**loaded, **beside} if isinstance(loaded, dict) else loaded


def _file(path: Path, safe: list[Any]) -> Any:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a file that torch.save wrote")
    if not path.is_file():
        several = file_kinds.explain_folder(path) if path.is_dir() else None
        kind = several or f"is {'a folder' if path.is_dir() else 'no regular file'}; give a file"
        raise CheckpointError(f"{path} {kind}{'' if several else ' that torch.save wrote'}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty; give a file that torch.save wrote")
    if file_kinds.is_safetensors(path):
        return _safetensors(path)
    if damaged := file_kinds.damaged_part(path):
        raise CheckpointError(
            f"{path} is damaged or cut off ({damaged} does not fit its checksum); copy it again"
        )
    with warnings.catch_warnings(), torch.serialization.safe_globals(safe):
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        # A file that is no checkpoint can raise whatever reading a pickle or an archive can.
        except Exception as error:
            raise CheckpointError(f"{path} {file_kinds.explain(path, error)}") from error


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    if find_spec("safetensors") is None:
        raise CheckpointError(
            f"{path} is a safetensors file, and safetensors is not installed; "
            "pip install 'accuracy-landscape[safetensors]'"
        )
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            # Copied, since what is read lies in the file, which may be written anew.
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    # A damaged file can raise whatever reading its header or tensors can.
    except Exception as error:
        raise CheckpointError(f"{path} is damaged or cut off; copy it again") from error
