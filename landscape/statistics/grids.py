"""What statistics of planes share: grids of values, their best point, and lengths in the plane."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from landscape.errors import InvalidValueError
from landscape.slices.planes import SECOND, cosine
from landscape.slices.selection import norm
from landscape.statistics.curves import Floats, slices

ALONG = ("step_size", SECOND)


def grid(
    values: ArrayLike, step_sizes: ArrayLike, step_sizes_2: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Convert the values of planes and both step sizes, and refuse what does not belong together.

    Args:
        values: (…, step_size, step_size_2).
        step_sizes: (step_size,), finite and ascending, at least 2.
        step_sizes_2: (step_size_2,), the same.

    Returns:
        All as float64 arrays.

    Raises:
        InvalidValueError: for shapes that do not fit, and step sizes that are not finite and
            ascending or fewer than 2.
    """
    y = np.asarray(values, dtype=np.float64)
    shapes = (np.shape(step_sizes), np.shape(step_sizes_2))
    if y.ndim < 2 or (y.shape[-2:-1], y.shape[-1:]) != shapes or min(y.shape[-2:]) < 2:
        raise InvalidValueError(
            f"values of shape {y.shape} and step sizes of shapes {shapes[0]} and {shapes[1]} do "
            "not fit; give (…, step_size, step_size_2) and both step sizes, at least 2 of each"
        )
    _, s = slices(y[..., 0], step_sizes)
    _, t = slices(y[..., 0, :], step_sizes_2)
    return y, s, t


def best_places(turned: Floats, s: Floats, t: Floats) -> NDArray[np.intp]:
    """Find the highest finite value of each grid; of several the one nearest to 0.

    Of several equally near it is the one with the larger step sizes.

    Args:
        turned: (…, step_size, step_size_2), values of which higher ones are better.
        s: (step_size,).
        t: (step_size_2,).

    Returns:
        (…), places in the grid as one row of step_size · step_size_2 values; 0 where no value is
        finite.
    """
    flat = np.where(np.isfinite(turned), turned, -np.inf).reshape(*turned.shape[:-2], -1)
    first, second = (each.ravel() for each in np.meshgrid(s, t, indexing="ij"))
    order = np.lexsort((-second, -first, np.hypot(first, second)))  # nearest to 0 first
    places: NDArray[np.intp] = order[np.argmax(flat[..., order], axis=-1)]
    return places


def lengths(dataset: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Take what turns step sizes of planes into distances.

    Args:
        dataset: planes.

    Returns:
        ‖d₁‖, ‖d₂‖ and the cosine of the angle between d₁ and d₂ as sampled, each over checkpoint
        and draw.

    Raises:
        InvalidValueError: where the planes do not hold them.
    """
    first = norm(dataset)
    for name in ("direction_norm_2", "direction_cosine"):
        if name not in dataset.coords:
            raise InvalidValueError(
                f"the planes have no {name}; probe them again or, where draws were resampled, "
                "resample the statistic of each draw instead"
            )
    second = dataset["direction_norm_2"]
    return first.compute(), second.compute(), cosine(dataset).compute()


def applied_to_planes(
    dataset: xr.Dataset,
    values: xr.DataArray,
    function: Callable[..., tuple[Any, ...]],
    outputs: list[list[str]],
    *more: xr.DataArray,
) -> tuple[xr.DataArray, ...]:
    """Apply a function of numpy arrays over both step sizes, with named dimensions.

    Args:
        dataset: planes, which have the step sizes.
        values: what the function takes first, with both dimensions.
        function: (values (…, step_size, step_size_2), step sizes (step_size,), step sizes
            (step_size_2,), more (…)) -> one array for each of ``outputs``, of at least 2.
        outputs: for each result, the dimensions it has in place of both.
        *more: further arguments of the function, without both dimensions.

    Returns:
        The results.
    """
    found: tuple[xr.DataArray, ...] = xr.apply_ufunc(
        function,
        values.compute(),
        *(dataset[name] for name in ALONG),
        *more,
        input_core_dims=[list(ALONG), *([name] for name in ALONG), *([[]] * len(more))],
        output_core_dims=outputs,
    )
    return found
