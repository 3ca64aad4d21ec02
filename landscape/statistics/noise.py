"""Noise between batches: how far one batch's slice lies from another's."""

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.slices.selection import labelled, metric_values
from landscape.statistics.peaks import center


def batch_noise(dataset: xr.Dataset, metric: str = "loss") -> xr.Dataset:
    """Standard deviation between other batches along the same direction.

    With f_db(s) the metric on other batch b of B in draw d of D, whose direction all of its
    batches share, and g_db(s) = f_db(s) for ``value`` or f_db(s) − f_db(0) for ``change``,

        noise(s)² = 1/D · Σ_d 1/(B − 1) · Σ_b (g_db(s) − mean_b g_db(s))²

    Where 0 was not sampled, the sampled step size nearest to it is used. The mean of n samples has
    a noise of σ/√n, where σ is that of one sample. For the change this holds only along similar
    directions: the gradients of larger batches are shorter, so that along them the noise falls
    faster.

    Args:
        dataset: slices with at least 2 other batches, as ``landscape.probe`` and ``landscape.open``
            give them.
        metric: name of the variable.

    Returns:
        ``value`` and ``change`` over checkpoint and step_size (and any further dimension of the
        metric), in its units.

    Raises:
        InvalidValueError: for an unknown metric, and fewer than two other batches.
    """
    values = metric_values(dataset, metric)
    others = values.isel(evaluation_set=dataset["kind"].values == "other_batch")
    if (count := others.sizes["evaluation_set"]) < 2:
        batches = "other batch" if count == 1 else "other batches"
        raise InvalidValueError(
            f"the slices have {count} {batches}; batch noise needs at least 2, so probe more"
        )
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        change = others - others.isel(step_size=center(others["step_size"]), drop=True)
        return labelled(
            values,
            value=(_pooled(others), f"noise of the {of}", units),
            change=(_pooled(change), f"noise of the change of the {of}", units),
        ).assign_attrs(metric=metric)


def _pooled(values: xr.DataArray) -> xr.DataArray:
    """The root of the mean over draws of the unbiased variance over evaluation_set."""
    return values.var("evaluation_set", ddof=1, skipna=False).mean("draw", skipna=False) ** 0.5
