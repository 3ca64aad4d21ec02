"""What a figure shows: from the names a user gives to the part of the Dataset they mean."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, unknown
from landscape.slices.selection import metric_values

Checkpoints = int | Sequence[int] | None


def choose_metric(
    dataset: xr.Dataset, metric: str, slope_factor: float | None = None
) -> xr.DataArray:
    """The values of ``metric`` over checkpoint, draw, evaluation_set and step_size.

    Of a smooth metric, those at ``slope_factor``, or else at the factor nearest to 1.
    """
    values = metric_values(dataset, metric)
    if "slope_factor" in values.dims:
        factors = values["slope_factor"].values
        wanted = 1.0 if slope_factor is None else slope_factor
        nearest = int(np.argmin(np.abs(factors - wanted)))
        if slope_factor is not None and not np.isclose(factors[nearest], slope_factor):
            raise unknown("slope factor", slope_factor, [f"{factor:g}" for factor in factors])
        values = values.isel(slope_factor=nearest)
    elif slope_factor is not None:
        raise InvalidValueError(f"slope factor {slope_factor!r} was given, but {metric} has none")
    return values.transpose("checkpoint", "draw", "evaluation_set", "step_size")


def choose_checkpoints(
    dataset: xr.Dataset, checkpoint: Checkpoints, most: int | None = None
) -> list[int]:
    """The positions of the iterations ``checkpoint``, in that order.

    By default all of them or, of more than ``most``, so many evenly spread, first and last
    included.
    """
    iterations = [int(each) for each in dataset["iteration"].values]
    if not iterations:
        raise InvalidValueError("the dataset holds no checkpoint, so there is nothing to plot")
    if checkpoint is None:
        count = min(len(iterations), most or len(iterations))
        return [round(at) for at in np.linspace(0, len(iterations) - 1, count)]
    wanted = [checkpoint] if isinstance(checkpoint, int | np.integer) else list(checkpoint)
    if not wanted:
        raise InvalidValueError("checkpoint [] names no iteration")
    for each in wanted:
        if each not in iterations:
            raise unknown("checkpoint", each, map(str, iterations))
    return [iterations.index(each) for each in wanted]


def choose_checkpoint(dataset: xr.Dataset, checkpoint: Checkpoints) -> int:
    """The position of one iteration; by default the second checkpoint, or the only one."""
    if checkpoint is None:
        return choose_checkpoints(dataset, None)[:2][-1]
    positions = choose_checkpoints(dataset, checkpoint)
    if len(positions) > 1:
        raise InvalidValueError(f"checkpoint {checkpoint!r} names several; this figure shows one")
    return positions[0]


def choose_draw(dataset: xr.Dataset, draw: int | None) -> int:
    """The position of one draw; by default the first."""
    draws = [int(each) for each in dataset["draw"].values]
    if draw is None:
        return 0
    if draw not in draws:
        raise unknown("draw", draw, map(str, draws))
    return draws.index(draw)


def draw_note(dataset: xr.Dataset, position: int) -> list[str]:
    """What a title says of the one draw that is shown; nothing where there is but one."""
    draws = dataset["draw"].values
    return [f"draw {draws[position]} of {len(draws)}"] if len(draws) > 1 else []


def choose_step_size(
    steps: NDArray[np.float64], step_size: float | None, learning_rate: float
) -> int:
    """The position of ``step_size``; by default of the nearest to the learning rate, or to 0.1.

    That is not 0, unless nothing else was sampled. ``steps`` (step_size,).
    """
    if step_size is not None:
        found = np.flatnonzero(np.isclose(steps, step_size, rtol=1e-6, atol=0))
        if not found.size:
            raise unknown("step size", step_size, [f"{step:g}" for step in steps])
        return int(found[0])
    wanted = learning_rate if np.isfinite(learning_rate) else 0.1
    return int(np.argmin(np.where(steps == 0, np.inf, np.abs(steps - wanted))))
