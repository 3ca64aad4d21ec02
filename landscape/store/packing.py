"""A store as one small file, to keep beside the figures drawn from it."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from landscape.errors import StoreError
from landscape.runtime.atomic import atomic_write
from landscape.store.layout import PARTIAL, PER_SAMPLE, check, writing


def pack(path: str | Path, out: str | Path) -> Path:
    """Write the store at ``path`` (a folder) into the zip ``out``, without per-sample values.

    :func:`landscape.open` reads it as it reads the folder. The same store gives the same bytes.
    ``out`` is written whole or not at all, and replaced if it is there.

    Raises :class:`MissingFileError` or :class:`StoreError` where there is no store, or the disk
    refuses.
    """
    path, out = Path(path), Path(out)
    check(path)
    if not path.is_dir():
        raise StoreError(f"{path} is packed already; give a store's folder")
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix != PARTIAL)
    with writing(out), atomic_write(out) as partial, ZipFile(partial, "w") as archive:
        for file in files:
            name = file.relative_to(path)
            if name.parts[0] != PER_SAMPLE:
                archive.writestr(ZipInfo(name.as_posix()), file.read_bytes(), ZIP_DEFLATED)
    return out
