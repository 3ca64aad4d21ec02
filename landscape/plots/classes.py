"""One curve for each class: which classes gain, and which lose, along the slice."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from landscape.errors import InvalidValueError
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import band_note, curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, main_metric
from landscape.slices.selection import set_name

MOST = 10  # curves that can be told apart


@figure
def plot_classes(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    evaluation_set: str = "validation",
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> Axes:
    """Plot ``metric`` of each class on one evaluation set, at one checkpoint.

    The dataset is by class, as ``statistics.rederive([samples], metric, by_class=True)`` gives it.
    Of more than ten classes those with the lowest values at 0 are shown.

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
    name = set_name(dataset, evaluation_set)
    position = choose_checkpoint(dataset, checkpoint)
    each = {
        label: choose_metric(dataset.sel(class_label=label), metric, slope_factor)
        .sel(evaluation_set=name)
        .isel(checkpoint=position)
        for label in dataset["class_label"].values.tolist()
    }
    at_0 = int(np.argmin(np.abs(dataset["step_size"].values)))
    lowest = sorted(each, key=lambda k: float(each[k][:, at_0].mean("draw", skipna=False)))
    shown = sorted(lowest[:MOST])
    looks = style.setting_styles(len(shown), ordered=False)
    curves = [curve(each[k], str(k), look) for k, look in zip(shown, looks, strict=True)]

    (panel,) = style.axes(ax, 1, height=3.1)
    handles = draw(panel, curves, scale=scale, value_scale=value_scale)
    one = each[shown[0]]
    panel.set_title(f"{wording.source_label(dataset)}\n{wording.checkpoint_label(one)}".strip())
    panel.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    panel.set_ylabel(wording.value_label(one, name))
    which = "class" if len(shown) == len(each) else f"the lowest {MOST} of {len(each)} classes"
    title = "; ".join(filter(None, [which, band_note(dataset)]))
    style.legend_below(panel, handles, columns=5, title=title)
    return panel
