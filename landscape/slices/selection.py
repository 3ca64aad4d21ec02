"""What a Dataset of slices holds, by name, and where its step sizes lie."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.metrics import METRICS
from landscape.slices.schema import upgraded

# How far from 1 the cosine to −∇L may be for a direction that counts as pointing along −∇L.
STEEPEST = 1e-6


def require_slices(dataset: xr.Dataset) -> None:
    """Refuse a Dataset that does not hold slices, such as a history of epochs.

    Args:
        dataset: what should be slices.

    Raises:
        InvalidValueError: where dimensions of slices are missing.
    """
    needed = ("checkpoint", "draw", "evaluation_set", "step_size")
    if missing := [name for name in needed if name not in dataset.dims]:
        raise InvalidValueError(
            f"these are no slices: the dimensions {', '.join(map(str, dataset.dims)) or 'none'} "
            f"lack {', '.join(missing)}; give what landscape probe made"
        )


def metrics(dataset: xr.Dataset) -> list[str]:
    """List the metrics that were measured along the slices.

    Args:
        dataset: slices.

    Returns:
        The names of the variables with the dimension ``step_size``.
    """
    return [str(name) for name, array in dataset.items() if "step_size" in array.dims]


def metric_values(dataset: xr.Dataset, metric: str) -> xr.DataArray:
    """Select the values of a metric, with all its dimensions.

    Args:
        dataset: slices.
        metric: name of the metric.

    Returns:
        The variable of that name.

    Raises:
        UnknownNameError: for an unknown name; the message lists the known ones.
    """
    if metric not in metrics(dataset):
        raise UnknownNameError("metric", metric, metrics(dataset))
    return dataset[metric]


def set_name(dataset: xr.Dataset, name: str) -> str:
    """Check that ``name`` is an evaluation set of the slices.

    Args:
        dataset: slices.
        name: name of an evaluation set.

    Returns:
        ``name``.

    Raises:
        UnknownNameError: for an unknown name; the message lists the known ones.
    """
    names = [str(each) for each in dataset["evaluation_set"].values]
    if name not in names:
        raise UnknownNameError("evaluation set", name, names)
    return name


def distance(dataset: xr.Dataset) -> xr.DataArray:
    """Compute how far from the origin each step size lies.

    Args:
        dataset: slices.

    Returns:
        Distances in parameter space, with the sign of the step size, over checkpoint, draw and
        step_size.

    Raises:
        InvalidValueError: where the slices do not hold the norm of their direction.
    """
    # The parameters are θ + s·d, so the distance is s · ‖d‖.
    with np.errstate(invalid="ignore"):  # 0 · ∞
        result = norm(dataset) * dataset["step_size"]
    result = result.transpose("checkpoint", "draw", "step_size")
    return result.rename("distance").assign_attrs(long_name="distance", units="1")


def norm(dataset: xr.Dataset) -> xr.DataArray:
    """Take the norm of the direction, ‖d‖.

    Args:
        dataset: slices.

    Returns:
        Norms over checkpoint and draw.

    Raises:
        InvalidValueError: where the slices do not hold it.
    """
    return _told(dataset, "direction_norm")


def slope(dataset: xr.Dataset) -> xr.DataArray:
    """Take the slope along the direction, ∇L · d, the derivative of the batch's loss at 0.

    Args:
        dataset: slices.

    Returns:
        Slopes in the loss's units, over checkpoint and draw; below 0 where positive step sizes
        descend.

    Raises:
        InvalidValueError: where the slices do not hold it.
    """
    return _told(dataset, "direction_slope")


def _told(dataset: xr.Dataset, name: str) -> xr.DataArray:
    dataset = upgraded(dataset)
    if name not in dataset.coords:
        raise InvalidValueError(
            f"the slices along {dataset.attrs.get('direction')!r} have no {name}; probe them again "
            "or, where draws were resampled, resample the statistic of each draw instead"
        )
    return dataset[name]


def learning_step(dataset: xr.Dataset) -> xr.DataArray:
    """Compute the step size of an update by learning rate times gradient.

    Along the gradient this is the learning rate itself; along the normalised gradient it is the
    learning rate times the gradient norm.

    Args:
        dataset: slices.

    Returns:
        Step sizes over checkpoint and draw; NaN where the learning rate is unknown, where d does
        not point along −∇L, so that no step size gives this update, and where the optimizer is not
        known to go along the gradient, as Adam does not.

    Raises:
        InvalidValueError: where the slices do not hold norm and slope of their direction.
    """
    rate: xr.DataArray = dataset["learning_rate"] * step_per_learning_rate(dataset)
    return rate.where(goes_along_gradient(dataset)).transpose(*dataset["gradient_norm"].dims)


# Optimizers whose update is the learning rate, or the step size searched, times the gradient: by
# the names of commands and of classes; unknown ones have a learning rate given as that of SGD.
_ALONG_GRADIENT = (
    *("sgd", "sgd-schedule", "torch.sgd", "sgd-armijo", "l-sls", "a-sls", "sa-sls"),
    *("sa-sls-thesis", "sgdarmijo", "losssls", "accuracysls", "smoothaccuracysls", "unknown"),
)


def goes_along_gradient(dataset: xr.Dataset) -> bool:
    """Say whether the optimizer's learning rate is a step size along the gradient.

    Args:
        dataset: slices.

    Returns:
        True for SGD and for line searches along the gradient, also where a momentum adds to it;
        False for Adam and its like, which scale every component, and for optimizers that are not
        known here.
    """
    name = str(dataset.attrs.get("optimizer", "unknown")).lower()
    return bool(dataset.attrs.get("search")) or name in _ALONG_GRADIENT


def step_per_learning_rate(dataset: xr.Dataset) -> xr.DataArray:
    """Compute how many step sizes an update with learning rate 1 along the gradient is.

    Args:
        dataset: slices.

    Returns:
        ‖∇L‖ / ‖d‖ over checkpoint and draw; NaN where d does not point along −∇L.

    Raises:
        InvalidValueError: where the slices do not hold norm and slope of their direction.
    """
    # ‖∇L‖ / ‖d‖
    length, along = dataset["gradient_norm"], norm(dataset)
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = (length == along) | (length.isnull() & along.isnull())
        ratio = (length / along).where(~alike, 1.0)
    found: xr.DataArray = ratio.where(along_gradient(dataset))
    return found


def along_gradient(dataset: xr.Dataset) -> xr.DataArray:
    """Say where the direction points along −∇L.

    Args:
        dataset: slices.

    Returns:
        Over checkpoint and draw: whether the cosine of d to −∇L is 1, by the stored norms and
        slope; true where the gradient is 0 or not a number, and no cosine tells.

    Raises:
        InvalidValueError: where the slices do not hold norm and slope of their direction.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # cos(d, −∇L) = −∇L · d / (‖∇L‖ · ‖d‖)
        opposite = slope(dataset) / (dataset["gradient_norm"] * norm(dataset))
    return ~(opposite > STEEPEST - 1)


def interpolated(
    values: xr.DataArray, steps: xr.DataArray, where: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Take values at step sizes between the sampled ones, linear between samples.

    Args:
        values: what is taken, with the dimension ``step_size``.
        steps: the sampled step sizes, (step_size,), ascending.
        where: the step sizes wanted, without that dimension, as over checkpoint and draw.

    Returns:
        The values there, without ``step_size``, and which of the step sizes lie within the sampled
        ones; where one does not, the value is that at the nearest end.
    """
    found = xr.apply_ufunc(
        lambda y, s, x: np.interp(x, s, y),
        values,
        steps,
        where,
        input_core_dims=[["step_size"], ["step_size"], []],
        vectorize=True,
    )
    return found, (where >= steps.min()) & (where <= steps.max())


def mode_of(dataset: xr.Dataset, metric: str, mode: str | None = None) -> str:
    """Say which values of a metric are better.

    Args:
        dataset: slices, which know it of metrics of one's own.
        metric: name of the metric.
        mode: "min" or "max" if given; None to look up the metric.

    Returns:
        "min" or "max".

    Raises:
        InvalidValueError: for an unknown metric without a mode.
    """
    if mode is not None:
        return mode
    known = METRICS[metric].mode if metric in METRICS else None
    found = known or (dataset[metric].attrs.get("mode") if metric in dataset else None)
    if found not in ("min", "max"):
        raise InvalidValueError(
            f"whether {metric!r} is better higher or lower is not known; give mode='min' or "
            "mode='max', or own_metric(…, mode=…) when it is probed"
        )
    return str(found)


def applied(
    dataset: xr.Dataset,
    values: xr.DataArray,
    function: Callable[..., tuple[Any, ...]],
    outputs: list[list[str]],
    *more: xr.DataArray,
) -> tuple[xr.DataArray, ...]:
    """Apply a function of numpy arrays along ``step_size``, with named dimensions.

    Args:
        dataset: slices, which have the step sizes.
        values: what the function takes first, with the dimension ``step_size``.
        function: (values (…, step_size), step sizes (step_size,), more (…)) -> one array for each
            of ``outputs``.
        outputs: for each result, the dimensions it has in place of ``step_size``.
        *more: further arguments of the function, without the dimension ``step_size``.

    Returns:
        The results.
    """
    found = xr.apply_ufunc(
        function if len(outputs) > 1 else lambda *arrays: function(*arrays)[0],
        values.compute(),
        dataset["step_size"],
        *more,
        input_core_dims=[["step_size"], ["step_size"], *([[]] * len(more))],
        output_core_dims=outputs,
    )
    return found if len(outputs) > 1 else (found,)


def labelled(values: xr.DataArray, **found: tuple[xr.DataArray, str, str]) -> xr.Dataset:
    """Make a Dataset of named results.

    Args:
        values: the array whose order of dimensions they take.
        **found: name -> (result, long name, units).

    Returns:
        The variables, with long name and units as attributes.
    """
    return xr.Dataset(
        {
            name: array.transpose(*(d for d in values.dims if d in array.dims), ...).assign_attrs(
                long_name=long_name, units=units
            )
            for name, (array, long_name, units) in found.items()
        }
    )
