"""A checkpoint probed in several ways, or several runs: one panel each, on shared axes."""

from collections.abc import Sequence
from itertools import chain
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots.drawing import style, theme
from landscape.plots.drawing.curves import band_note, curves_of_sets, draw
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.store_names import name_shared, names_apart
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, main_metric

TITLE = 6.5  # points
LINE = 1.3 * TITLE / 72  # inches
LABELS = 0.6  # inches that labels take beside the panels of a row
TIE = "\N{NO-BREAK SPACE}"


@figure
def plot_compare(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    scale: str = "linear",
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot ``metric`` on every evaluation set, one panel per Dataset, titled by how it differs.

    Where a Dataset has the evaluation sets for them, its panel states the batch bias (same batch
    minus the mean of the other batches) and the gap (big batch minus validation) at the step size
    nearest to 0, as means over draws. The checkpoint is by default the second of each Dataset; an
    iteration that is given must be in all of them. The panels share both axes.

    Returns:
        The axes, one per Dataset.

    Raises:
        InvalidValueError: without a Dataset, and for an option that one of them does not have.
    """
    if not datasets:
        raise InvalidValueError("no store was given; give at least one")
    metric = main_metric(datasets[0], metric)
    shown = [
        choose_metric(each, metric, slope_factor).isel(
            checkpoint=choose_checkpoint(each, checkpoint)
        )
        for each in datasets
    ]
    drawn = [curves_of_sets(values) for values in shown]
    columns = min(3 if style.on_a_page() else 1, len(datasets))
    panels = style.axes(
        ax,
        len(datasets),
        columns=columns,
        height=0.75 + 1.75 * -(-len(datasets) // columns),
        width=theme.COLUMN_WIDTH if columns == 1 else theme.PAGE_WIDTH,
    )
    among = [*chain.from_iterable(drawn)]
    handles: dict[str, Artist] = {}
    names = names_apart(datasets, shown)
    for panel, curves, values, name in zip(panels, drawn, shown, names, strict=True):
        artists = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        handles |= {str(artist.get_label()): artist for artist in artists}
        lines = [
            _wrapped(each, style.available_width(panel) - LABELS / columns, TITLE)
            for each in (name, _differences(values, metric))
        ]
        panel.set_title("\n".join(filter(None, lines)), fontsize=TITLE)
    along = [wording.step_label(each["step_size"], each) for each in datasets]
    style.outer_labels(panels, columns, along, [wording.value_label(each) for each in shown])
    title = name_shared(datasets, shown)
    if ax is None and (figure := panels[0].get_figure(root=True)) is not None:
        title = _wrapped(title, style.available_width(figure), 7.5)
        figure.set_figheight(figure.get_figheight() + _lines_above_two(panels, columns) * LINE)
    style.title_and_legend(
        panels,
        [*handles.values()],
        new=ax is None,
        title=title,
        note=_note(datasets),
    )
    return np.array(panels, dtype=object)


def _note(datasets: Sequence[xr.Dataset]) -> str:
    """What line and band are, where a store has several draws."""
    draws = {each.sizes["draw"] for each in datasets}
    return "line: mean over draws, band: min to max" if len(draws) > 1 else band_note(datasets[0])


def _lines_above_two(panels: Sequence[Axes], columns: int) -> int:
    """How many lines the highest title of each row has beyond two, summed over rows."""
    breaks = [panel.get_title().count("\n") for panel in panels]
    rows = [breaks[i : i + columns] for i in range(0, len(breaks), columns)]
    return sum(max(0, max(row) - 1) for row in rows)


def _wrapped(text: str, width: float, size: float) -> str:
    """``text`` in letters of ``size`` points, broken at commas into lines of ``width`` inches."""
    tied = text.replace(" ", TIE).replace(f",{TIE}", ", ")
    font = FontProperties(size=size)
    for letters in range(len(text), 0, -1):
        wrapped = fill(tied, letters, break_on_hyphens=False).replace(TIE, " ")
        lines = wrapped.splitlines()
        widths = (
            text_to_path.get_text_width_height_descent(line, font, False)[0] for line in lines
        )
        if max(widths) <= 72 * width:
            return wrapped
    return text


def _differences(values: xr.DataArray, metric: str) -> str:
    """Batch bias and gap at the step size nearest to 0, in words; empty without such sets."""
    center = statistics.center(values["step_size"])
    one = values.isel(step_size=[center]).to_dataset(name=metric)
    kinds = set(one["kind"].values.tolist())
    found = {}
    if {"same_batch", "other_batch"} <= kinds:
        found["bias"] = statistics.batch_bias(one, metric, "other_batch")["bias"]
    if {"big_batch", "validation"} <= kinds:
        found["gap"] = statistics.gap(one, metric)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        parts = [f"{n} {wording.number(v.mean(skipna=False).item())}" for n, v in found.items()]
    return f"at {wording.number(one['step_size'].item())}: {', '.join(parts)}" if parts else ""
