"""From per-sample loss and margin to any metric, and to resampled slices, without the network.

``samples`` are per-sample values of one evaluation set, as ``landscape.open_samples`` gives them,
or those of several sets, which then lie along evaluation_set.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.metrics import METRICS, Metric
from landscape.statistics.bootstrap import check_resamples, resampled_means

Samples = xr.Dataset | Iterable[xr.Dataset]
Reduction = Callable[[xr.DataArray], xr.DataArray]

DIMENSIONS = (
    *("checkpoint", "draw", "evaluation_set", "step_size"),
    *("slope_factor", "class_label", "resample"),
)
OF_A_SET = ("kind", "samples", "batch_norm")


def rederive(
    samples: Samples,
    metric: str | Metric,
    slope_factors: Sequence[float] | None = None,
    by_class: bool = False,
) -> xr.Dataset:
    """Compute ``metric`` from per-sample values, as if it had been probed.

    Sums are in float64 and divided last, as a probe's. From samples in memory the values of a
    float32 network are those the probe stored, bit for bit; from chunks along sample they differ
    by the order of the sum, and those of a float64 network by the rounding of the store (float32).

    Samples opened with chunks are worked on chunk by chunk, when the result is computed.

    Args:
        samples: per-sample loss, margin and target (…, sample) of one evaluation set, as
            ``landscape.open_samples`` gives them, or those of several sets, each with its name as
            the coordinate evaluation_set.
        metric: a name, or a :class:`Metric` of one's own, which is then called "metric":
            ``Metric(lambda loss: focal_loss(loss, 5), "loss", "focal loss", "nat", "min")``.
        slope_factors: those of smooth accuracy (by default 1) and sigmoidal loss (by default 10,
            without a dimension slope_factor), above 0.
        by_class: whether the mean is over the samples of each class, along class_label; NaN where a
            set has no sample of it.

    Returns:
        The metric over the dimensions of the samples without sample, with evaluation_set where
        several sets were given, slope_factor and class_label; in its units.

    Raises:
        InvalidValueError: for samples that hold no per-sample values or no set at all, several sets
            without names, an unknown metric, and slope factors that are not above 0 or that the
            metric does not have.
    """
    wanted = _wanted(metric, slope_factors)
    sets = _sets(samples)
    classes = _classes(sets) if by_class else None

    def mean(one: xr.Dataset) -> xr.Dataset:
        if classes is None:
            return _reduced(one, wanted, lambda values: values.mean("sample", skipna=False))
        return _reduced(one, wanted, lambda values: _class_means(values, one["target"], classes))

    return _along_sets(samples, [mean(one) for one in sets])


def resample_samples(
    samples: Samples,
    metric: str | Metric,
    resamples: int = 1000,
    seed: int | np.random.Generator = 0,
    slope_factors: Sequence[float] | None = None,
) -> xr.Dataset:
    """Compute slices of ``metric`` on resamples of each set's samples [Efron1979].

    Each resample has as many samples as its set, drawn with replacement. All points, checkpoints
    and draws of a set take the same samples, different sets different ones. Of any statistic of the
    result :func:`interval` gives percentile intervals: how it varies with the samples of the sets,
    while the direction stays. One checkpoint at a time is in memory.

    Args:
        samples: as for :func:`rederive`.
        metric: a name, or a :class:`Metric` of one's own, which is then called "metric".
        resamples: number of resamples.
        seed: a seed or a generator for the choice of samples.
        slope_factors: as for :func:`rederive`.

    Returns:
        What :func:`rederive` gives, with a further dimension resample.

    Raises:
        InvalidValueError: for resamples that are no integer of at least 1, and where
            :func:`rederive` raises it.
    """
    check_resamples(resamples)
    wanted = _wanted(metric, slope_factors)
    sets = _sets(samples)
    number = int(seed.integers(2**63)) if isinstance(seed, np.random.Generator) else seed

    def resampled(one: xr.Dataset) -> xr.Dataset:
        # Seeded by the set's name, so that its samples do not depend on the other sets given.
        name = one.coords["evaluation_set"].item() if "evaluation_set" in one.coords else ""
        stream = [number, *str(name).encode()]

        def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
            rows = values.reshape(-1, values.shape[-1])
            found = resampled_means(rows, resamples, np.random.default_rng(stream))
            return found.reshape(*values.shape[:-1], resamples)

        def reduction(values: xr.DataArray) -> xr.DataArray:
            found: xr.DataArray = xr.apply_ufunc(
                means, values, input_core_dims=[["sample"]], output_core_dims=[["resample"]]
            )
            return found

        if "checkpoint" not in one.dims:
            return _reduced(one.load(), wanted, reduction)
        each = (one.isel(checkpoint=[i]) for i in range(one.sizes["checkpoint"]))
        parts = [_reduced(part.load(), wanted, reduction) for part in each]
        return _concat(parts, "checkpoint")

    return _along_sets(samples, [resampled(one) for one in sets])


@dataclass(frozen=True)
class _Wanted:
    """A metric and its name; with ``factors`` at several slope factors."""

    name: str
    metric: Metric
    factors: tuple[float, ...] | None


def _wanted(metric: str | Metric, slope_factors: Sequence[float] | None) -> _Wanted:
    if isinstance(metric, Metric):
        name, known = "metric", metric
    elif metric in METRICS:
        name, known = metric, METRICS[metric]
    else:
        raise UnknownNameError("metric", metric, METRICS)
    if slope_factors is None:
        return _Wanted(name, known, (1.0,) if known.sloped else None)
    if not (known.sloped or "slope_factor" in signature(known.values).parameters):
        raise InvalidValueError(f"slope factors {slope_factors} were given, but {name} has none")
    factors = np.atleast_1d(np.asarray(slope_factors, dtype=np.float64))
    if not (
        factors.ndim == 1 and factors.size and (factors > 0).all() and (factors < np.inf).all()
    ):
        raise InvalidValueError(f"the slope factors are {slope_factors}; give numbers above 0")
    return _Wanted(name, known, tuple(factors.tolist()))


def _reduced(one: xr.Dataset, wanted: _Wanted, reduction: Reduction) -> xr.Dataset:
    """The metric's value of every sample, with ``reduction`` over the dimension sample."""
    array = one[wanted.metric.of].astype(np.float64)

    def at(*factor: float) -> xr.DataArray:
        def values(each: Any) -> Any:
            return wanted.metric.values(each, *factor)

        return reduction(xr.apply_ufunc(values, array, dask="allowed"))

    if wanted.factors is None:
        found = at()
    else:
        named = {"long_name": "slope factor", "units": "1"}
        factors = xr.DataArray(list(wanted.factors), dims="slope_factor", name="slope_factor")
        parts = [at(factor) for factor in wanted.factors]
        found = xr.concat(parts, factors.assign_attrs(named), coords="minimal", compat="override")
    found = found.transpose(*DIMENSIONS, missing_dims="ignore")
    found.attrs = {"long_name": wanted.metric.long_name, "units": wanted.metric.units}
    return found.to_dataset(name=wanted.name).assign_attrs(one.attrs)


def _class_means(
    values: xr.DataArray, target: xr.DataArray, classes: NDArray[np.int64]
) -> xr.DataArray:
    def mean(label: int) -> xr.DataArray:
        own = target == label
        count = own.sum("sample")
        return values.where(own, 0.0).sum("sample", skipna=False) / count.where(count > 0)

    labels = xr.DataArray(classes, dims="class_label", name="class_label")
    labels.attrs = {"long_name": "class label", "units": "1"}
    parts = [mean(label) for label in classes.tolist()]
    return xr.concat(parts, labels, coords="minimal", compat="override")


def _classes(sets: Sequence[xr.Dataset]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([np.unique(one["target"].values) for one in sets]))


def _sets(samples: Samples) -> list[xr.Dataset]:
    sets = [samples] if isinstance(samples, xr.Dataset) else list(samples)
    if not sets:
        raise InvalidValueError("no per-sample values were given; give at least one set's")
    for one in sets:
        if not {"loss", "margin", "target"} <= set(one.variables) or "sample" not in one.dims:
            raise InvalidValueError(
                f"per-sample values are needed, as landscape.open_samples gives; this has "
                f"{', '.join(map(str, one.data_vars)) or 'no variables'} over "
                f"{', '.join(map(str, one.dims)) or 'no dimensions'}"
            )
        if not isinstance(samples, xr.Dataset) and "evaluation_set" not in one.coords:
            raise InvalidValueError(
                "one of several sets has no name; each needs the coordinate evaluation_set"
            )
    return sets


def _along_sets(samples: Samples, found: list[xr.Dataset]) -> xr.Dataset:
    if isinstance(samples, xr.Dataset):
        return found[0]
    own = [name for name in OF_A_SET if all(name in each.coords for each in found)]
    joined = _concat(found, "evaluation_set", own)
    return joined.transpose(*DIMENSIONS, missing_dims="ignore")


def _concat(parts: list[xr.Dataset], dimension: str, along: Sequence[str] = ()) -> xr.Dataset:
    joined: xr.Dataset = xr.concat(
        parts,
        dimension,
        data_vars="all",
        coords=list(along) or "minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )
    return joined
