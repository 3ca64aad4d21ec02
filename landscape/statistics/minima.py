"""Minima of planes: the best point that was sampled, and the points better than all around."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from landscape.slices.planes import SECOND, require_plane
from landscape.slices.selection import labelled, metric_values, mode_of
from landscape.statistics.curves import Floats, sign_of
from landscape.statistics.grids import ALONG, applied_to_planes, best_places, grid


class BestPoint(NamedTuple):
    """The best value of each plane, and where it is.

    Attributes:
        step_size: (…), its step size along the first direction.
        step_size_2: (…), its step size along the second direction.
        value: (…), the best value, in units of the metric.
        open: (…), whether a better value may have been missed: the best one is on the border of
            what was sampled, or a value is NaN.
    """

    step_size: Floats
    step_size_2: Floats
    value: Floats
    open: NDArray[np.bool_]


def best_point(
    values: ArrayLike, step_sizes: ArrayLike, step_sizes_2: ArrayLike, mode: str = "max"
) -> BestPoint:
    """Find the best finite value of each plane; of several, the one nearest to 0.

    Of several equally near, in step sizes, it is the one with the larger step sizes.

    Args:
        values: (…, step_size, step_size_2), the metric over each plane, in its units.
        step_sizes: (step_size,), finite and ascending, at least 2.
        step_sizes_2: (step_size_2,), the same along the second direction.
        mode: "max" if higher values are better, "min" if lower ones are.

    Returns:
        A :class:`BestPoint`; NaN and open where no value is finite.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending or fewer than 2, and an unknown mode.
    """
    y, s, t = grid(values, step_sizes, step_sizes_2)
    places = best_places(sign_of(mode) * y, s, t)
    flat = y.reshape(*y.shape[:-2], -1)
    row, column = np.divmod(places, len(t))
    found = np.isfinite(flat).any(-1)
    value = np.take_along_axis(flat, places[..., None], -1)[..., 0]
    border = (row == 0) | (row == len(s) - 1) | (column == 0) | (column == len(t) - 1)
    return BestPoint(
        np.where(found, s[row], np.nan),
        np.where(found, t[column], np.nan),
        np.where(found, value, np.nan),
        np.isnan(flat).any(-1) | border | ~found,
    )


def local_minima(values: ArrayLike, mode: str = "min") -> NDArray[np.bool_]:
    """Find the samples of planes that are strictly better than all 8 around them.

    >>> found = landscape.statistics.local_minima([[3, 3, 3], [3, 1, 2], [3, 3, 3]])
    >>> int(found.sum()), bool(found[1, 1])
    (1, True)

    Args:
        values: (…, step_size, step_size_2), the metric over each plane.
        mode: "min" if lower values are better, "max" if higher ones are.

    Returns:
        (…, step_size, step_size_2), truth values: false on the border, whose neighbours were not
        all sampled, beside a NaN, and where the value is not finite.

    Raises:
        InvalidValueError: for an unknown mode.
    """
    y = -sign_of(mode) * np.asarray(values, dtype=np.float64)
    found = np.zeros(y.shape, bool)
    inner = y[..., 1:-1, 1:-1]
    least = np.isfinite(inner)
    rows, columns = y.shape[-2:]
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                least &= inner < y[..., i : rows - 2 + i, j : columns - 2 + j]
    found[..., 1:-1, 1:-1] = least
    return found


def minima(dataset: xr.Dataset, metric: str = "loss", mode: str | None = None) -> xr.Dataset:
    """Find the best sample and the local minima of every plane, of the grid as it was sampled.

    A minimum between samples is not seen, and one sample's noise counts as a minimum: the fewer
    samples and the noisier the metric, the less their number says.

    Args:
        dataset: planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know. With "max" minima are maxima.

    Returns:
        ``best_step_size``, ``best_step_size_2``, ``best_value`` in units of the metric, and
        ``open``, whether a better one may have been missed (:func:`best_point`); ``count``, the
        number of samples strictly better than all 8 around them; all with the dimensions of the
        metric without step_size and step_size_2. And ``minimum``, with all its dimensions: which
        samples these are (:func:`local_minima`).

    Raises:
        InvalidValueError: for slices along one direction, an unknown metric or mode, and a metric
            whose mode is not known.
    """
    require_plane(dataset)
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    first, second, value, open_, least = applied_to_planes(
        dataset,
        values,
        lambda y, s, t: (*best_point(y, s, t, mode), local_minima(y, mode)),
        [[], [], [], [], list(ALONG)],
    )
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        best_step_size=(first, f"step size of the best {of}", "1"),
        best_step_size_2=(second, f"second step size of the best {of}", "1"),
        best_value=(value, f"best {of}", units),
        open=(open_, "whether a better one may lie unseen", "1"),
        count=(least.sum(["step_size", SECOND]), f"number of local optima of the {of}", "1"),
        minimum=(least, f"whether it is a local optimum of the {of}", "1"),
    ).assign_attrs(metric=metric)
