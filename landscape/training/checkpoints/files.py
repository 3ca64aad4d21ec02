"""Checkpoint files: found in folders, and each read only once."""

import re
from collections.abc import Sequence
from pathlib import Path

from landscape.arguments import local_path
from landscape.errors import CheckpointError, MissingFileError
from landscape.histories.layout import Run
from landscape.training.checkpoints import file_kinds
from landscape.training.checkpoints.checkpoint import Checkpoint
from landscape.training.checkpoints.reading import SUFFIXES, read

KEPT = 2 * 2**30  # bytes of checkpoints that are kept in memory


def find(paths: Sequence[Path]) -> list[Path]:
    """Find checkpoint files, in natural order of their names.

    Args:
        paths: files, folders of files, or run folders with a folder ``checkpoints``.

    Returns:
        The files, each once, also where links lead to it; "step-9" comes before "step-10".

    Raises:
        MissingFileError: for a path that does not exist and for a folder without checkpoints.
        CheckpointError: for a folder that holds one checkpoint in several files.
    """
    found: dict[Path, Path] = {}
    for file in (file for path in paths for file in _files(local_path(path))):
        real = file.resolve()
        # A link counts as the file that it leads to, which is named where both are given.
        if real not in found or not file.is_symlink():
            found[real] = file
    return sorted(found.values(), key=lambda file: (_natural(file.name), _natural(str(file))))


class CheckpointFiles:
    """Checkpoint files, each read only once.

    What is read is kept in memory, up to :data:`KEPT` bytes in all; other files are read again each
    time.

    Args:
        paths: as for :func:`find`, whose errors this raises.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = find(paths)
        self._kept: dict[Path, Checkpoint] = {}
        self._left = KEPT

    @classmethod
    def of(cls, paths: "Sequence[Path] | CheckpointFiles") -> "CheckpointFiles":
        """Make checkpoint files of paths, unless they are that already.

        Args:
            paths: as for :func:`find`, or checkpoint files.

        Returns:
            The files; ``paths`` itself where it is one.
        """
        return paths if isinstance(paths, cls) else cls(paths)  # type: ignore[arg-type]

    def read(self, path: Path) -> Checkpoint:
        """Read a file, or return it from memory.

        Args:
            path: one of ``paths``.

        Returns:
            The checkpoint, as :func:`read` reads it, whose errors this raises.
        """
        if path in self._kept:
            return self._kept[path]
        checkpoint = read(path)
        if checkpoint.size <= self._left:
            self._left -= checkpoint.size
            self._kept[path] = checkpoint
        return checkpoint


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingFileError(f"no checkpoint at {path}; give a run's folder, a folder or files")
    if not path.is_dir():
        return [path]
    own = Run(path).checkpoints
    folder = own if own.is_dir() else path
    if several := file_kinds.explain_folder(folder):
        raise CheckpointError(f"{folder} {several}")
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
    if not files:
        raise MissingFileError(f"no checkpoints in {folder}; looked for *{', *'.join(SUFFIXES)}")
    return files


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts step-9 before step-10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]
