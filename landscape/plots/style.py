"""How every figure looks: theme, colours, sizes, labels, axes and legend."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError

P = ParamSpec("P")
R = TypeVar("R")

COLUMN_WIDTH = 3.5  # inches: one column of a two-column page

# A typeface that comes with matplotlib and has −, ∇, ‖: the same figure on every machine.
OVERRIDES: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "figure.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "patch.linewidth": 0.6,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "landscape",
}
TICKS: dict[str, Any] = {"labelsize": 6.5, "width": 0.6, "length": 3, "color": "0.3"}


@contextmanager
def theme() -> Iterator[None]:
    """The look of every figure, for the time of the block."""
    settings: dict[Any, Any] = {**sns.axes_style("ticks"), **sns.plotting_context("paper")}
    with mpl.rc_context(settings | OVERRIDES):
        yield


def themed(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` within :func:`theme`; a figure it began when it fails is closed."""

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        before = plt.get_fignums()
        try:
            with theme():
                return function(*args, **kwargs)
        except BaseException:
            for begun in set(plt.get_fignums()) - set(before):
                plt.close(begun)
            raise

    return within


# Colours, line styles and markers


@dataclass(frozen=True)
class Style:
    """How a curve is drawn; the fields are those of ``Axes.plot``."""

    color: Any
    linestyle: Any = "-"
    marker: str = "o"


# One colour a kind of evaluation set. In grey their lightness (CIE L*) is 37, 76, 58 and 0.
COLORS = {
    "same_batch": "#005A9C",
    "other_batch": "#F0B030",
    "big_batch": "#009E73",
    "validation": "#000000",
}
LINES: dict[str, Any] = {
    "same_batch": "-",
    "big_batch": (0, (6, 1)),
    "validation": (0, (4, 1, 1, 1)),
}
MARKERS = {"same_batch": "o", "big_batch": "D", "validation": "v"}
OTHER_LINES: list[Any] = [(0, (3, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (5, 2))]
OTHER_MARKERS = "s^P*"


def set_styles(dataset: xr.Dataset) -> dict[str, Style]:
    """The style of each evaluation set, the same in every figure.

    Sets of one kind share a colour; several other batches differ in line style and marker.
    """
    styles: dict[str, Style] = {}
    others = 0
    sets = dataset["evaluation_set"]
    for name, kind in zip(sets.values, sets["kind"].values, strict=True):
        if kind in MARKERS:
            styles[str(name)] = Style(COLORS[kind], LINES[kind], MARKERS[kind])
        else:
            turn = others % len(OTHER_MARKERS)
            styles[str(name)] = Style(COLORS["other_batch"], OTHER_LINES[turn], OTHER_MARKERS[turn])
            others += 1
    return styles


def sequential_styles(count: int) -> list[Style]:
    """``count`` styles from dark to light, for checkpoints in order; none too light for paper."""
    colors = sns.color_palette("viridis", as_cmap=True)(np.linspace(0, 0.82, count))
    return [Style(tuple(color), "-", "os^Dv"[i % 5]) for i, color in enumerate(colors)]


# For settings without an order. In grey their lightness is 37, 54, 0, 58, 76, 36, 70 and 62.
SETTING_COLORS = (
    *("#005A9C", "#D55E00", "#000000", "#009E73", "#F0B030", "#7F3C8D", "#56B4E9", "#CC79A7"),
)
SETTING_LINES: tuple[Any, ...] = (
    *("-", (0, (6, 1)), (0, (4, 1, 1, 1)), (0, (2.5, 1)), (0, (1, 0.8)), (0, (9, 1.5, 2, 1.5))),
    *((0, (3, 1, 1, 1, 1, 1)), (0, (7, 1, 3, 1))),
)


def setting_styles(count: int, ordered: bool) -> list[Style]:
    """``count`` styles to tell runs' settings apart by colour and, in grey, by dashes.

    ``ordered`` settings, as the values of one number, go from dark to light.
    """
    colors = [look.color for look in sequential_styles(count)] if ordered else SETTING_COLORS
    lines, markers = SETTING_LINES, "os^Dv*PX"
    return [
        # The second round of colors has its dashes shifted.
        Style(colors[i % len(colors)], lines[(i + i // 8) % 8], markers[i % 8])
        for i in range(count)
    ]


# Labels


def name_label(name: str) -> str:
    """A stored name as people write it: ``other_batch_1`` is "other batch 1"."""
    return name.replace("_", " ")


def with_units(label: str, units: str) -> str:
    """``label (units)``; a pure number, of units "1", has none to name."""
    return label if units in ("", "1") else f"{label} ({units})"


def step_label(array: xr.DataArray, dataset: xr.Dataset) -> str:
    """The label of the axis along the slice, with its direction: positive descends."""
    label = str(array.attrs.get("long_name", name_label(str(array.name))))
    along = {"gradient": "−∇L", "normalised-gradient": "−∇L/‖∇L‖"}
    if (direction := str(dataset.attrs.get("direction"))) in along:
        label = f"{label.split(' along ')[0]} along {along[direction]}"
    return with_units(label, str(array.attrs.get("units", "1")))


def value_label(values: xr.DataArray, where: str = "") -> str:
    """The label of a metric's axis: its long name, the set ``where`` it was measured, units."""
    label = str(values.attrs.get("long_name", name_label(str(values.name))))
    if "slope_factor" in values.coords:
        label += f" (s = {values['slope_factor'].item():g})"
    label += f", {name_label(where)}" if where else ""
    return with_units(label, str(values.attrs.get("units", "1")))


def checkpoint_label(checkpoint: xr.Dataset | xr.DataArray, short: bool = False) -> str:
    """One checkpoint as "iteration 1953 (epoch 5)"; an unknown epoch is left out."""
    iteration, epoch = checkpoint["iteration"].item(), float(checkpoint["epoch"].item())
    label = f"{iteration}" if short else f"iteration {iteration}"
    if np.isnan(epoch):
        return label
    number = f"{round(epoch, 2):g}"
    return f"{label} ({number})" if short else f"{label} (epoch {number})"


def number(value: float) -> str:
    """Three digits, with a minus sign that is none of a hyphen's."""
    return f"{value:.3g}".replace("-", "−")


def source_label(dataset: xr.Dataset, *more: str) -> str:
    """What was trained and how, and what else a title should say, separated by commas."""
    parts = [str(dataset.attrs[key]) for key in ("task", "optimizer") if dataset.attrs.get(key)]
    if dataset.attrs.get("origin") == "after-step":
        parts.append("0 is after the step")
    return ", ".join([*parts, *more])


# Axes and legend


def axes(
    ax: Axes | Sequence[Axes] | None, count: int, *, columns: int = 1, height: float
) -> list[Axes]:
    """``count`` axes: the caller's where given, else a new figure's, which share both scales.

    ``height`` in inches is that of a new figure. Panels of different metrics unshare y.
    """
    if ax is not None:
        given: list[Axes] = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(given) < count:
            raise InvalidValueError(f"ax holds {len(given)} axes; this figure needs {count}")
        panels = given[:count]
    else:
        rows = -(-count // columns)
        _, grid = plt.subplots(
            rows,
            columns,
            figsize=(COLUMN_WIDTH, height),
            layout="constrained",
            sharex=True,
            sharey=columns > 1,
            squeeze=False,
        )
        panels = list(grid.flat)[:count]
        for spare in list(grid.flat)[count:]:
            spare.remove()
        for panel in panels:
            sns.despine(ax=panel)
    for panel in panels:
        # Ticks are made when first drawn, outside the theme, so they are told here.
        panel.tick_params(which="both", **TICKS)
        panel.tick_params(which="minor", length=1.5)
        panel.grid(True, axis="y", color="0.9", linewidth=0.5)
        panel.set_axisbelow(True)
    return panels


def legend_below(
    where: Axes | Figure, handles: Sequence[Artist], *, columns: int, title: str = ""
) -> None:
    """A legend under the axis label of the axes, or under all of the figure, where no data is."""
    place: dict[str, Any] = {"loc": "outside lower center"}
    if isinstance(where, Axes):
        # borderaxespad in font sizes: tick labels and axis label fit between.
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": 4.4}
    where.legend(
        handles=list(handles),
        title=title or None,
        ncols=columns,
        frameon=False,
        handlelength=2.6,
        columnspacing=1.2,
        labelspacing=0.3,
        **place,
    )
