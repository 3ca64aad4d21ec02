"""Numbers of slices as arrays: values (…, step_size) and step_sizes (step_size,), ascending.

All computations are in float64; all results have the leading dimensions of ``values``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.errors import InvalidValueError, unknown
from landscape.statistics.peaks import SIGNS

Floats = NDArray[np.float64]


class Best(NamedTuple):
    """The best value of each slice, where it is, and how much better it is than at 0."""

    step_size: Floats
    value: Floats
    improvement: Floats
    open: NDArray[np.bool_]
    """Whether a better one may lie unseen: the best is at an end of the sampled range, or a
    value of the slice is NaN."""


def best_step(values: ArrayLike, step_sizes: ArrayLike, mode: str = "max") -> Best:
    """The step size with the best finite value; of several, the one nearest to 0.

    Of two equally near it is the positive one. Improvement is best − value(0), or for
    ``mode="min"`` value(0) − best: never below 0, and NaN where value(0) is. Without a
    finite value all is NaN.
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
    """The parts of a slice that turn their sign with the step size, and that do not.

        odd(s) = (f(s) − f(−s)) / 2        even(s) = (f(s) + f(−s)) / 2

    Each (…, step_size). NaN where −s was not sampled.
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
    """How far each value is on the good side of Armijo's line, (…, step_size).

        slack(s) = ± (f(s) − (f(0) + c · f'(0) · s))

    with + for ``mode="max"`` (Eq. 29). The step sizes s > 0 with slack(s) ≥ 0 satisfy
    Armijo's condition. ``slope`` (…) is the derivative f'(0).
    """
    y, s = slices(values, step_sizes)
    if not 0 < c < 1:
        raise InvalidValueError(f"c is {c!r}; give a number above 0 and below 1")
    start, rise = y[..., zero(s), None], np.asarray(slope, dtype=np.float64)[..., None]
    with np.errstate(invalid="ignore"):
        return sign_of(mode) * (y - (start + c * rise * s))


# Parabolas


class Parabola(NamedTuple):
    """value + slope · s + curvature/2 · s², one for each slice."""

    value: Floats
    slope: Floats
    curvature: Floats

    def __call__(self, step_sizes: ArrayLike) -> Floats:
        """At each step size: (…, step_size)."""
        s = np.asarray(step_sizes, dtype=np.float64)
        value, slope, curvature = (np.asarray(each)[..., None] for each in self)
        result: Floats = value + slope * s + curvature / 2 * s**2
        return result

    def optimum(self, mode: str = "min") -> tuple[Floats, Floats]:
        """The minimum (or, for "max", the maximum): its step size and value.

        −slope / curvature and value − slope² / (2 · curvature); NaN where there is none.
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

    a and b are the largest sampled up to ``reach``, or by default the smallest. The error of the
    curvature is of the order of (rounding of f) / a²: with a small a of float32 losses it says
    nothing.
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
    """The parabola with value and derivative at 0, through one more point (Fig. 8).

    With the point at m, the largest sampled step size up to ``reach``,

        curvature = 2 · (f(m) − f(0) − f'(0) · m) / m²

    ``slope`` (…) is the derivative f'(0), of which the gradient gives that of the loss; by
    default it is :func:`difference_parabola`'s with the nearest samples.
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
    """The parabola of least squares through all samples with |s| ≤ ``reach``; NaN if one is."""
    y, s = slices(values, step_sizes)
    near = np.abs(s) <= reach
    if near.sum() < 3:
        raise InvalidValueError(
            f"{near.sum()} step sizes lie within a reach of {reach!r}; a parabola needs 3 of "
            f"{s.tolist()}"
        )
    # Scaled to [−1, 1], where the powers are told apart best.
    powers = np.vander(s[near] / reach, 3, increasing=True)
    with np.errstate(invalid="ignore"):
        coefficients = y[..., near] @ np.linalg.pinv(powers).T
    value, slope, square = np.moveaxis(coefficients, -1, 0)
    return Parabola(value, slope / reach, 2 * square / reach**2)


# What the others stand on


def slices(values: ArrayLike, step_sizes: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64, refused where they do not fit or the step sizes do not ascend."""
    y, s = np.asarray(values, dtype=np.float64), np.asarray(step_sizes, dtype=np.float64)
    if s.ndim != 1 or not s.size or y.shape[-1:] != s.shape:
        raise InvalidValueError(
            f"values {y.shape} and step sizes {s.shape} do not fit; they are (…, step_size) and "
            "(step_size,), not empty"
        )
    if not (np.isfinite(s).all() and (np.diff(s) > 0).all()):
        raise InvalidValueError(f"step sizes {s.tolist()} are not finite and ascending")
    return y, s


def sign_of(mode: str) -> float:
    """1 for "max", −1 for "min"."""
    if mode not in SIGNS:
        raise unknown("mode", mode, SIGNS)
    return SIGNS[mode]


def zero(step_sizes: Floats) -> int:
    """The place of step size 0; refused where it was not sampled."""
    places = np.flatnonzero(step_sizes == 0)
    if not places.size:
        raise InvalidValueError(
            f"the value at step size 0 is needed, and it is not among {step_sizes.tolist()}"
        )
    return int(places[0])


def _other(steps: Floats, side: int, reach: float | None, nearest: bool = False) -> int:
    """The place of the step size farthest from 0 on that side, or nearest, up to ``reach``."""
    limit = np.inf if reach is None else reach
    places = np.flatnonzero((side * steps > 0) & (side * steps <= limit))
    if not places.size:
        within = "" if reach is None else f" within a reach of {reach!r}"
        raise InvalidValueError(
            f"no {'positive' if side > 0 else 'negative'} step size{within} is among "
            f"{steps.tolist()}"
        )
    return int(places[0 if (side > 0) == nearest else -1])
