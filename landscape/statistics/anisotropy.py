"""Anisotropy: how unlike the curvatures of a plane are, by a quadratic fitted near its origin."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.arguments import number
from landscape.errors import InvalidValueError, shown
from landscape.slices.planes import require_plane
from landscape.slices.selection import labelled, metric_values
from landscape.statistics.curves import Floats, zero
from landscape.statistics.grids import applied_to_planes, grid, lengths


class Quadratic(NamedTuple):
    """The function value + slope · x + ½ x · hessian x of each plane, at x = (s, t).

    Attributes:
        value: (…), the value at 0, in units of the metric.
        slope: (…, 2), the first derivatives at 0, in units of the metric.
        hessian: (…, 2, 2), the second derivatives, in units of the metric.
        residual: (…), the root mean square of the samples' distances from it, in units of the
            metric.
    """

    value: Floats
    slope: Floats
    hessian: Floats
    residual: Floats


def fitted_quadratic(
    values: ArrayLike,
    step_sizes: ArrayLike,
    step_sizes_2: ArrayLike,
    reach: float | None = None,
) -> Quadratic:
    """Fit the quadratic of least squares to the samples of planes near 0.

    >>> found = landscape.statistics.fitted_quadratic(
    ...     [[5, 1, 3], [3, 0, 3], [3, 1, 5]], [-1, 0, 1], [-1, 0, 1]
    ... )
    >>> found.hessian.round(9).tolist()
    [[2.0, 1.0], [1.0, 6.0]]

    Args:
        values: (…, step_size, step_size_2), the metric over each plane, in its units.
        step_sizes: (step_size,), finite and ascending.
        step_sizes_2: (step_size_2,), the same along the second direction.
        reach: largest |step size|, along both directions, that is fitted; by default 0 and the
            nearest sample on each of its sides, 3 · 3 samples.

    Returns:
        A :class:`Quadratic`; NaN if one of the fitted samples is not finite.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending, fewer than 3 within the reach along a direction, and without a reach
            where 0, or a step size on one of its sides, was not sampled.
    """
    y, s, t = grid(values, step_sizes, step_sizes_2)
    rows, columns = (_near(steps, reach) for steps in (s, t))
    y, s, t = y[..., rows, :][..., columns], s[rows], t[columns]
    # Scaled to [−1, 1], where the powers differ most and rounding matters least.
    a, b = np.abs(s).max(), np.abs(t).max()
    u, v = (each.ravel() for each in np.meshgrid(s / a, t / b, indexing="ij"))
    powers = np.stack([np.ones_like(u), u, v, u**2, u * v, v**2], axis=-1)
    flat = y.reshape(*y.shape[:-2], -1)
    # Nothing is nearest to an infinite value, whose products would have either sign.
    flat = np.where(np.isfinite(flat).all(-1, keepdims=True), flat, np.nan)
    with np.errstate(invalid="ignore"):
        found = flat @ np.linalg.pinv(powers).T
        residual = np.sqrt(((flat - found @ powers.T) ** 2).mean(-1))
    value, first, second, uu, uv, vv = np.moveaxis(found, -1, 0)
    mixed = uv / (a * b)
    hessian = np.stack(
        [np.stack([2 * uu / a**2, mixed], -1), np.stack([mixed, 2 * vv / b**2], -1)], axis=-2
    )
    return Quadratic(value, np.stack([first / a, second / b], -1), hessian, residual)


def anisotropy(dataset: xr.Dataset, metric: str = "loss", reach: float | None = None) -> xr.Dataset:
    """Measure the principal curvatures of every plane near its origin, per distance.

    They are the eigenvalues of the Hessian of :func:`fitted_quadratic`, not in step sizes but in
    distances along an orthonormal basis of the plane, e₁ = d₁/‖d₁‖ and e₂ ⟂ e₁ towards d₂:

        H_e = B⁻ᵀ H B⁻¹,   B = (‖d₁‖  ‖d₂‖·c; 0  ‖d₂‖·√(1 − c²)),   c = cos(d₁, d₂)

    so that they do not depend on how long the directions are, or how oblique.

    Args:
        dataset: planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        reach: as in :func:`fitted_quadratic`.

    Returns:
        ``largest`` and ``smallest`` curvature per distance², in units of the metric, ``ratio``,
        largest / smallest, which is below 0 at a saddle, ``angle``, that of the largest curvature's
        axis from the first direction towards the second, above −π/2 and up to π/2, and
        ``residual``, the fit's root mean square; with the dimensions of the metric without
        step_size and step_size_2. NaN if a fitted sample is not finite; where both curvatures are
        equal, the angle means nothing.

    Raises:
        InvalidValueError: for slices along one direction, an unknown metric, too few step sizes to
            fit, and planes without norms or cosine of their directions.
    """
    require_plane(dataset)
    values = metric_values(dataset, metric)
    first, second, cos = lengths(dataset)
    ss, st, tt, residual = applied_to_planes(
        dataset, values, lambda y, s, t: _curvatures(y, s, t, reach), [[]] * 4
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        # H_e = B⁻ᵀ H B⁻¹, written out
        sin = np.sqrt(1 - cos**2)
        a, b, d = ss / first**2, st / (first * second), tt / second**2
        h_11, h_12, h_22 = a, (b - cos * a) / sin, (d - 2 * cos * b + cos**2 * a) / sin**2
        # λ = (h₁₁ + h₂₂) / 2 ± √((h₁₁ − h₂₂)² / 4 + h₁₂²),  tan 2φ = 2 h₁₂ / (h₁₁ − h₂₂)
        middle, radius = (h_11 + h_22) / 2, np.hypot((h_11 - h_22) / 2, h_12)
        largest, smallest = middle + radius, middle - radius
        ratio = largest / smallest
    angle = xr.apply_ufunc(np.arctan2, 2 * h_12, h_11 - h_22) / 2
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        largest=(largest, f"largest curvature of the {of} in the plane", units),
        smallest=(smallest, f"smallest curvature of the {of} in the plane", units),
        ratio=(ratio, "largest over smallest curvature", "1"),
        angle=(angle, "angle of the largest curvature from the first direction", "rad"),
        residual=(residual, f"residual of the fit to the {of}", units),
    ).assign_attrs(metric=metric)


def _curvatures(y: Floats, s: Floats, t: Floats, reach: float | None) -> tuple[Floats, ...]:
    found = fitted_quadratic(y, s, t, reach)
    h = found.hessian
    return h[..., 0, 0], h[..., 0, 1], h[..., 1, 1], found.residual


def _near(steps: Floats, reach: float | None) -> slice:
    """The places of the step sizes that are fitted."""
    if reach is None:
        origin = zero(steps)
        if not 0 < origin < len(steps) - 1:
            raise InvalidValueError(
                f"a quadratic needs step sizes on both sides of 0, and these are "
                f"{shown(steps.tolist())}; "
                "give a reach"
            )
        return slice(origin - 1, origin + 2)
    places = np.flatnonzero(np.abs(steps) <= number("reach", reach, above=0))
    if len(places) < 3:
        raise InvalidValueError(
            f"{len(places)} of the step sizes {shown(steps.tolist())} lie within "
            f"a reach of {reach!r}; a "
            "quadratic needs at least 3 along each direction, so give a larger reach"
        )
    return slice(places[0], places[-1] + 1)
