"""The history of one run: its folder, its epochs, and what the run was asked to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from landscape import store
from landscape.errors import InvalidValueError, MissingFileError, StoreError
from landscape.histories.layout import HISTORY, PLACES, Run
from landscape.store.metadata import read as read_metadata

# Attributes of the store itself, not of the run.
STORE = ("schema", "along")
RUN = {"name", "epochs_done", "record"}  # what a packed collection says of each
ALWAYS = ("iteration", "loss", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class History:
    """One run and its finished epochs.

    Attributes:
        path: the run's folder, or the store.
        record: what the run was asked to do: setting -> value.
        epochs: (epoch,), the variables of the finished epochs.
    """

    path: Path
    record: Mapping[str, Any]
    epochs: xr.Dataset


def open_(path: str | Path) -> xr.Dataset:
    """Read the finished epochs of one run's history.

    Args:
        path: the store of a history.

    Returns:
        (epoch,), in memory.

    Raises:
        MissingFileError: where there is no store.
        StoreError: where it cannot be read, or lacks what every history holds.
    """
    dataset = store.open_(path)
    lacks = [name for name in ALWAYS if name not in dataset]
    if lacks:
        raise StoreError(f"{path} is damaged: it has no {', '.join(lacks)}; train the run anew")
    for name in map(str, dataset.variables):
        found = dataset[name]
        if found.dims[-1:] != ("epoch",) or found.dtype.kind not in "iuf":
            raise StoreError(
                f"{path} is damaged: {name!r} is {found.dtype} along "
                f"{', '.join(map(str, found.dims)) or 'nothing'}; train the run anew"
            )
    return dataset


def read(path: Path) -> list[History]:
    """Read all histories at ``path``.

    Args:
        path: a run's folder, its store, a folder that holds runs at any depth, or a packed
            collection.

    Returns:
        The histories; those in a folder in order of their paths.

    Raises:
        MissingFileError: where there is no run.
        StoreError: where a store cannot be read, or lacks what every history holds.
        InvalidValueError: for a store that holds no history.
    """
    if not path.exists():
        raise MissingFileError(f"there is no run at {path}")
    if not (path.is_dir() or path.is_file()):
        raise InvalidValueError(f"{path} is neither a folder nor a file; give a run's folder")
    found = [one for place in _find(path) for one in _open(place)]
    if not found:
        raise MissingFileError(f"there is no run in {path}")
    return found


def _find(path: Path) -> Iterator[Path]:
    """Runs' folders and stores; what lies below one of them is skipped."""
    if path.is_file() or Run(path).exists or (path / "zarr.json").is_file():
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.name.startswith(".") and not child.is_symlink():
            other = (child / "zarr.json").is_file() and child.name != HISTORY
            yield from () if other else _find(child)


def _open(path: Path) -> Iterator[History]:
    run = Run(path)
    if run.exists:
        if not run.history.exists():  # its first epoch is not finished
            yield History(path, _kept(run.read()), xr.Dataset())
            return
        path = run.history
    along = read_metadata(path).along
    if along not in ("run", "epoch"):
        raise _no_history(path)
    dataset = open_(path)
    if along == "run":
        runs = dataset.attrs.get("runs", [])
        if len(runs) != dataset.sizes["run"] or not all(run.keys() >= RUN for run in runs):
            raise StoreError(
                f"{path} is damaged: it does not say which runs it holds; pack it anew"
            )
        for i, run in enumerate(runs):
            epochs = dataset.isel(run=i, epoch=slice(run["epochs_done"]))
            if "optimizer" not in run["record"]:
                raise StoreError(f"{path} is damaged: a run of it names no optimizer; pack it anew")
            yield History(path / run["name"], run["record"], epochs)
    elif "optimizer" in dataset.attrs:
        where = path.parent if path.name == HISTORY else path
        yield History(where, _kept(dataset.attrs), dataset)
    else:
        raise _no_history(path)


def _no_history(path: Path) -> InvalidValueError:
    return InvalidValueError(f"{path} is no run's history; give a run's folder or its {HISTORY}")


def _kept(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a run was asked to do, without what concerns only its machine or its store."""
    return {name: value for name, value in record.items() if name not in (*PLACES, *STORE)}
