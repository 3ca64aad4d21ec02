"""One slice in a few plain numbers, as a training's logger takes them."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.slices.planes import first_line
from landscape.slices.selection import interpolated, learning_step, metrics, require_slices
from landscape.statistics.critical import critical_step_sizes
from landscape.statistics.differences import batch_bias, gap
from landscape.statistics.widths import peak_widths


def scalars(dataset: xr.Dataset, tolerance: float = 0.1) -> dict[str, float]:
    """Peak width, critical step size, batch bias and gap of one slice, by name.

    * ``peak_width/<set>``: of the accuracy, in step sizes (:func:`peak_widths`).
    * ``critical_step_size/<set>``: where the loss rises above its start
      (:func:`critical_step_sizes`).
    * ``batch_bias/<set>``: the loss on the same batch minus that on the set (:func:`batch_bias`) at
      the step size of an update by the learning rate, linear between samples; of slices that start
      after the step, at 0, which is that update.
    * ``gap``: the accuracy on the big batch minus that on the validation set, at 0 (:func:`gap`).

    A number that the slice does not show is left out: of a metric, a set or a step size that was
    not measured, what is not finite, and a peak or a critical step size whose end lies beyond the
    sampled range.

    >>> slice_ = landscape.probe(model, (images, labels), validation, step_sizes=[0, 1, 10])
    >>> found = landscape.statistics.scalars(slice_)
    >>> sorted(name for name in found if "/" not in name or "same" in name)
    ['critical_step_size/same_batch', 'gap', 'peak_width/same_batch']

    Args:
        dataset: a slice of one checkpoint and one draw, as ``landscape.probe`` gives it; of a plane
            the slice along its first direction.
        tolerance: how far the accuracies of a peak may lie from the best, as a share of the best.

    Returns:
        Name -> number.

    Raises:
        InvalidValueError: for several checkpoints or draws, for a Dataset without slices, and for a
            tolerance that is not finite or below 0.
    """
    require_slices(dataset)
    dataset = first_line(dataset)
    if (sizes := (dataset.sizes["checkpoint"], dataset.sizes["draw"])) != (1, 1):
        raise InvalidValueError(
            f"the slices have {sizes[0]} checkpoints and {sizes[1]} draws; give one of each, as "
            "dataset.isel(checkpoint=[0], draw=[0])"
        )
    dataset = dataset.compute()
    found = {
        name: float(value.squeeze())
        for name, value in _found(dataset, tolerance)
        if value.notnull().all()
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _found(dataset: xr.Dataset, tolerance: float) -> Iterator[tuple[str, xr.DataArray]]:
    """Each statistic by its name; NaN where the slice does not show it."""
    measured = metrics(dataset)
    sets = [str(name) for name in dataset["evaluation_set"].values]
    steps, start = dataset["step_size"], xr.zeros_like(dataset["gradient_norm"])

    def each(name: str, values: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
        return ((f"{name}/{s}", values.sel(evaluation_set=s, drop=True)) for s in sets)

    if "accuracy" in measured:
        peaks = peak_widths(dataset, tolerance=tolerance, relative=True)
        yield from each(
            "peak_width", peaks["width"].where(~peaks["lower_open"] & ~peaks["upper_open"])
        )
        if {"big_batch", "validation"} <= set(sets):
            value, within = interpolated(gap(dataset), steps, start)
            yield "gap", value.where(within)
    if "loss" in measured:
        if 0 in steps:
            critical = critical_step_sizes(dataset)
            yield from each("critical_step_size", critical["critical"].where(~critical["open"]))
        if "same_batch" in sets:
            where = start if dataset.attrs.get("origin") == "after-step" else learning_step(dataset)
            value, within = interpolated(batch_bias(dataset)["bias"], steps, where)
            yield from (
                (name, bias)
                for name, bias in each("batch_bias", value.where(within))
                if name != "batch_bias/same_batch"
            )
