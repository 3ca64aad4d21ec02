"""Batch bias with its interval: along the slice, and over training (Sec. 4.2 of [Hackel2023])."""

from collections.abc import Sequence
from dataclasses import replace
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots.drawing import curves, style, theme, ticks
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, choose_step_size

# Kinds of evaluation sets that the same batch is compared with -> the legend entry.
OTHERS = {"other_batch": "same minus other batches", "big_batch": "same minus big batch"}
RESAMPLES = 2000
FEWEST = 10  # draws; with fewer, a bootstrap interval covers far less often than stated


@figure
def plot_batch_bias(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str = "loss",
    slope_factor: float | None = None,
    step_size: float | None = None,
    scale: str = "auto",
) -> NDArray[np.object_]:
    """Plot the batch bias of ``metric`` along the step size (left) and over training (right).

    The batch bias is the value on the same batch minus the mean of the other batches, and minus the
    big batch, where there are such sets. Lines are means over draws, bars their 95 % bootstrap
    intervals [Efron1979]; with fewer than ten draws, too few for an interval, bars reach from the
    lowest to the highest draw.

    The left axes show one checkpoint, by default the second. The right axes show ``step_size``, and
    dotted the sampled step size nearest to 0. By default ``step_size`` is the sampled one nearest
    to an update with the checkpoint's learning rate (along the normalised gradient, to the median
    of that over draws), or to 0.1 where the learning rate is not known. The axes do not share their
    scale: along the slice the bias grows far beyond that at the learning rate.

    Returns:
        The left and the right axes.

    Raises:
        InvalidValueError: without a same batch or a set to compare it with, and for an option that
            the dataset does not have.
    """
    values = choose_metric(dataset, metric, slope_factor)
    position = choose_checkpoint(dataset, checkpoint)
    one = values.isel(checkpoint=position)
    steps, zero = values["step_size"].values, statistics.center(values["step_size"])
    taken = np.median(statistics.learning_step(dataset.isel(checkpoint=position)).values)
    at = choose_step_size(steps, step_size, float(taken))
    biases = _biases(values.to_dataset(name=metric), metric)
    looks = _looks(dataset)

    left, right = panels = style.axes(
        ax, 2, columns=2, height=2.6, width=theme.PAGE_WIDTH, sharex=False, sharey=False
    )
    along = [
        _estimate(bias.isel(checkpoint=position), steps, OTHERS[kind], looks[kind])
        for kind, bias in biases.items()
    ]
    handles = curves.draw(left, along, scale=scale, value_scale="linear", bars=True)
    iterations = values["iteration"].values.astype(np.float64)
    over = []
    for kind, bias in biases.items():
        dotted = replace(looks[kind], linestyle=":", marker="")
        for place, look in {zero: dotted, at: looks[kind]}.items():
            label = f"_{kind} at {steps[place]:g}"
            over.append(_estimate(bias.isel(step_size=place), iterations, label, look))
    curves.draw(right, over, value_scale="linear", origin=False, bars=True)

    left.set_title(wording.checkpoint_label(one))
    left.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    far, near = (wording.number(steps[place]) for place in (at, zero))
    right.set_title(f"at step size {far}")
    if at != zero:
        handles.insert(
            len(along), Line2D([], [], color="0.4", ls=":", label=f"at step size {near}")
        )
    right.set_xlabel(wording.placed_by(values))
    ticks.whole(right.xaxis, int(style.available_width(right)) + 1)
    for panel in panels:
        panel.axhline(0, color="0.4", linewidth=0.6, zorder=0.6, gid="no bias")
        panel.set_ylabel(fill(wording.value_label(next(iter(biases.values()))), 30))
    draws = dataset.sizes["draw"]
    note = "a single draw, so without an interval"
    if draws >= FEWEST:
        note = f"line: mean of {draws} draws, bars: its 95 % bootstrap interval"
    elif draws > 1:
        note = f"line: mean of {draws} draws, too few for an interval; bars: min to max"
    title = wording.source_label(dataset)
    style.title_and_legend(panels, handles, new=ax is None, title=title, note=note)
    return np.array(panels, dtype=object)


def _biases(dataset: xr.Dataset, metric: str) -> dict[str, xr.DataArray]:
    """Kind of the compared sets -> bias over checkpoint, draw and step_size."""
    kinds = [kind for kind in OTHERS if kind in dataset["kind"].values]
    if not kinds:
        names = ", ".join(map(str, dataset["evaluation_set"].values))
        raise InvalidValueError(
            f"the evaluation sets are {names}; a batch bias needs other batches or a big batch"
        )
    return {kind: statistics.batch_bias(dataset, metric, kind)["bias"] for kind in kinds}


def _looks(dataset: xr.Dataset) -> dict[str, style.Style]:
    """The style of each kind: that of the big batch, and of the first other batch."""
    looks = style.set_styles(dataset)
    kinds = dataset["kind"].values
    return {
        kind: looks[str(dataset["evaluation_set"].values[kinds == kind][0])]
        for kind in OTHERS
        if kind in kinds
    }


def _estimate(
    values: xr.DataArray, places: NDArray[np.float64], label: str, look: style.Style
) -> curves.Curve:
    """The mean over draws of ``values`` (draw, …) along ``places``, and its interval."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        line = values.mean("draw", skipna=False).values
    if values.sizes["draw"] < FEWEST:
        return curves.Curve(places, values.transpose("draw", ...).values, label, look, line=line)
    ends = statistics.interval(statistics.resample_draws(values, RESAMPLES))
    return curves.Curve(places, ends.transpose("bound", ...).values, label, look, line=line)
