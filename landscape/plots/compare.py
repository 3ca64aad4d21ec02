"""A checkpoint probed in several ways, or several runs: a panel each, on shared axes."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import labels, statistics
from landscape.errors import InvalidValueError
from landscape.plots import style
from landscape.plots.choice import Checkpoints, choose_checkpoint, choose_metric
from landscape.plots.curves import band_note, curves_of_sets, draw


@style.themed
def plot_compare(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str = "accuracy",
    slope_factor: float | None = None,
    scale: str = "linear",
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot ``metric`` on every evaluation set, a panel a Dataset, named by what sets it apart.

    Into each panel the batch bias (same batch minus the mean of the other batches) and the gap
    (big batch minus validation) at the step size nearest to 0 are written, means over draws,
    where there are such sets. ``checkpoint`` names an iteration that all have; by default it is
    the second of each. Panels share both axes. Returns them.

    Raises :class:`InvalidValueError` without a Dataset.
    """
    if not datasets:
        raise InvalidValueError("no store was given; give at least one")
    shown = [
        choose_metric(each, metric, slope_factor).isel(
            checkpoint=choose_checkpoint(each, checkpoint)
        )
        for each in datasets
    ]
    drawn = [curves_of_sets(values) for values in shown]
    columns = min(3, len(datasets))
    panels = style.axes(
        ax,
        len(datasets),
        columns=columns,
        height=0.75 + 1.75 * -(-len(datasets) // columns),
        width=style.COLUMN_WIDTH if columns == 1 else style.PAGE_WIDTH,
    )
    among = [*chain.from_iterable(drawn)]
    handles: dict[str, Artist] = {}
    for panel, curves, values, name in zip(panels, drawn, shown, _names(datasets), strict=True):
        artists = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        handles |= {str(artist.get_label()): artist for artist in artists}
        panel.set_title(f"{name}\n{_differences(values, metric)}".strip(), fontsize=6.5)
    along = [style.step_label(each["step_size"], each) for each in datasets]
    style.outer_labels(panels, columns, along, [style.value_label(each) for each in shown])
    heads = dict.fromkeys(_head(*each) for each in zip(datasets, shown, strict=True))
    style.title_and_legend(
        panels,
        [*handles.values()],
        new=ax is None,
        title="; ".join(heads),
        note=band_note(datasets[0]),
    )
    return np.array(panels, dtype=object)


def _names(datasets: Sequence[xr.Dataset]) -> list[str]:
    """What sets each apart, in the words in which runs are told apart."""
    policies = [_policies(each) for each in datasets]
    alike = all(len(set(each.values())) == 1 for each in policies)
    records = [
        {
            **each.attrs.get("settings", {}),
            "task": each.attrs.get("task", ""),
            "optimizer": each.attrs.get("optimizer", ""),
            "batch_norm": next(iter(own.values())) if alike else own,
        }
        for each, own in zip(datasets, policies, strict=True)
    ]
    names, _ = labels.short(labels.labels(records))
    return names if len(names) > 1 else [""]


def _policies(dataset: xr.Dataset) -> dict[str, str]:
    """Kind of evaluation set -> its batch-norm policy."""
    kinds, policies = (dataset[name].values.tolist() for name in ("kind", "batch_norm"))
    return dict(zip(kinds, policies, strict=True))


def _head(dataset: xr.Dataset, values: xr.DataArray) -> str:
    source = {key: dataset.attrs.get(key) for key in ("task", "optimizer")}
    return ", ".join([*filter(None, source.values()), style.checkpoint_label(values)])


def _differences(values: xr.DataArray, metric: str) -> str:
    """Batch bias and gap at the step size nearest to 0, in words; of missing sets, nothing."""
    center = statistics.center(values["step_size"])
    one = values.isel(step_size=[center]).to_dataset(name=metric)
    kinds = set(one["kind"].values.tolist())
    found = {}
    if {"same_batch", "other_batch"} <= kinds:
        found["bias"] = statistics.batch_bias(one, metric, "other_batch")["bias"]
    if {"big_batch", "validation"} <= kinds:
        found["gap"] = statistics.gap(one, metric)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        parts = [f"{n} {style.number(v.mean(skipna=False).item())}" for n, v in found.items()]
    return f"at {style.number(one['step_size'].item())}: {', '.join(parts)}" if parts else ""
