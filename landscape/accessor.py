"""``dataset.landscape``: what a notebook can do with slices, found by the tab key.

Registered with xarray when this module is imported, which ``landscape.open`` and
``landscape.probe`` see to. It holds nothing of its own: each method calls a plain function.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from landscape import statistics, store
from landscape.errors import InvalidValueError
from landscape.histories.layout import store_at
from landscape.plots.registry import FIGURES, Figure
from landscape.tables import summary

# What a Dataset says of itself, in this order.
FACTS = (
    *("task", "optimizer", "checkpoints", "evaluation sets", "step sizes", "origin", "draws"),
    "metrics",
)

if TYPE_CHECKING:
    import pandas as pd


def open_(path: str | Path) -> xr.Dataset:
    """The finished rows of a store, or of the slices in a run's folder, in order of iteration.

    As :func:`landscape.store.open_` gives them, and raising what it raises; the Dataset remembers
    its store.
    """
    path = store_at(Path(path))
    dataset = store.open_(path)
    dataset.encoding["source"] = str(path.absolute())
    return dataset


@xr.register_dataset_accessor("landscape")  # type: ignore[no-untyped-call]
class Landscape:
    """Figures, statistics and per-sample values of slices; shown, it says what they are."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def plot(self) -> "Plots":
        """The figures: ``dataset.landscape.plot.widening(metric="loss")``."""
        return Plots(self._dataset)

    def statistics(self, **options: Any) -> "pd.DataFrame":
        """Peak width, best step size, batch bias and gap of every slice.

        ``options`` are those of :func:`landscape.tables.slice_statistics`.
        """
        from landscape import tables

        return tables.slice_statistics(self._dataset, **options)

    def samples(self, evaluation_set: str, chunks: Mapping[str, int] | None = None) -> xr.Dataset:
        """Per-sample values of these slices, from the store that ``landscape.open`` read.

        As :func:`landscape.open_samples` gives them, and raising what it raises, of the
        checkpoints, draws and step sizes that the Dataset holds. Where it does not come from a
        store, no longer knows it, or holds what is not that store's: :class:`InvalidValueError`.
        """
        if not (path := self._dataset.encoding.get("source")):
            raise InvalidValueError(
                "this Dataset does not know its store; give the path to landscape.open_samples"
            )
        return _selected(store.open_samples(path, evaluation_set, chunks), self._dataset, path)

    def __repr__(self) -> str:
        rows = list(self._rows())
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {said}" for name, said in rows)

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(said)}</td></tr>"
            for name, said in self._rows()
        )
        return f"<table>{''.join(rows)}</table>"

    def _rows(self) -> Iterator[tuple[str, str]]:
        dataset = self._dataset
        if not {"checkpoint", "draw", "evaluation_set", "step_size"} <= set(dataset.dims):
            yield "no slices", f"dimensions {', '.join(map(str, dataset.dims)) or 'none'}"
            return
        told = dict(summary.facts(dataset))
        sets = [_set(row) for row in _rows_of(summary.evaluation_sets(dataset))]
        for name in FACTS:
            if name == "evaluation sets":
                yield from ((name * (i == 0), each) for i, each in enumerate(sets))
            elif name in told:
                yield name, told[name]
        yield "figures", ", ".join(f".plot.{name}()" for name in _figures(dataset))


class Plots:
    """A method for each figure that slices allow; see ``landscape.plots.registry``."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):  # of a half-made copy, which has no Dataset yet
            raise AttributeError(name)
        figure = _figures(self._dataset).get(name)
        if figure is None:
            raise AttributeError(
                f"no figure {name!r}; there are {', '.join(_figures(self._dataset))}"
            )
        return _bound(figure, self._dataset)

    def __dir__(self) -> list[str]:
        return list(_figures(self._dataset))

    def __repr__(self) -> str:
        figures = _figures(self._dataset)
        width = max(map(len, figures))
        return "\n".join(f"{name:<{width}}  {each.summary}" for name, each in figures.items())


def _figures(dataset: xr.Dataset) -> dict[str, Figure]:
    """Figures by method's name; that of a line search only where one was recorded."""
    sources = {"slices", *(["searches"] if "search_step_size" in dataset.coords else [])}
    return {figure.module: figure for figure in FIGURES.values() if figure.source in sources}


def _bound(figure: Figure, dataset: xr.Dataset) -> Callable[..., Any]:
    """The figure's function with its docstring and options, its dataset given."""
    function = figure.load()

    @wraps(function)
    def plot(**options: Any) -> Any:
        statistics.require_slices(dataset)
        return function(dataset, **options)

    signature = inspect.signature(function)
    rest = list(signature.parameters.values())[1:]
    plot.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return plot


def _selected(samples: xr.Dataset, dataset: xr.Dataset, path: str) -> xr.Dataset:
    """Those ``samples`` that belong to the slices in ``dataset``, which need to be of one store."""
    places = {}
    for along, name in (("checkpoint", "iteration"), ("draw", "draw"), ("step_size", "step_size")):
        if name not in dataset.coords or name not in samples.coords:
            continue
        there, wanted = samples[name].values.tolist(), np.ravel(dataset[name].values).tolist()
        if len(set(wanted)) < len(wanted) or not set(wanted) <= set(there):
            raise InvalidValueError(
                f"some {along.replace('_', ' ')} of this Dataset is not of {path}, which it came "
                "from; give the path to landscape.open_samples"
            )
        if wanted != there:
            places[along] = [there.index(each) for each in wanted]
    found = samples.isel(places)
    if (
        "gradient_norm" in dataset.coords and "gradient_norm" in found.coords
    ):  # which no two checkpoints share
        norms, own = (np.ravel(each["gradient_norm"].values) for each in (found, dataset))
        if not np.array_equal(norms, own, equal_nan=True):
            raise InvalidValueError(
                f"the gradient norms of this Dataset are not those of {path}, which it came from; "
                "give the path to landscape.open_samples"
            )
    return found


def _rows_of(listing: summary.Listing) -> list[dict[str, str]]:
    header, rows = listing
    return [dict(zip(header, row, strict=True)) for row in rows]


def _set(row: Mapping[str, str]) -> str:
    """An evaluation set in a line; its name is the one to select it by."""
    parts = [row["evaluation set"]]
    parts += [f"{row['samples']} samples"] if "samples" in row else []
    parts += [f"batch norm {row['batch norm']}"] if "batch norm" in row else []
    return ", ".join(parts)
