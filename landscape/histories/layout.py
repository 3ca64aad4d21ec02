"""The layout of a run's folder: which files it holds, and what its record says.

Everything that reads or writes a run's folder uses this module. No torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import CheckpointError, InvalidValueError, MissingFileError, StoreError, shown
from landscape.store.layout import RECORD as WRITTEN
from landscape.store.metadata import require_types

SLICES = "landscape.zarr"
RECORDING = "mid-training.zarr"
HISTORY = "history.zarr"
RECORD = "run.json"
CHECKPOINTS = "checkpoints"
# Where the files lie on the machine that trained; neither compared nor passed on.
PLACES = ("folder", "data", "dataset")
LENGTH = ("epochs", "checkpoints")  # which a run that goes on for longer changes
DATA = "data_digest"  # the digests of the training and the validation data
UNKNOWN = "unknown"  # in place of the digest of data that has none


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


# The types of what is used of a run's record.
RECORDED: Mapping[str, Any] = {
    **WRITTEN,
    **dict.fromkeys(("folder", "data", "dataset", DATA), _text),
    **dict.fromkeys(("batch_size", "train_samples", "seed", "epochs"), _count),
}

HISTORY_NAMES = {
    "iteration": ("iteration", "1"),
    "loss": ("training loss", "nat"),
    "validation_loss": ("validation loss", "nat"),
    "validation_accuracy": ("validation accuracy", "1"),
    "step_size": ("step size", "1"),
    "forward_passes": ("forward passes in the epoch", "1"),
    "backward_passes": ("backward passes in the epoch", "1"),
    "searches": ("searches in the epoch", "1"),
    "trials": ("trials in the epoch", "1"),
    "rejected": ("rejected trials in the epoch", "1"),
    "skipped": ("skipped searches in the epoch", "1"),
    "exhausted": ("exhausted searches in the epoch", "1"),
    "doubted": ("doubted searches in the epoch", "1"),
    "seconds": ("time of the epoch", "s"),
    "epoch": ("epoch", "1"),
}


@dataclass(frozen=True)
class Run:
    """The files of a run's folder.

    Attributes:
        folder: the run's folder, which need not exist.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """Task and settings, as JSON."""
        return self.folder / RECORD

    @property
    def checkpoints(self) -> Path:
        """The folder of the probed iterations' checkpoints."""
        return self.folder / CHECKPOINTS

    def checkpoint(self, iteration: int) -> Path:
        """The checkpoint of one probed iteration.

        Args:
            iteration: number of updates before it.

        Returns:
            The path of its file, whether it exists or not.
        """
        return self.checkpoints / f"iteration-{iteration:07d}.pt"

    @property
    def latest(self) -> Path:
        """The checkpoint from which training continues."""
        return self.folder / "latest.pt"

    @property
    def history(self) -> Path:
        """The store with one row per epoch."""
        return self.folder / HISTORY

    @property
    def slices(self) -> Path:
        """The store of the slices probed at the run's checkpoints."""
        return self.folder / SLICES

    @property
    def recording(self) -> Path:
        """The store of the slices probed during training."""
        return self.folder / RECORDING

    @property
    def stores(self) -> list[Path]:
        """Every store that the folder holds, by name."""
        return sorted(self.folder.glob("*.zarr"))

    @property
    def exists(self) -> bool:
        """Whether the folder is a run's, with a record."""
        return self.record.is_file()

    @property
    def begun(self) -> bool:
        """Whether anything was trained here."""
        return any(p.exists() for p in (self.latest, self.history, self.checkpoints))

    def read(self) -> dict[str, Any]:
        """Read what the run was asked to do.

        Returns:
            The record: setting -> value, as JSON has it.

        Raises:
            MissingFileError: where this is no run's folder.
            CheckpointError: where its record is damaged.
            StoreError: where a value of it is of another type than any that is written.
        """
        if not self.exists:
            raise MissingFileError(f"{self.folder} is not a run's folder: it has no {RECORD}")
        try:
            record: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{self.record} is damaged: {error}") from error
        if "optimizer" not in check_record(record, self.record):
            raise CheckpointError(f"{self.record} is damaged: it names no optimizer")
        return record

    def require(self, record: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """Refuse a folder that holds a run with other settings or data.

        The data may have moved; their content must be the same. More epochs are no other run where
        the learning rate does not depend on their number.

        Args:
            record: what the run is now asked to do.
            defaults: values of settings that the folder's record may lack.

        Raises:
            InvalidValueError: for the first setting that differs.
            MissingFileError: where this is no run's folder.
            CheckpointError: where its record is damaged.
        """
        recorded = self.read()
        before = {**defaults, **recorded}
        longer = self._require_length(before, record)
        for name, value in before.items():
            if name in LENGTH and longer:
                continue
            if name not in (*PLACES, DATA) and json.loads(json.dumps(record.get(name))) != value:
                raise InvalidValueError(
                    f"{self.folder} holds a run with {name.replace('_', ' ')} {value!r}, and now "
                    f"it is {record.get(name)!r}; use the same settings and data, or another folder"
                )
        require_same_data(f"{self.folder} holds a run", recorded, record)

    def _require_length(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether ``now`` only goes on for longer; refuses where it cannot, and what is shorter."""
        done, asked = before.get("epochs"), now.get("epochs")
        if done is None or asked is None or asked == done:
            return False
        if before.get("schedule") != now.get("schedule"):
            return False
        why = ""
        if not is_constant(before):
            why = f"its schedule, {before['schedule']}, was made for as many"
        elif self.recording.exists():
            why = "it was probed as it trained, at iterations chosen for as many"
        if asked < done:
            raise InvalidValueError(
                f"epochs is {asked}, but {self.folder} holds a run of {done} epochs already; "
                f"{'only' if why else 'at least'} {done} are allowed there, or use another folder"
            )
        if why:
            raise InvalidValueError(
                f"{self.folder} holds a run of {done} epochs, and {why}; train for {asked} epochs "
                "into another folder"
            )
        return True


def is_constant(record: Mapping[str, Any]) -> bool:
    """Whether a run's learning rate has no schedule, so that more epochs only add to it.

    Args:
        record: of a run.

    Returns:
        True where the schedule is constant, or unknown.
    """
    return str(record.get("schedule") or "constant").lower() == "constant"


def lengthless(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record without what changes where the run goes on for longer.

    Args:
        record: of a run.

    Returns:
        What two checkpoints of one run have in common, before and after it went on.
    """
    return {n: each for n, each in record.items() if n not in LENGTH or not is_constant(record)}


def check_record(record: Any, where: Path) -> dict[str, Any]:
    """Refuse a run's record that is none, or whose values are of another type.

    Args:
        record: what a run's folder or a checkpoint holds as that.
        where: the file, for the message.

    Returns:
        The record.

    Raises:
        CheckpointError: where it is no dict of plain values, or holds one of another type.
    """
    if not isinstance(record, dict):
        raise CheckpointError(f"{where} is damaged: it holds no JSON object")
    try:
        json.dumps(record)
    except Exception as error:  # of what JSON does not have, or of too deep a nesting
        raise CheckpointError(
            f"{where} is damaged: its record of the run holds more than plain values"
        ) from error
    try:
        require_types(where, record, RECORDED)
    except StoreError as error:
        raise CheckpointError(str(error)) from error
    return record


def require_same_data(what: str, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse other data than what was recorded; what has no digest is not compared.

    Args:
        what: what was made with the recorded data, for the message, as "run holds a run".
        recorded: attributes or a record, with the data's digests under :data:`DATA` if known.
        now: the same of the data at hand.

    Raises:
        InvalidValueError: for training or validation data with another digest.
    """
    parts = ("training", "validation")
    pairs = zip(_digests(recorded), _digests(now), strict=False)
    differing = [
        (part, before, after)
        for part, (before, after) in zip(parts, pairs, strict=False)
        if UNKNOWN not in (before, after) and before != after
    ]
    if differing:
        names = " and ".join(part for part, *_ in differing)
        _, before, after = differing[0]
        raise InvalidValueError(
            f"{what} made with other {names} data (digest {shown(before)}, now {shown(after)}); "
            "give the task the data that it had, or start in another place"
        )


def _digests(record: Mapping[str, Any]) -> list[str]:
    return str(record.get(DATA) or UNKNOWN).split("-")


def store_at(path: Path, name: str | None = None) -> Path:
    """The store that a path means: one in a run's folder, or the path itself.

    Args:
        path: a run's folder or a store.
        name: the store to take of a run's folder; by default that of the slices probed at its
            checkpoints or, where there is none, of those probed during training.

    Returns:
        The store in the folder where ``path`` is a run's folder, whether it exists or not, else
        ``path``.
    """
    run = Run(path)
    if not run.exists:
        return path
    if name is not None:
        return path / name
    return run.recording if run.recording.exists() and not run.slices.exists() else run.slices
