"""Checkpoint files: this package's own, and those that other training code wrote.

Files are read as plain data: no code in them is run, and a file that would need it is refused.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.errors import CheckpointError, LandscapeError, UnknownNameError, shown
from landscape.histories.layout import check_record
from landscape.runtime.tensors import unusual
from landscape.training.checkpoints.checkpoint import FORMAT, SAVED, VERSION, Checkpoint, tensors_in
from landscape.training.checkpoints.loading import load
from landscape.training.checkpoints.places import finite, is_number, number, place_of
from landscape.training.checkpoints.state_dicts import with_versions
from landscape.training.checkpoints.weights import choose, is_state

LEARNING_RATE_KEYS = ("learning_rate", "lr")
MODEL = "model"  # the only set of weights in a file of this package


def read(path: Path, weights: str | None = None, allow: Sequence[str | type] = ()) -> Checkpoint:
    """Read a checkpoint of this package, or one that other training code wrote.

    Other code's file is a state dict, or a dict that holds one or several; a folder of Hugging
    Face's libraries is one checkpoint. Iteration, epoch and learning rate are taken from the usual
    keys; without one, iteration or epoch is a number in the name (of a link, in the name of what it
    leads to).

    Args:
        path: a file that ``torch.save`` or safetensors wrote, or a folder with
            ``model.safetensors`` or ``pytorch_model.bin``, or an index of their shards.
        weights: which of several sets of weights in the file to take, by its key, as
            ``"model_ema"``; None for the plain ones, which are no average, or the only ones.
        allow: what the file may hold beside plain data: names of harmless classes, as
            ``"argparse.Namespace"`` (:data:`landscape.training.harmless.HARMLESS` has all), or
            classes of one's own. Reading the file calls such a class with arguments that the file
            says, so allow only what does no harm with any.

    Returns:
        The checkpoint, on the CPU.

    Raises:
        MissingFileError: where there is no such file.
        CheckpointError: for a file that is damaged, holds no state dict or would run code, and for
            values that no checkpoint has.
        InvalidValueError: for what must not be allowed, and for a file of several sets of weights
            of which none is the plain one.
        UnknownNameError: for weights that the file does not have.
    """
    loaded = load(path, allow)
    with read_safely(path):
        deque(tensors_in(loaded), maxlen=0)  # without an end in what contains itself
        if not _is_own(loaded):
            return _foreign(loaded, path, weights)
        if weights not in (None, MODEL):
            raise UnknownNameError(f"set of weights in {path}:", weights, [MODEL])
        return _own(loaded, path)


@contextmanager
def read_safely(what: Path | str) -> Iterator[None]:
    """Use what a file held, which may be of any type at any place, and turn a misfit into one line.

    Args:
        what: what an error calls the checkpoint.

    Yields:
        Nothing.

    Raises:
        LandscapeError: as it was raised inside.
        CheckpointError: for any other exception.
    """
    try:
        yield
    except LandscapeError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{what} is damaged or no checkpoint: {type(error).__name__}: {shown(str(error))}"
        ) from error


def _is_own(loaded: Any) -> bool:
    kind = loaded.get("format") if isinstance(loaded, Mapping) else None
    return isinstance(kind, str) and kind == FORMAT


def _own(loaded: Mapping[str, Any], path: Path) -> Checkpoint:
    version = loaded.get("version")
    if not isinstance(version, int) or version != VERSION:
        raise CheckpointError(
            f"{path} has checkpoint version {shown(version)}; this landscape reads version "
            f"{VERSION}"
        )
    missing = [name for name in SAVED if name not in loaded]
    if missing or not is_state(loaded["model"]):
        raise CheckpointError(
            f"{path} is damaged: it lacks {', '.join(missing) or 'a state dict'}; write it again"
        )
    for name in ("epoch", "learning_rate"):
        if not is_number(loaded[name]):
            raise CheckpointError(
                f"{path} is damaged: its {name.replace('_', ' ')} is {shown(loaded[name])}; it has "
                "to be a number"
            )
    if not isinstance(loaded["training"], dict | None):
        raise CheckpointError(
            f"{path} is damaged: its training is {shown(loaded['training'])}; it has to be a dict"
        )
    if loaded["run"] is not None:
        check_record(loaded["run"], path)
    return Checkpoint(
        iteration=_iteration(loaded["iteration"], path),
        model=_checked(loaded["model"], path),
        epoch=float(loaded["epoch"]),
        learning_rate=float(loaded["learning_rate"]),
        training=loaded["training"],
        run=loaded["run"],
    )


def _foreign(loaded: Any, path: Path, wanted: str | None) -> Checkpoint:
    place = place_of(loaded, path)
    chosen = choose(loaded, path, wanted)
    optimizers = tuple(_optimizers(loaded))
    return Checkpoint(
        iteration=_iteration(place.iteration or 0, path),
        model=_checked(chosen.state, path),
        epoch=place.epoch,
        learning_rate=finite(_learning_rate(loaded, optimizers)),
        # Their momenta belong to the plain weights.
        optimizers=optimizers if chosen.plain else (),
        iteration_known=place.iteration is not None,
        may_be_epoch=place.may_be_epoch,
        weights=chosen.name,
        weight_sets=chosen.names,
        plain=chosen.plain,
    )


def _iteration(value: Any, path: Path) -> int:
    if not is_number(value) or not 0 <= value < 2**63 or value != int(value):
        raise CheckpointError(
            f"{path} is at iteration {shown(value)}; an iteration is a number from 0 to 2^63 − 1"
        )
    return int(value)


def _checked(state: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The state dict with torch's own versions of its modules, and with plain tensors alone."""
    checked: OrderedDict[str, Any] = OrderedDict()
    for name, value in state.items():
        for _, tensor in tensors_in(value):
            if what := unusual(tensor):
                raise CheckpointError(f"{path} holds {shown(name)}, which is {what}")
        checked[name] = value.detach() if isinstance(value, Tensor) else value
    return with_versions(checked, state)


def _optimizers(value: Any) -> Iterator[Mapping[str, Any]]:
    """The state dicts of optimizers in a value, at any depth: what has ``param_groups``."""
    if isinstance(value, dict):
        if "param_groups" in value:
            yield value
        else:
            for each in value.values():
                yield from _optimizers(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _optimizers(each)


def _learning_rate(loaded: Any, optimizers: Sequence[Mapping[str, Any]]) -> float:
    for state in optimizers:
        groups = state["param_groups"]
        if isinstance(groups, (list, tuple)) and groups:
            return number(groups[0], ("lr",))
    return number(loaded, LEARNING_RATE_KEYS)
