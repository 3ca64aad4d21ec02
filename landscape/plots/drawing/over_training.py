"""A statistic of every slice over the iterations of training, drawn the same way in every figure.

A value is open where the true one may lie beyond what was sampled; its marker is hollow. Of
several draws the line is the median, hollow where any draw is open, and the band reaches from
the lower to the upper quartile. A NaN among the draws makes both NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.plots.drawing import curves, style, theme, ticks
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric
from landscape.statistics import metrics, set_name

MANY = 3  # sets that can be told apart, with what their draws spread
MAIN = ("same_batch", "validation")
METRICS = ("loss", "accuracy", "smooth_accuracy")


@dataclass(frozen=True, kw_only=True)
class Course(curves.Curve):
    """A statistic of one evaluation set over the iterations.

    ``steps`` (checkpoint,) are the iterations, ``line`` (checkpoint,) is the median over draws, and
    ``values`` (bound, checkpoint) are the quartiles, or of a single draw the line itself.

    Attributes:
        open: (checkpoint,), whether the statistic of any draw is open.
    """

    open: NDArray[np.bool_]

    @property
    def hollow(self) -> NDArray[np.bool_]:
        """(checkpoint,), where the value is open and can be drawn."""
        return self.open & np.isfinite(self.mean)


@dataclass(frozen=True)
class Line:
    """The statistic of one store, beside those of others.

    Attributes:
        values: the statistic, over checkpoint and draw.
        open: where it is open, of the same dimensions.
        label: legend entry.
        look: colour, dashes and marker.
    """

    values: xr.DataArray
    open: xr.DataArray
    label: str
    look: style.Style


@dataclass(frozen=True)
class Panel:
    """One panel: a statistic of one metric.

    Attributes:
        values: the statistic, over checkpoint, draw and evaluation_set.
        open: where it is open, of the same dimensions.
        title: names the metric.
        label: names the statistic and its units.
        lines: what is drawn; by default a line for each evaluation set.
    """

    values: xr.DataArray
    open: xr.DataArray
    title: str
    label: str
    lines: Sequence[Line] = ()


def choose_metrics(
    dataset: xr.Dataset,
    metric: str | None,
    slope_factor: float | None,
    checkpoint: Checkpoints,
    evaluation_set: str | None,
) -> dict[str, xr.Dataset]:
    """Choose what a figure over training shows.

    Args:
        dataset: slices.
        metric: name of one metric; by default loss, accuracy and smooth accuracy, as far as they
            exist.
        slope_factor: that of the smooth metrics; by default the one nearest to 1.
        checkpoint: iterations; by default all.
        evaluation_set: name of one set; by default all or, of more than three, the same batch and
            validation, if both are there.

    Returns:
        Metric -> a Dataset with its values alone, by ascending iteration.

    Raises:
        InvalidValueError: where there is no checkpoint, and for an option that the dataset does not
            have.
    """
    dataset = dataset.isel(checkpoint=sorted(choose_checkpoints(dataset, checkpoint)))
    sets = [str(each) for each in dataset["evaluation_set"].values]
    if evaluation_set is not None:
        dataset = dataset.sel(evaluation_set=[set_name(dataset, evaluation_set)])
    elif len(sets) > MANY and set(MAIN) <= set(sets):
        dataset = dataset.sel(evaluation_set=list(MAIN))
    there = [name for name in METRICS if name in metrics(dataset)] or ["accuracy"]
    names = there if metric is None else [metric]
    smooth = [name for name in names if name in dataset and "slope_factor" in dataset[name].dims]
    shown = {}
    for name in names:
        # Where no metric is smooth, a factor is refused.
        factor = slope_factor if name in smooth or not smooth else None
        values = choose_metric(dataset, name, factor)
        shown[name] = values.to_dataset(name=name).assign_attrs(dataset.attrs)
    return shown


def metric_title(values: xr.DataArray) -> str:
    """Name a metric for the title of its panel.

    Args:
        values: its values, with the attributes of a store.

    Returns:
        The name without units.
    """
    return wording.value_label(values.assign_attrs(units="1"))


def draw(
    dataset: xr.Dataset,
    found: Sequence[Panel],
    ax: Sequence[Axes] | None,
    *,
    open_note: str,
    open_marker: str | None = None,
    value_scale: str,
    sharey: bool,
    title: str,
) -> list[Axes]:
    """Draw one panel for each of ``found``, with one line per evaluation set or store.

    The panels are side by side on a page, and in a column one below the other.

    Args:
        dataset: slices whose draws and iterations are named.
        found: the panels.
        ax: where to draw, one ``Axes`` for each panel; by default a new figure.
        open_note: what a hollow marker means, for the legend.
        open_marker: marker of open values; by default that of their evaluation set.
        value_scale: of the statistic, "auto", "linear" or "log".
        sharey: whether the panels of a new figure share the axis of the statistic.
        title: title of a new figure.

    Returns:
        The axes, one per panel.
    """
    drawn = [_courses(each) for each in found]
    everything = [*chain.from_iterable(drawn)]
    draws, notes = dataset.sizes["draw"], []
    if draws > 1:
        around = curves.around(max(map(len, drawn)))
        notes.append(f"line: median of {draws} draws, {around}: the middle half")
    if any(course.hollow.any() for course in everything):
        hollow = "hollow" + " △" * (open_marker == "^") + " (some draw)" * (draws > 1)
        notes.append(f"{hollow}: {open_note}")
    columns = len(found) if style.on_a_page() else 1
    panels = style.axes(
        ax,
        len(found),
        columns=columns,
        height=0.8 + 1.6 * len(found) / columns + 0.12 * len(notes),
        width=theme.COLUMN_WIDTH if len(found) == 1 else theme.PAGE_WIDTH,
        sharey=sharey,
    )
    for panel, courses, each in zip(panels, drawn, found, strict=True):
        among = everything if sharey else courses
        handles = curves.draw(panel, courses, value_scale=value_scale, among=among, origin=False)
        lines = [line for line in panel.lines if line.get_gid() == "curve"]
        for line, course in zip(lines, courses, strict=True):
            _hollow(panel, line, course, open_marker)
        panel.set_title(each.title)
        ticks.whole(panel.xaxis, 4)
        if not sharey:
            panel.set_ylabel(each.label)
    _alike(panels, drawn)
    along = [wording.value_label(dataset["iteration"])] * len(panels)
    style.outer_labels(panels, columns, along, [each.label for each in found])
    handles = handles[: len(drawn[-1])] + curves.mark_notes(everything)
    style.title_and_legend(panels, handles, new=ax is None, title=title, note="\n".join(notes))
    return panels


def _alike(panels: Sequence[Axes], drawn: Sequence[Sequence[Course]]) -> None:
    """Make all panels logarithmic where one is, all with a 0 where one needs it."""
    if {panel.get_yscale() for panel in panels} == {"linear"}:
        return
    for panel, courses in zip(panels, drawn, strict=True):
        if panel.get_yscale() == "linear":
            curves.set_scales(panel, courses, "linear", "log")
    scales = {panel.get_yscale() for panel in panels}
    for panel, courses in zip(panels, drawn, strict=True):
        values = np.concatenate([each.values.ravel() for each in courses])
        values = values[np.isfinite(values)]
        if len(scales) > 1 and "symlog" in scales and values.size:
            ticks.symlog(panel, "y", values, linscale=0.5)
            if values.min() >= 0:
                panel.set_ylim(bottom=0)
    numbers = np.concatenate([panel.get_yticks() for panel in panels])
    for panel in panels:
        ticks.numbers(panel.yaxis, numbers)  # all plainly, or none


def _courses(found: Panel) -> list[Course]:
    """A course for each line of the panel, or for each evaluation set."""
    lines = found.lines or [
        Line(
            curves.of_sets(found.values, names),
            curves.of_sets(found.open, names),
            label,
            look,
        )
        for label, names, look in curves.sets_together(found.values)
    ]
    return [_course(each) for each in lines]


def _course(found: Line) -> Course:
    values, open_ = (
        array.transpose("draw", "checkpoint").values for array in (found.values, found.open)
    )
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        line = np.median(values, axis=0)
        ends = np.quantile(values, [0.25, 0.75], axis=0) if len(values) > 1 else values
    iterations = found.values["iteration"].values.astype(np.float64)
    any_open = np.asarray(open_.any(axis=0), dtype=np.bool_)
    return Course(iterations, ends, found.label, found.look, line=line, open=any_open)


def _hollow(panel: Axes, line: Line2D, course: Course, marker: str | None) -> None:
    """Replace the markers of ``line`` where the course is open."""
    if not course.hollow.any():
        return
    shown: Any = line.get_markevery()
    if shown is None:
        shown = range(course.mean.size)
    line.set_markevery([i for i in shown if not course.hollow[i]])
    panel.plot(
        course.steps[course.hollow],
        course.mean[course.hollow],
        marker=marker or course.style.marker,
        color=course.style.color,
        linestyle="",
        markerfacecolor="white",
        markeredgewidth=0.8,
        zorder=3,
        label="_open",
        gid="open",
    )
