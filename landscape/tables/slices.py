"""Tables of one store's slices: their values, and statistics of them.

``attrs["formats"]`` says how each column is rounded for a reader. All columns are numbers. NaN is a
value that was measured, or stands where there is none; ``attrs["missing"]`` tells them apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from landscape import statistics
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoint,
    choose_checkpoints,
    choose_draw,
    choose_metric,
    draw_note,
    main_metric,
)
from landscape.slices.selection import interpolated
from landscape.slices.wording import (
    checkpoint_label,
    metric_label,
    name_label,
    number,
    placed_by,
    source_label,
)
from landscape.statistics import require_slices
from landscape.tables.columns import (
    Column,
    Names,
    draws_note,
    line_note,
    names_of,
    over_draws,
    sets_of,
    with_note,
)


def slice_values(
    dataset: xr.Dataset,
    *,
    checkpoint: int | None = None,
    evaluation_set: Names = None,
    metric: str | Sequence[str] | None = None,
    slope_factor: float | None = None,
    draw: int | None = None,
) -> pd.DataFrame:
    """The values of one checkpoint's slices at all step sizes (Table 3 of [Hackel2023]).

    Of a plane, the slice along its first direction, at 0 along the second; the note says so.

    >>> slices = landscape.probe(model, (images, labels), validation, step_sizes=[0, 0.1])
    >>> table = landscape.tables.slice_values(slices, metric="loss")
    >>> table.shape  # step sizes, evaluation sets
    (2, 5)

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        checkpoint: iteration to show; by default that of the second checkpoint, or of the only one.
        evaluation_set: name or names of evaluation sets; by default all.
        metric: name or names of variables; by default the accuracy, or else the loss.
        slope_factor: that of smooth accuracy; by default the nearest to 1.
        draw: draw to show; by default the mean and sd (the population's) of all.

    Returns:
        A row for each step size, a column for each metric on each evaluation set, in the metric's
        units; of several draws two columns, mean and sd.

    Raises:
        InvalidValueError: for a Dataset without slices, an unknown checkpoint, evaluation set,
            metric, slope factor or draw, an empty list of names, and a slope factor where no metric
            has one; for a plane that was not sampled at 0 along its second direction.
    """
    require_slices(dataset)
    at = choose_checkpoint(dataset, checkpoint)
    which = []
    if draw is not None:
        position = choose_draw(dataset, draw)
        which = draw_note(dataset, position)
        dataset = dataset.isel(draw=[position])
    sets, metrics = (
        sets_of(dataset, evaluation_set),
        names_of("metric", main_metric(dataset) if metric is None else metric),
    )
    sloped = any("slope_factor" in dataset[name].dims for name in metrics if name in dataset)
    columns: dict[str, Any] = {}
    formats: dict[str, str] = {}
    for name in metrics:
        takes = not sloped or "slope_factor" in statistics.metric_values(dataset, name).dims
        values = choose_metric(dataset, name, slope_factor if takes else None)
        for each in sets:
            several = [(len(metrics) > 1, metric_label(values)), (len(sets) > 1, name_label(each))]
            label = ", ".join(text for wanted, text in several if wanted) or metric_label(values)
            one = values.isel(checkpoint=at).sel(evaluation_set=each)
            found = over_draws(label, one.transpose("draw", "step_size").values)
            columns |= found
            formats |= dict.fromkeys(found, ".6f" if values.attrs.get("units") == "1" else ".6g")
    frame = pd.DataFrame(columns, pd.Index(dataset["step_size"].values, name="step size"))
    said = [metric_label(choose_metric(dataset, metrics[0]))] if len(metrics) == 1 else []
    said += [name_label(sets[0])] if len(sets) == 1 else []
    head = [source_label(dataset), checkpoint_label(dataset.isel(checkpoint=at))]
    note = ", ".join(filter(None, [*head, *said, *which]))
    return with_note(frame, formats, f"{note}.{line_note(dataset)}{draws_note(dataset)}")


def slice_statistics(
    dataset: xr.Dataset,
    *,
    checkpoint: Checkpoints = None,
    evaluation_set: Names = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    against: str = "step-size",
    tolerance: float = 0.1,
    relative: bool = True,
) -> pd.DataFrame:
    """What :mod:`landscape.statistics` finds in every slice.

    Peak width, plateau, best step size and improvement; batch bias (same batch minus the set) at 0
    and at the step size of an update by the learning rate; gap (big batch minus validation) at 0.
    Where the slices start after the step, the bias at 0 is that of the update, and there is none at
    the learning rate. Bias and gap are linear between samples. Of a plane, these are statistics of
    the slice along its first direction, at 0 along the second; the note says so.

    >>> slices = landscape.probe(model, (images, labels), validation, step_sizes=[-0.1, 0, 0.1])
    >>> table = landscape.tables.slice_statistics(slices, evaluation_set="validation")
    >>> list(table)[:3]
    ['peak width', 'open peak width', 'plateau']

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        checkpoint: iteration or iterations to show; by default all.
        evaluation_set: name or names of evaluation sets; by default all.
        metric: name of the variable; by default accuracy, or else loss.
        slope_factor: that of smooth accuracy; by default the nearest to 1.
        against: what peak width and plateau are measured in: "step-size", or "distance" (times the
            norm of the direction).
        tolerance: how far a peak's values may lie from the best, at least 0: as a share of the best
            value if ``relative``, else in the units of the metric.
        relative: whether the tolerance is a share of the best value.

    Returns:
        A row for each checkpoint and evaluation set. The columns "open …" are the shares of draws
        whose true value may be larger than that in the column before; of several draws there are
        mean and sd (the population's). Improvement, bias and gap are in the units of the metric.

    Raises:
        InvalidValueError: for a Dataset without slices, an unknown checkpoint, evaluation set,
            metric, slope factor or value of ``against``, an empty list of names, and a tolerance
            that is not finite or below 0; for a plane that was not sampled at 0 along its second
            direction.
    """
    require_slices(dataset)
    metric = main_metric(dataset, metric)
    values = choose_metric(dataset, metric, slope_factor)
    positions, sets = choose_checkpoints(dataset, checkpoint), sets_of(dataset, evaluation_set)
    slices = values.to_dataset(name=metric).assign_attrs(dataset.attrs)
    every = [str(name) for name in dataset["evaluation_set"].values]
    columns: dict[str, Any] = {}
    formats: dict[str, str] = {}
    for column in _columns(slices, metric, against, tolerance, relative):
        found = column.cells(positions, [every.index(name) for name in sets])
        columns |= found
        formats |= dict.fromkeys(found, ".3g")
    rows = [(int(dataset["iteration"][at]), name_label(name)) for at in positions for name in sets]
    index = pd.MultiIndex.from_tuples(rows, names=[placed_by(dataset), "evaluation set"])
    head = ", ".join(filter(None, [source_label(dataset), metric_label(values)]))
    told = f"{head}. {_meaning(columns, against, tolerance, relative)}"
    return with_note(
        pd.DataFrame(columns, index), formats, told + line_note(dataset) + draws_note(dataset)
    )


def _columns(
    slices: xr.Dataset, metric: str, against: str, tolerance: float, relative: bool
) -> list[Column]:
    steps, sets = slices["step_size"], [str(each) for each in slices["evaluation_set"].values]
    everywhere = xr.ones_like(slices["evaluation_set"], dtype=bool)
    units = slices[metric].attrs.get("units", "1")
    of = "" if units == "1" else f" ({units})"
    columns = []
    for name, ranges in (
        ("peak width", statistics.peak_widths(slices, metric, against, tolerance, relative)),
        ("plateau", statistics.plateaus(slices, metric, against)),
    ):
        open_ = ranges["lower_open"] | ranges["upper_open"]
        columns.append(Column(name, ranges["width"], everywhere, open_))
    if 0 in steps:
        best = statistics.best_steps(slices, metric)
        columns += [
            Column("best step size", best["best_step_size"], everywhere),
            Column(f"improvement{of}", best["improvement"], everywhere, best["open"]),
        ]
    if "same_batch" in sets:
        bias = statistics.batch_bias(slices, metric)["bias"]
        others = slices["evaluation_set"] != "same_batch"
        places = {"0": xr.zeros_like(slices["gradient_norm"])}
        if slices.attrs.get("origin") != "after-step":  # else 0 is already one step further
            places["learning rate"] = statistics.learning_step(slices)
        for name, where in places.items():
            found, within = interpolated(bias, steps, where)
            columns.append(Column(f"bias at {name}{of}", found, others & within))
    if {"big_batch", "validation"} <= set(sets):
        gap = statistics.gap(slices, metric).expand_dims(evaluation_set=slices["evaluation_set"])
        found, within = interpolated(gap, steps, xr.zeros_like(slices["gradient_norm"]))
        validation = slices["evaluation_set"] == "validation"
        columns.append(Column(f"gap at 0{of}", found, validation & within))
    return columns


def _meaning(columns: Mapping[str, Any], against: str, tolerance: float, relative: bool) -> str:
    """What the columns of the statistics mean, for those that the table has."""
    within = f"{number(100 * tolerance)} %" if relative else number(tolerance)
    what = "step sizes" if against == "step-size" else "distances"
    said = [
        f"Peak width and plateau: how long the range of {what} is whose values lie within "
        f"{within} of the best, or equal that at 0."
    ]
    if any(any(column) for name, column in columns.items() if name.startswith("open ")):
        said.append("≥: the true value may lie beyond the sampled range.")
    if any("bias" in name for name in columns):
        said.append("Bias: same batch minus the set.")
    if any("bias at learning rate" in name for name in columns):
        said.append("lr: at the step size of an update by the learning rate.")
    if any("gap" in name for name in columns):
        said.append("Gap: big batch minus validation.")
    return " ".join(said)
