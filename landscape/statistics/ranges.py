"""Whether a range of step sizes shows anything: flat curves, and peaks that leave it."""

from functools import reduce
from operator import and_

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.slices.selection import labelled, metrics, require_slices
from landscape.statistics.widths import peak_widths

SAME_BATCH = "same_batch"
# Metric -> how far below its best value a peak ends, as a share of that; 0 for the best alone.
PEAKS = {"accuracy": 0.1, "loss": 0.0}


def range_problems(dataset: xr.Dataset, tolerance: float = 0.01) -> xr.Dataset:
    """Whether the curves of the same batch are flat over the range, or their peaks leave it.

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-1e-6, 0, 1e-6])
    >>> landscape.statistics.range_problems(slices)["flat"].values
    array([[ True]])

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them, with the
            evaluation set "same_batch".
        tolerance: by how much a flat curve varies at most, as a share of its largest absolute
            value.

    Returns:
        Truth values over checkpoint and draw. ``flat``: all metrics vary by no more than the
        tolerance, over two step sizes or more. ``lower_beyond`` and ``upper_beyond``: the peak of
        the accuracy (what is within a tenth of the best), or the lowest loss, reaches that end of
        the range, and the curves are not flat. An end at 0 is taken as wanted.

    Raises:
        InvalidValueError: where the Dataset does not hold slices of the same batch.
    """
    require_slices(dataset)
    if SAME_BATCH not in dataset["evaluation_set"].values:
        raise InvalidValueError(
            f"the evaluation sets are {dataset['evaluation_set'].values.tolist()}; the range is "
            f"judged on {SAME_BATCH!r}, so probe that too"
        )
    same = dataset.sel(evaluation_set=[SAME_BATCH])
    steps = same["step_size"].values
    ranges = len(steps) > 1
    flat = reduce(and_, (_flat(same[name], tolerance) for name in metrics(same))) & ranges
    lower = upper = xr.zeros_like(flat)
    for name in (name for name in PEAKS if name in same and ranges):
        peaks = peak_widths(same, name, tolerance=PEAKS[name], relative=True)
        peaks = peaks.squeeze("evaluation_set", drop=True)
        lower = lower | (peaks["lower_open"] & (peaks["lower"] == steps[0]) & (steps[0] < 0))
        upper = upper | (peaks["upper_open"] & (peaks["upper"] == steps[-1]) & (steps[-1] > 0))
    return labelled(
        flat,
        flat=(flat, "whether the curves are flat", "1"),
        lower_beyond=(lower & ~flat, "whether a peak goes below the range", "1"),
        upper_beyond=(upper & ~flat, "whether a peak goes above the range", "1"),
    )


def _flat(values: xr.DataArray, tolerance: float) -> xr.DataArray:
    """Over checkpoint and draw; a curve with a value that is not finite is not flat."""
    others = [name for name in values.dims if name not in ("checkpoint", "draw", "step_size")]
    finite = (abs(values) < np.inf).all("step_size")
    known = values.where(finite, 0.0)
    spread = known.max("step_size") - known.min("step_size")
    small = finite & (spread <= tolerance * abs(known).max("step_size"))
    return small.all(others)
