"""A store as one small file, to keep beside the figures drawn from it."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from landscape.arguments import local_path
from landscape.errors import StoreError
from landscape.runtime.atomic import atomic_write
from landscape.store.layout import PARTIAL, PER_SAMPLE, check, writing


def pack(path: str | Path, out: str | Path) -> Path:
    """Write a store into one zip file, without per-sample values.

    :func:`landscape.open` reads it as it reads the folder. The same store gives the same bytes.

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
    check(path)
    if not path.is_dir():
        raise StoreError(f"{path} is packed already; give a store's folder")
    files = sorted(f for f in path.rglob("*") if f.is_file() and not any(map(f.match, PARTIAL)))
    with writing(out), atomic_write(out) as partial, ZipFile(partial, "w") as archive:
        for file in files:
            name = file.relative_to(path)
            if name.parts[0] != PER_SAMPLE:
                archive.writestr(ZipInfo(name.as_posix()), file.read_bytes(), ZIP_DEFLATED)
    return out
