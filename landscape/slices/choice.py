"""What a figure shows: from the names that a user gives to the part of the Dataset they mean."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.slices.planes import SECOND, first_line, require_plane
from landscape.slices.selection import metric_values, metrics, set_name

Checkpoints = int | Sequence[int] | None
"""One iteration, several, or None for a default."""


def main_metric(dataset: xr.Dataset, metric: str | None = None) -> str:
    """Choose the metric that is shown unless another is asked for.

    Args:
        dataset: slices.
        metric: what was asked for.

    Returns:
        That; else accuracy, or the loss where there is none, or what there is.
    """
    if metric is not None:
        return metric
    there = metrics(dataset)
    return next((name for name in ("accuracy", "loss", *there) if name in there), "accuracy")


def main_set(
    dataset: xr.Dataset, evaluation_set: str | None = None, main: str = "validation"
) -> str:
    """Choose the evaluation set that is shown unless another is asked for.

    Args:
        dataset: slices or planes.
        evaluation_set: what was asked for.
        main: the set that a figure shows of itself.

    Returns:
        What was asked for; else the main one, or the first set where there is no such.

    Raises:
        UnknownNameError: for a set that the slices do not have.
    """
    if evaluation_set is not None:
        return set_name(dataset, evaluation_set)
    names = [str(each) for each in dataset["evaluation_set"].values]
    return main if main in names else names[0]


def choose_metric(
    dataset: xr.Dataset, metric: str, slope_factor: float | None = None
) -> xr.DataArray:
    """Select the values of a metric along the slices; of a plane, along its first direction.

    Args:
        dataset: slices or planes.
        metric: name of the metric.
        slope_factor: for a metric with slope factors, the one to take; by default the nearest to
            1.

    Returns:
        Values over checkpoint, draw, evaluation_set and step_size.

    Raises:
        UnknownNameError: for a metric or a slope factor that the slices do not have.
        InvalidValueError: for a slope factor of a metric that takes none, and for a plane that was
            not sampled at 0 along its second direction.
    """
    values = at_slope_factor(first_line(dataset), metric, slope_factor)
    return values.transpose("checkpoint", "draw", "evaluation_set", "step_size")


def choose_plane(
    dataset: xr.Dataset, metric: str, slope_factor: float | None = None
) -> xr.DataArray:
    """Select the values of a metric over planes.

    Args:
        dataset: planes.
        metric: name of the metric.
        slope_factor: as in :func:`choose_metric`.

    Returns:
        Values over checkpoint, draw, evaluation_set, step_size_2 and step_size.

    Raises:
        UnknownNameError: for a metric or a slope factor that the planes do not have.
        InvalidValueError: for slices along one direction, and for a slope factor of a metric that
            takes none.
    """
    require_plane(dataset)
    values = at_slope_factor(dataset, metric, slope_factor)
    return values.transpose("checkpoint", "draw", "evaluation_set", SECOND, "step_size")


def at_slope_factor(
    dataset: xr.Dataset, metric: str, slope_factor: float | None = None
) -> xr.DataArray:
    """Select the values of a metric at one slope factor, with all other dimensions.

    Args:
        dataset: slices or planes.
        metric: name of the metric.
        slope_factor: as in :func:`choose_metric`.

    Returns:
        The values.

    Raises:
        UnknownNameError: for a metric or a slope factor that the slices do not have.
        InvalidValueError: for a slope factor of a metric that takes none.
    """
    values = metric_values(dataset, metric)
    if "slope_factor" in values.dims:
        factors = values["slope_factor"].values
        wanted = 1.0 if slope_factor is None else slope_factor
        nearest = int(np.argmin(np.abs(factors - wanted)))
        if slope_factor is not None and not np.isclose(factors[nearest], slope_factor):
            raise UnknownNameError(
                "slope factor", slope_factor, [f"{factor:g}" for factor in factors]
            )
        values = values.isel(slope_factor=nearest)
    elif slope_factor is not None:
        raise InvalidValueError(
            f"slope factor {slope_factor!r} was given, but {metric} has none; leave it out"
        )
    return values


def choose_checkpoints(
    dataset: xr.Dataset, checkpoint: Checkpoints, most: int | None = None
) -> list[int]:
    """Find the positions of checkpoints.

    Args:
        dataset: slices.
        checkpoint: iteration, or several; None for all.
        most: with None for ``checkpoint``, the largest number of checkpoints. Of more, that many
            are chosen, evenly spread from the first to the last.

    Returns:
        Positions along ``checkpoint``, in the order of the iterations given.

    Raises:
        InvalidValueError: for an iteration that the slices do not have, for an empty list, and for
            slices without a checkpoint.
        UnknownNameError: for a name that is not known.
    """
    iterations = [int(each) for each in dataset["iteration"].values]
    if not iterations:
        raise InvalidValueError("the dataset holds no checkpoint, so there is nothing to plot")
    if checkpoint is None:
        count = min(len(iterations), most or len(iterations))
        return [round(at) for at in np.linspace(0, len(iterations) - 1, count)]
    wanted = [checkpoint] if isinstance(checkpoint, int | np.integer) else list(checkpoint)
    if not wanted:
        raise InvalidValueError("checkpoint [] names no iteration; give at least one")
    for each in wanted:
        if each not in iterations:
            raise UnknownNameError("checkpoint", each, map(str, iterations))
    return [iterations.index(each) for each in wanted]


def choose_checkpoint(dataset: xr.Dataset, checkpoint: Checkpoints) -> int:
    """Find the position of one checkpoint.

    Args:
        dataset: slices.
        checkpoint: its iteration; None for the second checkpoint, or the only one.

    Returns:
        The position along ``checkpoint``.

    Raises:
        InvalidValueError: for an iteration that the slices do not have, and for several.
    """
    if checkpoint is None:
        return choose_checkpoints(dataset, None)[:2][-1]
    positions = choose_checkpoints(dataset, checkpoint)
    if len(positions) > 1:
        raise InvalidValueError(f"checkpoint {checkpoint!r} names several; this figure shows one")
    return positions[0]


def choose_draw(dataset: xr.Dataset, draw: int | None) -> int:
    """Find the position of one draw.

    Args:
        dataset: slices.
        draw: its number; None for the first draw.

    Returns:
        The position along ``draw``.

    Raises:
        UnknownNameError: for a draw that the slices do not have.
    """
    draws = [int(each) for each in dataset["draw"].values]
    if draw is None:
        return 0
    if draw not in draws:
        raise UnknownNameError("draw", draw, map(str, draws))
    return draws.index(draw)


def draw_note(dataset: xr.Dataset, position: int) -> list[str]:
    """Word for a title which draw is shown.

    Args:
        dataset: slices.
        position: position of the draw that is shown.

    Returns:
        ["draw 3 of 4"], or [] where the slices have one draw only.
    """
    draws = dataset["draw"].values
    return [f"draw {draws[position]} of {len(draws)}"] if len(draws) > 1 else []


def choose_step_size(
    steps: NDArray[np.float64], step_size: float | None, learning_rate: float
) -> int:
    """Find the position of a step size.

    Args:
        steps: the sampled step sizes, (step_size,).
        step_size: the one to find; by default the nearest to ``learning_rate``, or to 0.1 if that
            is NaN. The default is not 0, unless only 0 was sampled.
        learning_rate: the learning rate, NaN if unknown.

    Returns:
        The position in ``steps``.

    Raises:
        UnknownNameError: for a step size that was not sampled.
    """
    if step_size is not None:
        found = np.flatnonzero(np.isclose(steps, step_size, rtol=1e-6, atol=0))
        if not found.size:
            raise UnknownNameError("step size", step_size, [f"{step:g}" for step in steps])
        return int(found[0])
    wanted = learning_rate if np.isfinite(learning_rate) else 0.1
    return int(np.argmin(np.where(steps == 0, np.inf, np.abs(steps - wanted))))
