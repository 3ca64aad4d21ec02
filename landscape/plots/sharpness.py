"""How sharply the loss curves over training, measured in several ways, against 2/learning rate."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from landscape import statistics
from landscape.plots.drawing import style, ticks
from landscape.plots.drawing.curves import Curve, band_note, draw
from landscape.plots.drawing.figure import figure
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoints, main_set
from landscape.slices.planes import first_line
from landscape.slices.schema import upgraded
from landscape.slices.selection import goes_along_gradient, step_per_learning_rate

MEASURES = ("2/critical step size", "curvature along d", "eigenvalue")


@dataclass(frozen=True)
class _Measure:
    """A sharpness at every checkpoint and draw.

    Attributes:
        label: legend entry, one of ``MEASURES``.
        values: over checkpoint and draw.
        bound: likewise, whether the true one may be lower.
        where: of which other evaluation set it is, for the legend.
    """

    label: str
    values: xr.DataArray
    bound: xr.DataArray | None = None
    where: str = ""


@figure
def plot_sharpness(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    checkpoint: Checkpoints = None,
    evaluation_set: str | None = None,
    value_scale: str = "auto",
) -> Axes:
    """Plot how sharply the loss curves over the iterations, as far as it was measured.

    Along −∇L it is 2/η, where η is the critical step size as a learning rate: on a parabola it is
    the curvature there. Along any direction d it is the curvature (d·H·d)/‖d‖² of the parabola
    through 0 and a sample on either side; of an eigenvector of the Hessian also the eigenvalue, of
    the evaluation set that gave it. Gradient descent is stable on a parabola where these are below
    2/learning rate, which is dashed. A hollow marker is an upper bound: the loss did not rise above
    its start within the samples of some draw. All checkpoints are shown by default.

    Returns:
        The axes.

    Raises:
        InvalidValueError: without a loss, where 0 was not sampled, and for an option that the
            dataset does not have.
    """
    name = main_set(dataset, evaluation_set, "same_batch")
    at = sorted(choose_checkpoints(dataset, checkpoint))
    dataset = upgraded(first_line(dataset)).isel(checkpoint=at)
    one = dataset.sel(evaluation_set=name)
    iterations = dataset["iteration"].values.astype(np.float64)
    found = _measures(one)
    along = f"along {dataset.attrs.get('direction_symbol', 'd')}"
    looks = dict(zip(MEASURES, style.setting_styles(len(MEASURES), ordered=False), strict=True))
    curves = [
        Curve(
            iterations,
            each.values.transpose("draw", "checkpoint").values,
            each.label.replace("along d", along) + each.where,
            looks[each.label],
        )
        for each in found
    ]
    (panel,) = style.axes(ax, 1, height=3.1)
    # 2/learning rate
    rate = dataset["learning_rate"].where(goes_along_gradient(dataset)).values
    stable = 2 / np.where(rate > 0, rate, np.nan)
    reference: list[Artist] = []
    if np.isfinite(stable).any():
        label = "2/learning rate"
        grey = style.Style("0.45", (0, (2, 1.5)), "")
        curves.append(Curve(iterations, stable[None], f"_{label}", grey))
        reference = [Line2D([], [], color="0.45", ls=grey.linestyle, label=label)]
    handles = draw(panel, curves, value_scale=value_scale, origin=False)
    if len(iterations) == 1 and reference:  # a line through one point is not seen
        panel.axhline(stable[0], color="0.45", ls=grey.linestyle, gid="reference")
    notes = [band_note(dataset)]
    for each, shown in zip(found, curves, strict=False):
        if each.bound is not None and _hollow(panel, shown, each.bound):
            notes.append("hollow ▽: at most, the loss did not rise within the samples")
    panel.set_title(wording.source_label(dataset))
    panel.set_xlabel(wording.value_label(dataset["iteration"]))
    units = str(dataset["loss"].attrs.get("units", "1"))
    panel.set_ylabel(
        f"sharpness of the loss, {wording.name_label(name)}\n({units} per squared distance)"
    )
    ticks.whole(panel.xaxis, 4)
    lines = handles[: len(found)] + reference + handles[len(found) :]
    style.legend_below(panel, lines, columns=2, title="\n".join(filter(None, notes)))
    return panel


def _measures(one: xr.Dataset) -> list[_Measure]:
    """What can be said of slices on one evaluation set."""
    found = []
    critical = statistics.critical_step_sizes(one, "loss")
    # A step size s along d is an update with learning rate s·‖d‖/‖∇L‖, if d points along −∇L.
    per_rate = step_per_learning_rate(one)
    if bool(per_rate.notnull().any()):
        # 2/η with η = s_c·‖d‖/‖∇L‖
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(
                _Measure(MEASURES[0], 2 * per_rate / critical["critical"], critical["open"])
            )
    steps = one["step_size"].values
    if steps.min() < 0 < steps.max():
        # d·H·d / ‖d‖²
        found.append(_Measure(MEASURES[1], statistics.curvatures(one, "loss")["curvature"]))
    if "eigenvalue" in one.coords:
        of = one.attrs.get("direction_set", "same_batch")
        where = "" if of == one["evaluation_set"].item() else f", {wording.name_label(of)}"
        found.append(_Measure(MEASURES[2], one["eigenvalue"], where=where))
    return found


def _hollow(panel: Axes, shown: Curve, bound: xr.DataArray) -> bool:
    """Mark upper bounds hollow; whether there is one."""
    hollow = bound.any("draw").values & np.isfinite(shown.mean)
    if hollow.any():
        panel.plot(
            shown.steps[hollow],
            shown.mean[hollow],
            "v",
            color=shown.style.color,
            markerfacecolor="white",
            markeredgewidth=0.8,
            markersize=4,
            zorder=3,
            label="_open",
            gid="open",
        )
    return bool(hollow.any())
