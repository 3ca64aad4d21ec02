"""Noise between batches against their size (Sec. 4.2 of [Hackel2023])."""

from collections.abc import Sequence
from functools import reduce
from itertools import chain
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots.drawing import curves, style, theme
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, choose_metric, choose_step_size


@figure
def plot_batch_noise(
    datasets: Sequence[xr.Dataset],
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str = "loss",
    slope_factor: float | None = None,
    step_size: float | None = None,
) -> NDArray[np.object_]:
    """Plot the noise between other batches against their size n, one Dataset per size; log-log.

    The noise is the standard deviation of :func:`landscape.statistics.batch_noise`: on the left of
    the value of ``metric`` at the step size nearest to 0, on the right of its change from there to
    ``step_size``, by default the sampled one nearest to an update with the learning rate, or to 0.1
    where that is not known. There is one curve per checkpoint, by default for four, evenly spread,
    of those that all Datasets have. The dotted lines are 1/√n through the first point of each
    curve. The panels share their scales.

    Returns:
        The left and the right axes.

    Raises:
        InvalidValueError: for fewer than two Datasets; for Datasets of different tasks, directions,
            origins or checkpoints, or of the same batch size; where they share no iteration or step
            size; and for an option that they do not have.
    """
    sizes, shown = _comparable(datasets)
    first = shown[0]
    positions = choose_checkpoints(first, checkpoint, most=4)
    steps = first["step_size"].values
    taken = np.median(statistics.learning_step(first.isel(checkpoint=positions[0])).values)
    at, zero = choose_step_size(steps, step_size, float(taken)), statistics.center(steps)
    noise = [_noise(each, metric, slope_factor) for each in shown]
    left, right = panels = style.axes(ax, 2, columns=2, height=2.8, width=theme.PAGE_WIDTH)
    looks = style.sequential_styles(len(positions))
    drawn = [
        [
            curves.Curve(
                sizes,
                np.array([[each[name][position, place].item() for each in noise]]),
                wording.checkpoint_label(first.isel(checkpoint=position), short=True),
                look,
            )
            for position, look in zip(positions, looks, strict=True)
        ]
        for name, place in (("value", zero), ("change", at))
    ]
    among = [*chain.from_iterable(drawn)]
    for panel, lines in zip(panels, drawn, strict=True):
        handles = curves.draw(panel, lines, value_scale="log", among=among, origin=False)
        for each in lines:
            law = each.mean[0] * np.sqrt(sizes[0] / sizes)
            panel.plot(sizes, law, ":", color=each.style.color, lw=0.8, zorder=2, gid="law")
        panel.set_xscale("log")
        panel.set_xlim(sizes[0] / 1.2, sizes[-1] * 1.2)
        panel.set_xticks(sizes, [f"{size:g}" for size in sizes])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_xlabel("samples in a batch, n")
    near, far = (wording.number(steps[place]) for place in (zero, at))
    left.set_title(f"value at step size {near}")
    right.set_title(f"change from {near} to {far}")
    left.set_ylabel(fill(wording.value_label(noise[0]["value"]), 30))

    note = f"{wording.checkpoints_note(first)}; dotted: 1/√n through the first point"
    title = wording.source_label(first)
    style.title_and_legend(panels, handles, new=ax is None, title=title, note=note)
    return np.array(panels, dtype=object)


def _comparable(
    datasets: Sequence[xr.Dataset],
) -> tuple[NDArray[np.float64], list[xr.Dataset]]:
    """Batch sizes, ascending, and the Datasets cut to their common iterations and steps."""
    if len(datasets) < 2:
        raise InvalidValueError(
            f"{'1 store was' if datasets else '0 stores were'} given; give at least 2, probed "
            "with different batch sizes"
        )
    for key in ("task", "direction", "origin"):
        values = list(dict.fromkeys(str(each.attrs.get(key)) for each in datasets))
        if len(values) > 1:
            raise InvalidValueError(
                f"the stores are of the {key}s {', '.join(values)}; give stores of one {key}"
            )
    sized = sorted(((_batch_size(each), each) for each in datasets), key=lambda pair: pair[0])
    sizes = np.array([size for size, _ in sized], dtype=np.float64)
    if len(set(sizes)) < len(sizes):
        raise InvalidValueError(
            f"the stores have the batch sizes {', '.join(f'{n:g}' for n in sizes)}; "
            "give one store of each size"
        )
    shown = [each for _, each in sized]
    if len({wording.placed_by(each) for each in shown}) > 1:
        raise InvalidValueError(
            "some of the stores have their checkpoints at iterations, and some at epochs; probe "
            "the same ones"
        )
    for name, dim in (("iteration", "checkpoint"), ("step_size", "step_size")):
        common = reduce(np.intersect1d, [each[name].values for each in shown])
        if not common.size:
            raise InvalidValueError(
                f"the stores have no {wording.name_label(name)} in common; probe the same ones"
            )
        shown = [each.isel({dim: np.isin(each[name].values, common)}) for each in shown]
    for iteration in shown[0]["iteration"].values:
        digests = {each.attrs.get("digests", {}).get(str(iteration)) for each in shown}
        if len(digests - {None}) > 1:
            raise InvalidValueError(
                f"the stores have different checkpoints at {wording.placed_by(shown[0])} "
                f"{iteration}; give those of one run"
            )
    return sizes, shown


def _batch_size(dataset: xr.Dataset) -> int:
    settings = dataset.attrs.get("settings", {})
    if "batch_size" not in settings:
        raise InvalidValueError(
            "a store does not say its batch size; give stores made by landscape probe"
        )
    return int(settings["batch_size"])


def _noise(dataset: xr.Dataset, metric: str, slope_factor: float | None) -> xr.Dataset:
    values = choose_metric(dataset, metric, slope_factor)
    return statistics.batch_noise(values.to_dataset(name=metric), metric)
