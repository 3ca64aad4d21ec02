"""Stores that grow by rows."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from landscape.errors import StoreError
from landscape.runtime.atomic import temporary_path
from landscape.store.layout import FINISHED, PARTIAL, SCHEMA, array, check, group, writing


class Writer:
    """Writes rows into a store; get one from :func:`create` or :func:`resume`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._root = zarr.open_group(LocalStore(path), mode="r+")
        self._along = str(self._root.attrs["along"])

    @property
    def attributes(self) -> dict[str, Any]:
        """What the store says of itself."""
        return dict(self._root.attrs)

    @property
    def finished(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The mark of each row, (rows,)."""
        return np.asarray(array(self._root, FINISHED)[:], dtype=bool)

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """The values of a root variable in the finished rows."""
        values: np.ndarray[Any, Any] = np.asarray(array(self._root, name)[:])[self.finished]
        return values

    def reserve(self, rows: int) -> None:
        """Make room for ``rows`` rows in all; never shortens.

        Also mends a store that was interrupted while it made room: the marks are resized last.
        """
        rows = max(rows, array(self._root, FINISHED).shape[0])
        with writing(self.path):
            for each in [a for a in self._arrays() if a.basename != FINISHED]:
                _resize(each, rows)
            _resize(array(self._root, FINISHED), rows)

    def write(self, row: xr.DataTree, index: int | None = None, **attributes: Any) -> None:
        """Write ``row`` as the one at ``index`` and then mark it; ``attributes`` are updated.

        Without an index it is the first unfinished one. Raises :class:`StoreError` where the disk
        refuses; what was finished stays.
        """
        finished = self.finished
        if index is None:
            index = int(np.argmin(np.append(finished, False)))
        if index >= len(finished):
            self.reserve(index + 1)
        with writing(self.path):
            for node in row.subtree:
                place = group(self._root, node.path)
                for name, variable in node.dataset.variables.items():
                    if self._along in variable.dims:
                        array(place, str(name))[index : index + 1] = variable.values
            if attributes:
                self._root.attrs.update(attributes)
            array(self._root, FINISHED)[index : index + 1] = True

    def forget(self, first: int) -> None:
        """Take the marks off the rows from ``first`` on; they will be written again."""
        finished = self.finished
        if finished[first:].any():
            finished[first:] = False
            with writing(self.path):
                array(self._root, FINISHED)[:] = finished

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
    temporary = temporary_path(path)
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that had the same number
    try:
        with writing(path):
            for node in row.subtree:
                # No row yet, so that only shapes, names and what all rows share are written.
                dataset = node.to_dataset(inherit=False)
                dataset = dataset.isel({along: slice(0, 0)}, missing_dims="ignore")
                if node.path == "/":
                    dataset[FINISHED] = (along, np.zeros(0, dtype=bool))
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


def resume(path: Path) -> Writer:
    """A writer on an existing store, whose room is consistent again after an interruption."""
    check(path)
    for partial in path.rglob(f"*{PARTIAL}"):
        partial.unlink(missing_ok=True)
    writer = Writer(path)
    writer.reserve(0)
    return writer


def require_same(
    writer: Writer,
    wanted: Mapping[str, Any],
    compared: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> None:
    """Refuse to go on in a store that was made otherwise, naming the first thing that differs.

    ``wanted`` maps attributes to values; nested mappings are compared key by key. ``compared``
    makes of attributes what counts, of the store's and of the wanted.
    """
    difference = _difference(compared(writer.attributes), compared(wanted))
    if difference:
        name, there, here = difference
        raise StoreError(
            f"{writer.path} was made with {name.replace('_', ' ')} {there!r}, and now it is "
            f"{here!r}; use the same settings, or another store"
        )


def require_schema(writer: Writer) -> None:
    """Refuse to add rows to a store of an older schema, whose rows hold less."""
    schema = writer.attributes["schema"]
    if schema < SCHEMA:
        raise StoreError(
            f"{writer.path} was made by an older landscape (schema {schema}; rows of schema "
            f"{SCHEMA} hold more): it can be read, not continued; use another store"
        )


def _resize(array: zarr.Array[Any], rows: int) -> None:
    if array.shape[0] != rows:
        array.resize((rows, *array.shape[1:]))


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
