"""A table of how the values of slices are shaped: sharpness, curvature, convexity and barrier."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from landscape import statistics
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric
from landscape.slices.wording import metric_label, name_label, placed_by, source_label
from landscape.statistics import require_slices
from landscape.tables.columns import (
    Column,
    Names,
    draws_note,
    line_note,
    sets_of,
    with_note,
)

ROUNDING = 1e-6  # of a loss of a float32 network, relative to it
# What the columns say, for those that a table has.
MEANINGS = {
    "critical step size": "Critical step size: where the values first get worse than at 0, along "
    "positive step sizes.",
    "2/critical": "2/critical: critical sharpness.",
    "curvature": "Curvature: per squared distance, at 0.",
    "share of eigenvalue": "Share of eigenvalue: curvature over that of the direction.",
    "convex": "Convex: share of samples that do not lie above their neighbours' chord.",
    "rise": "Rise: how far a sample lies above the chord of two others, at most.",
    "barrier": "Barrier: how far the values between step sizes 0 and 1 are worse than on the "
    "straight line, at most.",
}


def slice_shapes(
    dataset: xr.Dataset,
    *,
    checkpoint: Checkpoints = None,
    evaluation_set: Names = None,
    metric: str = "loss",
    slope_factor: float | None = None,
) -> pd.DataFrame:
    """How the values of every slice are shaped around its start.

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-0.2, -0.1, 0, 0.1, 0.2])
    >>> table = landscape.tables.slice_shapes(slices, evaluation_set="same_batch")
    >>> list(table)[:2]
    ['critical step size', 'open critical step size']

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them; of planes, those
            along the first direction.
        checkpoint: iteration or iterations to show; by default all.
        evaluation_set: name or names of evaluation sets; by default all.
        metric: name of the variable.
        slope_factor: that of smooth accuracy; by default the nearest to 1.

    Returns:
        A row for each checkpoint and evaluation set: the critical step size s_c and the critical
        sharpness 2/s_c, the curvature per squared distance, its share of the direction's eigenvalue
        where one is stored, how convex the slice is, and, where 0 and 1 were sampled with a step
        size between, the barrier. Columns "open …" are the shares of draws of which the true value
        may be larger; of several draws there are mean and sd.

    Raises:
        InvalidValueError: for a Dataset without slices, an unknown checkpoint, evaluation set,
            metric or slope factor, and where step size 0 was not sampled.
    """
    require_slices(dataset)
    values = choose_metric(dataset, metric, slope_factor)
    slices = values.to_dataset(name=metric).assign_attrs(dataset.attrs)
    every = [str(name) for name in dataset["evaluation_set"].values]
    positions, sets = choose_checkpoints(dataset, checkpoint), sets_of(dataset, evaluation_set)
    columns: dict[str, Any] = {}
    said = []
    for column in _columns(slices, metric):
        found = column.cells(positions, [every.index(name) for name in sets])
        columns |= found
        said += [MEANINGS[column.name.partition(" (")[0]]] if found else []
    rows = [(int(dataset["iteration"][at]), name_label(name)) for at in positions for name in sets]
    index = pd.MultiIndex.from_tuples(rows, names=[placed_by(dataset), "evaluation set"])
    head = ", ".join(filter(None, [source_label(dataset), metric_label(values)]))
    if any(any(column) for name, column in columns.items() if name.startswith("open ")):
        said.append("≥: the true value may lie beyond the sampled range.")
    note = f"{head}. {' '.join(said)}{line_note(dataset)}{draws_note(dataset)}"
    frame = pd.DataFrame(columns, index)
    return with_note(frame, dict.fromkeys(map(str, frame.columns), ".3g"), note)


def _columns(slices: xr.Dataset, metric: str) -> list[Column]:
    everywhere = xr.ones_like(slices["evaluation_set"], dtype=bool)
    units = slices[metric].attrs.get("units", "1")
    of = "" if units == "1" else f" ({units})"
    critical = statistics.critical_step_sizes(slices, metric)
    sharpness = statistics.critical_sharpness(slices, metric)
    columns = [
        Column("critical step size", critical["critical"], everywhere, critical["open"]),
        Column(f"2/critical{of}", sharpness["sharpness"], everywhere & ~sharpness["open"]),
    ]
    steps = slices["step_size"].values
    if (steps < 0).any() and (steps > 0).any():
        curved = statistics.curvatures(slices, metric)
        columns.append(Column(f"curvature{of}", curved["curvature"], everywhere))
        if "share" in curved:
            columns.append(Column("share of eigenvalue", curved["share"], everywhere))
    if len(steps) > 2:
        rounding = ROUNDING * float(abs(slices[metric]).median())
        convex = statistics.convexities(slices, metric, tolerance=rounding)
        columns.append(Column("convex", convex["convex"], everywhere))
        columns.append(Column(f"rise{of}", convex["rise"], everywhere))
    between = (steps > 0) & (steps < 1)
    if np.isin([0.0, 1.0], steps).all() and between.any():
        found = statistics.barriers(slices, metric)
        columns.append(Column(f"barrier{of}", found["barrier"], everywhere, found["open"]))
    return columns
