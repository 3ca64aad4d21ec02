"""The learning rate over the epochs of runs with schedules (Fig. 4 of [Hackel2023])."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.histories.collection import Group, groups, unfinished
from landscape.histories.labels import short
from landscape.plots.drawing import style, ticks
from landscape.plots.drawing.curves import Curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices.wording import optimizer_label, run_label, task_label


@figure
def plot_schedules(
    dataset: xr.Dataset, *, ax: Axes | None = None, value_scale: str = "auto"
) -> Axes:
    """Plot the learning rate over the epochs of several runs, one colour per setting.

    It is the ``step_size`` of the histories: the learning rate during an epoch, or for a line
    search the step size of the epoch's last update. Runs of one setting share a line where they
    agree, and have one each where they do not. The legend names the schedules, except for line
    searches without one; an unfinished run ends in a circle.

    Returns:
        The axes.

    Raises:
        InvalidValueError: for an unknown scale of the values.
    """
    found = groups(dataset)
    looks = [replace(look, marker="") for look in style.setting_styles(len(found), ordered=False)]
    labels, title = _labels(found)
    curves = [
        Curve(
            np.arange(len(rates) + 1.0),
            np.append(rates[:1], rates)[None],
            "_" * (i > 0) + label,
            look,
        )
        for group, label, look in zip(found, labels, looks, strict=True)
        for i, rates in enumerate(_distinct(group))
    ]
    (panel,) = style.axes(ax, 1, height=2.7)
    handles = draw(panel, curves, value_scale=value_scale)
    for line in panel.lines:
        if line.get_gid() == "curve":
            line.set_drawstyle("steps-pre")  # an epoch's value holds from the end of the one before
    circle: dict[str, Any] = {"marker": "o", "mfc": "none", "mew": 0.8, "linestyle": ""}
    for group, look in zip(found, looks, strict=True):
        for rates, open_ in zip(group.series("step_size"), unfinished(group.runs), strict=True):
            if open_ and rates.size:
                panel.plot(rates.size, rates[-1], color=look.color, gid="unfinished", **circle)
    if any(line.get_gid() == "unfinished" for line in panel.lines):
        handles.append(Line2D([], [], label="unfinished run", color="0.4", **circle))
    panel.set_xlim(left=0)
    ticks.whole(panel.xaxis)
    panel.set_title(title)
    panel.set_xlabel("epoch")
    panel.set_ylabel("learning rate" + " or step size" * _searches(dataset))
    style.legend_below(panel, handles, columns=2)
    return panel


def _labels(found: Sequence[Group]) -> tuple[list[str], str]:
    """How the groups differ, with their schedules, and what they share."""
    tasks = list(dict.fromkeys(group.task for group in found))
    names, common = short([group.label for group in found])
    labels = []
    for group, name in zip(found, names, strict=True):
        schedule = str(json.loads(str(group.runs["record"][0].item())).get("schedule", ""))
        if schedule in name or (schedule == "constant" and _searches(group.runs)):
            schedule = ""
        task = task_label(group.task) if len(tasks) > 1 else ""
        labels.append(", ".join(filter(None, [task, run_label(name), schedule])))
    shared = [task_label(tasks[0]) if len(tasks) == 1 else "", optimizer_label(common)]
    return labels, ", ".join(filter(None, shared))


def _searches(dataset: xr.Dataset) -> bool:
    """Whether any run searched for step sizes."""
    return "searches" in dataset and bool((dataset["searches"] > 0).any())


def _distinct(group: Group) -> list[NDArray[np.float64]]:
    """The learning rates of a group's runs, (epochs done,) each; equal ones are kept once."""
    kept: list[NDArray[np.float64]] = []
    for rates in sorted(group.series("step_size"), key=len, reverse=True):
        if not any(np.array_equal(rates, other[: rates.size], equal_nan=True) for other in kept):
            kept.append(rates)
    return kept
