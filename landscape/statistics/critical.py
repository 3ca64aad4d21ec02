"""The critical step size: how far a step goes before the loss rises above its start."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.slices.selection import labelled, metric_values, mode_of
from landscape.statistics.curves import sign_of, zero
from landscape.statistics.peaks import one_slice


class Critical(NamedTuple):
    """Where a slice first gets worse than at its start.

    Attributes:
        step_size: the critical step size, at least 0.
        open: whether the true one may lie further out, so that ``step_size`` is a lower bound.
    """

    step_size: float
    open: bool


def critical_step_size(values: ArrayLike, step_sizes: ArrayLike, mode: str = "min") -> Critical:
    """The smallest step size above 0 beyond which the value is worse than at 0.

    It is where value(s) > value(0) begins for the first time at s > 0, with value(s) linear between
    samples; 0 where the first sample above 0 is worse already. With ``mode="max"``, as for an
    accuracy, the sign of the values is turned.

    An infinitely bad value ends the search at the sample before, the limit of that crossing. At a
    NaN and at the end of the sampled range it ends at the last sample, and is marked open.

    >>> critical = landscape.statistics.critical_step_size([1, 0.5, 1.5], [0, 1, 2])
    >>> critical.step_size, critical.open
    (1.5, False)

    Args:
        values: (step_size,), the metric along the slice.
        step_sizes: (step_size,), finite and ascending, with 0 among them.
        mode: "min" if lower values are better, "max" if higher ones are.

    Returns:
        The critical step size; NaN and open where the value at 0 is not finite.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or lack 0, and an unknown mode.
    """
    y, s = one_slice(values, step_sizes)
    y = [-sign_of(mode) * value for value in y]
    start = zero(np.asarray(s))
    if not np.isfinite(y[start]):
        return Critical(float("nan"), True)
    for i in range(start, len(s) - 1):
        if np.isnan(y[i + 1]):
            return Critical(s[i], True)
        if y[i + 1] > y[start]:
            # s_i + (s_j − s_i) · (y_0 − y_i) / (y_j − y_i), and y_i ≤ y_0
            share = (y[start] - y[i]) / (y[i + 1] - y[i]) if np.isfinite(y[i]) else 1.0
            return Critical(s[i] + (s[i + 1] - s[i]) * share, False)
    return Critical(s[-1], True)


def critical_step_sizes(
    dataset: xr.Dataset, metric: str = "loss", mode: str | None = None
) -> xr.Dataset:
    """The critical step size of every slice (:func:`critical_step_size`).

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``critical`` and ``open``, with the dimensions of the metric without step_size.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, and
            where step size 0 was not sampled.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)

    def one(y: Any, s: Any) -> Critical:
        return critical_step_size(y, s, mode)

    step, open_ = xr.apply_ufunc(
        one,
        values.compute(),
        dataset["step_size"],
        input_core_dims=[["step_size"], ["step_size"]],
        output_core_dims=[[], []],
        output_dtypes=[float, bool],
        vectorize=True,
    )
    units = dataset["step_size"].attrs.get("units", "1")
    return labelled(
        values,
        critical=(step, "critical step size", units),
        open=(open_, "whether it may lie further out", "1"),
    ).assign_attrs(metric=metric)
