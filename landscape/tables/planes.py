"""A table of one store's planes: where each is best, and what of the training path lies in it."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from landscape import statistics
from landscape.slices.choice import choose_checkpoints, choose_plane, main_metric
from landscape.slices.planes import SECOND
from landscape.slices.selection import mode_of
from landscape.slices.wording import metric_label, name_label, placed_by, source_label
from landscape.statistics import SIGNS, require_slices
from landscape.tables.columns import with_note

Floats = NDArray[np.float64]


def plane_statistics(
    dataset: xr.Dataset, *, metric: str | None = None, slope_factor: float | None = None
) -> pd.DataFrame:
    """The value of every plane at its origin, its best sampled value and where that is.

    Args:
        dataset: planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable; by default accuracy, or else loss.
        slope_factor: that of smooth accuracy; by default the nearest to 1.

    Returns:
        A row for each checkpoint, evaluation set and, of several, draw: the value at the origin
        (none where it was not sampled) and the best finite one in the units of the metric, and the
        step sizes where the best is (of several the one nearest to the origin, measured in shares
        of the sampled ranges); the area within 10 % of the best, in squared distance, and of a loss
        the curvatures of the fitted quadratic, per squared distance. Where there is a training
        path, also the share of its variance that the projection keeps.

    Raises:
        InvalidValueError: for a Dataset without planes or checkpoints, an unknown metric or slope
            factor, and a metric of which it is not known whether it is better higher or lower.
    """
    require_slices(dataset)
    metric = main_metric(dataset, metric)
    values = choose_plane(dataset, metric, slope_factor)
    sign = SIGNS[mode_of(dataset, metric)]
    units = str(values.attrs.get("units", "1"))
    of = "" if units == "1" else f" ({units})"
    several = dataset.sizes["draw"] > 1
    positions = choose_checkpoints(dataset, None)
    planes = values.to_dataset(name=metric).assign_attrs(dataset.attrs)
    area = statistics.areas(planes, metric, against="distance", relative=True)
    curved = statistics.anisotropy(planes, metric) if sign < 0 and _fits(dataset) else None
    rows: list[dict[str, Any]] = []
    index: list[tuple[Any, ...]] = []
    for at in positions:
        for name in map(str, dataset["evaluation_set"].values):
            for draw in range(dataset.sizes["draw"]):
                here = {"checkpoint": at, "draw": draw}
                one = values.isel(checkpoint=at, draw=draw).sel(evaluation_set=name)
                row = _row(one, sign, of)
                where = area.isel(here).sel(evaluation_set=name)
                row["area (distance²)"] = float(where["area"])
                row["open area"] = float(where["open"])
                if curved is not None:
                    bent = curved.isel(here).sel(evaluation_set=name)
                    row[f"largest curvature{of}"] = float(bent["largest"])
                    row[f"smallest curvature{of}"] = float(bent["smallest"])
                if "path_explained" in dataset.coords:
                    kept = dataset["path_explained"].isel(checkpoint=at, draw=draw)
                    row["path variance kept"] = float(kept)
                rows.append(row)
                number = [int(dataset["draw"][draw])] if several else []
                index.append((int(dataset["iteration"][at]), name_label(name), *number))
    names = [placed_by(dataset), "evaluation set", *["draw"] * several]
    frame = pd.DataFrame(rows, pd.MultiIndex.from_tuples(index, names=names), dtype=object)
    head = ", ".join(filter(None, [source_label(dataset), metric_label(values)]))
    note = (
        f"{head}. Best: of the sampled values; step sizes along the first and second direction. "
        "Area: within 10 % of the best, around it; ≥: it may go beyond the plane."
    )
    if curved is not None:
        note += (
            " Curvature: of the quadratic of least squares near the origin, per squared distance."
        )
    if "path_explained" in dataset.coords:
        note += (
            " Path variance kept: share of the training path's variance about its mean that its "
            "projection onto the plane keeps."
        )
    return with_note(frame, dict.fromkeys(map(str, frame.columns), ".4g"), note)


def _fits(dataset: xr.Dataset) -> bool:
    """Whether a quadratic is known by the samples."""
    steps = [dataset[name].values for name in ("step_size", SECOND)]
    return all(0 in each and len(each) > 2 for each in steps)


def _row(values: xr.DataArray, sign: float, of: str) -> dict[str, Any]:
    """One plane, (step_size_2, step_size); ``sign`` is −1 where lower values are better."""
    s, t = values["step_size"].values, values[SECOND].values
    array: Floats = values.transpose(SECOND, "step_size").values
    origin = array[np.ix_(t == 0, s == 0)].ravel()
    best, where, where_2 = np.nan, np.nan, np.nan
    if (finite := np.isfinite(array)).any():
        best = sign * np.max(sign * array[finite])
        second, first = np.nonzero(array == best)
        far = np.hypot(s[first] / (np.abs(s).max() or 1), t[second] / (np.abs(t).max() or 1))
        nearest = np.argmin(far)
        where, where_2 = s[first[nearest]], t[second[nearest]]
    return {
        f"at the origin{of}": origin[0] if origin.size else None,
        f"best{of}": best,
        "at step size": where,
        "at second step size": where_2,
    }
