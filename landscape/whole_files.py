"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import InvalidValueError, MissingFileError


def require_place(path: Path) -> None:
    """Refuse a folder, and a file in a folder that is not there."""
    if path.is_dir():
        raise InvalidValueError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise MissingFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Where to write what ``path`` will hold: a file beside it, which takes its place at the end.

    After an exception ``path`` is as it was, and the file beside it is gone.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
