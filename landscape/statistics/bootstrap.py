"""Bootstrap [Efron1979]: resampled means, and percentile intervals of statistics of them."""

from decimal import Decimal
from math import ceil
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, UnknownNameError

Floats = NDArray[np.float64]
Data = TypeVar("Data", xr.DataArray, xr.Dataset)

# Resampled values counted at once, to bound the memory.
_AT_ONCE = 4_000_000


def resampled_means(values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Means over n values drawn with replacement from each row [Efron1979].

    All rows take the same draws, so that what is compared stays paired.

    Args:
        values: (K, n), float64.
        resamples: number of means of each row.
        rng: the generator that chooses the values.

    Returns:
        (K, resamples), float64. A mean is NaN if a NaN or infinities of both signs were drawn, and
        infinite if other infinities were.
    """
    n = values.shape[-1]
    finite = np.isfinite(values)
    special = [] if finite.all() else [values == np.inf, values == -np.inf, np.isnan(values)]
    values = np.where(finite, values, 0.0)
    means = np.empty((len(values), resamples))
    block = max(1, _AT_ONCE // n)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
        some = values @ counts.T / n
        if special:
            plus, minus, nan = (each.astype(np.float64) @ counts.T > 0 for each in special)
            some[plus], some[minus], some[nan | plus & minus] = np.inf, -np.inf, np.nan
        means[:, start : start + rows] = some
    return means


def resample_draws(data: Data, resamples: int = 1000, seed: int | np.random.Generator = 0) -> Data:
    """Means over draws taken with replacement [Efron1979]: the dimension draw becomes ``resample``.

    Args:
        data: slices, or a statistic of each draw, with the dimension draw. If it already has the
            dimension resample, as from :func:`resample_samples`, each resample takes its own draws,
            and the intervals cover the choice of batches as well as that of samples.
        resamples: number of resamples; ignored where ``data`` has the dimension resample.
        seed: a seed or a generator for the choice of draws.

    Returns:
        ``data`` with the dimension resample, the last one, in place of draw and without the
        coordinates along draw. A mean is NaN if a drawn value is.

    Raises:
        InvalidValueError: for data without the dimension draw, and for resamples that are no
            integer of at least 1.
        UnknownNameError: for a name that is not known.
    """
    if "draw" not in data.dims:
        raise UnknownNameError("dimension", "draw", map(str, data.dims))
    rng, draws = np.random.default_rng(seed), data.sizes["draw"]
    taken = {}
    if "resample" in data.dims:
        resamples = data.sizes["resample"]
        taken["resample"] = xr.DataArray(np.arange(resamples), dims="resample")
    check_resamples(resamples)
    chosen = rng.integers(draws, size=(resamples, draws))
    taken["draw"] = xr.DataArray(chosen, dims=("resample", "draw"))
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        # The draws' own coordinates do not belong to a mean.
        own = [name for name, each in data.coords.items() if "draw" in each.dims]
        picked = data.drop_vars(own).isel(taken)
        means = picked.mean("draw", skipna=False, keep_attrs=True)
    return means.transpose(..., "resample")


def mean_interval(
    values: xr.DataArray,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int | np.random.Generator = 0,
) -> xr.Dataset:
    """The mean over draws, and the ends of its bootstrap interval, in one call.

    It is ``interval(resample_draws(values))`` beside the mean. Of a ratio, give its logarithm and
    take the exponential of what comes back: then it is the geometric mean with its interval.

    >>> import xarray
    >>> loss = xarray.DataArray([0.5, 0.7, 0.6], dims="draw")
    >>> found = landscape.statistics.mean_interval(loss)
    >>> {name: round(each.item(), 1) for name, each in found.items()}
    {'mean': 0.6, 'lower': 0.5, 'upper': 0.7}

    Args:
        values: any values over draw, and over other dimensions.
        level: as in :func:`interval`.
        resamples: as in :func:`resample_draws`.
        seed: as in :func:`resample_draws`.

    Returns:
        ``mean``, ``lower`` and ``upper`` over the other dimensions; NaN where a value is.

    Raises:
        InvalidValueError: for what :func:`resample_draws` or :func:`interval` refuses.
    """
    ends = interval(resample_draws(values, resamples, seed), level)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        mean = values.mean("draw", skipna=False)
    found = {"mean": mean} | {name: ends.sel(bound=name, drop=True) for name in ("lower", "upper")}
    return xr.Dataset({name: each.drop_attrs() for name, each in found.items()})


def interval(data: Data, level: float = 0.95, over: str = "resample") -> Data:
    """Percentile intervals: ``over`` becomes the dimension ``bound``, "lower" and "upper".

    The bounds are the smallest values that a share of (1 − level)/2, and of (1 + level)/2, of the
    resamples do not exceed; nothing is interpolated.

    With few samples or draws, a percentile interval covers the true value less often than its level
    says: 95 % intervals of the mean of n normal values cover it in 76 % of cases for n = 3, 90 %
    for 10, 92 % for 20 and 94 % for 50. It also knows nothing of values that are in no resample.

    >>> import xarray
    >>> loss = xarray.DataArray([0.5, 0.7, 0.6], dims="draw")
    >>> resampled = landscape.statistics.resample_draws(loss, resamples=1000, seed=0)
    >>> landscape.statistics.interval(resampled, 0.95).values.round(1).tolist()
    [0.5, 0.7]

    Args:
        data: resampled values, as from :func:`resample_draws` or :func:`resample_samples`, or a
            statistic of them.
        level: share of the resamples between the bounds, above 0 and below 1.
        over: the dimension to take the interval over. With "draw" the bounds are the band in which
            that share of the draws lies.

    Returns:
        ``data`` with the dimension bound, the last one, in place of ``over``; NaN if one of the
        resamples is. Variables of a Dataset without the dimension ``over`` stay as they are.

    Raises:
        InvalidValueError: for a level that is not above 0 and below 1, and for data without the
            dimension ``over``.
        UnknownNameError: for a name that is not known.
    """
    if not 0 < level < 1:
        raise InvalidValueError(f"level is {level!r}; give a number above 0 and below 1")
    if over not in data.dims:
        raise UnknownNameError("dimension", over, map(str, data.dims))
    # Exact, as the level is written: in floats 1000 · (1 − 0.95) / 2 lies above 25.
    written = Decimal(repr(float(level)))
    shares = [(1 - written) / 2, (1 + written) / 2]

    def bounds(array: xr.DataArray) -> xr.DataArray:
        if over not in array.dims:
            return array
        ranks = [max(ceil(array.sizes[over] * share), 1) - 1 for share in shares]
        found: xr.DataArray = xr.apply_ufunc(
            lambda x: _ranked(x, ranks),
            array.compute(),
            input_core_dims=[[over]],
            output_core_dims=[["bound"]],
            keep_attrs=True,
        )
        return found.assign_coords(bound=np.array(["lower", "upper"], dtype=object))

    return data.map(bounds, keep_attrs=True) if isinstance(data, xr.Dataset) else bounds(data)


def _ranked(values: NDArray[Any], ranks: list[int]) -> NDArray[Any]:
    """The values of the given ranks, (…, ranks); NaN where one of (…, n) is."""
    found: NDArray[Any] = np.sort(values)[..., ranks]
    if values.dtype.kind == "f":
        found[np.isnan(values).any(-1)] = np.nan
    return found


def check_resamples(resamples: int) -> None:
    """Refuse a number of resamples that is no integer of at least 1.

    Args:
        resamples: the number of resamples.

    Raises:
        InvalidValueError: for anything but an integer of at least 1.
    """
    if not (isinstance(resamples, int | np.integer) and resamples >= 1):
        raise InvalidValueError(f"resamples is {resamples!r}; give an integer of at least 1")
