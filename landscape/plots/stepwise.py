"""Accuracy close to step size 0, in steps of one sample (Table 3 of [Hackel2023])."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import statistics
from landscape.plots.drawing import curves, style
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoint,
    choose_draw,
    choose_metric,
    draw_note,
    main_set,
)

ABOVE, BELOW = 4, 8  # samples: how far the lower panel reaches from the value at 0


@figure
def plot_stepwise(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    evaluation_set: str | None = None,
    draw: int | None = None,
    scale: str = "symlog",
) -> NDArray[np.object_]:
    """Plot accuracy, and below it the same accuracy enlarged to a few samples.

    Accuracy is the share of samples that are classified correctly, so it moves in steps of
    1 / samples: the grid of the lower panel. The plateau is shaded, the sampled step sizes around 0
    with the same accuracy; ≤ or ≥ before an end says that the end itself was not sampled. One
    checkpoint is shown, by default the second. A mean over draws would have smaller steps, so one
    draw is shown.

    Returns:
        The upper and the lower axes.

    Raises:
        InvalidValueError: without accuracy, and for an option that the dataset does not have.
    """
    name = main_set(dataset, evaluation_set, "same_batch")
    chosen = choose_draw(dataset, draw)
    at = choose_checkpoint(dataset, checkpoint)
    accuracy = choose_metric(dataset, "accuracy").isel(checkpoint=at).sel(evaluation_set=name)
    one = accuracy.isel(draw=[chosen])
    slice_ = curves.curve(one, "accuracy", style.set_styles(dataset)[name])
    values, steps, samples = slice_.values[0], slice_.steps, int(one["samples"].item())
    flat = statistics.plateau(values, steps)

    whole, enlarged = panels = style.axes(ax, 2, height=4.3)
    for panel in panels:
        handles = curves.draw(panel, [slice_], scale=scale, value_scale="linear")
        if np.isfinite(flat.width):
            low = "≤ " * flat.lower_open + wording.number(flat.lower)
            high = "≥ " * flat.upper_open + wording.number(flat.upper)
            label = f"plateau: {low} to {high}"
            look: dict[str, Any] = {"color": "0.6", "alpha": 0.25, "linewidth": 0}
            span = panel.axvspan(flat.lower, flat.upper, label=label, gid="plateau", **look)
            handles.append(span)
    _enlarge(enlarged, values[statistics.center(steps)], samples)

    source = wording.source_label(dataset, *draw_note(dataset, chosen))
    whole.set_title(f"{source}\n{wording.checkpoint_label(one)}".strip())
    whole.set_ylabel(wording.value_label(one, name))
    enlarged.set_ylabel("the same, enlarged")
    enlarged.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    a_sample = f"a grid line a sample: 1/{samples} = {1 / samples:.2g}"
    style.legend_below(enlarged, handles, columns=3, title=a_sample)
    return np.array(panels, dtype=object)


def _enlarge(panel: Axes, middle: float, samples: int) -> None:
    """Show a few samples around the value ``middle``, with one grid line per sample."""
    if not np.isfinite(middle):
        return
    count = round(middle * samples)  # classified correctly
    lowest, highest = max(count - BELOW, 0), min(count + ABOVE, samples)
    # the accuracy of n samples is n / samples
    panel.set_ylim((lowest - 0.5) / samples, (highest + 0.5) / samples)
    grid = np.arange(lowest, highest + 1)
    panel.set_yticks(grid / samples, minor=True)
    labelled = grid[(grid - count) % 4 == 0] / samples
    panel.set_yticks(labelled, [f"{at:.5g}" for at in labelled])
    panel.grid(True, axis="y", which="both", color="0.85", linewidth=0.5)
