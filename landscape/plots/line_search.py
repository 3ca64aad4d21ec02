"""What one line search saw, on the slice that it searched.

As Figs. 5 and 12 of [Hackel2023], with real data.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.armijo import armijo_line
from landscape.plots.drawing import style
from landscape.plots.drawing.curves import Curve, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric
from landscape.slices.schema import upgraded
from landscape.slices.selection import norm, set_name

# Light and dark enough to differ in grey; hatched as well.
REGIONS: dict[bool, dict[str, Any]] = {
    True: {"label": "passes", "gid": "passes", "facecolor": "#D5EFE3"},
    False: {"label": "fails", "gid": "fails", "facecolor": "#F6CFC4", "hatch": "////"},
}
DIFFERENT = 0.01  # share of h(0) from which the legend says that search and slice differ


@figure
def plot_line_search(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    scale: str = "linear",
    value_scale: str = "auto",
) -> Axes:
    """Plot the searched metric on the same batch with Armijo's line and the trials.

    One checkpoint is shown, by default the second. Armijo's line starts at h(0), the value before
    the step, with the slope c · h'(0) (Eq. 29 of [Hackel2023]); the tangent has the whole slope.
    Step sizes above 0 whose value reaches the line are shaded as passing, the others as failing;
    between its samples the slice is taken to be linear. 0 is the point before the step, also for a
    slice that starts after the step.

    Returns:
        The axes.

    Raises:
        InvalidValueError: for a store without a line search (see :class:`landscape.Recorder`) or
            without the metric that was searched, and for an option that the dataset does not have.
    """
    dataset = upgraded(dataset)
    said = dataset.attrs.get("search")
    if not said:
        raise InvalidValueError(
            "the store holds no line search; record one in training, by a line-search optimizer "
            "(landscape train --optimizer sa-sls --probe, or landscape.Recorder)"
        )
    values = choose_metric(dataset, said["metric"], said.get("slope_factor"))
    place = {"checkpoint": choose_checkpoint(dataset, checkpoint), "draw": 0}
    row = dataset.isel(place)  # the values have no variables along ``trial``
    same = values.isel(place).sel(evaluation_set=set_name(dataset, "same_batch")).values
    steps = _from_before(row)
    look = style.set_styles(dataset)["same_batch"]
    units = str(values.attrs.get("units", ""))
    slice_ = Curve(steps, same[None], "h: the slice", look, units)

    (panel,) = style.axes(ax, 1, height=3.5)
    handles = draw(panel, [slice_], scale=scale, value_scale=value_scale)
    tried, reached = row["trial_step_size"].values, row["trial_value"].values
    tried, reached = tried[~np.isnan(tried)], reached[~np.isnan(tried)]
    taken, outcome = row["search_step_size"].item(), str(row["search_outcome"].item())
    last = max([*steps, *tried, taken])
    if scale != "linear":
        panel.set_xlim(-min(steps[steps > 0], default=last), 1.25 * last)
    else:
        panel.set_xlim(-0.03 * last, 1.03 * last)

    lines = _lines(panel, row, last) if np.isfinite(row["search_value"]) else []
    if outcome in ("accepted", "exhausted"):
        lines += _shade(panel, slice_, row)
    accepted = outcome == "accepted"
    handles += _trials(panel, tried, reached, accepted) + lines
    if not accepted:
        mark = panel.axvline(taken, color="black", linewidth=0.9, linestyle=(0, (4, 2)))
        mark.set(label="step size taken", gid="taken", zorder=2)
        handles.append(mark)
    _fit(panel, [*same[steps >= 0], *reached], lines)

    before = dataset.assign_attrs(origin="before-step", direction_symbol=said["symbol"])
    where = f"{wording.source_label(before)}\n{wording.checkpoint_label(row)}"
    panel.set_title(f"{where}\n{_told(outcome, len(tried), taken, row['search_slope'].item())}")
    panel.set_xlabel(wording.step_label(dataset["step_size"], before))
    panel.set_ylabel(wording.value_label(values, "same_batch"))
    style.legend_below(panel, handles, columns=2, title=_difference(slice_, row))
    return panel


def _from_before(row: xr.Dataset) -> NDArray[np.float64]:
    """The step sizes as the optimizer counts them: from before the step, in its units."""
    steps: NDArray[np.float64] = row["step_size"].values
    searched = 1.0 if row.attrs["search"]["normalised"] else row["gradient_norm"].item()
    along = norm(row).item()
    if searched != along:
        steps = steps * along / searched
    if row.attrs["origin"] == "after-step":
        steps = steps + row["search_step_size"].item()
    return steps


def _line(row: xr.Dataset, steps: NDArray[np.float64], c: float) -> NDArray[np.float64]:
    value, slope = row["search_value"].item(), row["search_slope"].item()
    mode = row.attrs["search"]["mode"]
    return np.array([armijo_line(value, slope, s, c, mode) for s in steps.tolist()])


def _lines(panel: Axes, row: xr.Dataset, last: float) -> list[Artist]:
    """Armijo's line and the tangent, from 0 to the last step size."""
    along = np.linspace(0, last, 201)  # many points: on a logarithmic axis the lines are curved
    c = row.attrs["search"]["c"]
    drawn: list[Artist] = []
    for gid, label, share, width, dashes in (
        ("armijo", f"Armijo's line (c = {c:g})", c, 1.2, (5, 1.5)),
        ("tangent", "tangent at 0", 1.0, 0.7, (1, 1)),
    ):
        look: dict[str, Any] = {"color": "#B03A1E", "linewidth": width, "linestyle": (0, dashes)}
        drawn += panel.plot(along, _line(row, along, share), label=label, gid=gid, **look)
    return drawn


def _trials(
    panel: Axes, tried: NDArray[np.float64], reached: NDArray[np.float64], accepted: bool
) -> list[Artist]:
    """Draw a cross for each rejected trial and a star for the accepted one."""
    drawn: list[Artist] = []
    count = len(tried) - accepted
    plain: dict[str, Any] = {"linestyle": "", "color": "black", "zorder": 4}
    if count:
        label = f"rejected trials ({count})" if count > 1 else "rejected trial"
        crosses: dict[str, Any] = {"marker": "x", "markersize": 4.5, "markeredgewidth": 1.1}
        drawn += panel.plot(
            tried[:count], reached[:count], label=label, gid="rejected", **crosses, **plain
        )
    if accepted:
        star: dict[str, Any] = {"marker": "*", "markersize": 9, "markeredgecolor": "white"}
        drawn += panel.plot(
            tried[-1:], reached[-1:], label="accepted trial", gid="accepted", **star, **plain
        )
    return drawn


def _shade(panel: Axes, slice_: Curve, row: xr.Dataset) -> list[Artist]:
    """Shade where the slice reaches Armijo's line, and where it does not."""
    said, steps = row.attrs["search"], slice_.steps
    above = steps >= 0
    sign = 1 if said["mode"] == "max" else -1
    margin = sign * (slice_.values[0] - _line(row, steps, said["c"]))
    spans: dict[bool, Artist] = {}
    for low, high, passes in _regions(steps[above].tolist(), margin[above].tolist()):
        look = {"edgecolor": "white", "linewidth": 0, "zorder": 0.1, **REGIONS[passes]}
        spans.setdefault(passes, panel.axvspan(low, high, **look))
    return [spans[passes] for passes in (True, False) if passes in spans]


def _regions(
    steps: Sequence[float], margin: Sequence[float]
) -> Iterator[tuple[float, float, bool]]:
    """Find where ``margin`` is at least 0 and where below, as if it were linear between ``steps``.

    Next to a margin that is not finite there is no region.

    Yields:
        (from, to, whether ``margin`` ≥ 0), neighbours with the same sign merged.
    """
    region: tuple[float, float, bool] | None = None
    for (a, b), (at_a, at_b) in zip(pairwise(steps), pairwise(margin), strict=True):
        if not np.isfinite([at_a, at_b]).all():
            continue
        # where the line through (a, at_a) and (b, at_b) is 0
        crossing = [a + (b - a) * at_a / (at_a - at_b)] if at_a * at_b < 0 else []
        for low, high in pairwise([a, *crossing, b]):
            passes = bool(np.interp((low + high) / 2, [a, b], [at_a, at_b]) >= 0)
            if region and region[1:] == (low, passes):
                region = region[0], high, passes
                continue
            if region:
                yield region
            region = low, high, passes
    if region:
        yield region


def _fit(panel: Axes, values: Sequence[float], lines: Sequence[Artist]) -> None:
    """Show ``values`` and Armijo's line, but not all of the tangent, which is steep."""
    if panel.get_yscale() == "linear":
        values = [*values, *_ends(lines)]
    seen = np.array(values)[np.isfinite(values)]
    if panel.get_yscale() == "log" and seen.size:
        panel.set_ylim(seen.min() / 1.5, seen.max() * 1.5)
    elif panel.get_yscale() == "linear" and seen.size:
        low, high = seen.min(), seen.max()
        margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        panel.set_ylim(low - margin, high + margin)


def _ends(lines: Sequence[Artist]) -> list[float]:
    """The first and the last value of Armijo's line, if it is drawn."""
    armijo = [line for line in lines if line.get_gid() == "armijo"]
    return [float(line.get_ydata()[i]) for line in armijo for i in (0, -1)]  # type: ignore[attr-defined]


def _told(outcome: str, trials: int, taken: float, slope: float) -> str:
    """The outcome of the search, in a sentence."""
    size = wording.number(taken)
    if outcome == "accepted":
        return f"accepted: step size {size}, trial {trials} of the search"
    if outcome == "exhausted":
        return f"exhausted: all {trials} trials rejected; step size {size}"
    if outcome == "skipped":
        return f"skipped, as the slope is {wording.number(slope)}; step size {size}"
    return f"no search at this step; step size held at {size}"


def _difference(slice_: Curve, row: xr.Dataset) -> str:
    """The legend's note where the search saw another h(0) than the slice, as on another batch."""
    value = row["search_value"].item()
    at_0 = float(np.interp(0.0, slice_.steps, slice_.values[0], np.nan, np.nan))
    if abs(value - at_0) > DIFFERENT * abs(value):
        return f"h(0) is {wording.number(value)} in the search, {wording.number(at_0)} on the slice"
    return ""
