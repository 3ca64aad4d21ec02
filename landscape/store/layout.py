"""What a store looks like on disk, and what goes wrong there said in one line."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore, ZipStore

from landscape.errors import LandscapeError, MissingFileError, StoreError

SCHEMA = 2
FINISHED = "finished"
PER_SAMPLE = "per_sample"
PARTIAL = ".partial"  # how zarr's own names end while it writes a file


def check(path: Path) -> Mapping[str, Any]:
    """The attributes of the store at ``path``, if it is one that we can read.

    Raises :class:`MissingFileError` or :class:`StoreError`.
    """
    if not path.exists():
        raise MissingFileError(f"there is no store at {path}")
    with reading(path):
        root = zarr.open_group(zarr_store(path), mode="r")
        attributes = dict(root.attrs)
    schema = attributes.get("schema")
    if not isinstance(schema, int) or "along" not in attributes:
        raise StoreError(f"{path} is a zarr group, but not a store of landscape's")
    if schema > SCHEMA:
        raise StoreError(
            f"{path} has schema {schema}; this landscape reads schemas up to {SCHEMA}; upgrade it"
        )
    array(root, FINISHED)
    return attributes


def zarr_store(path: Path) -> LocalStore | ZipStore:
    """The store at ``path``, a folder or a zip of one, for reading."""
    return LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")


def group(root: zarr.Group, path: str) -> zarr.Group:
    """The group at ``path`` below ``root``; "/" is the root."""
    found = root if path == "/" else root[path.strip("/")]
    assert isinstance(found, zarr.Group)
    return found


def array(parent: zarr.Group, name: str) -> zarr.Array[Any]:
    """The array called ``name`` in a group."""
    if name not in parent:
        path = str(parent.store_path).partition("://")[2]
        raise StoreError(f"{path} is damaged: it has no {name!r}; make it anew")
    found = parent[name]
    assert isinstance(found, zarr.Array)
    return found


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses inside becomes a :class:`StoreError`."""
    try:
        yield
    except LandscapeError:
        raise
    except OSError as error:
        raise StoreError(
            f"cannot write to {path}: {error.strerror or error}; what was finished before is kept"
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What cannot be read inside becomes a :class:`StoreError`."""
    try:
        yield
    except LandscapeError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"{path} is not a zarr store") from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise StoreError(f"cannot read {path}: {reason}") from error
