"""What a Dataset holds, by name, and where its step sizes lie."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError, unknown
from landscape.metrics import METRICS
from landscape.slices.schema import upgraded

# How far the cosine to −∇L may be from 1 for a direction to point along it.
STEEPEST = 1e-6


def require_slices(dataset: xr.Dataset) -> None:
    """Refuse a Dataset of something else, as a history of epochs."""
    needed = ("checkpoint", "draw", "evaluation_set", "step_size")
    if missing := [name for name in needed if name not in dataset.dims]:
        raise InvalidValueError(
            f"these are no slices: the dimensions {', '.join(map(str, dataset.dims)) or 'none'} "
            f"lack {', '.join(missing)}; give what landscape probe made"
        )


def metrics(dataset: xr.Dataset) -> list[str]:
    """The names of the variables measured along the slice."""
    return [str(name) for name, array in dataset.items() if "step_size" in array.dims]


def metric_values(dataset: xr.Dataset, metric: str) -> xr.DataArray:
    """The variable ``metric``; an unknown name raises and lists those there are."""
    if metric not in metrics(dataset):
        raise unknown("metric", metric, metrics(dataset))
    return dataset[metric]


def set_name(dataset: xr.Dataset, name: str) -> str:
    """``name``, where it is an evaluation set of ``dataset``; else raises and lists those."""
    names = [str(each) for each in dataset["evaluation_set"].values]
    if name not in names:
        raise unknown("evaluation set", name, names)
    return name


def distance(dataset: xr.Dataset) -> xr.DataArray:
    """How far from the origin each step size lies, over checkpoint, draw and step_size.

    The parameters are θ + s·d, so the distance, with the sign of s, is s · ‖d‖.
    """
    with np.errstate(invalid="ignore"):  # 0 · ∞
        result = norm(dataset) * dataset["step_size"]
    result = result.transpose("checkpoint", "draw", "step_size")
    return result.rename("distance").assign_attrs(long_name="distance", units="1")


def norm(dataset: xr.Dataset) -> xr.DataArray:
    """‖d‖ over checkpoint and draw.

    Raises :class:`InvalidValueError` where the slices do not tell it.
    """
    return _told(dataset, "direction_norm")


def slope(dataset: xr.Dataset) -> xr.DataArray:
    """∇L · d, the derivative of the batch's loss along the direction, over checkpoint and draw.

    Raises :class:`InvalidValueError` where the slices do not tell it.
    """
    return _told(dataset, "direction_slope")


def _told(dataset: xr.Dataset, name: str) -> xr.DataArray:
    dataset = upgraded(dataset)
    if name not in dataset.coords:
        raise InvalidValueError(
            f"the slices along {dataset.attrs.get('direction')!r} have no {name}; probe them again"
        )
    return dataset[name]


def learning_step(dataset: xr.Dataset) -> xr.DataArray:
    """The step size of an update by learning rate times gradient, over checkpoint and draw.

    lr · ‖∇L‖ / ‖d‖: the learning rate itself along the gradient, and times the gradient norm
    along the normalised one. NaN where d does not point along −∇L, where no step size is that
    update.
    """
    length, along = dataset["gradient_norm"], norm(dataset)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (length / along).where(length != along, 1.0)
        cosine = slope(dataset) / (length * along)
    rate: xr.DataArray = xr.ones_like(length) * dataset["learning_rate"] * ratio
    return rate.where((length * along == 0) | (cosine < STEEPEST - 1))


def mode_of(metric: str, mode: str | None) -> str:
    """``mode`` where it is given, else what is known of ``metric``."""
    if mode is not None:
        return mode
    if metric not in METRICS:
        raise InvalidValueError(f"whether {metric!r} is better higher or lower is not known")
    return METRICS[metric].mode


def applied(
    dataset: xr.Dataset,
    values: xr.DataArray,
    function: Callable[..., tuple[Any, ...]],
    outputs: list[list[str]],
    *more: xr.DataArray,
) -> tuple[xr.DataArray, ...]:
    """``function(values (…, step_size), step sizes, more (…))``, with named dimensions."""
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
    """Variables with their long name and units, and the order of dimensions ``values`` has."""
    return xr.Dataset(
        {
            name: array.transpose(*(d for d in values.dims if d in array.dims), ...).assign_attrs(
                long_name=long_name, units=units
            )
            for name, (array, long_name, units) in found.items()
        }
    )
