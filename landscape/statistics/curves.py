"""Statistics of slices as arrays: values (…, step_size) at step_sizes (step_size,), ascending.

All computations are in float64; all results have the leading dimensions of ``values``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.errors import InvalidValueError, UnknownNameError, shown
from landscape.statistics.peaks import SIGNS

Floats = NDArray[np.float64]


class Best(NamedTuple):
    """The best value of each slice, where it is, and how much better it is than at step size 0.

    Attributes:
        step_size: (…), the step size of the best value.
        value: (…), the best value, in units of the metric.
        improvement: (…), how much better it is than the value at 0, in units of the metric.
        open: (…), whether a better value may have been missed: the best one is at an end of the
            sampled range, or a value of the slice is NaN.
    """

    step_size: Floats
    value: Floats
    improvement: Floats
    open: NDArray[np.bool_]
    """Whether a better one may lie unseen: the best is at an end of the sampled range, or a
    value of the slice is NaN."""


def best_step(values: ArrayLike, step_sizes: ArrayLike, mode: str = "max") -> Best:
    """The step size with the best finite value; of several, the one nearest to 0.

    Of two equally near it is the positive one.

    >>> best = landscape.statistics.best_step([0.8, 0.85, 0.9, 0.7], [-0.1, 0, 0.1, 0.2])
    >>> float(best.step_size), bool(best.open)
    (0.1, False)

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending, with 0 among them.
        mode: "max" if higher values are better, "min" if lower ones are.

    Returns:
        A :class:`Best`. Improvement is best − value(0), or for ``mode="min"`` value(0) − best:
        never below 0, and NaN where value(0) is. Without a finite value all three are NaN.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or lack 0, and an unknown mode.
    """
    y, s = slices(values, step_sizes)
    sign = sign_of(mode)
    origin = zero(s)
    finite = np.isfinite(y)
    turned = np.where(finite, sign * y, -np.inf)
    order = np.lexsort((-s, np.abs(s)))  # nearest to 0 first
    best = order[np.argmax(turned[..., order], axis=-1)]
    found = finite.any(-1)
    value = np.where(found, np.take_along_axis(y, best[..., None], -1)[..., 0], np.nan)
    with np.errstate(invalid="ignore"):
        improvement = sign * (value - y[..., origin])
    return Best(
        np.where(found, s[best], np.nan),
        value,
        improvement,
        np.isnan(y).any(-1) | (best == 0) | (best == len(s) - 1),
    )


def odd_even(values: ArrayLike, step_sizes: ArrayLike) -> tuple[Floats, Floats]:
    """The odd and the even part of a slice: one changes its sign with the step size, one does not.

        odd(s) = (f(s) − f(−s)) / 2        even(s) = (f(s) + f(−s)) / 2

    Args:
        values: (…, step_size), the metric f along each slice, in its units.
        step_sizes: (step_size,), finite and ascending.

    Returns:
        (odd, even), each (…, step_size), in units of the metric; NaN where −s was not sampled.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, and step sizes that are not
            finite and ascending.
    """
    y, s = slices(values, step_sizes)
    places = np.searchsorted(s, -s).clip(max=len(s) - 1)
    mirrored = np.where(s[places] == -s, y[..., places], np.nan)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return (y - mirrored) / 2, (y + mirrored) / 2


def armijo_slack(
    values: ArrayLike,
    step_sizes: ArrayLike,
    slope: ArrayLike,
    c: float = 0.1,
    mode: str = "max",
) -> Floats:
    """How far each value is on the good side of Armijo's line.

        slack(s) = ± (f(s) − (f(0) + c · f'(0) · s))

    with + for ``mode="max"`` (Eq. 29 of [Hackel2023]). The step sizes s > 0 with slack(s) ≥ 0
    satisfy Armijo's condition [Armijo1966].

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending, with 0 among them.
        slope: (…), the derivative f'(0) of each slice, in units of the metric.
        c: sufficient-decrease constant, above 0 and below 1.
        mode: "max" if higher values are better, "min" if lower ones are.

    Returns:
        (…, step_size), in units of the metric.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or lack 0, a c that is not above 0 and below 1, and an unknown mode.
    """
    y, s = slices(values, step_sizes)
    if not 0 < c < 1:
        raise InvalidValueError(f"c is {c!r}; give a number above 0 and below 1")
    start, rise = y[..., zero(s), None], np.asarray(slope, dtype=np.float64)[..., None]
    with np.errstate(invalid="ignore"):
        return sign_of(mode) * (y - (start + c * rise * s))


# Parabolas


class Parabola(NamedTuple):
    """The parabola value + slope · s + curvature/2 · s² of each slice.

    Attributes:
        value: (…), the value at step size 0, in units of the metric.
        slope: (…), the first derivative at 0, in units of the metric.
        curvature: (…), the second derivative, in units of the metric.
    """

    value: Floats
    slope: Floats
    curvature: Floats

    def __call__(self, step_sizes: ArrayLike) -> Floats:
        """Compute the parabolas' values at step sizes.

        Args:
            step_sizes: (step_size,).

        Returns:
            (…, step_size), in units of the metric.
        """
        s = np.asarray(step_sizes, dtype=np.float64)
        value, slope, curvature = (np.asarray(each)[..., None] for each in self)
        result: Floats = value + slope * s + curvature / 2 * s**2
        return result

    def optimum(self, mode: str = "min") -> tuple[Floats, Floats]:
        """The minimum or maximum of each parabola.

        Args:
            mode: "min" for the minimum, "max" for the maximum.

        Returns:
            (step size, value), each (…): −slope / curvature and value − slope² / (2 · curvature);
            NaN where the parabola has none.

        Raises:
            InvalidValueError: for an unknown mode.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            there = sign_of(mode) * self.curvature < 0
            step = np.where(there, -self.slope / self.curvature, np.nan)
            return step, self.value + self.slope * step / 2


def difference_parabola(
    values: ArrayLike, step_sizes: ArrayLike, reach: float | None = None
) -> Parabola:
    """The parabola through 0 and a sample on either side: slope and curvature at 0.

    With samples at −a and b, and r = (f(b) − f(0)) / b, l = (f(0) − f(−a)) / a, it has

        slope = (a · r + b · l) / (a + b)        curvature = 2 · (r − l) / (a + b)

    The error of the curvature is of the order of (rounding of f) / a²: for float32 losses and a
    small a it is meaningless.

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending, with 0 among them.
        reach: a and b are the largest sampled step sizes up to it on either side; by default the
            smallest that were sampled.

    Returns:
        A :class:`Parabola` whose fields are (…).

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or lack 0, and where nothing was sampled within the reach on one side
            of 0.
    """
    y, s = slices(values, step_sizes)
    origin = zero(s)
    left, right = (_other(s, side, reach, nearest=reach is None) for side in (-1, 1))
    a, b = -s[left], s[right]
    with np.errstate(invalid="ignore"):
        r = (y[..., right] - y[..., origin]) / b
        ell = (y[..., origin] - y[..., left]) / a
        return Parabola(y[..., origin], (a * r + b * ell) / (a + b), 2 * (r - ell) / (a + b))


def mutschler_parabola(
    values: ArrayLike,
    step_sizes: ArrayLike,
    reach: float = 0.1,
    slope: ArrayLike | None = None,
) -> Parabola:
    """The parabola with value and derivative at 0, through one more point.

    With the point at m, the largest sampled step size up to ``reach``,

        curvature = 2 · (f(m) − f(0) − f'(0) · m) / m²

    (Fig. 8 of [Hackel2023], after [Mutschler2020]).

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending, with 0 among them.
        reach: largest step size that m may be, above 0.
        slope: (…), the derivative f'(0) of each slice, in units of the metric; the gradient gives
            that of the loss. By default the slope of :func:`difference_parabola` with the nearest
            samples.

    Returns:
        A :class:`Parabola` whose fields are (…).

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or lack 0, and where no step size above 0 was sampled within the reach,
            or without ``slope`` none on one side of 0.
    """
    y, s = slices(values, step_sizes)
    if slope is None:
        slope = difference_parabola(y, s).slope
    first = np.broadcast_to(np.asarray(slope, dtype=np.float64), y.shape[:-1])
    point = _other(s, 1, reach)
    start, m = y[..., zero(s)], s[point]
    with np.errstate(invalid="ignore"):
        return Parabola(start, first, 2 * (y[..., point] - start - first * m) / m**2)


def fitted_parabola(values: ArrayLike, step_sizes: ArrayLike, reach: float = 0.1) -> Parabola:
    """The parabola of least squares through all samples with |s| ≤ ``reach``.

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending.
        reach: largest |step size| that is fitted.

    Returns:
        A :class:`Parabola` whose fields are (…); NaN if one of the fitted samples is.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending, and fewer than 3 of them within the reach.
    """
    y, s = slices(values, step_sizes)
    near = np.abs(s) <= reach
    if near.sum() < 3:
        raise InvalidValueError(
            f"{near.sum()} of the step sizes {shown(s.tolist())} lie within "
            f"a reach of {reach!r}; a "
            "parabola needs at least 3, so give a larger reach"
        )
    # Scaled to [−1, 1], where the powers differ most and rounding matters least.
    powers = np.vander(s[near] / reach, 3, increasing=True)
    with np.errstate(invalid="ignore"):
        coefficients = y[..., near] @ np.linalg.pinv(powers).T
    value, slope, square = np.moveaxis(coefficients, -1, 0)
    return Parabola(value, slope / reach, 2 * square / reach**2)


# Shared by the functions above


def slices(values: ArrayLike, step_sizes: ArrayLike) -> tuple[Floats, Floats]:
    """Convert values and step sizes to float64, and refuse those that do not belong together.

    Args:
        values: (…, step_size).
        step_sizes: (step_size,), not empty, finite and ascending.

    Returns:
        Both as float64 arrays.

    Raises:
        InvalidValueError: for shapes that do not fit, and step sizes that are not finite and
            ascending.
    """
    y, s = np.asarray(values, dtype=np.float64), np.asarray(step_sizes, dtype=np.float64)
    if s.ndim != 1 or not s.size or y.shape[-1:] != s.shape:
        raise InvalidValueError(
            f"values of shape {y.shape} and step sizes of shape {s.shape} do not fit; give "
            "(…, step_size) and (step_size,), not empty"
        )
    if not (np.isfinite(s).all() and (np.diff(s) > 0).all()):
        raise InvalidValueError(f"step sizes {shown(s.tolist())} are not finite and ascending")
    return y, s


def sign_of(mode: str) -> float:
    """The sign that makes higher values better.

    Args:
        mode: "max" or "min".

    Returns:
        1 for "max", −1 for "min".

    Raises:
        UnknownNameError: for an unknown mode.
    """
    if mode not in SIGNS:
        raise UnknownNameError("mode", mode, SIGNS)
    return SIGNS[mode]


def zero(step_sizes: Floats) -> int:
    """The index of step size 0.

    Args:
        step_sizes: (step_size,).

    Returns:
        Its place along step_size.

    Raises:
        InvalidValueError: where 0 was not sampled.
    """
    places = np.flatnonzero(step_sizes == 0)
    if not places.size:
        raise InvalidValueError(
            f"the value at step size 0 is needed, but 0 is not among {shown(step_sizes.tolist())}"
        )
    return int(places[0])


def _other(steps: Floats, side: int, reach: float | None, nearest: bool = False) -> int:
    """The index of the step size farthest from 0 on that side, or nearest, up to ``reach``."""
    limit = np.inf if reach is None else reach
    places = np.flatnonzero((side * steps > 0) & (side * steps <= limit))
    if not places.size:
        within = "" if reach is None else f" within a reach of {reach!r}"
        raise InvalidValueError(
            f"no {'positive' if side > 0 else 'negative'} step size{within} is among "
            f"{shown(steps.tolist())}"
        )
    return int(places[0 if (side > 0) == nearest else -1])
