"""Checks of one value that a user gave: the only place that words "got X, allowed Y".

Numbers, truth values and lists of numpy, torch and xarray count as Python's own and are returned as
Python's own. Truth values, strings, NaN and infinities do not count as numbers. Every check raises
InvalidValueError with one line: what it is, the value, what is allowed.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from landscape.errors import InvalidValueError, UnknownNameError, shown


def plain(value: Any) -> Any:
    """Turn an array, or an array library's number, into Python's own.

    Args:
        value: anything.

    Returns:
        A number, a string or nested lists for what holds values as an array does; anything else
        unchanged.
    """
    if isinstance(value, type) or not hasattr(value, "__array__"):
        return value
    try:
        return value.tolist() if hasattr(value, "tolist") else value.__array__().tolist()
    except Exception:  # one without values, as torch has on the device "meta"
        return value


def one_of(what: str, value: Any, allowed: Iterable[str]) -> str:
    """Check that ``value`` is an allowed name.

    Args:
        what: what it names, for the message.
        value: what was given.
        allowed: the names to choose from.

    Returns:
        ``value``.

    Raises:
        InvalidValueError: for anything else, with the nearest name suggested.
        UnknownNameError: for a name that is not known.
    """
    value, allowed = plain(value), tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise UnknownNameError(what, value, allowed)
    return value


def several_of(what: str, values: Any, allowed: Iterable[str]) -> tuple[str, ...]:
    """Check that ``values`` are allowed names.

    Args:
        what: what each of them names, for the message.
        values: a list of names, or a single name.
        allowed: the names to choose from.

    Returns:
        The names given, each once, in the order of ``allowed``.

    Raises:
        InvalidValueError: for any other name, and for an empty list.
    """
    allowed, listed = tuple(allowed), _listed(values)
    names = [values] if listed is None else listed
    for name in names:
        one_of(what, name, allowed)
    if not names:
        raise InvalidValueError(f"no {what} was chosen; choose from {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def integer(what: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Check that ``value`` is an integer, of 64 bits at most.

    Args:
        what: its name, for the message.
        value: what was given.
        least: the lowest that is allowed; by default any.
        most: the highest that is allowed; by default any.

    Returns:
        The value as an ``int``.

    Raises:
        InvalidValueError: for anything else, truth values included.
    """
    value = plain(value)
    given = int(value) if isinstance(value, Integral) and not _is_flag(value) else None
    lowest = -(2**63) if least is None else least
    highest = 2**63 - 1 if most is None else most
    if given is None or not lowest <= given <= highest:
        bounds = [] if least is None else [f"at least {least}"]
        if most is not None or (given is not None and given > highest):
            bounds.append(f"at most {'2^63 − 1' if most is None else most}")
        allowed = f" of {' and '.join(bounds)}" if bounds else ""
        raise InvalidValueError(f"{what} is {shown(value)}; give an integer{allowed}")
    return given


def number(
    what: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    also: str = "",
) -> float:
    """Check that ``value`` is a finite number within the given bounds.

    >>> landscape.arguments.number("c", 2, above=0, below=1)
    Traceback (most recent call last):
        ...
    landscape.errors.InvalidValueError: c is 2; give a number above 0 and below 1

    Args:
        what: its name, for the message.
        value: what was given.
        least: the lowest that is allowed.
        above: a bound that it must exceed.
        below: a bound that it must stay under.
        most: the highest that is allowed.
        also: what else the caller accepts, for the message: "or None".

    Returns:
        The value; an integer stays an ``int``.

    Raises:
        InvalidValueError: for anything else, truth values included.
    """
    value = plain(value)
    if not (
        _is_finite(value)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (below is None or value < below)
        and (most is None or value <= most)
    ):
        bounds = [
            f"{words} {bound:g}"
            for words, bound in (
                ("of at least", least),
                ("above", above),
                ("below", below),
                ("of at most", most),
            )
            if bound is not None
        ]
        allowed = " ".join(["a finite number" if not bounds else "a number", " and ".join(bounds)])
        raise InvalidValueError(
            f"{what} is {shown(value)}; give {allowed.strip()}{also and ', '}{also}"
        )
    return value if isinstance(value, int) else float(value)


def integers(what: str, values: Any, least: int | None = None) -> tuple[int, ...]:
    """Check that ``values`` is a list of integers, which may be empty.

    Args:
        what: their name, for the message.
        values: what was given.
        least: the lowest that is allowed; by default any.

    Returns:
        The values as ``int``, in the order given.

    Raises:
        InvalidValueError: for anything else, a single integer included.
    """
    given = _listed(values)
    if given is None:
        raise InvalidValueError(
            f"{what} is {shown(plain(values))}; give a list of integers, as in [0, 100]"
        )
    return tuple(integer(what, each, least) for each in given)


def numbers(what: str, values: Any) -> tuple[float, ...]:
    """Check that ``values`` is a list of at least one finite number, without repetition.

    Args:
        what: their name, in the plural, for the message.
        values: what was given.

    Returns:
        The values as ``float``, in the order given.

    Raises:
        InvalidValueError: for anything else, a single number included.
    """
    given = _listed(values)
    if given is None or not all(map(_is_real, given)):
        raise InvalidValueError(
            f"the {what} are {shown(plain(values) if given is None else given)}; give a list of "
            "numbers, as in [0.5, 1]"
        )
    if not given:
        raise InvalidValueError(f"the {what} are []; give at least one")
    if not all(map(_is_finite, given)):
        raise InvalidValueError(f"the {what} are {shown(given)}; all must be finite")
    floats = tuple(float(each) for each in given)
    if len(set(floats)) < len(floats):
        raise InvalidValueError(f"the {what} are {shown(given)}; give each only once")
    return floats


def flag(what: str, value: Any) -> bool:
    """Check that ``value`` is true or false.

    Args:
        what: its name, for the message.
        value: what was given.

    Returns:
        The value as a ``bool``.

    Raises:
        InvalidValueError: for anything else, 0 and 1 included.
    """
    value = plain(value)
    if not _is_flag(value):
        raise InvalidValueError(f"{what} is {shown(value)}; give true or false")
    return bool(value)


def mapping(what: str, value: Any) -> Mapping[str, Any]:
    """Check that ``value`` is a mapping of names to values.

    Args:
        what: its name, for the message.
        value: what was given.

    Returns:
        ``value``.

    Raises:
        InvalidValueError: for anything else.
    """
    if not isinstance(value, Mapping):
        raise InvalidValueError(
            f"{what} is {shown(plain(value))}; give a mapping of names to values"
        )
    return value


def known(what: str, names: Iterable[Any], allowed: Sequence[str]) -> None:
    """Refuse the first of ``names`` that is not ``allowed``.

    Args:
        what: what each of them names, for the message.
        names: what was given.
        allowed: the names to choose from.

    Raises:
        InvalidValueError: for a name that is not allowed, with the nearest one suggested.
    """
    for name in names:
        one_of(what, name, allowed)


def local_path(value: "str | os.PathLike[str]") -> Path:
    """Take a path on this machine, with ~ expanded; refuse an address on another.

    Args:
        value: a path, or what may be an address such as ``s3://bucket/store.zarr``.

    Returns:
        The path.

    Raises:
        InvalidValueError: for an address, a name that is no text, and the home of a user who is not
            known here.
    """
    if re.search("[\ud800-\udfff]", str(value)):  # bytes that Python could not decode
        raise InvalidValueError(
            f"the path is {shown(str(value))}, which is no text; give a name in UTF-8"
        )
    # A Path has lost the second slash.
    if address := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", str(value)):
        raise InvalidValueError(
            f"the path is '{address[1]}://{address[2]}'; give a file or folder of this machine, "
            "for addresses are not supported yet"
        )
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise InvalidValueError(
            f"the path is {shown(str(value))}, of a user who has no home here; give it in full"
        ) from error


def _listed(values: Any) -> list[Any] | None:
    """The elements of ``values``, each as Python's own; None for what is no list."""
    values = plain(values)
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        return None
    try:
        return [plain(each) for each in values]
    except Exception:  # a tensor without values is iterable by its class alone
        return None


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not _is_flag(value)


def _is_finite(value: Any) -> bool:
    # An integer may be larger than any float; NaN compares as false.
    return _is_real(value) and abs(value) <= sys.float_info.max
