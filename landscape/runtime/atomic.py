"""Files that are written whole or not at all."""

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import InvalidValueError, LandscapeError, MissingFileError, StoreError


def require_place(path: Path) -> None:
    """Refuse a path to which no file can be written.

    Args:
        path: the file that is to be written; it may exist.

    Raises:
        InvalidValueError: where it is a folder.
        MissingFileError: where its folder does not exist.
    """
    if path.is_dir():
        raise InvalidValueError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise MissingFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")


def temporary_path(path: Path) -> Path:
    """The path beside ``path`` where this process builds what is then renamed to it.

    What processes that have ended left behind there is removed.

    Args:
        path: the file or folder that is to be made.

    Returns:
        A hidden name in the same folder, with this process's number.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if not _alive(leftover.suffixes[-2][1:]):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all: a file beside it takes its place at the end.

    After an exception ``path`` is as it was, and the file beside it is gone.

    Args:
        path: the file that is to be written; replaced if it exists.

    Yields:
        The path of the file beside it, to write to.

    Raises:
        LandscapeError: as it was raised inside.
        StoreError: where the disk refuses.
    """
    partial = temporary_path(path)
    try:
        yield partial
        partial.replace(path)
    except LandscapeError:
        raise
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; nothing was written"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _alive(process: str) -> bool:
    """Whether the process of that number still runs, and may still be building."""
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
