"""Ranges of step sizes around the best value, and around 0, of one slice."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from landscape.errors import InvalidValueError, UnknownNameError, shown

SIGNS = {"max": 1.0, "min": -1.0}


class Interval(NamedTuple):
    """A range of step sizes. An end is open where the true one may lie further out.

    Attributes:
        lower: smallest step size of the range.
        upper: largest step size of the range.
        lower_open: whether the lower end was not seen.
        upper_open: whether the upper end was not seen.
    """

    lower: float
    upper: float
    lower_open: bool
    upper_open: bool

    @property
    def width(self) -> float:
        """Upper − lower: a lower bound on the true width if one end is open."""
        return self.upper - self.lower

    @property
    def asymmetry(self) -> float:
        """(upper + lower) / (upper − lower): the middle over half the width.

        0 if it reaches equally far on both sides of step size 0, 1 if it begins at 0 and lies along
        descent, −1 if it ends at 0; beyond ±1 it does not contain 0. NaN if an end is open or the
        width is 0.
        """
        if self.lower_open or self.upper_open or not self.width:
            return float("nan")
        return (self.upper + self.lower) / self.width


NOWHERE = Interval(float("nan"), float("nan"), True, True)


def peak_width(
    values: ArrayLike,
    step_sizes: ArrayLike,
    tolerance: float = 0.1,
    relative: bool = False,
    mode: str = "max",
) -> Interval:
    """The range of step sizes around the best value whose values are within ``tolerance`` of it.

    With ``mode="max"`` it is the contiguous interval around s* on which

        value(s) ≥ best − tolerance          (relative: best − tolerance · |best|)

    where best is the best finite value, s* the step size nearest to 0 that has it (the
    positive one of two equally near), and value(s) is linear between samples. With
    ``mode="min"``, as for a loss, the sign of the values is turned.

    The first value outside the tolerance ends the peak at the interpolated crossing; an
    infinitely bad one ends it at the sample before, the limit of that crossing. At a NaN and
    at the end of the sampled range the peak ends at the last finite sample, and that end is
    marked open.

    >>> peak = landscape.statistics.peak_width([0.7, 0.9, 0.8], [-0.1, 0, 0.1], tolerance=0.1)
    >>> round(peak.lower, 3), round(peak.upper, 3), peak.upper_open
    (-0.05, 0.1, True)

    Args:
        values: (step_size,), the metric along the slice, in its units.
        step_sizes: (step_size,), finite and ascending.
        tolerance: largest distance from the best value, at least 0, in units of the metric, or as a
            share of the best value if ``relative``.
        relative: whether the tolerance is a share of the best value.
        mode: "max" if higher values are better, "min" if lower ones are.

    Returns:
        The range; NaN and open at both ends where no value is finite.

    Raises:
        InvalidValueError: for an unknown mode, a tolerance that is not finite or below 0, values
            that do not fit the step sizes, and step sizes that are not finite and ascending.
        UnknownNameError: for a name that is not known.
    """
    y, s = one_slice(values, step_sizes)
    if mode not in SIGNS:
        raise UnknownNameError("mode", mode, SIGNS)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise InvalidValueError(f"tolerance {tolerance!r} is not a finite number of at least 0")
    y = [SIGNS[mode] * value for value in y]
    finite = [value for value in y if np.isfinite(value)]
    if not finite:
        return NOWHERE
    best = max(finite)
    threshold = best - tolerance * (abs(best) if relative else 1.0)
    start = min((abs(at), -at, i) for i, at in enumerate(s) if y[i] == best)[-1]

    def end(side: int) -> tuple[float, bool]:
        i, j = start, start + side
        while 0 <= j < len(y) and y[j] < np.inf:
            if y[j] < threshold:
                # s_i + (s_j − s_i) · (y_i − threshold) / (y_i − y_j)
                return s[i] + (s[j] - s[i]) * ((y[i] - threshold) / (y[i] - y[j])), False
            i, j = j, j + side
        return s[i], True

    (lower, lower_open), (upper, upper_open) = end(-1), end(+1)
    return Interval(lower, upper, lower_open, upper_open)


def plateau(values: ArrayLike, step_sizes: ArrayLike) -> Interval:
    """The widest range of sampled step sizes around 0 on which the value is constant.

    value(s) = value(s0) for every sampled s in it, where s0 is the sampled step size nearest
    to 0. It ends at samples, nothing is interpolated: the true plateau ends somewhere between
    ``upper`` and the next sample. An end is open at a NaN and at the end of the sampled range.

    Args:
        values: (step_size,), the metric along the slice.
        step_sizes: (step_size,), finite and ascending.

    Returns:
        The range; NaN and open at both ends where value(s0) is NaN.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, and step sizes that are not
            finite and ascending.
    """
    y, s = one_slice(values, step_sizes)
    start = center(s)
    if np.isnan(y[start]):
        return NOWHERE

    def end(side: int) -> tuple[float, bool]:
        i = start
        while 0 <= i + side < len(y) and y[i + side] == y[start]:
            i += side
        beyond = i + side
        return s[i], not 0 <= beyond < len(y) or bool(np.isnan(y[beyond]))

    (lower, lower_open), (upper, upper_open) = end(-1), end(+1)
    return Interval(lower, upper, lower_open, upper_open)


def center(step_sizes: ArrayLike) -> int:
    """The index of the step size nearest to 0 (the positive one of two equally near).

    Args:
        step_sizes: (step_size,).

    Returns:
        Its place along step_size.
    """
    steps = np.asarray(step_sizes, dtype=np.float64).tolist()
    return min(range(len(steps)), key=lambda i: (abs(steps[i]), -steps[i]))


def one_slice(values: ArrayLike, step_sizes: ArrayLike) -> tuple[list[float], list[float]]:
    """Convert the values and step sizes of one slice, and refuse those that do not belong together.

    Args:
        values: (step_size,).
        step_sizes: (step_size,), not empty, finite and ascending.

    Returns:
        Both as lists of ``float``.

    Raises:
        InvalidValueError: for shapes that do not fit, and step sizes that are not finite and
            ascending.
    """
    y, s = np.asarray(values, dtype=np.float64), np.asarray(step_sizes, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or not y.size:
        raise InvalidValueError(
            f"values of shape {y.shape} and step sizes of shape {s.shape} do not fit; give both as "
            "(step_size,), not empty"
        )
    if not (np.isfinite(s).all() and (np.diff(s) > 0).all()):
        raise InvalidValueError(f"step sizes {shown(s.tolist())} are not finite and ascending")
    return y.tolist(), s.tolist()
