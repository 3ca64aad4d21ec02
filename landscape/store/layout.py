"""What a store looks like on disk, and one-line errors for what goes wrong there."""

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
PARTIAL = "*.partial", ".*.tmp"  # files that zarr, or we, did not finish


def check(path: Path) -> Mapping[str, Any]:
    """The attributes of the store at ``path``, if it is one that this version can read.

    Args:
        path: a folder, or a zip of one.

    Returns:
        Attribute name -> value, with ``schema`` and ``along`` among them.

    Raises:
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
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
    """Zarr's store at ``path``, for reading.

    Args:
        path: a folder, or a zip of one.

    Returns:
        The store, read-only.
    """
    return LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")


def group(root: zarr.Group, path: str) -> zarr.Group:
    """The group at ``path`` below ``root``.

    Args:
        root: the store's root group.
        path: names of groups with "/" between them; "/" alone is the root.

    Returns:
        The group.
    """
    found = root if path == "/" else root[path.strip("/")]
    assert isinstance(found, zarr.Group)
    return found


def array(parent: zarr.Group, name: str) -> zarr.Array[Any]:
    """The array called ``name`` in a group.

    Args:
        parent: the group.
        name: the array's.

    Returns:
        The array, of which no value is read yet.

    Raises:
        StoreError: where the group does not hold it.
    """
    if name not in parent:
        path = str(parent.store_path).partition("://")[2]
        raise StoreError(f"{path} is damaged: it has no {name!r}; make it anew")
    found = parent[name]
    assert isinstance(found, zarr.Array)
    return found


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses inside into an error of one line.

    Args:
        path: what is written, for the message.

    Yields:
        Nothing.

    Raises:
        LandscapeError: as it was raised inside.
        StoreError: for any other OSError.
    """
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
    """Turn what cannot be read inside into an error of one line.

    Args:
        path: what is read, for the message.

    Yields:
        Nothing.

    Raises:
        LandscapeError: as it was raised inside.
        StoreError: for any other exception.
    """
    try:
        yield
    except LandscapeError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"{path} is not a zarr store") from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise StoreError(f"cannot read {path}: {reason}") from error
