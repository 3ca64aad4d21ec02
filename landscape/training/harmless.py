"""Harmless classes that a file of plain data may hold beside tensors, where a user allows them.

To read a file may call such a class with any arguments that the file says. So only classes are
listed that do no more than keep what they are given.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from landscape.errors import InvalidValueError, UnknownNameError, shown

_NUMBERS = (
    *("Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    *("Float16", "Float32", "Float64", "Complex64", "Complex128"),
)
_DTYPES = ("numpy.dtype", *(f"numpy.dtypes.{name}DType" for name in _NUMBERS))


def _alike(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


def _moved(name: str, *older: str) -> dict[str, str]:
    return dict.fromkeys((name, *older), name)


# What a user allows -> what files call it and what it needs -> where that is now.
HARMLESS: Mapping[str, Mapping[str, str]] = {
    "argparse.Namespace": _alike("argparse.Namespace"),
    "types.SimpleNamespace": _alike("types.SimpleNamespace"),
    **{
        f"pathlib.{name}": _moved(f"pathlib.{name}", f"pathlib._local.{name}")
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    },
    **{
        f"datetime.{name}": _alike(f"datetime.{name}") for name in ("datetime", "date", "timedelta")
    },
    "numpy": _alike("numpy.ndarray", *_DTYPES)
    | _moved("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar")
    | _moved("numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct"),
    "omegaconf": _alike(
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata")),
        *(
            f"omegaconf.nodes.{name}Node"
            for name in ("Any", "Boolean", "Bytes", "Float", "Integer", "Path", "String")
        ),
        "typing.Any",
        *(f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "str")),
    ),
}
# Packages whose other classes can do more than keep what they are given.
REFUSED = {*sys.stdlib_module_names, "landscape", "numpy", "torch"}


def allowed_globals(allow: Sequence[str | type]) -> list[tuple[Any, str]]:
    """Resolve what a user allows a file to hold.

    Args:
        allow: names of :data:`HARMLESS`, or classes of one's own.

    Returns:
        What ``torch.serialization.safe_globals`` takes.

    Raises:
        UnknownNameError: for a name that is not listed.
        InvalidValueError: for what is no class, for a class of Python's or numpy's or torch's that
            is not listed, and where a listed one's package is not installed.
    """
    if isinstance(allow, str | type):
        allow = (allow,)
    found: list[tuple[Any, str]] = []
    for each in allow:
        found += _named(each) if isinstance(each, str) else [_own(each)]
    return found


def _named(name: str) -> list[tuple[Any, str]]:
    if name not in HARMLESS:
        raise UnknownNameError("harmless class", name, HARMLESS)
    try:
        return [(_found(place), pickled) for pickled, place in HARMLESS[name].items()]
    except ImportError as error:
        raise InvalidValueError(
            f"{name} was allowed, but it is not installed: {error}; install it, or save the state "
            "dict alone"
        ) from error


def _found(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(import_module(module), name)


def _own(kind: Any) -> tuple[type, str]:
    if not isinstance(kind, type):
        raise InvalidValueError(
            f"allow has {shown(kind)}, which is no class; give classes, or names of "
            f"{', '.join(HARMLESS)}"
        )
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in HARMLESS and kind.__module__.partition(".")[0] in REFUSED:
        raise InvalidValueError(
            f"allow has {name}, with which a file could do harm; of the classes of Python, numpy "
            f"and torch, only these are allowed: {', '.join(HARMLESS)}"
        )
    return kind, name  # a pair, so that what a user told torch for good stays told


def option_for(pickled: str) -> str | None:
    """What to allow so that a file may hold something.

    Args:
        pickled: what the file calls it, as "argparse.Namespace".

    Returns:
        The name in :data:`HARMLESS`; None for what is not harmless.
    """
    for option, names in HARMLESS.items():
        if pickled in names or f"builtins.{pickled}" in names:
            return option
    return None
