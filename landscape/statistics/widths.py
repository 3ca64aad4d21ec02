"""Peaks and plateaus of every slice of a Dataset."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from landscape.errors import UnknownNameError
from landscape.slices.selection import labelled, metric_values, mode_of, norm
from landscape.statistics.peaks import Interval, peak_width, plateau

AGAINST = ("step-size", "distance")


def peak_widths(
    dataset: xr.Dataset,
    metric: str = "accuracy",
    against: str = "step-size",
    tolerance: float = 0.1,
    relative: bool = False,
    mode: str | None = None,
) -> xr.Dataset:
    """The peak of every slice (:func:`peak_width`).

    >>> slices = landscape.probe(
    ...     model, (images, labels), validation, step_sizes=[-1, -0.1, 0, 0.1, 1]
    ... )
    >>> widths = landscape.statistics.peak_widths(slices, tolerance=0.1, relative=True)
    >>> widths["width"].dims
    ('checkpoint', 'draw', 'evaluation_set')

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        against: "step-size", or "distance", for which step sizes are multiplied by ‖d‖ (see
            :func:`distance`).
        tolerance: largest distance from the best value, at least 0, in units of the metric, or as a
            share of the best value if ``relative``.
        relative: whether the tolerance is a share of the best value.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``width``, ``lower`` and ``upper`` in step sizes or distances, ``asymmetry``
        (:attr:`Interval.asymmetry`), and ``lower_open`` and ``upper_open``: where one is true, the
        peak goes beyond what was measured, and ``width`` is a lower bound. All have the dimensions
        of the metric without step_size.

    Raises:
        InvalidValueError: for an unknown metric, mode or value of ``against``, a metric whose mode
            is not known, a tolerance that is not finite or below 0, and distances along a direction
            without a norm.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    found = _ranges(
        dataset,
        values,
        lambda y, s: peak_width(y, s, tolerance, relative, mode),
        "peak",
        against,
    )
    return found.assign_attrs(
        metric=metric, against=against, tolerance=tolerance, relative=int(relative)
    )


def plateaus(
    dataset: xr.Dataset, metric: str = "accuracy", against: str = "step-size"
) -> xr.Dataset:
    """The plateau of every slice (:func:`plateau`).

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        against: "step-size", or "distance", for which step sizes are multiplied by ‖d‖ (see
            :func:`distance`).

    Returns:
        The variables of :func:`peak_widths`, of the plateaus.

    Raises:
        InvalidValueError: for an unknown metric or value of ``against``, and distances along a
            direction without a norm.
    """
    found = _ranges(dataset, metric_values(dataset, metric), plateau, "plateau", against)
    return found.assign_attrs(metric=metric, against=against)


def _ranges(
    dataset: xr.Dataset,
    values: xr.DataArray,
    function: Callable[..., Interval],
    what: str,
    against: str,
) -> xr.Dataset:
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)

    def one(y: Any, s: Any) -> tuple[float | bool, ...]:
        found = function(y, s)
        return *found, found.asymmetry

    lower, upper, lower_open, upper_open, asymmetry = xr.apply_ufunc(
        one,
        values.compute(),
        dataset["step_size"],
        input_core_dims=[["step_size"], ["step_size"]],
        output_core_dims=[[]] * 5,
        output_dtypes=[float, float, bool, bool, float],
        vectorize=True,
    )
    if against == "distance":
        with np.errstate(invalid="ignore"):  # 0 · ∞
            lower, upper = lower * norm(dataset), upper * norm(dataset)
    units = dataset["step_size"].attrs.get("units", "1") if against == "step-size" else "1"
    return labelled(
        values,
        width=(upper - lower, f"{what} width", units),
        lower=(lower, f"lower end of the {what}", units),
        upper=(upper, f"upper end of the {what}", units),
        lower_open=(lower_open, "whether the lower end was not seen", "1"),
        upper_open=(upper_open, "whether the upper end was not seen", "1"),
        asymmetry=(asymmetry, f"asymmetry of the {what}", "1"),
    )
