"""Whether the samples of slices and planes are dense enough: jumps between neighbours."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.arguments import number
from landscape.slices.planes import SECOND
from landscape.slices.selection import labelled, metric_values, mode_of
from landscape.statistics.curves import Floats

# How many times the lowest value the highest one is where differences are taken of logarithms.
WIDE = 100


def jumps(
    values: ArrayLike, jump: float = 0.25, mode: str = "min", dimensions: int = 1
) -> tuple[Floats, Floats]:
    """Measure by how much neighbouring samples differ, as a share of the range of all.

        jump of two neighbours = |f(s_i+1) − f(s_i)| / (max f − min f)

    Values better lower, all above 0, whose highest is more than 100 times the lowest, as losses of
    a slice that leaves its valley, are compared by their logarithms. Values that are not finite are
    left out: no number of samples makes a step to infinity small.

    >>> share, largest = landscape.statistics.jumps([0, 0.1, 0.2, 1])
    >>> round(float(share), 3), round(float(largest), 3)
    (0.333, 0.8)

    Args:
        values: (…, step_size), or (…, step_size, step_size_2) with two ``dimensions``.
        jump: a larger share of the range is a jump; at least 0.
        mode: "min" if lower values are better, "max" if higher ones are.
        dimensions: 1 for slices, 2 for planes, whose samples have neighbours in both directions.

    Returns:
        (share, largest), each (…): the share of pairs of neighbours with a jump, and the largest
        jump. 0 where all values are equal, NaN where no two neighbours are finite.

    Raises:
        InvalidValueError: for a jump that is no number of at least 0.
    """
    y = np.asarray(values, dtype=np.float64)
    jump = number("jump", jump, least=0)
    axes = tuple(range(-dimensions, 0))
    finite = np.isfinite(y)
    lowest = np.where(finite, y, np.inf).min(axes, keepdims=True)
    highest = np.where(finite, y, -np.inf).max(axes, keepdims=True)
    with np.errstate(all="ignore"):
        wide = (mode == "min") & (lowest > 0) & (highest > WIDE * lowest)
        y, lowest, highest = (np.where(wide, np.log(x), x) for x in (y, lowest, highest))
        y = np.where(finite, y, np.nan)
        span = highest - lowest
        steps = [np.abs(np.diff(y, axis=axis)) / np.where(span > 0, span, 1.0) for axis in axes]
    flat = np.concatenate([each.reshape(*y.shape[:-dimensions], -1) for each in steps], axis=-1)
    pairs = (~np.isnan(flat)).sum(-1)
    with np.errstate(invalid="ignore"):
        share = (flat > jump).sum(-1) / np.where(pairs, pairs, np.nan)
    largest = np.where(np.isnan(flat), -np.inf, flat).max(-1, initial=-np.inf)
    return share, np.where(pairs, largest, np.nan)


def resolution_problems(
    dataset: xr.Dataset, metric: str = "loss", jump: float = 0.25, mode: str | None = None
) -> xr.Dataset:
    """Say which slices or planes have too few samples for the shape that they show (:func:`jumps`).

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-1000, 0, 1000])
    >>> bool(landscape.statistics.resolution_problems(slices)["under_sampled"].all())
    True

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        jump: by how much neighbouring samples may differ, as a share of the range of the slice or
            plane, at least 0.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``share``, of the pairs of neighbours, that jump, ``largest``, the largest jump as a share
        of the range, and ``under_sampled``, whether there is any; with the dimensions of the metric
        without step_size, and of planes without step_size_2.

    Raises:
        InvalidValueError: for an unknown metric, a metric whose mode is not known, and a jump that
            is no number of at least 0.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    along = [name for name in ("step_size", SECOND) if name in values.dims]

    def measured(y: Any) -> tuple[Floats, Floats]:
        return jumps(y, jump, mode, len(along))

    share, largest = xr.apply_ufunc(
        measured, values.compute(), input_core_dims=[along], output_core_dims=[[], []]
    )
    of = values.attrs.get("long_name", metric)
    return labelled(
        values,
        share=(share, f"share of neighbouring samples between which the {of} jumps", "1"),
        largest=(largest, f"largest jump of the {of} between neighbouring samples", "1"),
        under_sampled=(share > 0, "whether there are too few samples", "1"),
    ).assign_attrs(metric=metric, jump=jump)
