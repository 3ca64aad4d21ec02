"""What the metadata of a store say, read as plain JSON and checked before zarr opens anything.

A store may come from anywhere. Zarr builds what the metadata name: codecs, data types, older
formats with pickles in them. So only what this package writes gets as far as zarr.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from landscape.errors import StoreError, shown
from landscape.store.files import Files, files_of
from landscape.store.layout import ATTRIBUTES, FINISHED, PER_SAMPLE, SCHEMA, reading

METADATA = "zarr.json"
STRUCTURE = "structure"  # the attribute with a checksum of the metadata of each array
CODECS = frozenset(("bytes", "vlen-utf8", "zstd", "crc32c"))
CHECKSUM = "crc32c"
TYPES = frozenset(
    (
        *("bool", "string", "float16", "float32", "float64"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    )
)
WORDS = ("long_name", "units")  # attributes of arrays that no number depends on
DEEPEST = 3  # per_sample/<evaluation set>/<array>


@dataclass(frozen=True)
class Array:
    """One array of a store.

    Attributes:
        name: its path in the store, as "per_sample/validation/loss".
        shape: lengths of its dimensions.
        chunks: lengths of a chunk.
        dimensions: names of its dimensions.
        type: its data type, as zarr names it.
        checksummed: whether its chunks carry checksums. Then all chunks are written, also those
            that hold nothing but the fill value.
        digest: a checksum of its metadata, as far as numbers depend on them.
    """

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dimensions: tuple[str, ...]
    type: str
    checksummed: bool
    digest: str

    def along(self, dimension: str) -> bool:
        """Whether the array grows by rows.

        Args:
            dimension: the one along which the store grows.

        Returns:
            Whether it is the array's first.
        """
        return self.dimensions[:1] == (dimension,)

    def keys(self, row: int | None = None) -> Iterator[str]:
        """The names of chunk files.

        Args:
            row: of which row; None is all chunks.

        Yields:
            One name of a file at a time, in the store.
        """
        grid = [range(math.ceil(n / c)) for n, c in zip(self.shape, self.chunks, strict=True)]
        if row is not None:
            grid[0] = range(row // self.chunks[0], row // self.chunks[0] + 1)
        for place in product(*grid):
            yield "/".join([self.name, "c", *map(str, place)])


@dataclass(frozen=True)
class Metadata:
    """What the metadata of a store say.

    Attributes:
        path: the store.
        attributes: of its root.
        arrays: name -> array, those of per-sample values included.
        nodes: the names of all groups and arrays below the root.
    """

    path: Path
    attributes: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()

    @property
    def along(self) -> str:
        """The dimension along which the store grows."""
        return str(self.attributes["along"])

    @cached_property
    def rows(self) -> Sequence[Array]:
        """The arrays that grow by rows, the marks included."""
        return [each for each in self.arrays.values() if each.along(self.along)]

    def require_even(self) -> None:
        """Refuse a store whose arrays have different numbers of rows.

        Raises:
            StoreError: for the first array that differs.
        """
        marks = self.arrays[FINISHED].shape[0]
        for each in self.rows:
            if each.shape[0] != marks:
                raise StoreError(
                    f"cannot read {self.path}: {each.name!r} has room for {each.shape[0]} rows and "
                    f"{FINISHED!r} for {marks}; it was stopped while making room, which the "
                    "command that made it mends, or it is damaged"
                )


def read(path: Path) -> Metadata:
    """Read and check the metadata of a store, if it is one that this version can read.

    Args:
        path: a folder, or a zip of one.

    Returns:
        The metadata.

    Raises:
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, for a newer schema, and for anything that
            no version of this package writes.
    """
    with files_of(path) as files, reading(path):
        if fault := files.fault(METADATA):
            raise StoreError(f"{path} is not a zarr store: its {METADATA} is {fault}")
        root = _json(path, files, "")
        if root.get("node_type") != "group":
            raise StoreError(f"{path} is a zarr array, but not a store of landscape's")
        attributes = _attributes(path, root)
        found = dict(_below(path, files, "", 1))
    arrays = {name: each for name, each in found.items() if each is not None}
    metadata = Metadata(path, attributes, arrays, frozenset(found))
    _require_marks(metadata)
    _require_structure(metadata)
    return metadata


def structure(metadata: Metadata) -> dict[str, str]:
    """Checksums of the metadata that numbers depend on, to be kept in the store.

    Args:
        metadata: of a store.

    Returns:
        Name of each array, and "/" for the root -> checksum.
    """
    deciding = {n: metadata.attributes.get(n) for n in ("schema", "along", "coordinates")}
    return {"/": _checksum(deciding)} | {n: a.digest for n, a in sorted(metadata.arrays.items())}


def _json(path: Path, files: Files, node: str) -> dict[str, Any]:
    """The metadata of one group or array, of zarr format 3."""
    name = f"{node}/{METADATA}" if node else METADATA
    try:
        said = json.loads(files.read(name))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {name} is not JSON; make it anew") from error
    if not isinstance(said, dict) or said.get("zarr_format") != 3:
        raise StoreError(
            f"{path} is no store of landscape's: {name} is not of zarr format 3, the only one that "
            "is opened"
        )
    if not isinstance(said.get("attributes", {}), dict):
        raise _strange(path, node, "attributes", said["attributes"])
    if said.get("consolidated_metadata") is not None:
        raise _strange(path, node, "consolidated metadata", "", "; open it without landscape")
    return said


def _below(path: Path, files: Files, group: str, depth: int) -> Iterator[tuple[str, Array | None]]:
    """Name -> array, or None for a group, of what lies below a group."""
    for child in files.listed(group):
        name = f"{group}/{child}" if group else child
        fault = files.fault(f"{name}/{METADATA}")
        if fault == "missing":
            continue
        if fault:
            raise StoreError(f"{path} is damaged: {name}/{METADATA} is {fault}; make it anew")
        said = _json(path, files, name)
        if said.get("node_type") == "array":
            yield name, _array(path, name, said)
        elif said.get("node_type") == "group" and depth < DEEPEST:
            yield name, None
            yield from _below(path, files, name, depth + 1)
        else:
            raise _strange(path, name, "node type", said.get("node_type"))


def _array(path: Path, name: str, said: Mapping[str, Any]) -> Array:
    """One array, if it is of the kind that this package writes."""
    shape: Any = said.get("shape")
    dimensions: Any = said.get("dimension_names")
    if not _lengths(shape, 0):
        raise _strange(path, name, "shape", shape)
    if not isinstance(dimensions, list) or len(dimensions) != len(shape):
        raise _strange(path, name, "dimension names", dimensions)
    if not all(isinstance(each, str) for each in dimensions):
        raise _strange(path, name, "dimension names", dimensions)
    grid = said.get("chunk_grid")
    chunks: Any = _part(_part(grid, "configuration"), "chunk_shape")
    if _part(grid, "name") != "regular" or not _lengths(chunks, 1) or len(chunks) != len(shape):
        raise _strange(path, name, "chunk grid", grid)
    codecs = said.get("codecs")
    names = [_part(each, "name") for each in codecs] if isinstance(codecs, list) else [None]
    for codec in names:
        if not isinstance(codec, str) or codec not in CODECS:
            only = f"; the only ones that are opened are {', '.join(sorted(CODECS))}"
            raise _strange(path, name, "codec", codec, only)
    if not isinstance(said.get("data_type"), str) or said["data_type"] not in TYPES:
        raise _strange(path, name, "data type", said.get("data_type"))
    keys = said.get("chunk_key_encoding")
    if keys not in ({"name": "default"}, _KEYS):
        raise _strange(path, name, "chunk key encoding", keys)
    if said.get("storage_transformers"):
        raise _strange(path, name, "storage transformers", said["storage_transformers"])
    for word in WORDS:
        if not isinstance(said.get("attributes", {}).get(word, ""), str):
            raise _strange(path, name, word, said["attributes"][word])
    return Array(
        name,
        tuple(shape),
        tuple(chunks),
        tuple(dimensions),
        said["data_type"],
        CHECKSUM in names,
        _digest(said),
    )


_KEYS = {"name": "default", "configuration": {"separator": "/"}}


def _digest(said: Mapping[str, Any]) -> str:
    """A checksum of what numbers depend on in an array's metadata.

    Without the number of rows, which grows and is compared between arrays, without the words for
    readers, and in a form of its own: another version of zarr may word the same otherwise.

    Args:
        said: the metadata, checked.

    Returns:
        Eight hexadecimal digits.
    """
    attributes = said.get("attributes", {})
    return _checksum(
        {
            "inner": [len(said["shape"]), *said["shape"][1:]],
            "chunks": said["chunk_grid"]["configuration"]["chunk_shape"],
            "dimensions": said["dimension_names"],
            "type": said["data_type"],
            "codecs": [codec["name"] for codec in said["codecs"]],
            "attributes": {n: v for n, v in attributes.items() if n not in WORDS},
        }
    )


def _checksum(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x}"


def _require_marks(metadata: Metadata) -> None:
    path, along = metadata.path, metadata.along
    marks = metadata.arrays.get(FINISHED)
    if marks is None:
        raise StoreError(f"{path} is damaged: it has no {FINISHED!r}; make it anew")
    # Older versions of xarray write truth values as int8.
    if marks.dimensions != (along,) or marks.type not in ("bool", "int8"):
        raise StoreError(
            f"{path} is damaged: it says that it grows along {shown(along)}, and {FINISHED!r} is "
            f"{marks.type} along {', '.join(marks.dimensions) or 'nothing'}; make it anew"
        )
    for each in metadata.arrays.values():
        if along in each.dimensions[1:]:
            raise _strange(path, each.name, "dimension names", list(each.dimensions))


def _require_structure(metadata: Metadata) -> None:
    """Compare the metadata with the checksums that were written with them, if there are any."""
    kept = metadata.attributes.get(STRUCTURE)
    if kept is None or metadata.attributes["schema"] < 2:
        return
    now = structure(metadata)
    for name, digest in kept.items():
        # A packed store has no per-sample values.
        if name.split("/")[0] == PER_SAMPLE and PER_SAMPLE not in metadata.nodes:
            continue
        if name not in now:
            raise StoreError(f"{metadata.path} is damaged: it has no {name!r}; make it anew")
        if now[name] != digest:
            what = "its attributes" if name == "/" else f"the metadata of {name!r}"
            raise StoreError(
                f"{metadata.path} is damaged: {what} are not what was written; make it anew, or "
                "take a copy of it"
            )


def _attributes(path: Path, root: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the root, each of the type that this package writes."""
    attributes = dict(root.get("attributes", {}))
    schema = attributes.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or "along" not in attributes:
        raise StoreError(f"{path} is a zarr group, but not a store of landscape's")
    if schema > SCHEMA:
        raise StoreError(
            f"{path} has schema {schema}; this landscape reads schemas up to {SCHEMA}; upgrade it"
        )
    if schema < 1:
        raise StoreError(f"{path} is damaged: its schema is {schema}, and the first is 1")
    require_types(path, attributes, ATTRIBUTES)
    return attributes


def require_types(path: Path, said: Any, allowed: Any, name: str = "") -> None:
    """Refuse attributes of another type than this package writes.

    Args:
        path: the file or store that holds them, for the message.
        said: the attributes, or one of them.
        allowed: a type, a test, a mapping of these by name, or a list of one of these. What is
            not named may be anything.
        name: of the attribute; "" for all of them.

    Raises:
        StoreError: for the first of another type.
    """
    if isinstance(allowed, Mapping):
        right = isinstance(said, dict)
        for each in said.keys() & allowed.keys() if right else ():
            require_types(path, said[each], allowed[each], f"{name}.{each}".removeprefix("."))
    elif isinstance(allowed, list):
        right = isinstance(said, list)
        for each in said if right else ():
            require_types(path, each, allowed[0], name)
    else:
        right = isinstance(said, allowed) if isinstance(allowed, type) else allowed(said)
    if not right:
        raise StoreError(
            f"{path} is damaged: its {name!r} is {shown(said)}, which no version of landscape "
            "writes; make it anew, or take a copy of it"
        )


def _strange(path: Path, node: str, what: str, said: object, more: str = "") -> StoreError:
    value = f" {shown(said)}" if said != "" else ""
    return StoreError(
        f"{path} is not opened: {node or 'its root'!r} has the {what}{value}, which no version of "
        f"landscape writes{more}"
    )


def _lengths(given: Any, least: int) -> bool:
    return isinstance(given, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and each >= least for each in given
    )


def _part(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, dict) else None
