"""A store as one small file, to keep beside the figures drawn from it."""

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from landscape.arguments import local_path
from landscape.errors import StoreError
from landscape.runtime.atomic import atomic_write
from landscape.store.damage import root_arrays
from landscape.store.layout import writing
from landscape.store.metadata import METADATA, read
from landscape.store.reading import open_

PLACES = ("data", "dataset")  # what a run's record says of places on the machine that made it


def pack(path: str | Path, out: str | Path) -> Path:
    """Write a store into one zip file, without per-sample values.

    :func:`landscape.open` reads it as it reads the folder. The same store gives the same bytes.
    Where data lay on the machine that made it is left out; their digest stays.

    Args:
        path: the store's folder.
        out: the zip file; written whole or not at all, and replaced if it exists.

    Returns:
        The path of the zip file.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at ``path``.
        StoreError: where that is not a store's folder, or the disk refuses.
    """
    path, out = local_path(path), local_path(out)
    metadata = read(path)
    if not path.is_dir():
        raise StoreError(f"{path} is packed already; give a store's folder")
    open_(path)  # refuses what is damaged
    # Nothing else that lies there, such as what a file browser hides in folders.
    names = [METADATA]
    for array in root_arrays(metadata):
        names += [f"{array.name}/{METADATA}", *array.keys()]
    with writing(out), atomic_write(out) as partial, ZipFile(partial, "w") as archive:
        for name in sorted(name for name in names if (path / name).is_file()):
            content = (path / name).read_bytes()
            content = _without_places(content) if name == METADATA else content
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return out


def _without_places(content: bytes) -> bytes:
    """The root's metadata without paths of a machine; as they are where there are none."""
    root = json.loads(content)
    run = root.get("attributes", {}).get("run")
    if not isinstance(run, dict) or not set(PLACES) & set(run):
        return content
    root["attributes"]["run"] = {name: value for name, value in run.items() if name not in PLACES}
    return json.dumps(root, indent=2).encode()
