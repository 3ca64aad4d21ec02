"""Zarr's view of a store whose metadata were checked."""

from collections.abc import AsyncIterator
from typing import Any

from zarr.storage import LocalStore, WrapperStore, ZipStore

from landscape.errors import StoreError
from landscape.store.metadata import Files, Metadata


class CheckedStore(WrapperStore[Any]):
    """A store of zarr's that shows what was checked, and nothing else that lies there.

    A chunk that has to be there and is not raises, where zarr would read fill values; so does a
    pipe, at which it would wait.

    Args:
        store: the store of zarr's.
        metadata: of the store.
    """

    def __init__(self, store: LocalStore | ZipStore, metadata: Metadata) -> None:
        super().__init__(store)
        self._metadata = metadata
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
        array = self._metadata.arrays.get(key.rpartition("/c")[0])
        if array is not None:
            fault = self._files.fault(key)
            if fault == "not a file" or (fault and array.checksummed):
                raise StoreError(fault)
        return await self._store.get(key, prototype, byte_range)

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


def zarr_store(metadata: Metadata) -> CheckedStore:
    """Zarr's store for reading.

    Args:
        metadata: of the store.

    Returns:
        The store, read-only.
    """
    path = metadata.path
    inner = LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")
    return CheckedStore(inner, metadata)
