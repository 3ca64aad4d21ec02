"""Step size and validation accuracy over the epochs of several runs.

Figs. 14, 15, 17, 18 and 22 of [Hackel2023].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.histories.collection import Group, groups, unfinished
from landscape.histories.labels import number, short
from landscape.plots.drawing import style, theme, ticks
from landscape.plots.drawing.curves import FILLED, ROW, lonely
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.several import fitted
from landscape.slices import wording

# Smaller step sizes hardly move float32 parameters, and their decades would squeeze the others.
FLOOR = 1e-8
FEWEST = 3  # runs of which a median is drawn
APART = 1e-4  # a run's last step size below this times the largest of its peers' sets it apart
# Values without a place on the axis: a test, the marker, the edge where it is drawn, its label.
EDGES: tuple[tuple[Callable[[Any], Any], str, float, str], ...] = (
    (lambda x: x < FLOOR, "v", 0.0, f"at the edge: below {ticks.power(FLOOR)}, or 0"),
    (lambda x: x == np.inf, "^", 1.0, "step size +∞"),
    (np.isnan, "x", 0.0, "NaN"),
)


@dataclass(frozen=True)
class _Row:
    """A left and a right panel, and what is drawn into them: groups by legend entry."""

    title: str
    groups: Mapping[str, Group]


@figure
def plot_training(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    accuracy_from: float | str | None = None,
) -> NDArray[np.object_]:
    """Plot step size (left, log) and validation accuracy (right or below) over the epochs.

    Runs of one setting share colour and dashes: each is a thin line, and of three or more a thick
    one is their median (of an even number the lower of the middle two, so that it is where a run
    is). A run has collapsed whose last step size is below 1/10,000 of the largest last one of the
    same setting, or, if it searches, of the largest that the setting ever had:
    collapsed runs are counted in the legend and have a median of their own. The legend names how
    the runs differ. Several tasks become rows of panels or, if all were trained in one way, curves
    of one row. A step size of 0 or close to it is marked ▼ at the lower edge of the log axis; an
    unfinished run ends in a circle. For an optimizer without a search the learning rate is shown.

    With ``accuracy_from="auto"`` runs that are outliers do not widen the axis; runs that end below
    it are counted in the legend.

    Returns:
        The left and the right axes of each row in turn.

    Raises:
        InvalidValueError: for an ``accuracy_from`` that is neither "auto" nor a number from 0 to
            below 1.
    """
    rows, title = _rows(groups(dataset))
    entries = list(dict.fromkeys(entry for row in rows for entry in row.groups))
    ordered = len(entries) > 2 and None not in map(number, entries)
    looks = dict(zip(entries, style.setting_styles(len(entries), ordered), strict=True))
    panels = _axes(ax, len(rows), len(entries))
    notes: dict[str, Artist] = {}
    thin = any(_medians(group) for row in rows for group in row.groups.values())
    for row, (left, right) in zip(rows, panels, strict=True):
        for panel, name in ((left, "step_size"), (right, "validation_accuracy")):
            for entry, group in row.groups.items():
                _draw(panel, group, name, looks[entry], notes, thin)
            panel.set_ylabel(wording.value_label(dataset[name]))
            panel.set_title(row.title)
        _log_axis(left, list(row.groups.values()))
        _accuracy_axis(right, list(row.groups.values()), accuracy_from, notes)
    figure = panels[0][0].get_figure(root=True)
    where = panels[-1][0] if ax is not None or figure is None else figure
    handles = [
        Line2D(
            [],
            [],
            label=fitted(_counted(entry, rows), style.available_width(where) / 2),
            color=looks[entry].color,
            linestyle=looks[entry].linestyle,
        )
        for entry in entries
    ]
    if ax is None and figure is not None:
        figure.suptitle(title)
    for pair in panels:
        for panel in pair:
            ticks.whole(panel.xaxis)
    for panel in panels[-1] if ax is not None or style.on_a_page() else panels[-1][1:]:
        panel.set_xlabel("epoch")
    medians = any(line.get_gid() == "median" for pair in panels for line in pair[0].lines)
    style.legend_below(
        where,
        [*handles, *notes.values()],
        columns=4 if ax is None else 2,
        title="thin: each run, thick: median of a setting's runs" if medians else "",
    )
    return np.array(panels, dtype=object).ravel()


def _rows(found: Sequence[Group]) -> tuple[list[_Row], str]:
    """The rows of panels and the figure's title."""
    tasks = list(dict.fromkeys(group.task for group in found))
    names, common = short([group.label for group in found])
    worded = dict(zip(names, map(wording.run_label, names), strict=True))
    titles = dict(zip(tasks, map(wording.task_label, tasks), strict=True))
    if len(set(names)) == 1 and len(tasks) > 1:
        return [_Row("", {titles[g.task]: g for g in found})], worded[names[0]]
    rows = [
        _Row(
            titles[task] if len(tasks) > 1 else "",
            {worded[n]: g for n, g in zip(names, found, strict=True) if g.task == task},
        )
        for task in tasks
    ]
    shared = [titles[tasks[0]] if len(tasks) == 1 else "", wording.optimizer_label(common)]
    return rows, ", ".join(filter(None, shared))


def _counted(entry: str, rows: Sequence[_Row]) -> str:
    """A legend entry, with how many of its runs collapsed."""
    found = [_collapsed(row.groups[entry]) for row in rows if entry in row.groups]
    count, of = (
        sum(int(total) for total in each)
        for each in ((one.sum() for one in found), (one.size for one in found))
    )
    return f"{entry} ({count} of {of} runs collapsed)" if count else entry


def _axes(ax: Sequence[Axes] | None, rows: int, entries: int) -> list[tuple[Axes, Axes]]:
    """Left and right axes of each row; in one column they are one below the other."""
    columns = 2 if style.on_a_page() else 1
    height = 0.6 + 1.9 * rows * 2 / columns + 0.14 * -(-entries // (2 * columns))
    flat = style.axes(
        ax, 2 * rows, columns=columns, height=height, width=theme.PAGE_WIDTH, sharey=False
    )
    return list(zip(flat[::2], flat[1::2], strict=True))


def _medians(group: Group) -> list[NDArray[np.bool_]]:
    """(run,) each: of which runs a median is drawn, those that live and those that collapsed."""
    collapsed = _collapsed(group)
    return [of for of in (~collapsed, collapsed) if of.sum() >= FEWEST]


def _draw(
    panel: Axes,
    group: Group,
    name: str,
    look: style.Style,
    notes: dict[str, Artist],
    thin_runs: bool,
) -> None:
    line = {k: v for k, v in asdict(look).items() if k != "marker"}
    runs = group.series(name)
    thin = {"linewidth": 0.6, "alpha": 0.5} if thin_runs else {"linewidth": 0.9}
    for values, stopped in zip(runs, unfinished(group.runs), strict=True):
        epochs = np.arange(1, len(values) + 1)
        if name == "step_size":
            _mark_edges(panel, epochs, values, look, notes)
        values = _placed(values, name)
        alone = {"marker": "o", "ms": 1.8, "mew": 0, "markevery": lonely(values)}
        panel.plot(epochs, values, gid="run", **line | thin | alone)
        if stopped and len(values):
            (end,) = panel.plot(epochs[-1], values[-1], "o", mfc="none", mew=0.8, gid="unfinished")
            end.set_color(look.color)
            notes.setdefault("unfinished", _note("o", "unfinished run", mfc="none", mew=0.8))
    for of in _medians(group):
        chosen = [values for values, one in zip(runs, of, strict=True) if one]
        shared = np.array([values[: min(map(len, chosen))] for values in chosen])
        middle = np.quantile(shared, 0.5, axis=0, method="lower")  # which is where a run is
        places = np.arange(1, len(middle) + 1)
        panel.plot(places, _placed(middle, name), gid="median", zorder=2.5, **line)


def _placed(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The values, with NaN for step sizes that have no place on the axis."""
    shown = (values >= FLOOR) & (values < np.inf)
    return values if name != "step_size" else np.where(shown, values, np.nan)


def _collapsed(group: Group) -> NDArray[np.bool_]:
    """(run,), whose last step size is far below others of the setting; see plot_training."""
    series = group.series("step_size")
    last = np.array([each[-1] if each.size else np.nan for each in series])
    searching = np.zeros(last.shape, np.bool_)
    if "searches" in group.runs:
        searching = np.array([each.sum() > 0 for each in group.series("searches")])
    # A schedule may end as low as that, and has not collapsed.
    ever = [each for each, one in zip(series, searching, strict=True) if one]
    largest = [max(each[np.isfinite(each)], default=0) for each in (last, *ever)]
    return (last < APART * largest[0]) | (searching & (last < APART * max(largest)))


def _mark_edges(
    panel: Axes,
    epochs: NDArray[np.int64],
    values: NDArray[np.float64],
    look: style.Style,
    notes: dict[str, Artist],
) -> None:
    for found, marker, edge, label in EDGES:
        at = epochs[found(values)]
        if at.size:
            # Marks of settings are stacked, as all may fall on one epoch.
            there = [line.get_color() for line in panel.lines if line.get_gid() == label]
            colors = list(dict.fromkeys([*there, look.color]))
            row = colors.index(look.color)
            height = edge + (1 if edge == 0 else -1) * ROW * (0.5 + row % 8)
            place = panel.get_xaxis_transform()
            panel.plot(
                at, [height] * len(at), marker, ms=2.5, mew=0.6, gid=label,
                color=look.color, transform=place, clip_on=False,
            )  # fmt: skip
            notes.setdefault(label, _note(marker, label))


def _note(marker: str, label: str, **look: Any) -> Line2D:
    return Line2D([], [], color="0.4", marker=marker, linestyle="", label=label, **look)


def _log_axis(panel: Axes, found: Sequence[Group]) -> None:
    values = np.concatenate([each for group in found for each in group.series("step_size")])
    if (values[np.isfinite(values)] >= FLOOR).any():
        panel.set_yscale("log")
        ticks.logarithmic(panel.yaxis, values[values >= FLOOR])
    else:
        panel.set_yticks([])  # nothing but marks


def _accuracy_axis(
    panel: Axes,
    found: Sequence[Group],
    accuracy_from: float | str | None,
    notes: dict[str, Artist],
) -> None:
    runs = [each for group in found for each in group.series("validation_accuracy") if each.size]
    if accuracy_from is None:
        if np.ptp(np.concatenate(runs)) > FILLED:
            panel.set_ylim(-0.03, 1.03)  # the range of the accuracy axis in every figure
        return
    low = _late(runs) if accuracy_from == "auto" else _number(accuracy_from)
    high = max(each.max() for each in runs)
    margin = 0.05 * (high - low) if high > low else 0.01
    panel.set_ylim(low - (margin if accuracy_from == "auto" else 0), max(high, low) + margin)
    below = sum(bool(each[-1] < panel.get_ylim()[0]) for each in runs)
    if below:
        label = f"{below} run{'s' * (below > 1)} below the axis at the end"
        notes.setdefault(label, _note("", label))


def _late(runs: Sequence[NDArray[np.float64]]) -> float:
    """The lowest accuracy in the second half of a run that is no outlier (as in a box plot)."""
    lowest = np.array([each[len(each) // 2 :].min() for each in runs])
    quarter, three_quarters = np.quantile(lowest, [0.25, 0.75])
    return float(lowest[lowest >= quarter - 1.5 * (three_quarters - quarter)].min())


def _number(accuracy_from: float | str) -> float:
    try:
        low = float(accuracy_from)
    except ValueError:
        low = np.nan
    if not 0 <= low < 1:
        raise InvalidValueError(
            f"accuracy_from is {accuracy_from!r}; give a number from 0 to below 1, or auto"
        )
    return low
