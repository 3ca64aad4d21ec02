"""One curve for each class: which classes gain, and which lose, along the slice."""

from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from landscape.errors import InvalidValueError
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import band_note, curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoint,
    choose_metric,
    main_metric,
    main_set,
)

MOST = 6  # curves that can be told apart
GREY = style.Style("0.65", "-", "")


@figure
def plot_classes(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> Axes:
    """Plot ``metric`` of each class on one evaluation set, at one checkpoint.

    The dataset is by class, as ``statistics.rederive([samples], metric, by_class=True)`` gives it.
    Of more than seven classes the six that change most have a colour and an entry in the legend,
    that is, those whose highest and lowest values are farthest apart; the others are thin and grey.

    Returns:
        The axes.

    Raises:
        InvalidValueError: for a dataset that is not by class, and for an option that it does not
            have.
    """
    if "class_label" not in dataset.dims:
        raise InvalidValueError(
            "these slices are not by class; give those of landscape.statistics.rederive([samples], "
            "metric, by_class=True), or the store to landscape plot classes"
        )
    metric = main_metric(dataset, metric)
    name = main_set(dataset, evaluation_set)
    position = choose_checkpoint(dataset, checkpoint)
    each = {
        label: choose_metric(dataset.sel(class_label=label), metric, slope_factor)
        .sel(evaluation_set=name)
        .isel(checkpoint=position)
        for label in dataset["class_label"].values.tolist()
    }
    found = {label: curve(values, str(label), GREY) for label, values in each.items()}
    # Where a value is not finite, nobody knows how far the class changes.
    changes = {k: float(np.ptp(found[k].mean)) for k in found}
    most = sorted(found, key=lambda k: -changes[k] if np.isfinite(changes[k]) else -np.inf)
    shown = sorted(most[:MOST] if len(found) > MOST + 1 else most)
    looks = style.setting_styles(len(shown), ordered=False)
    apart = [replace(found[k], style=look) for k, look in zip(shown, looks, strict=True)]
    others = [replace(found[k], label=f"_{k}") for k in found if k not in shown]

    (panel,) = style.axes(ax, 1, height=3.1)
    handles = draw(panel, [*others, *apart], scale=scale, value_scale=value_scale)
    for line in (each for each in panel.lines if each.get_gid() == "curve"):
        if str(line.get_label()).startswith("_"):
            line.set(linewidth=0.6, zorder=2)
    if others:
        handles.append(_note(len(others)))
    one = each[shown[0]]
    panel.set_title(f"{wording.source_label(dataset)}\n{wording.checkpoint_label(one)}".strip())
    panel.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    panel.set_ylabel(wording.value_label(one, name))
    which = f"class: the {MOST} of {len(each)} that change most" if others else "class"
    title = "; ".join(filter(None, [which, band_note(dataset, len(each))]))
    style.legend_below(panel, handles, columns=4, title=title)
    return panel


def _note(count: int) -> Artist:
    """The legend's entry for the classes that are not told apart."""
    return Line2D([], [], color=GREY.color, lw=0.6, label=f"{count} others")
