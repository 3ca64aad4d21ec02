"""One value that a user gave, checked: the only place that says "got X, allowed Y".

Numbers, truth values and lists of numpy, torch and xarray count as Python's own and come back as
such. A truth value is no number, a string is no number, NaN and infinities are no numbers either.
Every function raises :class:`InvalidValueError` with one line: what it is, the value, what is
allowed.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from landscape.errors import InvalidValueError, unknown


def plain(value: Any) -> Any:
    """An array, or a number of its kind, as Python's own; anything else as it is."""
    return value.__array__().tolist() if hasattr(value, "__array__") else value


def one_of(what: str, value: Any, allowed: Iterable[str]) -> str:
    """``value``, one of the names that are ``allowed``."""
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise unknown(what, plain(value), allowed)
    return value


def several_of(what: str, values: Any, allowed: Iterable[str]) -> tuple[str, ...]:
    """``values``, names that are ``allowed`` or a single one, in the order of ``allowed``."""
    values, allowed = plain(values), tuple(allowed)
    names = list(values) if _is_listed(values) else [values]
    for name in names:
        one_of(what, name, allowed)
    if not names:
        raise InvalidValueError(f"no {what} was chosen; choose from {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def integer(what: str, value: Any, least: int | None = None) -> int:
    """``value``, an integer, of at least ``least`` if that is given."""
    value = plain(value)
    if _is_flag(value) or not isinstance(value, Integral) or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        raise InvalidValueError(f"{what} is {value!r}; give an integer{bound}")
    return int(value)


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
    """``value``, a finite number within the bounds that are given.

    Args:
        what: its name, for the message.
        value: what was given.
        least: the lowest that is allowed.
        above: a bound that it has to exceed.
        below: a bound that it may not reach.
        most: the highest that is allowed.
        also: what else the caller takes, for the message: "or None".
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
        raise InvalidValueError(f"{what} is {value!r}; give {allowed.strip()}{also and ', '}{also}")
    return value if isinstance(value, int) else float(value)


def integers(what: str, values: Any, least: int | None = None) -> tuple[int, ...]:
    """``values``, any number of integers of at least ``least``."""
    given = plain(values)
    if not _is_listed(given):
        raise InvalidValueError(f"{what} is {given!r}; give a list of integers, as in [0, 100]")
    return tuple(integer(what, each, least) for each in given)


def numbers(what: str, values: Any) -> tuple[float, ...]:
    """``values``, at least one finite number, each only once."""
    given = plain(values)
    if _is_listed(given):
        given = [plain(each) for each in given]
    if not isinstance(given, list) or not all(map(_is_real, given)):
        raise InvalidValueError(f"the {what} are {given!r}; give a list of numbers, as in [0.5, 1]")
    if not given:
        raise InvalidValueError(f"the {what} are []; give at least one")
    if not all(map(_is_finite, given)):
        raise InvalidValueError(f"the {what} are {given}; all must be finite")
    floats = tuple(float(each) for each in given)
    if len(set(floats)) < len(floats):
        raise InvalidValueError(f"the {what} are {given}; give each only once")
    return floats


def flag(what: str, value: Any) -> bool:
    """``value``, true or false."""
    value = plain(value)
    if not _is_flag(value):
        raise InvalidValueError(f"{what} is {value!r}; give true or false")
    return bool(value)


def mapping(what: str, value: Any) -> Mapping[str, Any]:
    """``value``, a mapping of names to values."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{what} is {plain(value)!r}; give a mapping of names to values")
    return value


def known(what: str, names: Iterable[Any], allowed: Sequence[str]) -> None:
    """Refuse the first of ``names`` that is not ``allowed``."""
    for name in names:
        one_of(what, name, allowed)


def _is_listed(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str | Mapping)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not _is_flag(value)


def _is_finite(value: Any) -> bool:
    # An integer may be larger than any float; NaN compares as false.
    return _is_real(value) and abs(value) <= sys.float_info.max
