"""The settings of a line search, checked."""

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, Literal, get_args

from landscape.errors import InvalidValueError, unknown

Direction = Literal["gradient", "normalised-gradient"]
Preset = Literal["robust", "thesis"]
Slope = Literal["autograd", "finite-difference"]

_ABOVE_0 = "a number above 0"
_WITHIN_1 = "a number above 0 and below 1"
_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "lr": (lambda x: x > 0, _ABOVE_0),
    "c": (lambda x: 0 < x < 1, _WITHIN_1),
    "beta": (lambda x: 0 < x < 1, _WITHIN_1),
    "gamma": (lambda x: x >= 1, "a number of at least 1"),
    "n": (lambda x: x >= 1, "a number of at least 1"),
    "eps": (lambda x: x > 0, _ABOVE_0),
    "max_step_size": (lambda x: x > 0, f"{_ABOVE_0}, or None"),
    "slope_factor": (lambda x: x > 0, _ABOVE_0),
    "max_trials": (lambda x: x >= 1 and x == int(x), "a whole number of at least 1"),
    "search_every": (lambda x: x >= 1 and x == int(x), "a whole number of at least 1"),
}


def checked(
    kind: str, slopes: tuple[Slope, ...], sloped: bool, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of an optimizer called ``kind``, complete and in Python's own types.

    ``slopes`` are those it has, the default first; ``sloped`` says whether it has a slope factor.
    Of the settings, ``slope`` and ``slope_factor`` may be None, and ``n`` where it has to be given.

    Raises :class:`InvalidValueError` for one that is out of range.
    """
    slope, preset = settings["slope"], settings["preset"]
    _check_choice("preset", preset, get_args(Preset))
    _check_choice("direction", settings["direction"], get_args(Direction))
    if slope is None:
        published = preset == "thesis" and "finite-difference" in slopes
        slope = "finite-difference" if published else slopes[0]
    _check_choice(f"slope of {kind}", slope, slopes)
    slope_factor = settings["slope_factor"]
    if slope_factor is not None and not sloped:
        raise InvalidValueError(
            f"slope_factor is {slope_factor!r}; {kind} has none, SmoothAccuracySLS has"
        )
    if settings["n"] is None:
        raise InvalidValueError(f"n is None; give {kind} the number of steps per epoch")
    numbers = {name: settings[name] for name in _RANGES if name != "slope_factor"}
    numbers["slope_factor"] = 1.0 if slope_factor is None else slope_factor
    check_numbers(numbers)
    # Python's own load with weights_only=True.
    numbers = {k: v.item() if hasattr(v, "item") else v for k, v in numbers.items()}
    gamma, n, k = (numbers[name] for name in ("gamma", "n", "search_every"))
    if math.log(gamma) * k / n > 100:
        raise InvalidValueError(
            f"gamma is {gamma!r} in n = {n!r} steps; give less, for the step size grows by "
            f"gamma^({k}/n) at a time"
        )
    return {"kind": kind, **settings, **numbers, "slope": slope}


def check_numbers(settings: Mapping[str, object]) -> None:
    """Refuse a number out of the range that its name allows; raises :class:`InvalidValueError`."""
    for name, value in settings.items():
        if value is None and name == "max_step_size":
            continue
        allows, allowed = _RANGES[name]
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not (number and math.isfinite(value) and allows(value)):  # type: ignore[arg-type]
            raise InvalidValueError(f"{name} is {value!r}; give {allowed}")


def _check_choice(what: str, received: str, allowed: tuple[str, ...]) -> None:
    """Refuse a name that is not among ``allowed``; raises :class:`InvalidValueError`."""
    if received not in allowed:
        raise unknown(what, received, allowed)
