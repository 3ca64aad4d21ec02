"""Planes: slices over two directions, over ``step_size`` and ``step_size_2``."""

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError

SECOND = "step_size_2"


def is_plane(dataset: xr.Dataset | xr.DataArray) -> bool:
    """Say whether values lie over two directions.

    Args:
        dataset: slices or planes, or values of them.

    Returns:
        Whether there is a dimension ``step_size_2``.
    """
    return SECOND in dataset.dims


def require_plane(dataset: xr.Dataset) -> None:
    """Refuse slices along one direction where a plane is needed.

    Args:
        dataset: what should be a plane.

    Raises:
        InvalidValueError: where it is none.
    """
    if not is_plane(dataset):
        raise InvalidValueError(
            f"these are slices along one direction ({dataset.attrs.get('direction', 'unknown')!r}),"
            " not a plane; probe with a second one (--and, direction_2=)"
        )


def first_line(dataset: xr.Dataset) -> xr.Dataset:
    """Take the slice along a plane's first direction, through its origin.

    Args:
        dataset: slices or planes.

    Returns:
        Slices: of a plane what lies at 0 along the second direction, without its coordinates; what
        is no plane is returned unchanged.

    Raises:
        InvalidValueError: where 0 was not sampled along the second direction.
    """
    if not is_plane(dataset):
        return dataset
    (places,) = np.nonzero(dataset[SECOND].values == 0)
    if not places.size:
        raise InvalidValueError(
            "the plane was not sampled at 0 along its second direction, so it has no slice along "
            f"its first one; its step sizes there are {dataset[SECOND].values.tolist()}"
        )
    return dataset.isel({SECOND: int(places[0])}).drop_vars(SECOND)


def cosine(dataset: xr.Dataset) -> xr.DataArray:
    """Take the cosine of the angle between the two directions of a plane, as it was sampled.

    Args:
        dataset: planes.

    Returns:
        Cosines over checkpoint and draw: 0 where the second direction was made orthogonal to the
        first.
    """
    found = dataset["direction_cosine"]
    return xr.zeros_like(found) if dataset.attrs.get("orthogonal", False) else found


def path_shown(dataset: xr.Dataset) -> bool:
    """Say whether a training path is projected onto the slices or planes.

    Args:
        dataset: slices or planes.

    Returns:
        Whether there are the coordinates ``path_…``.
    """
    return "path_step_size" in dataset.coords
