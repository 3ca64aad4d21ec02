"""A checkpoint probed in several ways, or several runs: one panel each, on shared axes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots.drawing import captions, style, theme
from landscape.plots.drawing.curves import Curve, around, band_note, curve, curves_of_sets, draw
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.store_names import name_shared, names_apart
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, main_metric
from landscape.slices.schema import upgraded

TITLE = 6.5  # points
LINE = 1.3 * TITLE / 72  # inches
LABELS = 0.6  # inches that labels take beside the panels of a row


@figure
def plot_compare(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
    difference: bool = False,
) -> NDArray[np.object_]:
    """Plot ``metric`` on every evaluation set, one panel per Dataset, titled by how it differs.

    Where a Dataset has the evaluation sets for them, its panel states the batch bias (same batch
    minus the mean of the other batches) and the gap (big batch minus validation) at the step size
    nearest to 0, as means over draws. The checkpoint is by default the second of each Dataset; an
    iteration that is given must be in all of them. The panels share both axes.

    With ``difference`` a last panel, on a scale of its own, shows by how much the means over draws
    differ from those of the first Dataset, at the step sizes that both have: of two Datasets on
    every evaluation set that both have, of more on validation or else the first set.

    Returns:
        The axes, one per Dataset, and with ``difference`` one more.

    Raises:
        InvalidValueError: without a Dataset, for an option that one of them does not have, and
            where there is no second Dataset, common set or step size for a difference.
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
    names = names_apart(datasets, shown)
    differences = []
    if difference:
        _require_one_direction(datasets)
        differences = _apart(shown, names)
    count = len(datasets) + difference
    # In one column more than four rows would not fit on a page.
    columns = min(3 if style.on_a_page() else 1 + (count > 4), count)
    panels = style.axes(
        ax,
        count,
        columns=columns,
        height=0.75 + 1.75 * -(-count // columns),
        width=theme.COLUMN_WIDTH if columns == 1 else theme.PAGE_WIDTH,
        sharey=not difference,
    )
    among = [*chain.from_iterable(drawn)]
    handles: dict[str, Artist] = {}
    extra = panels.pop() if difference else None
    if extra and ax is None:
        _share(panels, columns)
    for panel, curves, values, name in zip(panels, drawn, shown, names, strict=True):
        artists = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        handles |= {str(artist.get_label()): artist for artist in artists}
        lines = [
            _wrapped(each, style.available_width(panel) - LABELS / columns, TITLE)
            for each in (name, _differences(values, metric))
        ]
        panel.set_title("\n".join(filter(None, lines)), fontsize=TITLE)
    along = [wording.step_label(each["step_size"], each) for each in datasets]
    labels = [wording.value_label(each) for each in shown]
    if extra:
        artists = draw(extra, differences, scale=scale, value_scale=value_scale)
        handles = {str(artist.get_label()): artist for artist in artists} | handles
        extra.axhline(0, color="0.4", linewidth=0.6, zorder=0.6, gid="no difference")
        one = f"minus the first, {_compared(shown)[0].replace('_', ' ')}"
        extra.set_title(one if len(datasets) > 2 else "second minus first")
        extra.title.set_fontsize(TITLE)
        extra.set_ylabel(wording.with_units("difference", str(shown[0].attrs.get("units", "1"))))
        panels, along = [*panels, extra], [*along, along[0]]
        labels.append(extra.get_ylabel())
    style.outer_labels(panels, columns, along, labels)
    title = name_shared(datasets, shown)
    if ax is None and (figure := panels[0].get_figure(root=True)) is not None:
        title = _wrapped(title, style.available_width(figure), 7.5)
        figure.set_figheight(figure.get_figheight() + _lines_above_two(panels, columns) * LINE)
    style.title_and_legend(
        panels,
        [*handles.values()],
        new=ax is None,
        title=title,
        note=_note(datasets, max(map(len, drawn))),
    )
    return np.array(panels, dtype=object)


def _share(panels: Sequence[Axes], columns: int) -> None:
    """Let the panels of a new figure share the axis of the values."""
    for i, panel in enumerate(panels):
        if i:
            panel.sharey(panels[0])
        panel.tick_params(labelleft=i % columns == 0)


def _require_one_direction(datasets: Sequence[xr.Dataset]) -> None:
    """Step sizes along several directions are not of one kind."""
    found = dict.fromkeys(str(upgraded(each).attrs.get("direction_symbol")) for each in datasets)
    if len(found) > 1:
        raise InvalidValueError(
            f"the slices go along {' and '.join(found)}; a difference needs one direction"
        )


def _compared(shown: Sequence[xr.DataArray]) -> list[str]:
    """The evaluation sets of a difference: of two stores all they share, of more one."""
    first, *others = shown
    sets = [str(n) for n in first["evaluation_set"].values]
    sets = [n for n in sets if all(n in each["evaluation_set"].values for each in others)]
    if not sets:
        raise InvalidValueError("the stores have no evaluation set in common for a difference")
    one = "validation" if "validation" in sets else sets[0]
    return sets if len(others) == 1 else [one]


def _apart(shown: Sequence[xr.DataArray], names: Sequence[str]) -> list[Curve]:
    """The means of each minus those of the first."""
    if len(shown) < 2:
        raise InvalidValueError("a difference needs at least 2 stores; 1 was given")
    first, *others = shown
    sets = _compared(shown)
    if len(others) == 1:
        pair = [curves_of_sets(each.sel(evaluation_set=sets)) for each in (others[0], first)]
        return [_minus(*each) for each in zip(*pair, strict=True)]
    one = sets[0]
    # In colours that no evaluation set has.
    every = style.setting_styles(2 * len(others) + 8, ordered=False)
    looks = [each for each in every if each.color not in style.COLORS.values()][: len(others)]
    start = curve(first.sel(evaluation_set=one), "", looks[0])
    return [
        _minus(curve(each.sel(evaluation_set=one), name, look), start)
        for each, name, look in zip(others, names[1:], looks, strict=True)
    ]


def _minus(one: Curve, first: Curve) -> Curve:
    """The difference of the means where both were sampled, with the words and looks of ``one``."""
    steps, here, there = np.intersect1d(one.steps, first.steps, return_indices=True)
    if not steps.size:
        raise InvalidValueError("the stores have no step size in common for a difference")
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        values = (one.mean[here] - first.mean[there])[None]
    return replace(one, steps=steps, values=values, units="")


def _note(datasets: Sequence[xr.Dataset], sets: int) -> str:
    """What line and band are, where a store has several draws."""
    draws = {each.sizes["draw"] for each in datasets}
    if len(draws) > 1:
        return f"line: mean over draws, {around(sets)}: min to max"
    return band_note(datasets[0], sets)


def _lines_above_two(panels: Sequence[Axes], columns: int) -> int:
    """How many lines the highest title of each row has beyond two, summed over rows."""
    breaks = [panel.get_title().count("\n") for panel in panels]
    rows = [breaks[i : i + columns] for i in range(0, len(breaks), columns)]
    return sum(max(0, max(row) - 1) for row in rows)


def _wrapped(text: str, width: float, size: float) -> str:
    """``text``, broken at commas, and between other words only where what they part is too wide."""
    found: list[str] = []
    for part in text.replace(", ", ",\n").split("\n"):
        longer = f"{found[-1]} {part}" if found else part
        if found and captions.text_width(longer, size) <= width:
            found[-1] = longer
        else:
            found += captions.lines(part, width, size)
    return "\n".join(found)


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
    beside = float(np.abs(values.isel(step_size=center)).max())
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        means = {n: v.mean(skipna=False).item() for n, v in found.items()}
    parts = [f"{n} {wording.number(value, beside)}" for n, value in means.items()]
    return f"at {wording.number(one['step_size'].item())}: {', '.join(parts)}" if parts else ""
