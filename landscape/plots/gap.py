"""Big batch against validation at several checkpoints (Fig. 19 of [Hackel2023])."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import Curve, band_note, curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric, main_metric

SETS = ("big_batch", "validation")


@figure
def plot_gap(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str | None = None,
    slope_factor: float | None = None,
    scale: str = "auto",
    value_scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot ``metric`` on the big batch and on validation, one panel per checkpoint.

    The gap, big batch minus validation (of the means over draws), is shaded; its value at the step
    size nearest to 0 is in the panel's title. By default four checkpoints are shown, evenly spread.
    Each panel has its own range of values, in which its gap can be seen.

    Returns:
        The axes, one per checkpoint.

    Raises:
        InvalidValueError: without a big batch or validation, and for an option that the dataset
            does not have.
    """
    metric = main_metric(dataset, metric)
    values = choose_metric(dataset, metric, slope_factor)
    gaps = statistics.gap(values.to_dataset(name=metric), metric, *SETS)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        gaps = gaps.mean("draw", skipna=False)
    positions = choose_checkpoints(dataset, checkpoint, most=4)
    styles = style.set_styles(dataset)
    pairs = [
        [
            curve(
                values.isel(checkpoint=at).sel(evaluation_set=name),
                wording.name_label(name),
                styles[name],
            )
            for name in SETS
        ]
        for at in positions
    ]
    columns = min(2, len(positions))
    height = 1.0 + 1.3 * -(-len(positions) // columns)
    panels = style.axes(ax, len(positions), columns=columns, height=height, sharey=False)
    handles: list[Artist] = []
    everything = [*chain.from_iterable(pairs)]
    for panel, pair, position in zip(panels, pairs, positions, strict=True):
        # On one scale the gap late in training could not be seen.
        artists = draw(panel, pair, scale=scale, value_scale=value_scale, among=everything)
        panel.autoscale(axis="y")
        handles += [each for each in artists if _label(each) not in map(_label, handles)]
        shade = _shade(panel, *pair)
        center = gaps.isel(checkpoint=position, step_size=statistics.center(gaps["step_size"]))
        at = wording.number(center["step_size"].item())
        value = wording.number(center.item(), beside=_beside(values, center, position))
        panel.set_title(f"{wording.checkpoint_label(center)}\ngap at {at}: {value}", fontsize=6.5)
    along, value = wording.step_label(dataset["step_size"], dataset), wording.value_label(values)
    style.outer_labels(panels, columns, [along] * len(panels), [value] * len(panels))
    title = wording.source_label(dataset)
    own = "each panel has its own range of values" if len(panels) > 1 else ""
    note = "; ".join(filter(None, [own, band_note(dataset)]))
    style.title_and_legend(panels, [*handles, shade], new=ax is None, title=title, note=note)
    return np.array(panels, dtype=object)


def _label(artist: Artist) -> str:
    return str(artist.get_label())


def _beside(values: xr.DataArray, center: xr.DataArray, position: int) -> float:
    """The size of the values of which the gap at the step size ``center`` is the difference."""
    both = values.isel(checkpoint=position).sel(step_size=center["step_size"])
    return float(np.abs(both.sel(evaluation_set=list(SETS))).max())


def _shade(panel: Axes, big: Curve, validation: Curve) -> PolyCollection:
    """Fill between the means where both are finite."""
    finite = np.isfinite(big.mean) & np.isfinite(validation.mean)
    return panel.fill_between(
        big.steps,
        big.mean,
        validation.mean,
        where=finite,
        color="0.6",
        alpha=0.35,
        lw=0,
        label="gap",
        gid="gap",
    )
