"""What slices and stores hold, in words: shared by commands, notebooks and reports.

A listing is a header and rows of cells, all text; its layout is up to the caller.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape import store
from landscape.errors import visible
from landscape.histories import collection
from landscape.histories.layout import Run
from landscape.slices.planes import SECOND, cosine, first_line, is_plane, path_shown
from landscape.slices.selection import metrics
from landscape.slices.wording import (
    checkpoints_label,
    epoch_number,
    name_label,
    optimizer_label,
    optimizer_name,
    placed_by,
    run_label,
    task_label,
    with_name,
)
from landscape.tables.formats import NAN, NONE, aligned

Listing = tuple[list[str], list[list[str]]]
MOST_ITERATIONS = 12  # up to which each one is named
UNKNOWN = {NONE, NAN, "none"}  # cells that say nothing
NEWS = ("gradient_norm", "direction_norm", "direction_norm_2")  # where NaN says that all went wrong
# What is told of each checkpoint, as means over draws, where it is known.
OF_DIRECTIONS = (
    "gradient_norm",
    *(
        name + of
        for of in ("", "_2")
        for name in (
            *("direction_norm", "eigenvalue", "eigen_residual"),
            "explained_variance",
        )
    ),
    "path_explained",
)


def facts(dataset: xr.Dataset) -> list[tuple[str, str]]:
    """What was trained, along what it was probed and what was measured.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        (name, text) of each fact that is known, in the order in which to show them.
    """
    attributes = dataset.attrs
    found = {
        "task": _task(attributes),
        "optimizer": _optimizer(attributes),
        "checkpoints": checkpoints_label(dataset, MOST_ITERATIONS),
        "weights": {"plain": None}.get(
            attributes.get("weights", "plain"), attributes.get("weights")
        ),
        "origin": run_label(f"origin {attributes['origin']}") if "origin" in attributes else None,
        **_directions(dataset),
        "draws": str(dataset.sizes["draw"]),
        "seed of the probe": attributes.get("seed"),
        "metrics": ", ".join(_metric(dataset[name]) for name in sorted(metrics(dataset))),
        "per-sample values": {True: "yes", False: "no"}.get(
            attributes.get("settings", {}).get("samples")
        ),
        "made on": _made_on(attributes),
    }
    return [(name, str(said)) for name, said in found.items() if said not in (None, "")]


def evaluation_sets(dataset: xr.Dataset) -> Listing:
    """List the evaluation sets: name, kind, number of samples, batch-norm policy.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        (header, rows): the names of the columns, and a list of cells for each set.
    """
    sets = dataset["evaluation_set"]
    names = [each for each in ("kind", "samples", "batch_norm") if each in sets.coords]
    columns = [sets.values, *(sets[name].values for name in names)]
    rows = [list(map(str, row)) for row in zip(*columns, strict=True)]
    return ["evaluation set", *map(name_label, names)], rows


def checkpoints(dataset: xr.Dataset) -> Listing:
    """List the checkpoints and what is known of each, norms as means over draws.

    A column in which nothing is known is left out, but for loss, accuracy and norms.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        (header, rows): the names of the columns, and a list of cells for each checkpoint.
    """
    by = placed_by(dataset)
    kept = {by}
    columns = {by: [str(each) for each in dataset["iteration"].values]}
    more = [name for name, array in dataset.coords.items() if array.dims == ("checkpoint",)]
    for name in dict.fromkeys(["epoch", *sorted(map(str, more))]):
        array = dataset[name]
        if name not in ("iteration", by):
            label = name_label(str(array.attrs.get("long_name", name)))
            columns[label] = [_cell(each) for each in array.values.tolist()]
            if name == "epoch" and np.isfinite(array.values).all():
                columns[label] = [epoch_number(float(each)) for each in array.values]
    for name in OF_DIRECTIONS:
        if name in dataset.coords and not _is_said(dataset, name):
            label = str(dataset[name].attrs.get("long_name", name_label(name)))
            columns["mean " * (dataset.sizes["draw"] > 1) + label] = _means(dataset[name])
            if name in NEWS:
                kept.add([*columns][-1])
    for label, values in _at_zero(dataset).items():
        columns[label] = _means(values)
        kept.add(label)
    if digests := dataset.attrs.get("digests"):
        columns["digest"] = [digests.get(each, NONE) for each in columns[by]]
    columns = {n: column for n, column in columns.items() if n in kept or {*column} - UNKNOWN}
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def describe_store(path: Path, width: int = 80) -> Iterator[str]:
    """Describe the store at ``path``, or each of the stores in a run's folder, line by line.

    Args:
        path: a store or a run's folder.
        width: how many characters a line of a listing may have.

    Yields:
        One line of text at a time, without its end.

    Raises:
        MissingFileError: where there is no store.
        StoreError: where it cannot be read.
        CheckpointError: where a run's record is damaged.
    """
    run = Run(path)
    stores = run.stores if run.exists else [path]
    if not stores:
        yield f"{path}: a run of {run.read().get('task')}, without a finished epoch"
    for i, each in enumerate(stores):
        if i:
            yield ""
        yield from map(visible, _describe(each, width))


def _describe(path: Path, width: int) -> Iterator[str]:
    finished, rows = store.progress(path)
    dataset = store.open_(path)
    attributes = dataset.attrs
    kind = {"checkpoint": "slices", "epoch": "history"}.get(attributes["along"], "runs")
    if kind == "slices" and attributes.get("settings", {}).get("samples"):
        settings = {**attributes["settings"], "samples": store.has_samples(path)}
        dataset = dataset.assign_attrs(settings=settings)
    yield f"{path}: {kind}, schema {attributes['schema']}, {_size(path)}"
    if kind == "runs":
        yield from _runs(path)
        return
    if finished < rows:
        yield f"unfinished: {finished} of {rows} {attributes['along']}s; the same command resumes"
    for name, said in facts(dataset) if kind == "slices" else _history(dataset):
        yield f"{name}: {said}"
    if kind == "slices":
        yield ""
        header, sets = evaluation_sets(dataset)
        yield from _aligned(header, [list(map(name_label, row)) for row in sets], width)
        yield ""
        yield from _aligned(*checkpoints(dataset), width)


def _history(dataset: xr.Dataset) -> Iterator[tuple[str, str]]:
    for name, said in (("task", _task(dataset.attrs)), ("optimizer", _optimizer(dataset.attrs))):
        if said:
            yield name, said
    yield "epochs", f"{dataset.sizes['epoch']}, {np.sum(dataset.seconds.values):.1f} s"
    if dataset.sizes["epoch"]:
        accuracy, loss = dataset.validation_accuracy.values, dataset.validation_loss.values
        if np.isnan(accuracy).all():  # as where there are no classes
            yield "validation loss", f"{loss[-1]:.4g} at the end, {loss.min():.4g} at best"
        else:
            best = f"{accuracy[-1]:.4f} at the end, {accuracy.max():.4f} at best"
            yield "validation accuracy", best
    if made := _made_on(dataset.attrs):
        yield "made on", made


def _runs(path: Path) -> Iterator[str]:
    for group in collection.groups(collection.collect(path)):
        best = ", ".join(f"{each:.4f}" for each in collection.best_accuracy(group.runs).values)
        named = with_name(task_label(group.task), group.task), run_label(group.label)
        yield f"{', '.join(filter(None, named))}: best validation accuracy {best}"


def _aligned(header: list[str], rows: list[list[str]], width: int) -> list[str]:
    """A listing in columns: words to the left, numbers right."""
    columns = zip(header, *rows, strict=True)
    words = [not all(map(_is_number, cells)) for _, *cells in columns]
    return aligned(header, rows, words, width=width).split("\n")


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"−?(\d[\d.e+−]*|∞)|NaN", cell) is not None


def _directions(dataset: xr.Dataset) -> dict[str, str]:
    """The step sizes, what they go along, and the path that is projected there."""
    known = dataset.attrs
    found = {}
    for second, label in (("", "direction"), ("_2", "second direction")):
        if (name := f"step_size{second}") not in dataset.dims:
            continue
        steps = dataset[name].values
        ends = f" from {steps[0]:g} to {steps[-1]:g}" if steps.size else ""
        called, about = (known.get(f"direction{more}{second}") for more in ("", "_about"))
        if about:
            along = known.get(f"direction_symbol{second}", f"the {label}")
        else:
            along = f"the {str(called or label).replace('-', ' ')}"
        found[f"step sizes{' of the second direction' * bool(second)}"] = (
            f"{steps.size}{ends} along {along}"
        )
        if about:
            found[label] = f"{about} ({called})" if called else str(about)
    if is_plane(dataset) and "direction_cosine" in dataset.coords:
        found["cosine between the directions"] = _range(cosine(dataset))
        if known.get("orthogonal", False):
            taken = _range(dataset["direction_cosine"])
            found["cosine between the directions"] += (
                f"; the second was made orthogonal to the first, before it was {taken}"
            )
    if path_shown(dataset):
        found["path"] = (
            f"{dataset.sizes['path']} points, of whose variance the projection keeps "
            f"{_range(dataset['path_explained'])}"
        )
    return found


def _range(values: xr.DataArray) -> str:
    """A number, or from where to where numbers lie, NaN included."""
    low, high = (_cell(float(each(values.values))) for each in (np.min, np.max))
    return low if low == high else f"{low} to {high}"


def _at_zero(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Loss and accuracy at the origin, on validation, else the big batch or the first set."""
    names = [str(name) for name in dataset["evaluation_set"].values]
    places = [dataset[name].values for name in ("step_size", SECOND) if name in dataset.dims]
    if not all(0 in steps for steps in places) or not names:
        return {}
    dataset = first_line(dataset)
    chosen = next((name for name in ("validation", "big_batch") if name in names), names[0])
    return {
        f"{name_label(chosen)} {name} at 0": dataset[name].sel(evaluation_set=chosen, step_size=0)
        for name in ("loss", "accuracy")
        if name in dataset
    }


def _means(values: xr.DataArray) -> list[str]:
    """The mean over draws at each checkpoint."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return [_cell(each) for each in values.mean("draw", skipna=False).values.tolist()]


def _is_said(dataset: xr.Dataset, name: str) -> bool:
    """Whether a column says what another one says, or the facts of a single checkpoint."""
    if name == "direction_norm" and "gradient_norm" in dataset:
        return bool(dataset[name].equals(dataset["gradient_norm"]))
    return "explained" in name and dataset.sizes["checkpoint"] == 1


def _task(attributes: Mapping[str, Any]) -> str | None:
    """The task in words and, as commands take it, by name."""
    task = str(attributes.get("task", ""))
    return with_name(task_label(task), task) if task_label(task) else None


def _optimizer(attributes: Mapping[str, Any]) -> str | None:
    run = attributes.get("run") or attributes
    name = optimizer_name(attributes)
    if not (label := optimizer_label(name)):
        return None
    label = with_name(label, name)
    if "learning_rate" not in run:
        return label
    given = run.get("options")
    told = given.items() if isinstance(given, Mapping) else ()
    options = "".join(f", {run_label(f'{name_label(k)} {_option(v)}')}" for k, v in told)
    rate = run["learning_rate"]
    rate = f"{rate:g}" if isinstance(rate, int | float) else rate
    return f"{label}, learning rate {rate}{options}"


def _option(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _made_on(attributes: Mapping[str, Any]) -> str:
    parts = [
        str(attributes.get("device_name", "")),
        *(f"{name} {attributes[name]}" for name in ("torch", "landscape") if name in attributes),
    ]
    return ", ".join(filter(None, parts))


def _metric(values: xr.DataArray) -> str:
    if "slope_factor" not in values.dims:
        return str(values.name)
    factors = ", ".join(f"{each:g}" for each in values["slope_factor"].values)
    return f"{values.name} (slope factor {factors})"


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if np.isfinite(value):
        return f"{value:.4g}".replace("-", "−")
    return "NaN" if np.isnan(value) else "∞" if value > 0 else "−∞"


def _size(path: Path) -> str:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    size = float(sum(f.stat().st_size for f in files))
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
