"""Armijo's lines on a slice, and smooth accuracy at several slope factors.

Fig. 13 of [Hackel2023].
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape import metrics, statistics
from landscape.errors import InvalidValueError
from landscape.plots.drawing import curves, style, theme
from landscape.plots.drawing.curves import STEP_NOTE, draw_step, finely, fit
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import (
    Checkpoints,
    choose_checkpoint,
    choose_draw,
    choose_metric,
    draw_note,
)
from landscape.slices.options import CONSTANTS
from landscape.slices.selection import mode_of
from landscape.statistics.points import known_slope

SLOPE_FACTORS = (0.1, 0.5, 1, 2, 5, 10)


@figure
def plot_approximations(
    dataset: xr.Dataset,
    *,
    ax: Sequence[Axes] | None = None,
    checkpoint: Checkpoints = None,
    metric: str = "loss",
    slope_factor: float | None = None,
    c: float | Sequence[float] = CONSTANTS,
    draw: int | None = None,
    scale: str = "linear",
) -> NDArray[np.object_]:
    """Plot a slice with Armijo's line at several ``c`` (left), and smooth accuracy (right).

    Left: ``metric`` on the same batch at one checkpoint, by default the second, and in one draw,
    with the lines h(0) + c · h'(0) · s for step sizes s from 0 (Eq. 29 of [Hackel2023]). For the
    loss of a slice that starts where the gradient was taken, the gradient gives the slope h'(0);
    otherwise it is the difference quotient of the nearest samples on both sides. A sampled step
    size above 0 has the marker of the largest c whose condition it satisfies, or a cross. Steep
    lines leave the axes, which fit the slice and the flattest line.

    Right: σ(s · margin) of one sample (Eq. 30) for slope factors s from 0.1 to 10, and accuracy,
    the limit for large s.

    Returns:
        The left and the right axes; in one column the upper and the lower ones.

    Raises:
        InvalidValueError: for a c that is not above 0 and below 1, where there are no samples for
            a slope or none above 0, and for an option that the dataset does not have.
    """
    constants = sorted({float(each) for each in np.ravel(c)})
    if not constants:
        raise InvalidValueError("c [] names no constant; give numbers above 0 and below 1")
    name = statistics.set_name(dataset, "same_batch")
    checkpoint_, draw_ = choose_checkpoint(dataset, checkpoint), choose_draw(dataset, draw)
    place = {"checkpoint": checkpoint_, "draw": draw_}
    values = choose_metric(dataset, metric, slope_factor).sel(evaluation_set=name)
    one, known = values.isel(place), known_slope(dataset, metric, name)
    if known is None:
        slope = float(statistics.difference_parabola(one, one["step_size"]).slope)
    else:
        slope = float(known.isel(place))
    if not (one["step_size"] > 0).any():
        raise InvalidValueError(
            f"the step sizes are {one['step_size'].values.tolist()}; give a store with one above 0"
        )
    look = replace(style.set_styles(dataset)[name], marker="")
    from_0 = one.isel(step_size=one["step_size"].values >= 0).expand_dims("draw")
    slice_ = curves.curve(from_0, "slice", look)

    columns = 2 if style.on_a_page() else 1
    left, right = style.axes(
        ax,
        2,
        columns=columns,
        height=3.5 * 2 / columns,
        width=theme.PAGE_WIDTH,
        sharex=False,
        sharey=False,
    )
    handles = curves.draw(left, [slice_], scale=scale, value_scale="linear")
    handles += _lines(left, slice_, slope, constants, mode_of(dataset, metric))
    last = _far(slice_, slope, constants[0], mode_of(dataset, metric))
    left.set_xlim((-0.03 if scale == "linear" else 0) * last, 1.03 * last)
    seen = slice_.values[0][slice_.steps <= last]
    fit(left, [*seen, slice_.values[0, 0] + constants[0] * slope * last])
    source = wording.source_label(dataset, *draw_note(dataset, draw_))
    given = "difference quotient" if known is None else "of the gradient"
    told = f"slope at 0: {wording.number(slope)}, {given}"
    left.set_title(f"{source}\n{wording.checkpoint_label(one)}\n{told}")
    left.set_xlabel(wording.step_label(dataset["step_size"], dataset))
    left.set_ylabel(wording.value_label(one, name))
    style.legend_below(left, handles, columns=3, title="marker: the largest c satisfied")
    _smooth(right)
    return np.array([left, right], dtype=object)


def _far(slice_: curves.Curve, slope: float, c: float, mode: str) -> float:
    """The sample up to which the slice is shown: the first twice as far as any that satisfies c."""
    slack = statistics.armijo_slack(slice_.values[0], slice_.steps, slope, c, mode)
    satisfied = slice_.steps[1:][slack[1:] >= 0]
    beyond = slice_.steps[slice_.steps >= 2 * satisfied.max(initial=0)]
    return float(beyond[0] if satisfied.size and beyond.size else slice_.steps[-1])


def _lines(
    panel: Axes, slice_: curves.Curve, slope: float, constants: Sequence[float], mode: str
) -> list[Artist]:
    """Draw Armijo's line at each of ``constants``, ascending, and the samples' markers."""
    start, steps, values = slice_.values[0, 0], slice_.steps[1:], slice_.values[0, 1:]
    largest = np.full(steps.shape, -1)
    for i, c in enumerate(constants):
        slack = statistics.armijo_slack(slice_.values[0], slice_.steps, slope, c, mode)
        largest[slack[1:] >= 0] = i
    along = finely(slice_.steps)
    handles: list[Artist] = []
    for i, (c, look) in enumerate(
        zip(constants, style.setting_styles(len(constants), ordered=True), strict=True)
    ):
        marks: dict[str, Any] = {"marker": look.marker, "ms": 4.5, "mec": "white", "mew": 0.4}
        line: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
        with np.errstate(invalid="ignore"):  # ∞ · 0
            panel.plot(along, start + c * slope * along, gid=f"line {c:g}", **line)
        of = largest == i
        apart = {**marks, **line, "linestyle": ""}
        panel.plot(steps[of], values[of], gid=f"c = {c:g}", zorder=3, **apart)
        handles += panel.plot([], [], label=f"c = {c:g}", **marks, **line)
    none: dict[str, Any] = {"marker": "x", "ms": 3.5, "color": "0.3", "linestyle": "", "zorder": 3}
    failing = (largest < 0) & np.isfinite(values)
    if failing.any():
        handles += panel.plot(steps[failing], values[failing], label="none", gid="none", **none)
    return handles


def _smooth(panel: Axes) -> None:
    """Draw smooth accuracy of one sample against its margin, and the accuracy."""
    margin = np.linspace(-1, 1, 201)
    looks = style.setting_styles(len(SLOPE_FACTORS), ordered=True)
    found = [
        curves.Curve(
            margin,
            metrics.smooth_correct(margin, factor)[None],
            f"s = {factor:g}",
            replace(look, marker=""),
            "1",
        )
        for factor, look in zip(SLOPE_FACTORS, looks, strict=True)
    ]
    handles = curves.draw(panel, found, value_scale="linear")
    handles += draw_step(panel, metrics.correct, (-1, 1), "accuracy", style.Style("#000000"))
    panel.set_xlabel("margin of one sample")
    panel.set_ylabel("smooth accuracy, σ(s · margin)")
    style.legend_below(panel, handles, columns=4, title=STEP_NOTE)
