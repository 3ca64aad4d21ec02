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
    """Value on the set ``first`` minus value on the set ``second``, at every step size.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        first: name of an evaluation set.
        second: name of the evaluation set that is subtracted.

    Returns:
        The dimensions of the metric without evaluation_set, in its units.

    Raises:
        InvalidValueError: for an unknown metric or evaluation set.
    """
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
    """The value on ``batch`` minus that on the other sets, with its odd and even part.

    The even part is the same at either sign of the step size: the batch is fitted better than other
    sets, or it is noise. The odd part (:func:`odd_even`) shows that a step along the batch's own
    gradient does more for the batch than for other sets. Along ``batch``'s own gradient a negative
    bias flatters a loss, and a positive one an accuracy.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        against: an evaluation set, or a kind of several, as "other_batch", whose mean is then
            subtracted. By default there is a bias against each set, along evaluation_set.
        batch: name of the evaluation set that the others are subtracted from.

    Returns:
        ``bias``, ``odd`` and ``even``, with the dimensions of the metric (without evaluation_set
        where ``against`` is given), in its units. ``odd`` and ``even`` are NaN where −s was not
        sampled.

    Raises:
        InvalidValueError: for an unknown metric or evaluation set.
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
