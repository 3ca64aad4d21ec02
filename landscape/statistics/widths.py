"""Peaks and plateaus of every slice of a Dataset."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from landscape.errors import unknown
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
    """:func:`peak_width` of every slice: ``width``, ``lower``, ``upper`` and the open ends.

    The result has the dimensions of ``metric`` without step_size. With ``against="distance"``
    the step sizes are multiplied by ‖d‖ (see :func:`distance`). Where ``lower_open`` or
    ``upper_open`` is true the peak runs out of what was measured, and ``width`` is a lower
    bound. ``asymmetry`` is :attr:`Interval.asymmetry`. ``mode`` is known for the metrics of
    ``landscape.metrics`` and needed for others.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(metric, mode)
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
    """:func:`plateau` of every slice, with the variables of :func:`peak_widths`."""
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
        raise unknown("value of against", against, AGAINST)

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
