"""Where checkpoints are: at their iterations, or at their epochs where that is all they know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import torch

from landscape.errors import InvalidValueError, shown
from landscape.histories.layout import lengthless
from landscape.training import checkpoints
from landscape.training.checkpoints import Checkpoint, CheckpointFiles

ITERATION, EPOCH = "iteration", "epoch"
OWN = "file's name end in its own iteration"
PLAIN = "plain"  # what the plain weights are called in stores, whatever their key in a file


@dataclass(frozen=True)
class Survey:
    """What checkpoint files hold.

    Attributes:
        found: iteration, or epoch, of each checkpoint -> (file, digest), ascending.
        placed_by: "iteration", or "epoch" where the keys of ``found`` are epochs.
        weights: which set of weights is taken: "plain", or its key in the files.
        run: the run that the files belong to; {} if none.
    """

    found: Mapping[int, tuple[Path, str]]
    placed_by: str
    weights: str
    run: dict[str, Any]

    def place(self, checkpoint: Checkpoint) -> int:
        """Find where a checkpoint is.

        Args:
            checkpoint: one of those found.

        Returns:
            Its key in ``found``.
        """
        by_epoch = self.placed_by == EPOCH
        return int(checkpoint.epoch) if by_epoch else checkpoint.iteration


@dataclass(frozen=True)
class _File:
    """What is kept of a checkpoint that was read."""

    path: Path
    digest: str
    iteration: int
    iteration_known: bool
    may_be_epoch: bool
    epoch: float

    @property
    def needs_epoch(self) -> bool:
        """Whether its epoch is all it is sure of."""
        return self.has_epoch and (not self.iteration_known or self.may_be_epoch)

    @property
    def has_epoch(self) -> bool:
        return not isnan(self.epoch)


def placed(model: torch.nn.Module, files: CheckpointFiles, placed_by: str | None = None) -> Survey:
    """Read checkpoint files, each of which has to fit the model, and place them.

    Copies of a checkpoint count once, where one of them is placed.

    Args:
        model: changed in place: it is left at the last of them.
        files: the checkpoints.
        placed_by: by what to place them if possible; None for what they know.

    Returns:
        What they hold.

    Raises:
        InvalidValueError: for checkpoints of two runs or of different sets of weights, and for two
            at one place or at none.
    """
    # Every file is read, so that none fails later.
    read: list[_File] = []
    run: dict[str, Any] = {}
    weights: str | None = None
    for path in files.paths:
        checkpoint = files.read(path)
        checkpoints.load_into(model, checkpoint, path)
        if run and checkpoint.run and lengthless(checkpoint.run) != lengthless(run):
            raise InvalidValueError(
                f"{path} belongs to another run than the files before it; probe each run into a "
                "store of its own"
            )
        run = run or checkpoint.run or {}
        taken = PLAIN if checkpoint.plain else checkpoint.weights
        if weights not in (None, taken):
            raise InvalidValueError(
                f"{path} gives the weights {shown(taken)}, and the files before it "
                f"{shown(weights)}; choose those of all files with --weights (weights=), or probe "
                "them apart"
            )
        weights = taken
        read.append(
            _File(
                path,
                checkpoint.digest,
                checkpoint.iteration,
                checkpoint.iteration_known,
                checkpoint.may_be_epoch,
                checkpoint.epoch,
            )
        )
    by = _by(read, placed_by)
    found = _by_epoch(read) if by == EPOCH else _by_iteration(read)
    return Survey(dict(sorted(found.items())), by, weights or PLAIN, run)


def _by(read: Sequence[_File], preferred: str | None) -> str:
    """What all files can be placed by: as preferred, or else by epoch where no file knows more."""
    digests = {each.digest for each in read if each.has_epoch}
    by_epoch = all(each.digest in digests for each in read)
    if preferred == EPOCH and by_epoch:
        return EPOCH
    if preferred == ITERATION and all(each.iteration_known for each in read):
        return ITERATION
    needed = all(each.needs_epoch for each in read if each.has_epoch)
    return EPOCH if digests and by_epoch and needed else ITERATION


def _by_epoch(read: Sequence[_File]) -> dict[int, tuple[Path, str]]:
    found: dict[int, tuple[Path, str]] = {}
    for each in read:
        if not each.has_epoch:  # a copy of one that has
            continue
        if each.epoch != int(each.epoch) or not 0 <= each.epoch < 2**63:
            raise InvalidValueError(
                f"{each.path} is at epoch {each.epoch:g} and does not say its iteration; without "
                "one, the epoch has to be a whole number from 0"
            )
        _place(found, int(each.epoch), each, EPOCH)
    return found


def _by_iteration(read: Sequence[_File]) -> dict[int, tuple[Path, str]]:
    found: dict[int, tuple[Path, str]] = {}
    for each in read:
        if each.iteration_known or len(read) == 1:
            _place(found, each.iteration, each, ITERATION)
    # A copy of another file is that checkpoint; what is left is told apart by nothing.
    known = {content for _, content in found.values()}
    rest = {each.digest: each for each in reversed(read) if each.digest not in known}
    for each in rest.values():
        if found or len(rest) > 1:
            raise InvalidValueError(
                f"{each.path} does not say its iteration, and nor does its name; let each "
                f"{'folder be called checkpoint-ITERATION' if each.path.is_dir() else OWN}, or "
                "keep its epoch in every file"
            )
        _place(found, 0, each, ITERATION)
    return found


def _place(found: dict[int, tuple[Path, str]], at: int, file: _File, by: str) -> None:
    """Add a checkpoint, of which a copy may be there already."""
    path, content = found.setdefault(at, (file.path, file.digest))
    if content != file.digest:
        raise InvalidValueError(f"{path} and {file.path} are both at {by} {at}; let each {OWN}")
