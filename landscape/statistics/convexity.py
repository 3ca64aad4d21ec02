"""Convexity: what share of a slice is convex, and how far it rises above a convex curve."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.arguments import number
from landscape.errors import InvalidValueError
from landscape.slices.selection import labelled, metric_values, mode_of
from landscape.statistics.curves import sign_of
from landscape.statistics.peaks import one_slice


class Convexity(NamedTuple):
    """How convex the samples of a slice are.

    Attributes:
        convex: share of the inner samples that do not lie above the chord of their two neighbours,
            which is where the second difference is at least 0.
        rise: the largest height of a sample above the chord of any two samples around it, in units
            of the metric; 0 where the samples are those of a convex function.
    """

    convex: float
    rise: float


def convexity(
    values: ArrayLike, step_sizes: ArrayLike, mode: str = "min", tolerance: float = 0.0
) -> Convexity:
    """Measure how convex a slice is.

    With the chord of the samples i and k at the sample j between them,

        chord_ik(j) = f(s_i) + (f(s_k) − f(s_i)) · (s_j − s_i) / (s_k − s_i)

    ``convex`` is the share of inner samples with f(s_j) ≤ chord(j) between neighbours, and ``rise``
    the maximum of f(s_j) − chord_ik(j) over all i < j < k: the height of f above the largest convex
    curve below the samples. The share says where a slice bends, whatever the size; the rise says
    how much that is, however densely it was sampled.

    With ``mode="max"``, as for an accuracy, the sign of the values is turned: convex is then what
    is a hill. Infinitely bad values count as the outside of a convex function. Where a value is NaN
    or infinitely good, or none is finite, both are NaN.

    >>> landscape.statistics.convexity([1, 0, 2, 1, 4], [-2, -1, 0, 1, 2])
    Convexity(convex=0.666..., rise=1.5)

    Args:
        values: (step_size,), the metric along the slice, in its units.
        step_sizes: (step_size,), finite and ascending, at least 3.
        mode: "min" if lower values are better, "max" if higher ones are.
        tolerance: height above a chord up to which a sample still counts as convex, at least 0, in
            units of the metric. Losses of a float32 network need about 1e-6 times their value;
            rounding of float64 is allowed for.

    Returns:
        Share and rise. A rise up to the tolerance is 0.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or fewer than 3, a tolerance below 0, and an unknown mode.
    """
    listed, steps = one_slice(values, step_sizes)
    s, y = np.asarray(steps), -sign_of(mode) * np.asarray(listed)
    allowed = number("tolerance", tolerance, least=0)
    if len(s) < 3:
        raise InvalidValueError(
            f"convexity needs at least 3 step sizes, and these are {steps}; sample more "
            "(--step-sizes)"
        )
    finite = np.isfinite(y)
    if not (y > -np.inf).all() or not finite.any():
        return Convexity(float("nan"), float("nan"))
    allowed = max(allowed, 8 * np.finfo(np.float64).eps * np.abs(y[finite]).max())

    def height(at: Any, chord: Any) -> Any:
        """How far above the chord; an infinitely bad value is not above an infinite chord."""
        with np.errstate(invalid="ignore"):
            return np.where(at <= chord, 0.0, at - chord)

    # f_i + (f_k − f_i) · (s_j − s_i) / (s_k − s_i)
    share = (s[1:-1] - s[:-2]) / (s[2:] - s[:-2])
    with np.errstate(invalid="ignore"):
        chords = np.where(finite[:-2] & finite[2:], y[:-2] + (y[2:] - y[:-2]) * share, np.inf)
    convex = float((height(y[1:-1], chords) <= allowed).mean())
    corners = _lower_hull(y[finite].tolist(), s[finite].tolist())
    below = np.interp(s, *corners, left=np.inf, right=np.inf)
    rise = float(height(y, below).max())
    return Convexity(convex, rise if rise > allowed else 0.0)


def convexities(
    dataset: xr.Dataset, metric: str = "loss", tolerance: float = 0.0, mode: str | None = None
) -> xr.Dataset:
    """Measure how convex every slice is (:func:`convexity`).

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-1, -0.1, 0, 0.1, 1])
    >>> landscape.statistics.convexities(slices, tolerance=1e-6)["rise"].dims
    ('checkpoint', 'draw', 'evaluation_set')

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them; of planes, each
            slice along the first direction.
        metric: name of the variable.
        tolerance: as in :func:`convexity`.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``convex`` and ``rise``, the latter in units of the metric, with the dimensions of the
        metric without step_size.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, fewer
            than 3 step sizes, and a tolerance below 0.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)

    def one(y: Any, s: Any) -> Convexity:
        return convexity(y, s, mode, tolerance)

    convex, rise = xr.apply_ufunc(
        one,
        values.compute(),
        dataset["step_size"],
        input_core_dims=[["step_size"], ["step_size"]],
        output_core_dims=[[], []],
        output_dtypes=[float, float],
        vectorize=True,
    )
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        convex=(convex, f"share of the {of} that is convex", "1"),
        rise=(rise, f"rise of the {of} above a convex curve", units),
    ).assign_attrs(metric=metric, tolerance=tolerance)


def _lower_hull(y: list[float], s: list[float]) -> tuple[list[float], list[float]]:
    """(step sizes, values) of the corners of the largest convex curve below finite samples."""
    corners: list[tuple[float, float]] = []
    for at, value in zip(s, y, strict=True):
        while len(corners) > 1:
            (s_1, y_1), (s_2, y_2) = corners[-2:]
            # The middle one stays where it lies below the chord of its neighbours.
            if (y_2 - y_1) * (at - s_1) < (value - y_1) * (s_2 - s_1):
                break
            corners.pop()
        corners.append((at, value))
    return [at for at, _ in corners], [value for _, value in corners]
