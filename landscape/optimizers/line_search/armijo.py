"""Armijo's backtracking search on a scalar function of the step size.

The condition is that of [Armijo1966]; algorithms and equations are numbered as in [Hackel2023],
Algorithms 1 to 4. Nothing here knows a network: h is any function from a step size to a number,
of which a lower ("min") or a higher ("max") value is better. A *slope* is always the rate at which
h gets better at 0, as in Eqs. 26 and 27: positive where a small step helps, in both modes.
"""

import math
from collections.abc import Callable
from ctypes import c_float
from dataclasses import dataclass, replace
from typing import Any, Literal

Mode = Literal["min", "max"]
Rounding = Callable[[float], float]  # of the result of each operation

# In the published study, a difference below 1e-3 · ε counts as 0.
PUBLISHED_CUT_OFF = 1e-3

# A step size that falls below this fraction of the last one is not believed at once.
PROVISIONAL_FALL = 1 / 3


@dataclass(frozen=True)
class Search:
    """The course and the result of one search.

    Attributes:
        value: h(0).
        slope: the rate at which h gets better at 0, per unit of the step size.
        trials: pairs (step size, h(step size)), in the order in which they were tried.
        step_size: the one to take now.
        next_step_size: the one from which the next search starts.
        outcome: "accepted" (the last trial passed), "exhausted" (no trial passed) or "skipped"
            (the slope was not positive, and nothing was tried).
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
        """Whether the next search starts from another step size than the one taken."""
        return self.next_step_size != self.step_size


def single(number: float) -> float:
    """Round a number to float32, in which the published study computed.

    Sums, products and quotients of two float32 numbers come out as float32 arithmetic has them.

    Args:
        number: any.

    Returns:
        The nearest float32.
    """
    return c_float(number).value


def armijo_line(
    value: float,
    slope: float,
    step_size: float,
    c: float,
    mode: Mode,
    rounded: Rounding = float,
) -> float:
    """The value that h(step size) has to reach (Eq. 29 of [Hackel2023]).

    Args:
        value: h(0).
        slope: the rate at which h gets better at 0.
        step_size: where the value is wanted.
        c: the sufficient-decrease constant, above 0 and below 1.
        mode: "min" where lower values of h are better, "max" where higher ones are.
        rounded: rounds the result of each operation; :func:`single` as published.

    Returns:
        A value of h.
    """
    # h(0) − s · c · slope for "min", h(0) + s · c · slope for "max"
    sign = 1 if mode == "max" else -1
    return rounded(value + sign * rounded(rounded(step_size * c) * slope))


def finite_difference(
    value: float,
    value_at_eps: float,
    eps: float,
    mode: Mode,
    cut_off: float = -math.inf,
    rounded: Rounding = float,
) -> float:
    """The slope at 0 by a forward difference (Eqs. 26 and 27 of [Hackel2023]).

    Args:
        value: h(0).
        value_at_eps: h(ε).
        eps: ε, a step size above 0.
        mode: "min" where lower values of h are better, "max" where higher ones are.
        cut_off: slopes below it count as 0.
        rounded: rounds the result of each operation; :func:`single` as published.

    Returns:
        The rate at which h gets better at 0.
    """
    # (h(0) − h(ε)) / ε for "min", (h(ε) − h(0)) / ε for "max"
    difference = rounded(value_at_eps - value if mode == "max" else value - value_at_eps)
    return 0.0 if difference < rounded(cut_off * eps) else rounded(difference / rounded(eps))


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
    rounded: Rounding = float,
) -> Search:
    """Shrink the step size until h reaches Armijo's line (Algorithms 3 and 4 of [Hackel2023]).

    If all trials fail, the step size of the result is the one that would have been tried next,
    start · β^max_trials. A trial with NaN fails.

    >>> found = backtrack(lambda s: (s - 1) ** 2, start=4, value=1, slope=2, beta=0.5)
    >>> found.trials, found.outcome
    (((4, 9), (2.0, 1.0), (1.0, 0.0)), 'accepted')

    Args:
        h: step size -> the value that is searched.
        start: the step size of the first trial.
        value: h(0).
        slope: the rate at which h gets better at 0.
        mode: "min" where lower values of h are better, "max" where higher ones are.
        c: the sufficient-decrease constant, above 0 and below 1.
        beta: the backtracking factor, above 0 and below 1.
        max_trials: how many trials are made at most.
        rounded: rounds the results of the operations of Armijo's line.

    Returns:
        The search, "accepted" or "exhausted".
    """
    trials = []
    step_size = start
    for _ in range(int(max_trials)):
        reached = h(step_size)
        trials.append((step_size, reached))
        line = armijo_line(value, slope, step_size, c, mode, rounded)
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
    rounded: Rounding = float,
) -> Search:
    """Backtrack from the last step size, grown and capped (Algorithm 2 of [Hackel2023]).

    As published (not ``robust``), the search always runs, and the next one starts from the step
    size at which it ended. A single batch can then end a run: growing back takes thousands of
    steps. A ``robust`` search treats three cases as saying more about the batch than about the
    step size:

    * The slope is not positive: −∇L does not improve h, and a trial could pass only by rounding.
      The search is skipped, and the last step size is taken without growth.
    * No trial passes. The next smaller step size is taken, and the last one is kept for the next
      search.
    * The accepted step size is below :data:`PROVISIONAL_FALL` of the last one. It is taken, and
      the last one is kept, unless the previous search was provisional too.

    Args:
        h: step size -> the value that is searched.
        step_size: the last one.
        value: h(0).
        slope: the rate at which h gets better at 0.
        growth: the factor by which the last step size grows before the first trial, at least 1.
        max_step_size: the largest step size allowed, if any.
        robust: whether the three cases are treated so.
        provisional: whether the previous search was provisional (:attr:`Search.provisional`).
        mode: "min" where lower values of h are better, "max" where higher ones are.
        c: the sufficient-decrease constant, above 0 and below 1.
        beta: the backtracking factor, above 0 and below 1.
        max_trials: how many trials are made at most.
        rounded: rounds the results of the operations of Armijo's line.

    Returns:
        The search.
    """
    cap = math.inf if max_step_size is None else max_step_size
    last = min(step_size, cap)
    if robust and not slope > 0:
        return Search(value, slope, (), last, last, "skipped")
    start = min(step_size * growth, cap)
    limits: dict[str, Any] = {"c": c, "beta": beta, "max_trials": max_trials}
    found = backtrack(h, start, value, slope, mode=mode, rounded=rounded, **limits)
    fell = found.step_size < PROVISIONAL_FALL * last and not provisional
    if robust and (fell or found.outcome == "exhausted"):
        return replace(found, next_step_size=last)
    return found
