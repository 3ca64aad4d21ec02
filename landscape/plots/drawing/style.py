"""What every figure is built from: colours, labels, axes and legend, in the theme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from landscape.errors import InvalidValueError
from landscape.plots.drawing import captions
from landscape.plots.drawing.theme import COLUMN_WIDTH, PAGE_WIDTH, width_or
from landscape.slices.wording import shortened

BETWEEN = 0.25  # inches between the labels of neighbouring panels
TOLD_APART = 5  # checkpoints that a legend tells apart
LONGEST = 72  # characters of a legend's entry
SETTINGS: Any = mpl.rcParams  # inside ``theme()`` those of the theme

# Colours, line styles and markers


@dataclass(frozen=True)
class Style:
    """How a curve is drawn; the fields are those of ``Axes.plot``.

    Attributes:
        color: a colour of matplotlib.
        linestyle: a line style of matplotlib.
        marker: a marker of matplotlib.
    """

    color: Any
    linestyle: Any = "-"
    marker: str = "o"


# One colour per kind of evaluation set. In grey their lightness (CIE L*) is 37, 76, 58 and 0.
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


def set_styles(dataset: xr.Dataset | xr.DataArray) -> dict[str, Style]:
    """Choose the style of each evaluation set, the same in every figure.

    Sets of one kind share a colour; several other batches differ in line style and marker.

    Args:
        dataset: with the coordinates evaluation_set and kind.

    Returns:
        Name of the set -> its style, in the order of the sets.
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
    """Choose styles from dark to light, for checkpoints in order.

    Args:
        count: number of styles.

    Returns:
        The styles, none too light for paper.
    """
    colors = sns.color_palette("viridis", as_cmap=True)(np.linspace(0, 0.82, count))
    # Of more a marker would come again, and tell nothing apart.
    markers = "os^Dv" if count <= TOLD_APART else "o" * count
    return [
        Style(tuple(color), "-", marker) for color, marker in zip(colors, markers, strict=False)
    ]


def checkpoint_bar(
    panels: Sequence[Axes], labels: Sequence[str], looks: Mapping[str, Style], title: str
) -> None:
    """Explain the colours of many checkpoints by a bar of them beside the panels.

    Args:
        panels: all axes of the figure.
        labels: of the checkpoints, in their order; as many are written as have room.
        looks: label -> style.
        title: what the labels are.
    """
    figure = panels[0].get_figure(root=True)
    if figure is None:
        return
    colors = ListedColormap([looks[label].color for label in labels])
    edges = np.arange(len(labels) + 1) - 0.5
    bar = figure.colorbar(
        ScalarMappable(BoundaryNorm(edges, len(labels)), colors),
        ax=list(panels),
        aspect=30,
        pad=0.03,
        drawedges=False,
    )
    bar.outline.set_visible(False)
    bar.ax.minorticks_off()
    # As many as do not touch; the axes take two thirds of the figure's height, or more.
    fit = int(0.65 * figure.get_figheight() * 72 / (1.25 * _points("ytick.labelsize")))
    every = range(0, len(labels), -(-len(labels) // fit))
    bar.set_ticks(every, labels=[labels[i] for i in every])
    bar.ax.tick_params(length=0, labelsize=SETTINGS["ytick.labelsize"])
    bar.set_label(title)


# For settings without an order. In grey their lightness is 37, 54, 0, 58, 76, 36, 70 and 62.
SETTING_COLORS = (
    *("#005A9C", "#D55E00", "#000000", "#009E73", "#F0B030", "#7F3C8D", "#56B4E9", "#CC79A7"),
)
SETTING_LINES: tuple[Any, ...] = (
    *("-", (0, (6, 1)), (0, (4, 1, 1, 1)), (0, (2.5, 1)), (0, (1, 0.8)), (0, (9, 1.5, 2, 1.5))),
    *((0, (3, 1, 1, 1, 1, 1)), (0, (7, 1, 3, 1))),
)


def setting_styles(count: int, ordered: bool) -> list[Style]:
    """Choose styles that distinguish the settings of runs by colour and, in grey, by dashes.

    Args:
        count: number of styles.
        ordered: whether the settings have an order, as the values of a number have; then the
            colours go from dark to light.

    Returns:
        The styles.
    """
    colors = [look.color for look in sequential_styles(count)] if ordered else SETTING_COLORS
    lines, markers = SETTING_LINES, "os^Dv*PX"
    return [
        # In the second round of colours the dashes are shifted.
        Style(colors[i % len(colors)], lines[(i + i // 8) % 8], markers[i % 8])
        for i in range(count)
    ]


# Axes and legend


def axes(
    ax: Axes | Sequence[Axes] | None,
    count: int,
    *,
    columns: int = 1,
    height: float,
    width: float = COLUMN_WIDTH,
    sharex: bool = True,
    sharey: bool = True,
) -> list[Axes]:
    """Prepare axes: the caller's where given, otherwise those of a new figure.

    Args:
        ax: the caller's axes, of which the first ``count`` are taken; None makes a new figure.
        count: number of axes needed.
        columns: columns of panels in a new figure.
        height: of a new figure, in inches.
        width: of a new figure, in inches, unless another one was chosen
            (:func:`landscape.plots.styled`).
        sharex: whether the panels of a new figure share the x axis.
        sharey: whether they share the y axis; panels in a single column show different metrics and
            never do.

    Returns:
        The axes, row by row.

    Raises:
        InvalidValueError: where ``ax`` holds too few.
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
            figsize=(width_or(width), height),
            layout="constrained",
            sharex=sharex,
            sharey=sharey and columns > 1,
            squeeze=False,
        )
        panels = list(grid.flat)[:count]
        for spare in list(grid.flat)[count:]:
            spare.remove()
    for panel in panels:
        _set_ticks(panel)
        _set_words(panel)
        if SETTINGS["axes.grid"]:
            look = {n: SETTINGS[f"grid.{n}"] for n in ("color", "linewidth", "linestyle")}
            panel.grid(True, axis=SETTINGS["axes.grid.axis"], **look)
        panel.set_axisbelow(True)
    return panels


def on_a_page() -> bool:
    """Whether new figures may be wider than a column."""
    return width_or(PAGE_WIDTH) > COLUMN_WIDTH


def _set_ticks(panel: Axes) -> None:
    """Apply the theme to the ticks now: they are only made when drawn, outside of the theme."""
    for axis in ("x", "y"):
        said = {n: SETTINGS[f"{axis}tick.{n}"] for n in ("color", "labelcolor", "labelsize")}
        if said["labelcolor"] == "inherit":
            said["labelcolor"] = said["color"]
        for which in ("major", "minor"):
            width, length = (SETTINGS[f"{axis}tick.{which}.{n}"] for n in ("width", "size"))
            panel.tick_params(axis=axis, which=which, width=width, length=length, **said)


def _set_words(panel: Axes) -> None:
    """Apply the theme to the words of given axes, which were made outside of it."""
    family = SETTINGS["font.family"]
    for text, size in (
        (panel.title, "axes.titlesize"),
        (panel.xaxis.label, "axes.labelsize"),
        (panel.yaxis.label, "axes.labelsize"),
    ):
        text.set(size=SETTINGS[size], family=family)
    panel.tick_params(labelfontfamily=family)


def outer_labels(
    panels: Sequence[Axes], columns: int, xlabels: Sequence[str], ylabels: Sequence[str]
) -> None:
    """Label the lowest panel of each column and the first panel of each row.

    Args:
        panels: the axes, row by row.
        columns: number of columns.
        xlabels: label of the x axis for each panel.
        ylabels: label of the y axis for each panel.
    """
    for panel, label in list(zip(panels, xlabels, strict=True))[-columns:]:
        room = (available_width(panel) - BETWEEN) / captions.WIDER
        broken = captions.lines(label, room, _points("axes.labelsize"))
        panel.set_xlabel("\n".join(broken) if columns > 1 else label)
        panel.tick_params(labelbottom=True)
    for panel, label in list(zip(panels, ylabels, strict=True))[::columns]:
        panel.set_ylabel(label)


def title_and_legend(
    panels: Sequence[Axes], handles: Sequence[Artist], *, new: bool, title: str, note: str
) -> None:
    """Set title and legend of a new figure, or only a legend below the last of given axes.

    Args:
        panels: all axes of the figure.
        handles: what the legend explains.
        new: whether the figure is new, that is, the caller gave no axes.
        title: title of a new figure.
        note: title of the legend.
    """
    figure = panels[0].get_figure(root=True)
    if new and figure is not None:
        figure.suptitle(title)
        legend_below(figure, handles, columns=5, title=note)
    else:
        legend_below(panels[-1], handles, columns=3, title=note)


def legend_below(
    where: Axes | Figure, handles: Sequence[Artist], *, columns: int, title: str = ""
) -> None:
    """Put a legend below the axis label of the axes, or below the whole figure, where no data is.

    Args:
        where: the axes or the figure.
        handles: what the legend explains.
        columns: the most columns; fewer where they would not fit into the figure, or into the axes'
            share of its width.
        title: title of the legend.
    """
    place: dict[str, Any] = {"loc": "outside lower center"}
    if isinstance(where, Axes):
        # In units of the font size, with room for tick labels and axis label.
        ticks, label, text = map(_points, ("xtick.labelsize", "axes.labelsize", "legend.fontsize"))
        pad = (11.1 + 1.25 * (ticks + label)) / text
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": pad}
    room = available_width(where) / captions.WIDER - 2 * captions.MARGIN
    size = _points("legend.title_fontsize")
    title = "\n".join("\n".join(captions.lines(e, room, size)) for e in title.split("\n"))
    for handle in handles:
        lines = str(handle.get_label()).split("\n")
        handle.set_label("\n".join(shortened(line, LONGEST) for line in lines))
    for fewer in range(columns, 0, -1):
        legend = where.legend(
            handles=list(handles),
            title=title or None,
            ncols=fewer,
            frameon=False,
            handlelength=2.6,
            columnspacing=1.2,
            labelspacing=0.3,
            **place,
        )
        legend.get_title().set_multialignment("center")
        if (
            fewer == 1
            or legend.get_window_extent().width <= available_width(where) * where.figure.dpi
        ):
            return
        legend.remove()


def available_width(where: Axes | Figure) -> float:
    """Measure the width that a legend may take.

    Args:
        where: axes or a figure.

    Returns:
        The width of the figure, or of the axes' column in it, in inches.
    """
    spec = where.get_subplotspec() if isinstance(where, Axes) else None
    width = where.figure.bbox.width / where.figure.dpi
    return float(width / (spec.get_gridspec().ncols if spec else 1))


def _points(size: str) -> float:
    return float(FontProperties(size=SETTINGS[size]).get_size_in_points())
