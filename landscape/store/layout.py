"""What a store looks like on disk, and one-line errors for what goes wrong there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError, StoreError

SCHEMA = 2
FINISHED = "finished"
PER_SAMPLE = "per_sample"
PARTIAL = "*.partial", ".*.tmp"  # files that zarr, or we, did not finish


# The types of attributes, as far as anything is done with them: a type, a test, a mapping of
# types by name, or a list of one type.


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _place(value: object) -> bool:
    return value in ("iteration", "epoch")


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _numbers(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(map(_number, value)))


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


# What a run was asked to do.
RECORD: dict[str, Any] = {
    **dict.fromkeys(("task", "optimizer", "device_name", "torch", "landscape"), str),
    **dict.fromkeys(("seed", "epochs", "batch_size"), int),
    "learning_rate": _number,
    "options": dict,
    "schedule_options": dict,
}
ATTRIBUTES: dict[str, Any] = {
    **RECORD,
    **dict.fromkeys(("along", "coordinates", "origin"), str),
    **dict.fromkeys(
        (f"direction{of}{n}" for of in ("", "_symbol", "_about", "_set") for n in ("", "_2")), str
    ),
    "orthogonal": bool,
    "landmarks": dict,
    **dict.fromkeys(("device", "dtype", "loss", "range", "weights"), str),
    "placed_by": _place,
    "run": dict,
    "training_samples": int,
    "digests": _texts,
    "structure": _texts,
    "settings": {
        **dict.fromkeys(("samples", "dropout", "orthogonal"), bool),
        "direction_2": _text,
        "step_sizes_2": _numbers,
        **dict.fromkeys(("seed", "draws", "batch_size"), int),
        **{name: [_number] for name in ("step_sizes", "slope_factors")},
        **{name: [str] for name in ("sets", "metrics")},
        **dict.fromkeys(("direction", "origin"), str),
        "batch_norm": _texts,
    },
    "search": {
        **dict.fromkeys(("metric", "mode", "symbol", "direction", "better"), str),
        "normalised": bool,
        "c": _number,
    },
    "runs": [{"name": str, "epochs_done": int, "record": RECORD}],
}


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
