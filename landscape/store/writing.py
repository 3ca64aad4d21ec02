"""Stores that grow by rows."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from landscape.errors import StoreError
from landscape.runtime.atomic import flush, temporary_path
from landscape.slices.schema import DERIVED, upgraded
from landscape.store.damage import finished_rows, marks, reading_values, require_whole
from landscape.store.durable import DurableStore
from landscape.store.layout import FINISHED, PARTIAL, SCHEMA, reading, writing
from landscape.store.metadata import STRUCTURE, read, structure
from landscape.store.opening import Marks, zarr_store
from landscape.store.reading import open_

# The codecs after the one that makes bytes of values.
CODECS = (ZstdCodec(level=0), Crc32cCodec())


class Writer:
    """Writes rows into a store; get one from :func:`create` or :func:`resume`.

    Args:
        path: the folder of an existing store.

    Attributes:
        path: the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._store = DurableStore(path)
            self._root = zarr.open_group(self._store, mode="r+", zarr_format=3)
        self._along = str(self._root.attrs["along"])
        self._opened: dict[str, zarr.Array[Any]] = {}

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the store's root."""
        return dict(self._root.attrs)

    @property
    def finished(self) -> Marks:
        """Whether each row is finished, (rows,)."""
        return finished_rows(read(self.path))

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """The values of a variable in the finished rows.

        Args:
            name: a variable of the root group, with one value or array a row.

        Returns:
            (finished rows, …), in order of the store, in the variable's dtype.
        """
        rows = np.flatnonzero(self.finished)
        with reading(self.path):
            values: np.ndarray[Any, Any] = np.asarray(self._array(name).oindex[rows])
        return values

    def readable(self, name: str) -> dict[int, Any]:
        """The values of a variable in those finished rows where it can be read.

        Args:
            name: a variable of the root group, with one value a row.

        Returns:
            Index of the row -> value, as Python's own.
        """
        metadata = read(self.path)
        finished, _ = marks(metadata)
        opened = zarr.open_array(zarr_store(metadata), path=name, mode="r", zarr_format=3)
        values = {}
        for row in np.flatnonzero(finished).tolist():
            with suppress(Exception):
                values[row] = np.asarray(opened[row]).item()
        return values

    def reserve(self, rows: int) -> None:
        """Make room for ``rows`` rows in all; never take any away.

        This also mends a store that was interrupted while making room: the marks are resized last.

        Args:
            rows: how many rows there is to be room for, finished ones included.
        """
        arrays = read(self.path).rows
        rows = max(rows, *(each.shape[0] for each in arrays))
        with writing(self.path):
            with self._store.together():
                for each in arrays:
                    if each.name != FINISHED and each.shape[0] != rows:
                        self._array(each.name).resize((rows, *each.shape[1:]))
            if (marks := self._array(FINISHED)).shape[0] != rows:
                marks.resize((rows,))

    def write(self, row: xr.DataTree, index: int | None = None, **attributes: Any) -> None:
        """Write one row, and then mark it as finished.

        Args:
            row: a tree of Datasets with the names, dimensions and shapes of the one that the store
                was created from, of length 1 along the store's dimension.
            index: where it goes, from 0; the first unfinished row unless given.
            **attributes: attributes of the store to set before the row is marked.

        Raises:
            StoreError: where the disk refuses, and for another shape than that of the first row;
                what was finished stays.
        """
        with reading(self.path):  # whether any is damaged was looked at when the store was opened
            mark = self._array(FINISHED)
            finished = np.asarray(mark[:], dtype=bool)
        if index is None:
            index = int(np.argmin(np.append(finished, False)))
        if index >= len(finished):
            self.reserve(index + 1)
            mark = self._array(FINISHED)
        with writing(self.path):
            mark[index : index + 1] = False  # a row that was begun has a mark
            with self._store.together():
                for name, variable in _variables(row):
                    if self._along in variable.dims:
                        array = self._row_array(name, mark.shape[0])
                        _require_shape(self.path, name, array.shape, variable.shape)
                        array[index : index + 1] = variable.values
                if attributes:
                    self._root.attrs.update(attributes)
            mark[index : index + 1] = True

    def write_shared(self, row: xr.DataTree, names: Iterable[str]) -> None:
        """Write again what all rows share.

        Args:
            row: as of :meth:`write`.
            names: of the arrays, in the store.

        Raises:
            StoreError: where the disk refuses.
        """
        variables = dict(_variables(row))
        with writing(self.path):
            for name in names:
                self._array(name)[...] = variables[name].values

    def forget(self, first: int) -> None:
        """Mark the rows from ``first`` on as unfinished, to be written again.

        Args:
            first: the index of the first of them, from 0.
        """
        finished = self.finished
        if finished[first:].any():
            finished[first:] = False
            with writing(self.path):
                self._array(FINISHED)[:] = finished

    def forget_rows(self, rows: Iterable[int]) -> None:
        """Mark rows as unfinished, whatever their marks are now.

        Args:
            rows: their indices, from 0.
        """
        with writing(self.path):
            for row in rows:
                self._array(FINISHED)[row : row + 1] = False

    def add(self, coordinates: Iterable[xr.DataArray]) -> None:
        """Add coordinates along the rows, with the values of the rows that there are.

        Args:
            coordinates: each over the rows first.
        """
        names = str(self._root.attrs.get("coordinates", "")).split()
        with every_chunk():
            for each in coordinates:
                made = self._root.create_array(
                    str(each.name),
                    shape=each.shape,
                    chunks=(1, *each.shape[1:]),
                    dtype=each.dtype,
                    compressors=CODECS,
                    fill_value=np.nan,
                    dimension_names=[str(name) for name in each.dims],
                    attributes=dict(each.attrs),
                    overwrite=True,  # what an interruption left
                )
                made[:] = each.values
                names += [str(each.name)] if each.name not in names else []
        self.set_attributes({"coordinates": " ".join(names)})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the store; others stay.

        Args:
            attributes: name -> a value that JSON has.
        """
        changed = {**self.attributes, **attributes}
        if changed["schema"] >= 2:
            changed[STRUCTURE] = structure(replace(read(self.path), attributes=changed))
        self._root.attrs.update(changed)

    def _array(self, name: str) -> zarr.Array[Any]:
        with every_chunk():  # an array keeps what was set when it was opened
            found = self._root.get(name)
        if not isinstance(found, zarr.Array):
            raise StoreError(f"{self.path} is damaged: it has no {name!r}; make it anew")
        return found

    def _row_array(self, name: str, rows: int) -> zarr.Array[Any]:
        """An array of so many rows: opened at the first, and again after the store has grown."""
        if name not in self._opened or self._opened[name].shape[0] != rows:
            self._opened[name] = self._array(name)
        return self._opened[name]


def _require_shape(path: Path, name: str, there: tuple[int, ...], row: tuple[int, ...]) -> None:
    """Refuse a row of another shape than the rows before it, as of longer padded sentences."""
    if there[1:] != row[1:]:
        raise StoreError(
            f"{name} has the shape {row[1:]} at this row and {there[1:]} at those before it in "
            f"{path}; if samples are padded, pad them all to one length, or keep no values of "
            "samples (--no-samples)"
        )


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

    >>> from xarray import Dataset, DataTree
    >>> row = DataTree(Dataset({"loss": ("epoch", [0.5])}))
    >>> path = Path("losses.zarr")
    >>> writer = landscape.store.create(path, row, rows=3, along="epoch", attributes={})
    >>> writer.write(row)
    >>> landscape.store.progress(path)
    (1, 3)

    Args:
        path: the store's folder, which must not exist.
        row: a tree of Datasets of length 1 along ``along``. Variables without that dimension are
            shared by all rows and written now; of the others, only name, shape and dtype count.
        rows: how many rows to make room for.
        along: the dimension along which the store grows.
        chunk: rows per chunk.
        attributes: attributes of the store, beside those of the row.

    Returns:
        A writer on the store.

    Raises:
        StoreError: where something exists at the path, or the disk refuses.
    """
    if path.exists():
        raise StoreError(f"{path} exists already")
    temporary = temporary_path(path)
    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that had the same number
    try:
        with writing(path), every_chunk():
            for node in row.subtree:
                # No row yet: only shapes, names and what all rows share are written.
                dataset = node.to_dataset(inherit=False)
                dataset = dataset.isel({along: slice(0, 0)}, missing_dims="ignore")
                if node.path == "/":
                    dataset[FINISHED] = (along, np.zeros(0, dtype=bool))
                    dataset.attrs = {**row.attrs, **attributes, "schema": SCHEMA, "along": along}
                dataset.to_zarr(
                    temporary,
                    group=node.path,
                    mode="a",
                    zarr_format=3,
                    consolidated=False,
                    encoding={
                        name: {"compressors": CODECS}
                        | (
                            {"chunks": (chunk, *variable.shape[1:])}
                            if variable.dims[:1] == (along,)
                            else {}
                        )
                        for name, variable in dataset.variables.items()
                    },
                )
            writer = Writer(temporary)
            writer.reserve(rows)
            writer.set_attributes({})
            flush(temporary.rglob("*"))
            temporary.rename(path)
            flush([path.parent])
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Writer(path)


def resume(path: Path, *, damaged: bool = False) -> Writer:
    """Open an existing store for writing, and mend what an interruption left inconsistent.

    Args:
        path: the store's folder.
        damaged: whether to open a store although values of its finished rows are damaged.

    Returns:
        A writer on the store.

    Raises:
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
    """
    read(path)
    if not path.is_dir():
        raise StoreError(f"{path} is packed, and no rows can be added to it; give another store")
    for pattern in PARTIAL:
        for partial in path.rglob(pattern):
            partial.unlink(missing_ok=True)
    writer = Writer(path)
    writer.reserve(0)
    if not damaged:
        metadata = read(path)
        require_whole(metadata, finished_rows(metadata), metadata.arrays.values())
        open_(path)  # reads what is not per sample
    return writer


def require_same(
    writer: Writer,
    wanted: Mapping[str, Any],
    compared: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> None:
    """Refuse to add rows to a store that was made with other attributes.

    Args:
        writer: on the store.
        wanted: attribute name -> value; nested mappings are compared key by key, and attributes
            that only the store has do not count.
        compared: attributes -> those to compare; applied to the store's and to ``wanted``.

    Raises:
        StoreError: for the first attribute that differs.
    """
    difference = _difference(compared(writer.attributes), compared(wanted))
    if difference:
        name, there, here = difference
        raise StoreError(
            f"{writer.path} was made with {name.replace('_', ' ')} {there!r}, and now it is "
            f"{here!r}; use the same settings, or another store"
        )


def upgrade(writer: Writer) -> None:
    """Bring a store of slices of an older schema to today's, so that rows can be added to it.

    What its rows lack is derived from what they hold; see :func:`landscape.slices.schema.upgraded`.
    The schema is written last: an upgrade that was interrupted is done again.

    Args:
        writer: on the store; one of today's schema is left as it is.

    Raises:
        StoreError: where the disk refuses, and for a store that is damaged.
    """
    if writer.attributes["schema"] >= SCHEMA:
        return
    metadata = read(writer.path)
    with reading_values(metadata):
        store = zarr_store(metadata)
        opened = xr.open_zarr(store, consolidated=False, chunks=None, zarr_format=3)
        newer = upgraded(opened.load())
    with writing(writer.path):
        writer.add([newer[name] for name in DERIVED if name in newer.coords])
        writer.set_attributes({**newer.attrs, "schema": SCHEMA})


@contextmanager
def every_chunk() -> Iterator[None]:
    """Write chunks of nothing but fill values too, so that one that is missing is noticed.

    Yields:
        Nothing.
    """
    with zarr.config.set({"array.write_empty_chunks": True}):
        yield


def _variables(row: xr.DataTree) -> Iterator[tuple[str, xr.Variable]]:
    """Name in the store -> variable."""
    for node in row.subtree:
        for name, variable in node.dataset.variables.items():
            yield f"{node.path}/{name}".strip("/"), variable


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
