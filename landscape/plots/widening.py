"""One evaluation set at all checkpoints: the peak widens as training proceeds.

Fig. 10 of [Hackel2023].
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from landscape.errors import UnknownNameError
from landscape.plots.drawing import style, theme
from landscape.plots.drawing.curves import Curve, around, band_note, curve, draw, lines_of_draws
from landscape.plots.drawing.figure import figure
from landscape.plots.drawing.several import name_stores, title_lines
from landscape.plots.drawing.store_names import name_shared
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoints,
    choose_metric,
    main_metric,
    main_set,
)
from landscape.slices.selection import distance, norm, set_name
from landscape.statistics import AGAINST

LIGHT = 0.45  # share of its colour that the first checkpoint of a store has


@figure
def plot_widening(
    dataset: xr.Dataset | Sequence[xr.Dataset],
    *,
    ax: Axes | Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    against: str = "step-size",
    scale: str = "auto",
    value_scale: str = "auto",
    together: bool = False,
) -> Axes | NDArray[np.object_]:
    """Plot ``metric`` on one evaluation set, one curve per checkpoint, from dark to light.

    All checkpoints are shown by default. ``against="distance"`` makes checkpoints with gradients of
    different norms comparable; each draw then has its own distances and so its own line.
    Several Datasets have one panel each, on shared axes; there a colour is a checkpoint in all.
    ``together`` draws them into one panel, where a colour is a Dataset, and its lighter shades are
    the earlier checkpoints.

    Returns:
        The axes; of a list of Datasets an array of them, one per Dataset or, ``together``, one.

    Raises:
        InvalidValueError: without a Dataset, and for an option that the dataset does not have.
        UnknownNameError: for an unknown ``against``.
    """
    stores = [dataset] if isinstance(dataset, xr.Dataset) else list(dataset)
    names = name_stores(stores)
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    metric = main_metric(stores[0], metric)
    evaluation_set = main_set(stores[0], evaluation_set, "same_batch")
    together = together and len(stores) > 1
    most = 2 if together else None
    shown = [
        _slices(each, metric, slope_factor, evaluation_set, checkpoint, most) for each in stores
    ]
    if together:
        shown = [
            {f"{name}, {label}": one for label, one in each.items()}
            for name, each in zip(names, shown, strict=True)
        ]
    looks = _shades(shown) if together else _colors(shown)
    labels = list(looks)
    drawn = [_curves(*each, looks, against) for each in zip(stores, shown, strict=True)]
    if together:
        drawn, names = [[*chain.from_iterable(drawn)]], [""]

    count = len(drawn)
    columns = min(3 if style.on_a_page() else 1, count)
    rows = -(-count // columns)
    panels = style.axes(
        ax,
        count,
        columns=columns,
        height=(2.8 if count == 1 else 0.9 + 1.75 * rows) + 0.13 * -(-len(labels) // 3),
        width=theme.COLUMN_WIDTH if columns == 1 else theme.PAGE_WIDTH,
    )
    among = [*chain.from_iterable(drawn)]
    handles: dict[str, Artist] = {}
    for panel, curves in zip(panels, drawn, strict=True):
        artists = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        handles |= {str(artist.get_label()): artist for artist in artists}
    along = [wording.step_label(_steps(each, against), each) for each in stores]
    if together:  # which need not have one direction
        along = [along[0] if len(set(along)) == 1 else along[0].split(" along ")[0]]
    value = wording.value_label(next(iter(shown[0].values())), evaluation_set)
    style.outer_labels(panels, columns, along, [value] * len(panels))
    curves_at_most = max(map(len, drawn))
    notes = [band_note(max(stores, key=lambda each: each.sizes["draw"]), curves_at_most)]
    if notes[0] and any(_own_lines(each, against) for each in stores):
        notes = ["one line a draw"]
    elif len({each.sizes["draw"] for each in stores}) > 1:
        notes = [f"line: mean over draws, {around(curves_at_most)}: min to max"]
    named = wording.checkpoints_note(stores[0])
    if len(labels) > style.TOLD_APART and not together:  # a legend of so many would not be read
        style.checkpoint_bar(panels, labels, looks, named)
        handles = {name: each for name, each in handles.items() if name not in labels}
        named = ""
    note = "; ".join(filter(None, [named, *notes]))
    if isinstance(dataset, xr.Dataset):
        panels[0].set_title(wording.source_label(dataset))
        style.legend_below(panels[0], [*handles.values()], columns=3, title=note)
        return panels[0]
    for panel, name in zip(panels, names, strict=True):
        panel.set_title("\n".join(title_lines(name, panel, columns)), fontsize=6.5)
    title = name_shared(stores)
    ordered = [handles[each] for each in sorted(handles, key=[*labels, *handles].index)]
    style.title_and_legend(panels, ordered, new=ax is None, title=title, note=note)
    return np.array(panels, dtype=object)


def _slices(
    dataset: xr.Dataset,
    metric: str,
    slope_factor: float | None,
    evaluation_set: str,
    checkpoint: Checkpoints,
    most: int | None,
) -> dict[str, xr.DataArray]:
    """Label of a checkpoint -> its values over draw and step_size, in the order asked for."""
    values = choose_metric(dataset, metric, slope_factor)
    values = values.sel(evaluation_set=set_name(dataset, evaluation_set))
    found = [values.isel(checkpoint=at) for at in choose_checkpoints(dataset, checkpoint, most)]
    return {wording.checkpoint_label(each, short=True): each for each in found}


def _colors(shown: Sequence[Mapping[str, xr.DataArray]]) -> dict[str, style.Style]:
    """A style for each checkpoint, from dark to light, which is the same in all stores."""
    labels = list(dict.fromkeys(chain.from_iterable(shown)))
    if len(shown) > 1:
        iterations = {n: one["iteration"].item() for each in shown for n, one in each.items()}
        labels.sort(key=lambda label: iterations[label])
    return dict(zip(labels, style.sequential_styles(len(labels)), strict=True))


def _shades(shown: Sequence[Mapping[str, xr.DataArray]]) -> dict[str, style.Style]:
    """A colour and dashes for each store, in shades from light to full for its checkpoints."""
    found = {}
    for each, look in zip(shown, style.setting_styles(len(shown), ordered=False), strict=True):
        for label, share in zip(each, np.linspace(1, LIGHT, len(each))[::-1], strict=True):
            mixed = tuple(1 - share * (1 - part) for part in to_rgb(look.color))  # with white
            found[label] = replace(look, color=mixed)
    return found


def _curves(
    dataset: xr.Dataset,
    shown: Mapping[str, xr.DataArray],
    looks: Mapping[str, style.Style],
    against: str,
) -> list[Curve]:
    """The curves of one store."""
    if not _own_lines(dataset, against):
        return [curve(one, label, looks[label]) for label, one in shown.items()]
    steps, iterations = _steps(dataset, against), dataset["iteration"].values.tolist()
    curves = []
    for label, one in shown.items():
        away = steps.isel(checkpoint=iterations.index(one["iteration"].item()))
        curves += lines_of_draws(one, away, label, looks[label])
    return curves


def _steps(dataset: xr.Dataset, against: str) -> xr.DataArray:
    return dataset["step_size"] if against == "step-size" else distance(dataset)


def _own_lines(dataset: xr.Dataset, against: str) -> bool:
    """Whether each draw has distances of its own: not where all norms are 1."""
    return against == "distance" and bool((norm(dataset) != 1).any())
