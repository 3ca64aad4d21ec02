"""Armijo's backtracking search on a scalar function of the step size (Algorithms 1 to 4).

Nothing here knows a network: h is any function from a step size to a number, of which a lower
or a higher value is better. A *slope* is always the rate at which h gets better at 0, as in
Eqs. 26 and 27: positive where a small step helps, whichever way h runs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Mode = Literal["min", "max"]

# A difference below 1e-3 · ε counts as none in the published study.
PUBLISHED_CUT_OFF = 1e-3

# A step size that falls by more than this in one search is not believed at once.
PROVISIONAL_FALL = 1 / 3


@dataclass(frozen=True)
class Search:
    """What one search saw.

    ``value`` is h(0), ``slope`` the rate at which h gets better there; ``trials`` are the pairs
    (step size, h) in the order in which they were tried. ``step_size`` is the one to take now,
    ``next_step_size`` the one to go on with. ``outcome`` is "accepted" (the last trial), "exhausted" (no
    trial passed) or "skipped" (the slope was not positive, so that nothing was tried).
    """

    value: float
    slope: float
    trials: tuple[tuple[float, float], ...]
    step_size: float
    next_step_size: float
    outcome: Literal["accepted", "exhausted", "skipped"]

    @property
    def rejected(self) -> int:
        """How many trials failed Armijo's condition."""
        return len(self.trials) - (self.outcome == "accepted")

    @property
    def provisional(self) -> bool:
        """Whether the step size taken is not gone on with."""
        return self.next_step_size != self.step_size


def armijo_line(value: float, slope: float, step_size: float, c: float, mode: Mode) -> float:
    """What h(step_size) has to reach, h(0) ∓ c · slope · step_size (Eq. 29)."""
    sign = 1 if mode == "max" else -1
    return value + sign * c * slope * step_size


def finite_difference(
    value: float, value_at_eps: float, eps: float, mode: Mode, cut_off: float = -math.inf
) -> float:
    """The slope from h(0) and h(ε): (h(0) − h(ε)) / ε, or its negative for "max".

    Eqs. 26 and 27; a slope below ``cut_off`` counts as 0.
    """
    difference = value_at_eps - value if mode == "max" else value - value_at_eps
    return 0.0 if difference < cut_off * eps else difference / eps


def backtrack(
    h: Callable[[float], float],
    start: float,
    value: float,
    slope: float,
    *,
    mode: Mode = "min",
    c: float = 0.1,
    beta: float = 0.9,
    max_trials: int = 100,
) -> Search:
    """Shrink ``start`` by ``beta`` until h(step size) reaches Armijo's line (Algorithms 3, 4).

    ``value`` is h(0). The first trial is at ``start``. If all ``max_trials`` fail, the step size
    of the result is the next one, start · β^max_trials, which was not tried. A NaN fails.
    """
    trials = []
    step_size = start
    for _ in range(int(max_trials)):
        reached = h(step_size)
        trials.append((step_size, reached))
        line = armijo_line(value, slope, step_size, c, mode)
        if reached >= line if mode == "max" else reached <= line:
            return Search(value, slope, tuple(trials), step_size, step_size, "accepted")
        step_size *= beta
    return Search(value, slope, tuple(trials), step_size, step_size, "exhausted")


def search(
    h: Callable[[float], float],
    step_size: float,
    value: float,
    slope: float,
    *,
    growth: float = 1.0,
    max_step_size: float | None = None,
    robust: bool = True,
    provisional: bool = False,
    mode: Mode = "min",
    c: float = 0.1,
    beta: float = 0.9,
    max_trials: int = 100,
) -> Search:
    """Backtrack from the last ``step_size``, grown by ``growth`` and capped (Algorithm 2).

    As published (not ``robust``), the search always runs, and the next one goes on with the step
    size at which it ended. One batch can then end a run: growing back takes thousands of steps.
    ``robust``, three cases say more about the batch than about the step size:

    * The slope is not positive: −∇L does not improve h, no trial could pass but by rounding.
      The search is skipped and the step taken with the last step size, without growth.
    * No trial passes. The step is the one below all that failed; the last step size is kept.
    * The accepted step size is below :data:`PROVISIONAL_FALL` of the last one. It is taken, and the
      last one kept, unless the search before was such a case too (``provisional``).
    """
    cap = math.inf if max_step_size is None else max_step_size
    last = min(step_size, cap)
    if robust and not slope > 0:
        return Search(value, slope, (), last, last, "skipped")
    start = min(step_size * growth, cap)
    found = backtrack(h, start, value, slope, mode=mode, c=c, beta=beta, max_trials=max_trials)
    fell = found.step_size < PROVISIONAL_FALL * last and not provisional
    if robust and (fell or found.outcome == "exhausted"):
        return replace(found, next_step_size=last)
    return found
