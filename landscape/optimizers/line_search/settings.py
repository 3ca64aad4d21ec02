"""The settings of a line search, checked."""

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from landscape import arguments
from landscape.errors import InvalidValueError

DirectionName = Literal["gradient", "normalised-gradient"]
Preset = Literal["robust", "thesis"]
Slope = Literal["autograd", "finite-difference"]

# The bounds of each number, as :func:`landscape.arguments.number` takes them.
_BOUNDS: dict[str, dict[str, float]] = {
    "lr": {"above": 0},
    "c": {"above": 0, "below": 1},
    "beta": {"above": 0, "below": 1},
    "gamma": {"least": 1},
    "n": {"least": 1},
    "eps": {"above": 0},
    "max_step_size": {"above": 0},
    "slope_factor": {"above": 0},
}
_WHOLE = ("max_trials", "search_every")


def checked(
    kind: str, slopes: tuple[Slope, ...], sloped: bool, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Check and complete the settings of a line search.

    Args:
        kind: the optimizer's class.
        slopes: the slopes that it can take, the default first.
        sloped: whether it has a slope factor.
        settings: name -> value, all of them; ``slope`` and ``slope_factor`` may be None, for the
            default.

    Returns:
        Name -> value, complete and in Python's own types, with the class as "kind".

    Raises:
        InvalidValueError: for a setting that is not allowed, and for an ``n`` of None.
    """
    slope, preset = settings["slope"], settings["preset"]
    preset = arguments.one_of("preset", preset, get_args(Preset))
    direction = arguments.one_of("direction", settings["direction"], get_args(DirectionName))
    if slope is None:
        published = preset == "thesis" and "finite-difference" in slopes
        slope = "finite-difference" if published else slopes[0]
    slope = arguments.one_of(f"slope of {kind}", slope, slopes)
    slope_factor = settings["slope_factor"]
    if slope_factor is not None and not sloped:
        raise InvalidValueError(
            f"slope_factor is {slope_factor!r}; {kind} has none, only SmoothAccuracySLS has one"
        )
    if settings["n"] is None:
        raise InvalidValueError(f"n is None; give {kind} the number of steps per epoch")
    numbers = checked_numbers(
        {name: settings[name] for name in (*_BOUNDS, *_WHOLE)}
        | {"slope_factor": 1.0 if slope_factor is None else slope_factor}
    )
    gamma, n, k = (numbers[name] for name in ("gamma", "n", "search_every"))
    if math.log(gamma) * min(k, 10**9) / n > 100:  # k may be larger than any float
        raise InvalidValueError(
            f"gamma is {gamma!r} in n = {n!r} steps; give less, since the step size grows by "
            f"gamma^({k}/n) before each search"
        )
    chosen = {"slope": slope, "preset": preset, "direction": direction}
    return {"kind": kind, **settings, **numbers, **chosen}


def checked_numbers(settings: Mapping[str, object]) -> dict[str, Any]:
    """Check numbers against the ranges that their names allow.

    Args:
        settings: name -> number; ``max_step_size`` may be None.

    Returns:
        Name -> number, in Python's own types.

    Raises:
        InvalidValueError: for a number out of its range.
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name in _WHOLE:
            found[name] = arguments.integer(name, value, 1)
        elif value is None and name == "max_step_size":
            found[name] = None
        else:
            also = "or None" if name == "max_step_size" else ""
            found[name] = arguments.number(name, value, **_BOUNDS[name], also=also)
    return found
