"""A readable account of what a store holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape import store
from landscape.histories import collection as histories


def account(path: Path) -> Iterator[str]:
    """Lines that say what is in the store at ``path``, or in the stores of a run's folder."""
    inside = sorted(p for p in path.glob("*.zarr")) if (path / "run.json").is_file() else [path]
    for i, each in enumerate(inside):
        if i:
            yield ""
        yield from _account(each)


def _account(path: Path) -> Iterator[str]:
    finished, rows = store.progress(path)
    dataset = store.open_(path)
    attributes = dataset.attrs
    kind = {"checkpoint": "slices", "epoch": "history"}.get(attributes["along"], "runs")
    yield f"{path}: {kind}, schema {attributes['schema']}, {_size(path)}"
    if kind == "runs":
        yield from _runs(path)
        return
    yield f"task: {attributes.get('task')}, optimizer: {_optimizer(attributes)}"
    yield (
        f"made on: {attributes.get('device_name')}, torch {attributes.get('torch')}, "
        f"landscape {attributes.get('landscape')}"
    )
    if finished < rows:
        yield f"unfinished: {finished} of {rows} {attributes['along']}s; the same command goes on"
    yield from _slices(dataset) if kind == "slices" else _history(dataset)


def _slices(dataset: xr.Dataset) -> Iterator[str]:
    settings = dataset.attrs.get("settings", {})
    yield f"direction: {dataset.attrs.get('direction')}, origin: {dataset.attrs.get('origin')}"
    steps = dataset.step_size.values
    yield f"step sizes: {len(steps)} from {steps[0]:g} to {steps[-1]:g}"
    yield f"draws: {dataset.sizes['draw']}, seed {dataset.attrs.get('seed')}"
    metrics = [
        f"{name} (slope factors {', '.join(f'{s:g}' for s in dataset.slope_factor.values)})"
        if "slope_factor" in variable.dims
        else str(name)
        for name, variable in dataset.data_vars.items()
    ]
    yield f"metrics: {', '.join(metrics)}"
    yield f"per-sample values: {'yes' if settings.get('samples') else 'no'}"
    yield ""
    yield f"{'evaluation set':<16}{'samples':>9}  batch norm"
    for one in dataset.evaluation_set.values:
        row = dataset.sel(evaluation_set=one)
        yield f"{str(one).replace('_', ' '):<16}{row.samples.item():>9}  {row.batch_norm.item()}"
    yield ""
    yield f"{'iteration':>9}{'epoch':>7}{'gradient norm':>15}" + "".join(
        f"  {name} at 0" for name in _at_zero(dataset)
    )
    for i, iteration in enumerate(dataset.iteration.values):
        one = dataset.isel(checkpoint=i)
        line = f"{iteration:>9}{one.epoch.item():>7.4g}{one.gradient_norm.mean().item():>15.4g}"
        for name, values in _at_zero(one).items():
            line += f"{values.mean().item():>{len(name) + 7}.4f}"
        yield line


def _at_zero(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Loss and accuracy at the origin, on validation or else the last set."""
    if 0 not in dataset.step_size.values:
        return {}
    names = [str(n) for n in dataset.evaluation_set.values]
    chosen = "validation" if "validation" in names else names[-1]
    return {
        f"{chosen.replace('_', ' ')} {name}": dataset[name].sel(evaluation_set=chosen, step_size=0)
        for name in ("loss", "accuracy")
        if name in dataset
    }


def _runs(path: Path) -> Iterator[str]:
    for group in histories.groups(histories.collect(path)):
        best = ", ".join(f"{each:.4f}" for each in histories.best_accuracy(group.runs).values)
        yield f"{group.task}, {group.label}: best validation accuracy {best}"


def _history(dataset: xr.Dataset) -> Iterator[str]:
    yield f"epochs: {dataset.sizes['epoch']}, {np.sum(dataset.seconds.values):.1f} s"
    if dataset.sizes["epoch"]:
        accuracy = dataset.validation_accuracy.values
        yield f"validation accuracy: {accuracy[-1]:.4f} at the end, {accuracy.max():.4f} at best"


def _optimizer(attributes: dict[str, Any]) -> str:
    run = attributes.get("run") or attributes
    if "learning_rate" not in run:
        return str(attributes.get("optimizer", "unknown"))
    options = "".join(f", {k} {v}" for k, v in run.get("options", {}).items())
    return f"{run['optimizer']}, learning rate {run['learning_rate']:g}{options}"


def _size(path: Path) -> str:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    size = float(sum(f.stat().st_size for f in files))
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
