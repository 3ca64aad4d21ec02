"""Chunked zarr stores that grow a row at a time: a slice a checkpoint, or a record an epoch.

A row is a tree of Datasets of length 1 along the dimension ``along``; one row is one chunk of
every array. A row counts as finished by a mark, written last. A new store is built under a
temporary name and renamed, so that there is never half of one. The store knows no model.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore, ZipStore

from landscape.errors import (
    InvalidValueError,
    LandscapeError,
    MissingFileError,
    StoreError,
    unknown,
)
from landscape.settings import comparable

SCHEMA = 1
_FINISHED = "finished"


class Writer:
    """Writes rows into a store; get one from :func:`create` or :func:`resume`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _writing(path):
            self._root = zarr.open_group(LocalStore(path), mode="r+")
        self._along = str(self._root.attrs["along"])

    @property
    def attributes(self) -> dict[str, Any]:
        """What the store says of itself."""
        return dict(self._root.attrs)

    @property
    def finished(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The mark of each row, (rows,)."""
        return np.asarray(_array(self._root, _FINISHED)[:], dtype=bool)

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """The values of a root variable in the finished rows."""
        values: np.ndarray[Any, Any] = np.asarray(_array(self._root, name)[:])[self.finished]
        return values

    def reserve(self, rows: int) -> None:
        """Make room for ``rows`` rows in all; never shortens.

        Also mends a store that was interrupted while it made room: the marks are resized last.
        """
        rows = max(rows, _array(self._root, _FINISHED).shape[0])
        with _writing(self.path):
            for array in [a for a in self._arrays() if a.basename != _FINISHED]:
                _resize(array, rows)
            _resize(_array(self._root, _FINISHED), rows)

    def write(self, row: xr.DataTree, **attributes: Any) -> None:
        """Write ``row`` as the first unfinished one and then mark it; ``attributes`` are updated.

        Raises :class:`StoreError` where the disk refuses; what was finished stays.
        """
        finished = self.finished
        if finished.all():
            self.reserve(len(finished) + 1)
        index = int(np.argmin(np.append(finished, False)))
        with _writing(self.path):
            for node in row.subtree:
                group = _group(self._root, node.path)
                for name, variable in node.dataset.variables.items():
                    if self._along in variable.dims:
                        _array(group, str(name))[index : index + 1] = variable.values
            if attributes:
                self._root.attrs.update(attributes)
            _array(self._root, _FINISHED)[index : index + 1] = True

    def forget(self, first: int) -> None:
        """Take the marks off the rows from ``first`` on; they will be written again."""
        finished = self.finished
        if finished[first:].any():
            finished[first:] = False
            with _writing(self.path):
                _array(self._root, _FINISHED)[:] = finished

    def _arrays(self) -> Iterator[zarr.Array[Any]]:
        for _, node in sorted(self._root.members(max_depth=None)):
            dimensions: Any = getattr(node.metadata, "dimension_names", None) or ()
            if isinstance(node, zarr.Array) and self._along in dimensions:
                yield node


def create(
    path: Path,
    row: xr.DataTree,
    *,
    rows: int,
    along: str = "checkpoint",
    chunk: int = 1,
    attributes: Mapping[str, Any],
) -> Writer:
    """Create a store shaped for rows like ``row``, with room for ``rows`` and none finished.

    ``chunk`` rows share a chunk. Raises :class:`StoreError` where something is there already or
    the disk refuses.
    """
    if path.exists():
        raise StoreError(f"{path} exists already")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        if not _alive(leftover.suffixes[-2][1:]):
            shutil.rmtree(leftover, ignore_errors=True)
    try:
        with _writing(path):
            for node in row.subtree:
                # No row yet, so that only shapes, names and what all rows share are written.
                dataset = node.to_dataset(inherit=False)
                dataset = dataset.isel({along: slice(0, 0)}, missing_dims="ignore")
                if node.path == "/":
                    dataset[_FINISHED] = (along, np.zeros(0, dtype=bool))
                    dataset.attrs = {"schema": SCHEMA, "along": along, **row.attrs, **attributes}
                dataset.to_zarr(
                    temporary,
                    group=node.path,
                    mode="a",
                    zarr_format=3,
                    consolidated=False,
                    encoding={
                        name: {"chunks": (chunk, *variable.shape[1:])}
                        for name, variable in dataset.variables.items()
                        if variable.dims[:1] == (along,)
                    },
                )
            Writer(temporary).reserve(rows)
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Writer(path)


def _alive(process: str) -> bool:
    """Whether the process of that number still runs, and may still use what it is building."""
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def resume(path: Path) -> Writer:
    """A writer on an existing store, whose room is consistent again after an interruption."""
    _check(path)
    writer = Writer(path)
    writer.reserve(0)
    return writer


def require_same(writer: Writer, wanted: Mapping[str, Any]) -> None:
    """Refuse to go on in a store that was made otherwise, naming the first thing that differs.

    ``wanted`` maps attributes to values; nested mappings are compared key by key.
    """
    difference = _difference(_comparable(writer.attributes), _comparable(wanted))
    if difference:
        name, there, here = difference
        raise StoreError(
            f"{writer.path} was made with {name.replace('_', ' ')} {there!r}, and now it is "
            f"{here!r}; use the same settings, or another store"
        )


def open_(path: str | Path) -> xr.Dataset:
    """The finished rows of a store (a folder, or a zip of one), in memory, in order of iteration.

    Raises :class:`MissingFileError` or :class:`StoreError` where there is no store, or one of a
    newer schema.
    """
    path = Path(path)
    attributes = _check(path)
    with _reading(path):
        dataset: xr.Dataset = xr.open_zarr(_zarr_store(path), consolidated=False, chunks=None)
        dataset.load()
    rows = _finished_rows(dataset, str(attributes["along"]))
    return dataset.drop_vars(_FINISHED).isel({str(attributes["along"]): rows})


def open_samples(
    path: str | Path, evaluation_set: str, chunks: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Per-sample loss and margin of one evaluation set, read from disk when they are used.

    With ``chunks``, as ``{"checkpoint": 1}``, as dask arrays, for more than fits into memory.
    """
    path = Path(path)
    if chunks is not None and find_spec("dask") is None:
        raise InvalidValueError(
            f"chunks {chunks} were given, but dask is not installed; "
            "pip install 'accuracy-landscape[dask]', or leave chunks out"
        )
    along = str(_check(path)["along"])
    with _reading(path):
        root = xr.open_zarr(_zarr_store(path), consolidated=False, chunks=None)
        sets = [str(s) for s in root["evaluation_set"].values]
        if evaluation_set not in sets:
            raise unknown("evaluation set", evaluation_set, sets)
        rows = _finished_rows(root.load(), along)
        try:
            samples: xr.Dataset = xr.open_zarr(
                _zarr_store(path),
                group=f"per_sample/{evaluation_set}",
                consolidated=False,
                chunks=None if chunks is None else dict(chunks),
            )
        except (FileNotFoundError, KeyError) as error:
            raise StoreError(f"{path} was made without per-sample values") from error
    root = root.isel({along: rows, "evaluation_set": sets.index(evaluation_set)})
    shared = [name for name, c in root.coords.items() if set(c.dims) <= set(samples.dims)]
    samples = samples.isel({along: rows}).assign_coords({n: root.coords[n] for n in shared})
    return samples.assign_attrs(root.attrs)


def progress(path: str | Path) -> tuple[int, int]:
    """How many rows are finished, and how many there is room for."""
    path = Path(path)
    _check(path)
    with _reading(path):
        group = zarr.open_group(_zarr_store(path), mode="r")
        marks = np.asarray(_array(group, _FINISHED)[:])
    return int(marks.sum()), len(marks)


def _finished_rows(dataset: xr.Dataset, along: str) -> np.ndarray[Any, Any]:
    rows = np.flatnonzero(dataset[_FINISHED].values)
    order = dataset["iteration"].values[rows] if along == "checkpoint" else rows
    return rows[np.argsort(order, kind="stable")]


def _check(path: Path) -> Mapping[str, Any]:
    """The attributes of the store at ``path``, if it is one that we can read."""
    if not path.exists():
        raise MissingFileError(f"there is no store at {path}")
    with _reading(path):
        attributes = dict(zarr.open_group(_zarr_store(path), mode="r").attrs)
    schema = attributes.get("schema")
    if not isinstance(schema, int) or "along" not in attributes:
        raise StoreError(f"{path} is a zarr group, but not a store of landscape's")
    if schema > SCHEMA:
        raise StoreError(
            f"{path} has schema {schema}; this landscape reads schemas up to {SCHEMA}; upgrade it"
        )
    return attributes


def _zarr_store(path: Path) -> LocalStore | ZipStore:
    return LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")


def _group(root: zarr.Group, path: str) -> zarr.Group:
    group = root if path == "/" else root[path.strip("/")]
    assert isinstance(group, zarr.Group)
    return group


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def _resize(array: zarr.Array[Any], rows: int) -> None:
    if array.shape[0] != rows:
        array.resize((rows, *array.shape[1:]))


def _comparable(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    if "settings" not in attributes:
        return attributes
    return {**attributes, "settings": comparable(attributes["settings"])}


def _difference(
    there: Mapping[str, Any], here: Mapping[str, Any]
) -> tuple[str, object, object] | None:
    for name, value in here.items():
        other = there.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            deeper = _difference(other, value)
            if deeper:
                return deeper
        elif other != value:
            return name, other, value
    return None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except LandscapeError:
        raise
    except OSError as error:
        raise StoreError(
            f"cannot write to {path}: {error.strerror or error}; what was finished before is kept"
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except LandscapeError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"{path} is not a zarr store") from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise StoreError(f"cannot read {path}: {reason}") from error
