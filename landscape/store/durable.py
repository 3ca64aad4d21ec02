"""A zarr store for writing whose files survive a power cut."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from landscape.runtime.atomic import atomic_write, make_folder, replace_all, temporary_path


class DurableStore(LocalStore):
    """A folder in which each file is whole, and on the disk once it is written.

    So a row's mark, which is written after its chunks, never reaches the disk without them.

    Args:
        root: the folder.
        read_only: as zarr has it.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._waiting: dict[Path, Path] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Put what is written inside in its place on leaving, which takes the disk less time.

        Until then nothing of it can be read; after an exception nothing of it is there.

        Yields:
            Nothing.
        """
        waiting: dict[Path, Path] = {}
        self._waiting = waiting
        try:
            yield
            replace_all(waiting, self.root)
        finally:
            self._waiting = None
            for partial in waiting:
                partial.unlink(missing_ok=True)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file.

        Args:
            key: its path in the store.
            value: its content.
        """
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write a file; :meth:`set` without its event loop.

        Args:
            key: its path in the store.
            value: its content.
        """
        self._check_writable()
        path = self.root / key
        content = value.to_bytes()
        if self._waiting is None:
            make_folder(path.parent)
            with atomic_write(path) as partial:
                partial.write_bytes(content)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = temporary_path(path)
            self._waiting[partial] = path
            partial.write_bytes(content)
