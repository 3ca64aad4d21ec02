"""Differences between evaluation sets: the gap, and the batch bias."""

import numpy as np
import xarray as xr

from landscape.slices.selection import applied, labelled, metric_values, set_name
from landscape.statistics.curves import odd_even


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


def batch_bias(
    dataset: xr.Dataset,
    metric: str = "loss",
    against: str | None = None,
    batch: str = "same_batch",
) -> xr.Dataset:
    """``bias``, the value on ``batch`` minus that on the other sets, with its parts.

    ``odd`` and ``even`` are its parts in the step size (:func:`odd_even`): the even part tells
    that the batch is better fitted, or noise, at either sign of the step size alike; the odd
    part that a step along its own gradient does it more good than others. Along ``batch``'s own
    gradient a loss is flattered where the bias is negative, an accuracy where it is positive.

    ``against`` names an evaluation set, or the kind of several over whose mean the bias then is,
    as "other_batch"; by default there is a bias against each, along evaluation_set.
    """
    values = metric_values(dataset, metric)
    own = values.sel(evaluation_set=set_name(dataset, batch), drop=True)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        bias = own - (values if against is None else _mean_of(dataset, values, against))
    odd, even = applied(dataset, bias, odd_even, [["step_size"]] * 2)
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        bias=(bias, f"batch bias of the {of}", units),
        odd=(odd, "odd part of the batch bias", units),
        even=(even, "even part of the batch bias", units),
    ).assign_attrs(metric=metric, batch=batch, against=against or "each set")


def _mean_of(dataset: xr.Dataset, values: xr.DataArray, sets: str) -> xr.DataArray:
    kinds = dataset["kind"].values if "kind" in dataset.coords else dataset["evaluation_set"].values
    if sets not in kinds:
        return values.sel(evaluation_set=set_name(dataset, sets), drop=True)
    chosen = values.isel(evaluation_set=np.flatnonzero(kinds == sets))
    return chosen.mean("evaluation_set", skipna=False)
