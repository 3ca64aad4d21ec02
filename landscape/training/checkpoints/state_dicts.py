"""State dicts: copied from a model, and loaded into one whole or not at all."""

import io
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import CheckpointError, users_code
from landscape.runtime.tensors import unusual
from landscape.training.checkpoints.checkpoint import Checkpoint

INNER_WRAPPERS = r"(_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
COUNT = "n_averaged"  # of the weights that torch's AveragedModel averaged, kept beside them


def copied(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a state dict to the CPU.

    Args:
        state: what ``model.state_dict()`` gives.

    Returns:
        The same names and values, which share no memory with the model.
    """
    values = (
        (
            name,
            value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else deepcopy(value),
        )
        for name, value in state.items()
    )
    return with_versions(OrderedDict(values), state)


def check_state(model: nn.Module) -> None:
    """Refuse a model whose checkpoints could be written and not read.

    Args:
        model: it is left as it is.

    Raises:
        CheckpointError: where a module keeps by ``get_extra_state`` what a file of data cannot
            hold, and where the model does not load its own state.
        InvalidValueError: where its ``state_dict()`` fails.
    """
    with users_code("the model's state_dict()"):
        state = model.state_dict()
    for name, value in state.items():
        if isinstance(value, Tensor):
            continue
        buffer = io.BytesIO()
        try:
            torch.save(value, buffer)
            buffer.seek(0)
            torch.load(buffer, weights_only=True)
        except Exception as error:
            raise CheckpointError(
                f"the model's {name} is a {type(value).__name__}, which no checkpoint can hold "
                "as data; let get_extra_state give tensors, numbers, strings, lists or dicts"
            ) from error
    load_into(model, Checkpoint(0, copied(state)), "its own state")


def load_into(model: nn.Module, checkpoint: Checkpoint, path: Path | str) -> None:
    """Set the parameters and buffers of a model, all of them or none.

    Prefixes that wrappers put before every name (``module.``, ``model.``, whatever they are called)
    are dropped where the names then fit, and those that compiling and sharding put inside.

    Args:
        model: changed in place.
        checkpoint: the state to load.
        path: what an error calls the checkpoint.

    Raises:
        CheckpointError: for tensors that are missing, unexpected, of another shape, or of a type
            that the model's would not hold exactly, and where the model's own hooks fail.
    """
    with users_code("the model's state_dict()"):
        wanted = model.state_dict()
    given = max(_unwrapped(checkpoint.model), key=lambda state: len(state.keys() & wanted.keys()))
    given.update(_tied(given, wanted))
    shared = {
        name: (given[name], tensor)
        for name, tensor in wanted.items()
        if isinstance(tensor, Tensor) and isinstance(given.get(name), Tensor)
    }
    differing = [
        f"{name} {tuple(one.shape)} instead of {tuple(other.shape)}"
        for name, (one, other) in shared.items()
        if not nn.parameter.is_lazy(other) and one.shape != other.shape
    ]
    inexact = [
        f"{name} {one.dtype} instead of {other.dtype}"
        for name, (one, other) in shared.items()
        if not _holds(other.dtype, one.dtype)
    ]
    wrong = {"of another shape": differing, "of another type": inexact}
    names = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
    }
    if any(wrong.values()):
        raise CheckpointError(_misfit(path, names | wrong))
    before = {
        name: value.clone()
        for name, value in wanted.items()
        if isinstance(value, Tensor) and not nn.parameter.is_lazy(value)
    }
    reason = None
    try:
        # What is missing is up to the model, whose modules may convert what older versions wrote.
        refused = model.load_state_dict(given, strict=False)
        names = {"missing": refused.missing_keys, "unexpected": refused.unexpected_keys}
        if any(names.values()):
            reason = _misfit(path, names)
    except Exception as error:
        text = " ".join(str(error).split())
        reason = f"{path} does not fit the model: {type(error).__name__}: {text}"
    if reason is not None:
        with torch.no_grad():
            for name, value in before.items():
                if not torch.equal(wanted[name], value):
                    wanted[name].copy_(value)
        raise CheckpointError(reason)


def _tied(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a file left out because the model keeps it under another name too, as tied weights."""
    plain = {
        name: value
        for name, value in wanted.items()
        if isinstance(value, Tensor) and not nn.parameter.is_lazy(value) and not unusual(value)
    }
    return {
        name: given[other]
        for name in plain.keys() - given.keys()
        for other in plain.keys() & given.keys()
        if plain[name].is_set_to(plain[other])
    }


def _misfit(path: Path | str, wrong: Mapping[str, Sequence[str]]) -> str:
    parts = "; ".join(f"{what}: {first_of(names)}" for what, names in wrong.items() if names)
    return f"{path} does not fit the model: {parts}"


def _holds(dtype: torch.dtype, other: torch.dtype) -> bool:
    """Whether every value of the type ``other`` is one of ``dtype`` too, of the same kind."""
    if dtype == other:
        return True
    if dtype.is_floating_point != other.is_floating_point or dtype.is_complex != other.is_complex:
        return False
    try:
        if dtype.is_floating_point:
            wide, narrow = torch.finfo(dtype), torch.finfo(other)
            return (
                wide.eps <= narrow.eps
                and wide.max >= narrow.max
                and wide.smallest_normal <= narrow.smallest_normal
            )
        return torch.promote_types(dtype, other) == dtype
    except (RuntimeError, TypeError):  # a type that torch can store and not compute with
        return False


def _unwrapped(state: Mapping[str, Any]) -> Iterator[OrderedDict[str, Any]]:
    """The state as it is, and without what wrappers add to all names, or keep beside them."""
    yield _renamed(state, str)
    inner = _renamed(state, lambda name: re.sub(INNER_WRAPPERS, "", name))
    if len(inner) == len(state) and inner.keys() != state.keys():
        yield from _unwrapped(inner)
    # A wrapper's own tensors, as those of a loss, may stand beside what it wraps.
    names = state.keys() - {COUNT}
    heads = Counter(name.partition(".")[0] for name in names if "." in name)
    prefix, count = heads.most_common(1)[0] if heads else ("", 0)
    if 2 * count > len(names):
        bare = _renamed(state, lambda name: name.removeprefix(f"{prefix}."), {COUNT})
        if len(bare) == len(names):
            yield from _unwrapped(bare)


def _renamed(
    state: Mapping[str, Any], rename: Callable[[str], str], without: Collection[str] = ()
) -> OrderedDict[str, Any]:
    """A state with other names, and its modules' versions with them."""
    new = OrderedDict((rename(name), value) for name, value in state.items() if name not in without)
    return with_versions(new, state, rename)


def with_versions(
    state: OrderedDict[str, Any],
    source: Mapping[str, Any],
    rename: Callable[[str], str] = str,
) -> OrderedDict[str, Any]:
    """Keep what torch notes beside a state dict: the versions by which modules convert old ones.

    Args:
        state: a copy of a state dict, changed in place.
        source: the state dict it was made of.
        rename: what its names were changed by.

    Returns:
        ``state``.
    """
    versions = getattr(source, "_metadata", None)
    if isinstance(versions, Mapping):
        # The modules' names lack the dot that those of their tensors go on with. A wrapper comes
        # before what it wraps, whose version stays.
        state._metadata = {  # type: ignore[attr-defined]
            rename(f"{name}." if name else "").removesuffix("."): version
            for name, version in versions.items()
            if isinstance(name, str)
        }
    return state


def first_of(names: Sequence[str], count: int = 3) -> str:
    """The first of some names, and how many more there are.

    Args:
        names: to be listed.
        count: how many are.

    Returns:
        Words for a message.
    """
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
