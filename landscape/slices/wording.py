"""What a Dataset holds, in the words of axes, legends, titles and tables."""

import numpy as np
import xarray as xr

from landscape.slices.schema import upgraded


def name_label(name: str) -> str:
    """A stored name as people write it: ``other_batch_1`` is "other batch 1"."""
    return name.replace("_", " ")


def with_units(label: str, units: str) -> str:
    """``label (units)``; a pure number, of units "1", has none to name."""
    return label if units in ("", "1") else f"{label} ({units})"


def step_label(array: xr.DataArray, dataset: xr.Dataset) -> str:
    """The label of the axis along the slice, with its direction: positive descends."""
    label = str(array.attrs.get("long_name", name_label(str(array.name))))
    if symbol := upgraded(dataset).attrs.get("direction_symbol"):
        label = f"{label.split(' along ')[0]} along {symbol}"
    return with_units(label, str(array.attrs.get("units", "1")))


def metric_label(values: xr.DataArray) -> str:
    """A metric by its long name, with its slope factor if it has one."""
    label = str(values.attrs.get("long_name", name_label(str(values.name))))
    factor = f" (s = {values['slope_factor'].item():g})" if "slope_factor" in values.coords else ""
    return label + factor


def value_label(values: xr.DataArray, where: str = "") -> str:
    """The label of a metric's axis: the metric, the set ``where`` it was measured, units."""
    label = metric_label(values) + (f", {name_label(where)}" if where else "")
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


def checkpoints_label(dataset: xr.Dataset, most: int) -> str:
    """All checkpoints as "2 at iteration 10, 200 (epoch 0.5 to 10)".

    Of more than ``most`` iterations, the first and the last five are named.
    """
    label = str(dataset.sizes["checkpoint"])
    if "iteration" in dataset.coords:
        iterations = [str(each) for each in np.ravel(dataset["iteration"].values)]
        if len(iterations) > most:
            iterations = [*iterations[:5], "…", *iterations[-5:]]
        label += f" at iteration {', '.join(iterations)}" * bool(iterations)
    epochs = np.ravel(dataset["epoch"].values) if "epoch" in dataset.coords else np.array([])
    if epochs.size and np.isfinite(epochs).all():
        label += f" (epoch {epochs[0]:.4g} to {epochs[-1]:.4g})"
    return label
