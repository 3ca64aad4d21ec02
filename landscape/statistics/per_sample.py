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
    *("checkpoint", "draw", "evaluation_set", "step_size", "step_size_2"),
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
        samples: per-sample loss, margin or residual, and target, (…, sample) or (…, unit), of one
            evaluation set, as ``landscape.open_samples`` gives them, or those of several sets, each
            with its name as the coordinate evaluation_set.
        metric: a name, or a :class:`Metric` of one's own, which is then called "metric":
            ``Metric(lambda loss: focal_loss(loss, 5), "loss", "focal loss", "nat", "min")``.
        slope_factors: those of smooth accuracy (by default 1) and sigmoidal loss (by default 10,
            without a dimension slope_factor), above 0.
        by_class: whether the mean is over the samples, or units, of each class, along class_label;
            NaN where a set has none of it.

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
        def reduction(values: xr.DataArray) -> xr.DataArray:
            if classes is not None:
                return _class_means(values, one, classes)
            weight, along = _weight(one, values, wanted), _along(values)
            if weight is None:
                return values.mean(along, skipna=False)
            # Σ w·l / Σ w; what a shorter draw lacks counts nothing.
            terms = (weight * values).where(_counted(one, values), 0.0)
            return terms.sum(along, skipna=False) / weight.sum(along)

        return _reduced(one, wanted, reduction)

    return _along_sets(samples, [mean(one) for one in sets])


def resample_samples(
    samples: Samples,
    metric: str | Metric,
    resamples: int = 1000,
    seed: int | np.random.Generator = 0,
    slope_factors: Sequence[float] | None = None,
) -> xr.Dataset:
    """Compute slices of ``metric`` on resamples of each set's samples [Efron1979].

    Each resample has as many samples as its set, drawn with replacement, each with all its units.
    All points, checkpoints and draws of a set take the same samples, different sets different ones.
    Of any statistic of the result :func:`interval` gives percentile intervals: how it varies with
    the samples of the sets, while the direction stays. One checkpoint at a time is in memory.

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
    if wanted.metric.of_targets:
        raise InvalidValueError(
            f"{wanted.name} is no mean over samples, so that resamples of them would need another "
            "variance of the targets each; resample the draws, or another metric"
        )
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

        def mean(values: xr.DataArray) -> xr.DataArray:
            found: xr.DataArray = xr.apply_ufunc(
                means, values, input_core_dims=[["sample"]], output_core_dims=[["resample"]]
            )
            return found

        def of(part: xr.Dataset) -> xr.Dataset:
            def reduction(values: xr.DataArray) -> xr.DataArray:
                weight = _weight(part, values, wanted)
                if weight is None:
                    return mean(values)
                # The mean of Σ w·l over that of Σ w: of the same samples, by the same seed.
                counted = _counted(part, values)
                terms = _of_samples(part, (weight * values).where(counted, 0.0))
                return mean(terms) / mean(_of_samples(part, weight.where(counted, 0.0)))

            return _reduced(part.load(), wanted, reduction)

        if "checkpoint" not in one.dims:
            return of(one)
        each = (one.isel(checkpoint=[i]) for i in range(one.sizes["checkpoint"]))
        return _concat([of(part) for part in each], "checkpoint")

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
    if wanted.metric.of not in one:
        raise InvalidValueError(
            f"{wanted.name} needs the {wanted.metric.of} of each sample; these have "
            f"{', '.join(map(str, one.data_vars))}"
        )
    array = one[wanted.metric.of].astype(np.float64)

    def at(*factor: float) -> xr.DataArray:
        def values(each: Any) -> Any:
            return wanted.metric.values(each, *factor)

        if wanted.metric.of_targets:
            return reduction(_with_targets(one, array, wanted.metric))
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


def _along(values: xr.DataArray) -> str:
    """The dimension of the values: unit where samples have several, else sample."""
    return "unit" if "unit" in values.dims else "sample"


def _counted(one: xr.Dataset, values: xr.DataArray) -> xr.DataArray | bool:
    """Which values count."""
    known = "unit_sample" in one and _along(values) in one["unit_sample"].dims
    return one["unit_sample"] >= 0 if known else True


def _weight(one: xr.Dataset, values: xr.DataArray, wanted: _Wanted) -> xr.DataArray | None:
    """The weights of values in their mean; None where it is plain."""
    if wanted.metric.of == "loss" and "weight" in one and _along(values) in one["weight"].dims:
        return one["weight"].astype(np.float64)
    counted = _counted(one, values)
    return None if isinstance(counted, bool) else counted.astype(np.float64)


def _of_samples(one: xr.Dataset, terms: xr.DataArray) -> xr.DataArray:
    """The sum of terms over the units of each sample."""
    if "unit" not in terms.dims:
        return terms
    samples = one.sizes["sample"]

    def sums(each: NDArray[np.float64], owner: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = each.reshape(-1, each.shape[-1])
        there = owner >= 0
        found = [np.bincount(owner[there], row[there], samples) for row in rows]
        return np.array(found, np.float64).reshape(*each.shape[:-1], samples)

    core = ["step_size", "unit"] if "step_size" in terms.dims else ["unit"]
    found: xr.DataArray = xr.apply_ufunc(
        sums,
        terms,
        one["unit_sample"],
        input_core_dims=[core, ["unit"]],
        output_core_dims=[[*core[:-1], "sample"]],
        vectorize=True,
    )
    return found


def _with_targets(one: xr.Dataset, array: xr.DataArray, metric: Metric) -> xr.DataArray:
    """The values of a metric that needs the targets of the set."""
    along, samples = _along(array), one.sizes["sample"]

    def values(each: NDArray[np.float64], target: NDArray[np.float64]) -> Any:
        shape = (samples, -1)
        with np.errstate(divide="ignore", invalid="ignore"):  # where all targets are equal
            return metric.values(each.reshape(shape), target.reshape(shape)).reshape(-1)

    found: xr.DataArray = xr.apply_ufunc(
        values,
        array.load(),
        one["target"].astype(np.float64).load(),
        input_core_dims=[[along], [along]],
        output_core_dims=[[along]],
        vectorize=True,
    )
    return found


def _class_means(values: xr.DataArray, one: xr.Dataset, classes: NDArray[np.int64]) -> xr.DataArray:
    target, along = one["target"], _along(values)
    if along not in target.dims:
        raise InvalidValueError(
            "these values are of samples, and their targets of several units each; classes are of "
            "values of units alone"
        )

    def mean(label: int) -> xr.DataArray:
        own = (target == label) & _counted(one, values)
        count = own.sum(along)
        return values.where(own, 0.0).sum(along, skipna=False) / count.where(count > 0)

    labels = xr.DataArray(classes, dims="class_label", name="class_label")
    labels.attrs = {"long_name": "class label", "units": "1"}
    parts = [mean(label) for label in classes.tolist()]
    return xr.concat(parts, labels, coords="minimal", compat="override")


def _classes(sets: Sequence[xr.Dataset]) -> NDArray[np.int64]:
    found = []
    for one in sets:
        if "target" not in one or one["target"].dtype.kind not in "iu":
            raise InvalidValueError("these samples have no class labels; leave out by_class")
        counted = _counted(one, one["target"])
        labels = one["target"].values
        found.append(np.unique(labels if isinstance(counted, bool) else labels[counted.values]))
    return np.unique(np.concatenate(found))


def _sets(samples: Samples) -> list[xr.Dataset]:
    sets = [samples] if isinstance(samples, xr.Dataset) else list(samples)
    if not sets:
        raise InvalidValueError("no per-sample values were given; give at least one set's")
    for one in sets:
        if "loss" not in one.variables or not {"sample", "unit"} & set(one["loss"].dims):
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
