"""What is damaged in a store: chunks that are missing, or are not what was written.

Chunks carry checksums, and an array whose chunks do has all of them. What older versions wrote has
neither: there zarr reads a missing chunk as fill values, which may be what was written.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import zarr

from landscape.arguments import local_path
from landscape.errors import StoreError
from landscape.store.files import Files, files_of
from landscape.store.layout import FINISHED, PER_SAMPLE, reading
from landscape.store.metadata import Array, Metadata, read
from landscape.store.opening import Marks, zarr_store


@dataclass(frozen=True)
class Damage:
    """One chunk that is damaged.

    Attributes:
        array: the array's name in the store.
        rows: the rows that it holds values of; none where all rows share the array.
        what: what is wrong with it.
        where: the rows in words, as "iteration 20"; "" where all rows share the array.
    """

    array: str
    rows: range
    what: str
    where: str = ""

    def __str__(self) -> str:
        at = f" at {self.where}" if self.where else ""
        return f"{self.array!r}{at} is {self.what}"


def find_damage(path: str | Path) -> list[Damage]:
    """Read every finished value of a store, and list what is damaged.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        What is damaged, array by array; nothing for a store that is whole.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store, and for one whose metadata are damaged.
    """
    metadata = read(local_path(path))
    metadata.require_even()
    return list(_find(metadata, metadata.arrays.values()))


def has_checksums(path: str | Path) -> bool:
    """Whether every chunk of a store carries a checksum.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        Whether it does; older versions wrote none.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store, and for one whose metadata are damaged.
    """
    return all(each.checksummed for each in read(local_path(path)).arrays.values())


def require_whole(metadata: Metadata, finished: Marks, arrays: Iterable[Array]) -> None:
    """Refuse a store where chunks of finished rows are missing; none is read.

    Args:
        metadata: of the store.
        finished: whether each row is finished, (rows,).
        arrays: which of the store's arrays to look at.

    Raises:
        StoreError: for the first chunk that is missing.
    """
    with files_of(metadata.path) as files, reading(metadata.path):
        found = list(_named(metadata, _missing(metadata, files, finished, arrays)))
    if found:
        refuse(metadata, found)


def finished_rows(metadata: Metadata) -> Marks:
    """Which rows of a store are finished.

    Args:
        metadata: of the store.

    Returns:
        Whether each row is finished, (rows,).

    Raises:
        StoreError: where marks are damaged, or those of rows that were begun are missing.
    """
    finished, found = marks(metadata)
    if found:
        refuse(metadata, found)
    return finished


def marks(metadata: Metadata) -> tuple[Marks, list[Damage]]:
    """Read the marks of finished rows as far as they can be read.

    A row has a mark from when it is begun, so that a mark that was lost is noticed.

    Args:
        metadata: of the store.

    Returns:
        Whether each row is finished, (rows,), False where that cannot be read; and what is damaged.
    """
    array = metadata.arrays[FINISHED]
    rows, width = array.shape[0], array.chunks[0]
    finished, found = np.zeros(rows, dtype=bool), []
    with files_of(metadata.path) as files, reading(metadata.path):
        begun = _begun(metadata, files) if array.checksummed else set()
        opened = _opened(metadata, array)
        chunks = [range(at, min(at + width, rows)) for at in range(0, rows, width)]
        faults = [files.fault(next(array.keys(chunk.start))) for chunk in chunks]
        if not any(faults):
            with suppress(Exception):  # else chunk by chunk
                return np.asarray(opened[:], dtype=bool), []
        for chunk, fault in zip(chunks, faults, strict=True):
            if fault == "missing" and not begun.intersection(chunk):
                continue
            if not fault:
                try:
                    finished[chunk.start : chunk.stop] = opened[chunk.start : chunk.stop]
                    continue
                except Exception as error:
                    fault = _reason(error)
            found.append(Damage(FINISHED, chunk, fault))
    return finished, list(_named(metadata, found))


def refuse(metadata: Metadata, found: Sequence[Damage]) -> NoReturn:
    """Refuse a store that is damaged.

    Args:
        metadata: of the store.
        found: what is damaged; at least one.

    Raises:
        StoreError: always; one line that names the first damage.
    """
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    path = metadata.path
    raise StoreError(
        f"{path} is damaged: {found[0]}{more}; `landscape check {shlex.quote(str(path))}` lists "
        "all that is, and says what to do"
    )


@contextmanager
def reading_values(metadata: Metadata) -> Iterator[None]:
    """Say of what cannot be read inside which chunk it is.

    Args:
        metadata: of the store that is read.

    Yields:
        Nothing.

    Raises:
        StoreError: for any exception.
    """
    with reading(metadata.path):
        try:
            yield
        except Exception:
            if found := list(_find(metadata, root_arrays(metadata))):
                refuse(metadata, found)
            raise


def root_arrays(metadata: Metadata) -> list[Array]:
    """The arrays of a store that are not per-sample values.

    Args:
        metadata: of the store.

    Returns:
        The arrays.
    """
    return [a for a in metadata.arrays.values() if a.name.split("/")[0] != PER_SAMPLE]


def _find(metadata: Metadata, arrays: Iterable[Array]) -> Iterator[Damage]:
    """Damaged marks, and what is missing or cannot be read of finished rows."""
    finished, found = marks(metadata)
    yield from found
    with files_of(metadata.path) as files, reading(metadata.path):
        for array in arrays:
            if array.name == FINISHED:
                continue
            lost = list(_missing(metadata, files, finished, [array]))
            gone = {row for each in lost for row in each.rows or [-1]}
            opened = _opened(metadata, array)
            for rows in _chunks(metadata, array, finished):
                if gone.isdisjoint(rows or [-1]):
                    try:
                        np.asarray(opened[rows.start : rows.stop] if rows else opened[...])
                    except Exception as error:
                        lost.append(Damage(array.name, rows, _reason(error)))
            yield from _named(metadata, sorted(lost, key=lambda each: each.rows.start))


def _missing(
    metadata: Metadata, files: Files, finished: Marks, arrays: Iterable[Array]
) -> Iterator[Damage]:
    """Chunks that are not there, or cannot be read for what they are."""
    for array in arrays:
        for rows in _chunks(metadata, array, finished):
            faults = {files.fault(key) for key in array.keys(rows.start if rows else None)}
            faults -= {""} if array.checksummed else {"", "missing"}
            if faults:
                yield Damage(array.name, rows, min(faults))


def _chunks(metadata: Metadata, array: Array, finished: Marks) -> Iterator[range]:
    """The rows of each chunk that holds a finished row; no rows, once, for what all rows share."""
    if not array.along(metadata.along):
        yield range(0)
        return
    width = array.chunks[0]
    for start in np.unique(np.flatnonzero(finished) // width) * width:
        yield range(int(start), min(int(start) + width, array.shape[0]))


def _begun(metadata: Metadata, files: Files) -> set[int]:
    """The rows of which any value was written."""
    return {
        row
        for array in metadata.rows
        if array.name != FINISHED
        for name in files.listed(f"{array.name}/c")
        if name.isdecimal()
        for row in range(int(name) * array.chunks[0], (int(name) + 1) * array.chunks[0])
    }


def _opened(metadata: Metadata, array: Array) -> zarr.Array[Any]:
    store = zarr_store(metadata)
    return zarr.open_array(store, path=array.name, mode="r", zarr_format=3)


def _named(metadata: Metadata, found: Iterable[Damage]) -> Iterator[Damage]:
    """With words for the rows of each: their iteration or epoch, or else their place."""
    for each in found:
        if not each.rows:
            yield each
            continue
        along = metadata.along
        name = "iteration" if along == "checkpoint" else "epoch"
        said = metadata.attributes.get("placed_by", name)
        ends = sorted({each.rows.start, each.rows.stop - 1})
        words = f"row{'s' * (len(ends) > 1)} {' to '.join(map(str, ends))}"
        if len(ends) == 1 and along in ("checkpoint", "epoch"):
            with suppress(Exception):  # that value may be what is damaged
                opened = _opened(metadata, metadata.arrays[name])
                words = f"{said} {np.asarray(opened[ends[0]]).item()}"
        yield Damage(each.array, each.rows, each.what, words)


def _reason(error: Exception) -> str:
    if isinstance(error, StoreError):
        return str(error)
    if "checksum" in str(error):
        return "not what was written (its checksum differs)"
    return "not what was written (it cannot be decoded)"
