"""What of a slice goes to a training's logger."""

import xarray as xr

from landscape.statistics import scalars


def logged(slice_: xr.Dataset) -> dict[str, float]:
    """Name the scalars of a slice for a logger.

    Args:
        slice_: a slice of one checkpoint and one draw.

    Returns:
        The numbers of :func:`landscape.statistics.scalars`, each as ``landscape/<name>``, say
        ``landscape/peak_width/same_batch``.
    """
    return {f"landscape/{name}": value for name, value in scalars(slice_).items()}
