"""Files that are written whole or not at all, and wait for the disk."""

import glob
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from landscape.errors import InvalidValueError, LandscapeError, MissingFileError, StoreError


def require_place(path: Path) -> None:
    """Refuse a path to which no file can be written.

    Args:
        path: the file that is to be written; it may exist.

    Raises:
        InvalidValueError: where it is a folder, or its folder cannot be written to.
        MissingFileError: where its folder does not exist.
    """
    if path.is_dir():
        raise InvalidValueError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise MissingFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InvalidValueError(f"{path.parent} cannot be written to; give another folder")


def require_room(path: Path) -> None:
    """Refuse a path at which no folder can be made, as far as can be told without making it.

    Args:
        path: the folder that is to be made; it may exist.

    Raises:
        InvalidValueError: where it is, or lies in, a file, or in a folder that cannot be written.
    """
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise InvalidValueError(f"{path} is, or lies in, a file; give a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidValueError(f"{there} cannot be written to; give another folder than {path}")


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

    After an exception ``path`` is as it was, and the file beside it is gone. Once this is left, a
    power cut leaves the new file, and before that the old one.

    Args:
        path: the file that is to be written; replaced if it exists.

    Yields:
        The path of the file beside it, to write to.

    Raises:
        LandscapeError: as it was raised inside.
        StoreError: where the disk refuses.
        OSError: of another file, as it was raised inside.
    """
    partial = None
    try:
        partial = temporary_path(path)
        yield partial
        replace_all({partial: path}, path.parent)
    except LandscapeError:
        raise
    except OSError as error:
        if error.filename not in (None, partial, str(partial)):
            raise  # of another file, which is read or written inside
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; nothing was written"
        ) from error
    finally:
        if partial is not None:
            with suppress(OSError):
                partial.unlink()


def replace_all(files: Mapping[Path, Path], root: Path) -> None:
    """Let files take the places of others; each is on the disk before it does, and its name after.

    Args:
        files: a file that was written -> the path that it is to have, below ``root``.
        root: the folder from which on folders may be new.
    """
    flush(files)
    for partial, path in files.items():
        partial.replace(path)
    above = {folder for path in files.values() for folder in path.parents}
    flush(folder for folder in above if folder.is_relative_to(root))


def flush(paths: Iterable[Path]) -> None:
    """Wait until the content of files, and the names in folders, are on the disk.

    Args:
        paths: existing files and folders; where a system has no such thing for folders, nothing is
            waited for.
    """
    paths = list(paths)
    if len(paths) == 1:
        _flush(paths[0])
    elif paths:  # together: a disk takes many at once in little more time than one
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(_flush, paths))


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make a folder, and those above it, unless what comes first in it fails.

    Args:
        path: the folder; one that is there already stays, whatever happens.

    Yields:
        Nothing; after an exception inside, those that were made are gone again, where still empty.

    Raises:
        InvalidValueError: where the path is, or lies in, a file.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    try:
        make_folder(path)
        yield
    except BaseException as error:
        with suppress(OSError):
            for each in missing:
                each.rmdir()
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise InvalidValueError(f"{path} is, or lies in, a file; give a folder") from error
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing, on the disk too.

    Args:
        path: the folder.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    flush(each.parent for each in missing)


def _flush(path: Path) -> None:
    folder = path.is_dir()
    with suppress(OSError) if folder else nullcontext():
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _alive(process: str) -> bool:
    """Whether the process of that number still runs, and may still be building."""
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
