"""A checkpoint probed in several ways, or several runs: a panel each, on shared axes."""

from collections.abc import Mapping, Sequence
from itertools import chain
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from landscape import labels, statistics
from landscape.errors import InvalidValueError
from landscape.plots import style
from landscape.plots.choice import Checkpoints, choose_checkpoint, choose_metric
from landscape.plots.curves import band_note, curves_of_sets, draw

TITLE = 6.5  # points
LINE = 1.3 * TITLE / 72  # inches
LABELS = 0.6  # inches that labels take beside the panels of a row
# Settings of a probe that no name needs: axes and legend show them, or they change no value.
SHOWN = ("step_sizes", "sets", "metrics", "slope_factors", "samples", "chunk")
UNKNOWN = {None, ""}
TIE = "\N{NO-BREAK SPACE}"


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
    columns = min(3 if style.on_a_page() else 1, len(datasets))
    panels = style.axes(
        ax,
        len(datasets),
        columns=columns,
        height=0.75 + 1.75 * -(-len(datasets) // columns),
        width=style.COLUMN_WIDTH if columns == 1 else style.PAGE_WIDTH,
    )
    among = [*chain.from_iterable(drawn)]
    handles: dict[str, Artist] = {}
    names = _names(datasets, shown)
    for panel, curves, values, name in zip(panels, drawn, shown, names, strict=True):
        artists = draw(panel, curves, scale=scale, value_scale=value_scale, among=among)
        handles |= {str(artist.get_label()): artist for artist in artists}
        lines = [
            _wrapped(each, style.room(panel) - LABELS / columns, TITLE)
            for each in (name, _differences(values, metric))
        ]
        panel.set_title("\n".join(filter(None, lines)), fontsize=TITLE)
    along = [style.step_label(each["step_size"], each) for each in datasets]
    style.outer_labels(panels, columns, along, [style.value_label(each) for each in shown])
    title = _head(datasets, shown)
    if ax is None and (figure := panels[0].get_figure(root=True)) is not None:
        title = _wrapped(title, style.room(figure), 7.5)
        figure.set_figheight(figure.get_figheight() + _lines_above_two(panels, columns) * LINE)
    style.title_and_legend(
        panels,
        [*handles.values()],
        new=ax is None,
        title=title,
        note=_note(datasets),
    )
    return np.array(panels, dtype=object)


def _names(datasets: Sequence[xr.Dataset], shown: Sequence[xr.DataArray]) -> list[str]:
    """What sets each apart: its training, the checkpoint, and how that was probed.

    Where no setting tells two trainings apart, or two probes, their seeds do; a training without
    such a difference has the first digits of the checkpoint's digest.
    """
    attributes = [each.attrs for each in datasets]
    names = _join(_told(attributes, "task"), _trainings(datasets))
    names = _told_apart(names, "run seed", [each.get("run", {}).get("seed") for each in attributes])
    iterations = [each["iteration"].item() for each in shown]
    if len(set(iterations)) > 1:
        names = _join(names, [f"iteration {each}" for each in iterations])
    digests = [
        each.get("digests", {}).get(str(iteration), "")[:6]
        for each, iteration in zip(attributes, iterations, strict=True)
    ]
    names = _told_apart(names, "checkpoint", digests)
    probes = [
        {
            **{n: v for n, v in _probe(each).items() if n not in SHOWN},
            "task": "",
            "optimizer": "",
            "batch_norm": policies,
        }
        for each, policies in zip(datasets, _policies(datasets), strict=True)
    ]
    names = _join(names, [name.removeprefix(", ") for name in labels.labels(probes)])
    seeds = [_probe(each).get("seed", each.attrs.get("seed")) for each in datasets]
    names = _told_apart(names, "probe seed", seeds)
    if not any(names):
        return names
    return [name or each.get("optimizer", "") for name, each in zip(names, attributes, strict=True)]


def _trainings(datasets: Sequence[xr.Dataset]) -> list[str]:
    """The optimizer, if there are several, and the settings of the training that differ."""
    runs = [each.attrs.get("run", {}) for each in datasets]
    if not all(runs):  # what is unknown is no difference
        runs = [{}] * len(datasets)
    pairs = [*zip(runs, map(_probe, datasets), strict=True)]
    both = {name for run, probe in pairs for name in run if name in probe}
    # A probe takes its batch size and the like from the training.
    taken = {name for name in both if all(run.get(name) == probe.get(name) for run, probe in pairs)}
    records = [
        {
            **{
                f"training_{name}" if name in both else name: value
                for name, value in run.items()
                if name not in labels.NO_SETTING | taken
            },
            **{name: each.attrs.get(name, "") for name in ("task", "optimizer")},
        }
        for each, (run, _) in zip(datasets, pairs, strict=True)
    ]
    names = labels.labels(records)
    if len({record["optimizer"] for record in records}) > 1:
        return names
    return [name.partition(", ")[2] for name in names]


def _policies(datasets: Sequence[xr.Dataset]) -> list[Any]:
    """The batch-norm policy of each, or where one has several, kind -> policy of each."""
    found = []
    for each in datasets:
        kinds, policies = (each[name].values.tolist() for name in ("kind", "batch_norm"))
        found.append(dict(zip(kinds, policies, strict=True)))
    if all(len(set(each.values())) == 1 for each in found):
        return [next(iter(each.values())) for each in found]
    # Of a set that is not there, as it would have been.
    return [_probe(d).get("batch_norm", {}) | own for d, own in zip(datasets, found, strict=True)]


def _probe(dataset: xr.Dataset) -> dict[str, Any]:
    return dict(dataset.attrs.get("settings", {}))


def _join(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return [", ".join(filter(None, pair)) for pair in zip(first, second, strict=True)]


def _told(attributes: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The attribute of each, where they differ, else nothing."""
    values = [str(each.get(name, "")) for each in attributes]
    return values if len(set(values)) > 1 else [""] * len(values)


def _told_apart(names: Sequence[str], what: str, values: Sequence[Any]) -> list[str]:
    """``names`` with ``what`` added where the same name stands for several ``values``."""
    several: dict[str, set[Any]] = {}
    for name, value in zip(names, values, strict=True):
        several.setdefault(name, set()).update({value} - UNKNOWN)
    added = [
        f"{what} {value}" if len(several[name]) > 1 and value not in UNKNOWN else ""
        for name, value in zip(names, values, strict=True)
    ]
    return _join(names, added)


def _head(datasets: Sequence[xr.Dataset], shown: Sequence[xr.DataArray]) -> str:
    """Task, optimizer and checkpoint, as far as all have the same."""
    heads = [
        (each.attrs.get("task"), each.attrs.get("optimizer"), style.checkpoint_label(values))
        for each, values in zip(datasets, shown, strict=True)
    ]
    return ", ".join(
        parts[0] for parts in zip(*heads, strict=True) if len({*parts}) == 1 and parts[0]
    )


def _note(datasets: Sequence[xr.Dataset]) -> str:
    """What line and band are, where a store has several draws."""
    draws = {each.sizes["draw"] for each in datasets}
    return "line: mean over draws, band: min to max" if len(draws) > 1 else band_note(datasets[0])


def _lines_above_two(panels: Sequence[Axes], columns: int) -> int:
    """How many lines the rows' highest titles have, beyond two a row."""
    breaks = [panel.get_title().count("\n") for panel in panels]
    rows = [breaks[i : i + columns] for i in range(0, len(breaks), columns)]
    return sum(max(0, max(row) - 1) for row in rows)


def _wrapped(text: str, width: float, size: float) -> str:
    """``text``, broken at its commas, on lines of so many inches, of letters of so many points."""
    tied = text.replace(" ", TIE).replace(f",{TIE}", ", ")
    font = FontProperties(size=size)
    for letters in range(len(text), 0, -1):
        wrapped = fill(tied, letters, break_on_hyphens=False).replace(TIE, " ")
        lines = wrapped.splitlines()
        widths = (
            text_to_path.get_text_width_height_descent(line, font, False)[0] for line in lines
        )
        if max(widths) <= 72 * width:
            return wrapped
    return text


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
