"""The files of a store, be it a folder or a zip of one."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

from landscape.errors import MissingFileError, StoreError
from landscape.store.layout import reading


class Files:
    """The files of a store that is a folder, or a zip of one.

    Args:
        path: the store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: ZipFile | None = None if path.is_dir() else ZipFile(path)
        self._names = frozenset(self._zip.namelist()) if self._zip else frozenset()

    def __reduce__(self) -> tuple[type["Files"], tuple[Path]]:
        return Files, (self._path,)

    def close(self) -> None:
        """Close the zip, if it is one."""
        if self._zip:
            self._zip.close()

    def fault(self, name: str) -> str:
        """What is wrong with a file before it is read.

        Args:
            name: of a file in the store.

        Returns:
            "" where it can be read, "missing", or "not a file": a pipe, at which a reader would
            wait for ever, a device or a folder.
        """
        if self._zip:
            return "" if name in self._names else "missing"
        try:
            mode = (self._path / name).stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        return "" if stat.S_ISREG(mode) else "not a file"

    def read(self, name: str) -> bytes:
        """The content of a file.

        Args:
            name: of a file in the store.

        Returns:
            Its bytes.
        """
        return self._zip.read(name) if self._zip else (self._path / name).read_bytes()

    def listed(self, folder: str) -> list[str]:
        """The names in a folder of the store, without those that systems hide there.

        Args:
            folder: its name in the store; "" is the root.

        Returns:
            Names without the folder's, sorted; none where there is no such folder.
        """
        if self._zip:
            start = f"{folder}/" if folder else ""
            below = (n[len(start) :] for n in self._names if n.startswith(start))
            found = {name.split("/")[0] for name in below}
        else:
            place = self._path / folder
            found = {each.name for each in place.iterdir()} if place.is_dir() else set()
        return sorted(name for name in found if name and not name.startswith("."))


@contextmanager
def files_of(path: Path) -> Iterator[Files]:
    """Open the files of a store.

    Args:
        path: a folder, or a zip of one.

    Yields:
        The files.

    Raises:
        MissingFileError: where nothing is at the path.
        StoreError: where that is neither a folder nor a zip.
    """
    if not path.exists():
        raise MissingFileError(f"there is no store at {path}")
    if not (path.is_dir() or path.is_file()):
        raise StoreError(f"{path} is neither a folder nor a file, so it is not a zarr store")
    with reading(path):
        files = Files(path)
    try:
        yield files
    finally:
        files.close()
