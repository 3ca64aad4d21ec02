"""Numbers read off a slice: peak width, plateau, gap, distance.

The first part works on one slice as plain arrays; the second part on a Dataset with named
dimensions, as ``landscape.probe`` and ``landscape.open`` give it.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.errors import InvalidValueError, unknown
from landscape.metrics import METRICS

SIGNS = {"higher": 1.0, "lower": -1.0}
AGAINST = ("step-size", "distance")


# One slice: values (step_size,) float and step_sizes (step_size,) float, ascending


class Interval(NamedTuple):
    """A range of step sizes. An open end was not seen: the true one may lie further out."""

    lower: float
    upper: float
    lower_open: bool
    upper_open: bool

    @property
    def width(self) -> float:
        """Upper − lower: a lower bound on the true width if one end is open."""
        return self.upper - self.lower


NOWHERE = Interval(float("nan"), float("nan"), True, True)


def peak_width(
    values: ArrayLike,
    step_sizes: ArrayLike,
    tolerance: float = 0.1,
    relative: bool = False,
    better: str = "higher",
) -> Interval:
    """The step sizes around the best value whose value is within ``tolerance`` of it.

    With ``better="higher"`` it is the interval around s*, contiguous, on which

        value(s) ≥ best − tolerance          (relative: best − tolerance · |best|)

    where best is the best finite value, s* the step size nearest to 0 that has it (the
    positive one of two equally near), and value(s) is linear between samples. Loss is
    ``better="lower"``, with the sign turned.

    The first value outside the tolerance ends the peak at the interpolated crossing; an
    infinitely bad one ends it at the sample before, the limit of that crossing. At a NaN and
    at the end of the sampled range the peak ends at the last finite sample, and that end is
    marked open. Without a finite value the interval is NaN and open at both ends.
    """
    y, s = _slice(values, step_sizes)
    if better not in SIGNS:
        raise unknown("value of better", better, SIGNS)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise InvalidValueError(f"tolerance {tolerance!r} is not a finite number of at least 0")
    y = [SIGNS[better] * value for value in y]
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
    ``upper`` and the next sample. Open ends as in :func:`peak_width`.
    """
    y, s = _slice(values, step_sizes)
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
    """The index of the step size nearest to 0 (the positive one of two equally near)."""
    steps = np.asarray(step_sizes, dtype=np.float64).tolist()
    return min(range(len(steps)), key=lambda i: (abs(steps[i]), -steps[i]))


def _slice(values: ArrayLike, step_sizes: ArrayLike) -> tuple[list[float], list[float]]:
    y, s = np.asarray(values, dtype=np.float64), np.asarray(step_sizes, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or not y.size:
        raise InvalidValueError(
            f"values {y.shape} and step sizes {s.shape} differ; both are (step_size,), not empty"
        )
    if not (np.isfinite(s).all() and (np.diff(s) > 0).all()):
        raise InvalidValueError(f"step sizes {s.tolist()} are not finite and ascending")
    return y.tolist(), s.tolist()


# A Dataset with the dimensions checkpoint, draw, evaluation_set, step_size


def metrics(dataset: xr.Dataset) -> list[str]:
    """The names of the variables measured along the slice."""
    return [str(name) for name, array in dataset.items() if "step_size" in array.dims]


def metric_values(dataset: xr.Dataset, metric: str) -> xr.DataArray:
    """The variable ``metric``; an unknown name raises and lists those there are."""
    if metric not in metrics(dataset):
        raise unknown("metric", metric, metrics(dataset))
    return dataset[metric]


def set_name(dataset: xr.Dataset, name: str) -> str:
    """``name``, where it is an evaluation set of ``dataset``; else raises and lists those."""
    names = [str(each) for each in dataset["evaluation_set"].values]
    if name not in names:
        raise unknown("evaluation set", name, names)
    return name


def distance(dataset: xr.Dataset) -> xr.DataArray:
    """How far from the origin each step size lies, over checkpoint, draw and step_size.

    The parameters are θ − s·d, so the distance, with the sign of s, is s · ‖d‖: the step
    size times the gradient norm for the direction "gradient", the step size itself for
    "normalised-gradient".
    """
    with np.errstate(invalid="ignore"):  # 0 · ∞
        result = _norm(dataset) * dataset["step_size"]
    result = result.transpose("checkpoint", "draw", "step_size")
    return result.rename("distance").assign_attrs(long_name="distance", units="1")


def _norm(dataset: xr.Dataset) -> xr.DataArray:
    """‖d‖ over checkpoint and draw."""
    norm, direction = dataset["gradient_norm"], dataset.attrs.get("direction")
    if direction == "gradient":
        return norm
    if direction == "normalised-gradient":
        return xr.ones_like(norm)
    raise unknown("direction", direction, ["gradient", "normalised-gradient"])


def gap(
    dataset: xr.Dataset,
    metric: str = "accuracy",
    first: str = "big_batch",
    second: str = "validation",
) -> xr.DataArray:
    """Value on the set ``first`` minus value on the set ``second``, at every step size."""
    values = metric_values(dataset, metric)
    one, other = (
        values.sel(evaluation_set=set_name(dataset, name), drop=True) for name in (first, second)
    )
    name = f"{values.attrs.get('long_name', metric)} gap"
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        difference = one - other
    return difference.assign_attrs(long_name=name, units=values.attrs.get("units", "1"))


def peak_widths(
    dataset: xr.Dataset,
    metric: str = "accuracy",
    against: str = "step-size",
    tolerance: float = 0.1,
    relative: bool = False,
    better: str | None = None,
) -> xr.Dataset:
    """:func:`peak_width` of every slice: ``width``, ``lower``, ``upper`` and the open ends.

    The result has the dimensions of ``metric`` without step_size. With ``against="distance"``
    the step sizes are multiplied by ‖d‖ (see :func:`distance`). Where ``lower_open`` or
    ``upper_open`` is true the peak runs out of what was measured, and ``width`` is a lower
    bound. ``better`` is known for the metrics of ``landscape.metrics`` and needed for others.
    """
    values = metric_values(dataset, metric)
    if against not in AGAINST:
        raise unknown("value of against", against, AGAINST)
    if better is None:
        if metric not in METRICS:
            raise InvalidValueError(f"whether {metric!r} is better higher or lower is not known")
        better = METRICS[metric].better
    lower, upper, lower_open, upper_open = xr.apply_ufunc(
        lambda y, s: tuple(peak_width(y, s, tolerance, relative, better)),
        values.compute(),
        dataset["step_size"],
        input_core_dims=[["step_size"], ["step_size"]],
        output_core_dims=[[]] * len(Interval._fields),
        output_dtypes=[float, float, bool, bool],
        vectorize=True,
    )
    if against == "distance":
        with np.errstate(invalid="ignore"):  # 0 · ∞
            lower, upper = lower * _norm(dataset), upper * _norm(dataset)
    units = dataset["step_size"].attrs.get("units", "1") if against == "step-size" else "1"
    labelled = {
        "width": (upper - lower, "peak width", units),
        "lower": (lower, "lower end of the peak", units),
        "upper": (upper, "upper end of the peak", units),
        "lower_open": (lower_open, "whether the lower end was not seen", "1"),
        "upper_open": (upper_open, "whether the upper end was not seen", "1"),
    }
    return xr.Dataset(
        {
            name: array.transpose(*(dim for dim in values.dims if dim != "step_size")).assign_attrs(
                long_name=long_name, units=unit
            )
            for name, (array, long_name, unit) in labelled.items()
        },
        attrs={
            "metric": metric,
            "against": against,
            "tolerance": tolerance,
            "relative": int(relative),
        },
    )
