"""Zarr's view of a store whose metadata were checked."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from zarr.storage import LocalStore, WrapperStore, ZipStore

from landscape.errors import StoreError
from landscape.store.files import Files
from landscape.store.metadata import Array, Metadata

Marks = np.ndarray[Any, np.dtype[np.bool_]]


class CheckedStore(WrapperStore[Any]):
    """A store of zarr's that shows what was checked, and nothing else that lies there.

    A chunk that has to be there and is not raises, where zarr would read fill values; so does a
    pipe, at which it would wait.

    Args:
        store: the store of zarr's.
        metadata: of the store.
        finished: whether each row is finished, (rows,); the chunks of others need not be there.
            None where all have to be.
    """

    def __init__(
        self, store: LocalStore | ZipStore, metadata: Metadata, finished: Marks | None = None
    ) -> None:
        super().__init__(store)
        self._metadata = metadata
        self._finished = finished
        self._files = Files(metadata.path)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """The content of a file, as zarr asks for it.

        Args:
            key: the file's name in the store.
            prototype: of zarr's buffers.
            byte_range: which of its bytes; all unless given.

        Returns:
            Zarr's buffer, or None where there is no such file and need not be.

        Raises:
            StoreError: for a chunk that is missing, or not a file.
        """
        name, _, place = key.rpartition("/c")
        array = self._metadata.arrays.get(name)
        if array is not None:
            fault = self._files.fault(key)
            if fault == "not a file" or (fault and array.checksummed and self._due(array, place)):
                raise StoreError(fault)
        return await self._store.get(key, prototype, byte_range)

    def _due(self, array: Array, place: str) -> bool:
        """Whether a chunk holds a finished row, or what all rows share."""
        if self._finished is None or not array.along(self._metadata.along):
            return True
        start = int(place.split("/")[1]) * array.chunks[0]
        return bool(self._finished[start : start + array.chunks[0]].any())

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """The checked groups and arrays below a group.

        Args:
            prefix: the group's name in the store.

        Returns:
            Their names without the group's, one after another.
        """
        return self._nodes(prefix.strip("/"))

    async def _nodes(self, prefix: str) -> AsyncIterator[str]:
        for node in sorted(self._metadata.nodes):
            above, _, name = node.rpartition("/")
            if above == prefix:
                yield name


def zarr_store(metadata: Metadata, finished: Marks | None = None) -> CheckedStore:
    """Zarr's store for reading.

    Args:
        metadata: of the store.
        finished: whether each row is finished, where others are not read, (rows,).

    Returns:
        The store, read-only.
    """
    path = metadata.path
    inner = LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")
    return CheckedStore(inner, metadata, finished)
