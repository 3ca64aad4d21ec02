"""Checkpoint files: found in folders, and each read only once."""

import re
from collections.abc import Sequence
from pathlib import Path

from landscape.arguments import local_path
from landscape.errors import CheckpointError, MissingFileError
from landscape.histories.layout import Run
from landscape.training.checkpoints import file_kinds, folders
from landscape.training.checkpoints.checkpoint import Checkpoint
from landscape.training.checkpoints.file_kinds import SUFFIXES
from landscape.training.checkpoints.reading import read
from landscape.training.harmless import allowed_globals

KEPT = 2 * 2**30  # bytes of checkpoints that are kept in memory


def find(paths: Sequence[Path]) -> list[Path]:
    """Find checkpoints, in natural order of their names.

    Args:
        paths: files, folders that are one checkpoint (as Hugging Face's libraries write them),
            folders of either, or run folders with a folder ``checkpoints``.

    Returns:
        The files and folders, each once, also where links lead to it; "step-9" comes before
        "step-10".

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

    Attributes:
        paths: the files, and folders that are one checkpoint, as :func:`find` finds them.
        several: what was taken where a file holds several sets of weights, in words; "" before such
            a file was read.

    Args:
        paths: as for :func:`find`, whose errors this raises.
        weights: as for :func:`read`.
        allow: as for :func:`read`; what must not be allowed is refused here.
    """

    def __init__(
        self, paths: Sequence[Path], weights: str | None = None, allow: Sequence[str | type] = ()
    ) -> None:
        allowed_globals(allow)
        self.paths = find(paths)
        self.several = ""
        self._options = weights, allow
        self._kept: dict[Path, Checkpoint] = {}
        self._left = KEPT

    @classmethod
    def of(
        cls,
        paths: "Sequence[Path] | CheckpointFiles",
        weights: str | None = None,
        allow: Sequence[str | type] = (),
    ) -> "CheckpointFiles":
        """Make checkpoint files of paths, unless they are that already.

        Args:
            paths: as for :func:`find`, or checkpoint files, which have options of their own.
            weights: as for :func:`read`.
            allow: as for :func:`read`.

        Returns:
            The files; ``paths`` itself where it is one.
        """
        if isinstance(paths, cls):
            return paths
        return cls(paths, weights, allow)  # type: ignore[arg-type]

    def like(self, paths: Sequence[Path]) -> "CheckpointFiles":
        """Make checkpoint files of other paths, with the same options.

        Args:
            paths: as for :func:`find`.

        Returns:
            The others.
        """
        return CheckpointFiles(paths, *self._options)

    def read(self, path: Path) -> Checkpoint:
        """Read a file, or return it from memory.

        Args:
            path: one of ``paths``.

        Returns:
            The checkpoint, as :func:`read` reads it, whose errors this raises.
        """
        if path in self._kept:
            return self._kept[path]
        checkpoint = read(path, *self._options)
        if len(checkpoint.weight_sets) > 1 and not self.several:
            self.several = f"{checkpoint.weights}, of {', '.join(checkpoint.weight_sets)}"
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
    inside = [each for each in folder.iterdir() if each.is_dir() and folders.weights_file(each)]
    if folders.weights_file(folder):
        return [*inside, folder]
    if several := file_kinds.explain_folder(folder):
        raise CheckpointError(f"{folder} {several}")
    files = [
        *inside,
        *(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in SUFFIXES and file not in inside
        ),
    ]
    if not files:
        raise MissingFileError(f"no checkpoints in {folder}; looked for *{', *'.join(SUFFIXES)}")
    return files


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts step-9 before step-10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]
