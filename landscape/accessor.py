"""``dataset.landscape``: what a notebook can do with slices, listed by the tab key.

Importing this module registers it with xarray; ``landscape.open`` and ``landscape.probe`` do so.
Each method calls a plain function and holds no logic of its own.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from landscape import statistics, store
from landscape.arguments import local_path
from landscape.errors import InvalidValueError
from landscape.histories.layout import store_at
from landscape.plots.registry import FIGURES, Figure
from landscape.slices.planes import is_plane, path_shown
from landscape.slices.wording import run_label
from landscape.tables import summary

# The rows that describe a Dataset, in this order.
FACTS = (
    *("task", "optimizer", "checkpoints", "evaluation sets", "step sizes", "direction"),
    *("step sizes of the second direction", "second direction", "cosine between the directions"),
    *("path", "origin", "draws", "metrics"),
)

if TYPE_CHECKING:
    import pandas as pd


def open_(path: str | Path) -> xr.Dataset:
    """Open the slices of a store or of a run's folder.

    >>> import torch
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> recorder = landscape.Recorder("run.zarr", model, optimizer, (images, labels), every=1)
    >>> with recorder(images[:64], labels[:64]):
    ...     optimizer.step()
    >>> slices = landscape.open("run.zarr")
    >>> dict(slices.sizes)
    {'checkpoint': 1, ...}
    >>> slices.landscape.samples("same_batch").sizes["sample"]
    64

    Args:
        path: a store (a folder, or a zip of one), or the folder of a run.

    Returns:
        The finished rows, as :func:`landscape.store.open_` gives them: in memory, in order of
        iteration. The Dataset remembers the path of its store.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where there is no store.
        StoreError: for what is not a store, or one of a newer schema.
    """
    return store.open_(store_at(local_path(path)))


@xr.register_dataset_accessor("landscape")  # type: ignore[no-untyped-call]
class Landscape:
    """Figures, statistics and per-sample values of slices; printed, it describes them.

    >>> slice_ = landscape.probe(model, (images, labels), validation)
    >>> axes = slice_.landscape.plot.batches(metric="loss")
    >>> list(slice_.landscape.statistics().index)
    [(0, 'same batch'), (0, 'other batch 1'), ..., (0, 'validation')]

    Args:
        dataset: slices, as ``landscape.open`` or ``landscape.probe`` gives them.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def plot(self) -> "Plots":
        """The figures: ``dataset.landscape.plot.widening(metric="loss")``."""
        return Plots(self._dataset)

    def statistics(self, **options: Any) -> "pd.DataFrame":
        """Peak width, best step size, batch bias and gap of every slice.

        Args:
            **options: those of :func:`landscape.tables.slice_statistics`.

        Returns:
            One row for each checkpoint and evaluation set.

        Raises:
            InvalidValueError: for an option that is not allowed, and for a Dataset that does not
                hold slices.
        """
        from landscape import tables

        return tables.slice_statistics(self._dataset, **options)

    def samples(
        self, evaluation_set: str | None = None, chunks: Mapping[str, int] | None = None
    ) -> xr.Dataset:
        """Per-sample values of these slices, from the store that ``landscape.open`` read.

        Args:
            evaluation_set: name of the set; by default "validation", or else the first.
            chunks: dimension -> chunk length, for dask arrays; by default numpy arrays that are
                read when they are used.

        Returns:
            What :func:`landscape.open_samples` gives, for the checkpoints, draws and step sizes
            that the Dataset holds.

        Raises:
            InvalidValueError: where the Dataset does not come from a store or no longer knows it,
                where it holds values that are not in that store, and for an unknown set.
            MissingFileError: where the store is gone.
            StoreError: where the store cannot be read, or was made without per-sample values.
        """
        if not (path := self._dataset.encoding.get("source")):
            raise InvalidValueError(
                "this Dataset does not know its store; give the path to landscape.open_samples"
            )
        if evaluation_set is None:
            sets = [str(each) for each in np.ravel(self._dataset["evaluation_set"].values)]
            evaluation_set = "validation" if "validation" in sets else sets[0]
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
    """A method for each figure of slices; see ``landscape.plots.registry``.

    Args:
        dataset: slices, as ``landscape.open`` or ``landscape.probe`` gives them.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):  # asked of a copy in the making, without a Dataset yet
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
    """Figures by the name of their method; those of what was not probed are left out."""
    there = {
        "slices": True,
        "searches": "search_step_size" in dataset.coords,
        "planes": is_plane(dataset),
        "paths": path_shown(dataset),
    }
    sources = {source for source, held in there.items() if held}
    return {figure.module: figure for figure in FIGURES.values() if figure.source in sources}


def _bound(figure: Figure, dataset: xr.Dataset) -> Callable[..., Any]:
    """The figure's function with its docstring and options, bound to ``dataset``."""
    function = figure.load()

    @wraps(function)
    def plot(**options: Any) -> Any:
        statistics.require_slices(dataset)
        return function(dataset, **options)

    plot.__doc__ = re.sub(r"\n *dataset: .*", "", function.__doc__ or "")  # which is given
    signature = inspect.signature(function)
    rest = list(signature.parameters.values())[1:]
    plot.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return plot


def _selected(samples: xr.Dataset, dataset: xr.Dataset, path: str) -> xr.Dataset:
    """The part of ``samples`` that belongs to the slices in ``dataset``, all of one store."""
    places = {}
    for along, name in (("checkpoint", "iteration"), ("draw", "draw"), ("step_size", "step_size")):
        if name not in dataset.coords or name not in samples.coords:
            continue
        there, wanted = samples[name].values.tolist(), np.ravel(dataset[name].values).tolist()
        if len(set(wanted)) < len(wanted) or not set(wanted) <= set(there):
            raise InvalidValueError(
                f"a {along.replace('_', ' ')} of this Dataset is not in {path}, from which it was "
                "read; give the path to landscape.open_samples"
            )
        if wanted != there:
            places[along] = [there.index(each) for each in wanted]
    found = samples.isel(places)
    # No two checkpoints share a gradient norm, so it tells whether these are the same ones.
    if "gradient_norm" in dataset.coords and "gradient_norm" in found.coords:
        norms, own = (np.ravel(each["gradient_norm"].values) for each in (found, dataset))
        if not np.array_equal(norms, own, equal_nan=True):
            raise InvalidValueError(
                f"the gradient norms of this Dataset are not those of {path}, from which it was "
                "read; give the path to landscape.open_samples"
            )
    return found


def _rows_of(listing: summary.Listing) -> list[dict[str, str]]:
    header, rows = listing
    return [dict(zip(header, row, strict=True)) for row in rows]


def _set(row: Mapping[str, str]) -> str:
    """An evaluation set in one line; its name is the one that selects it."""
    parts = [row["evaluation set"]]
    parts += [f"{row['samples']} samples"] if "samples" in row else []
    parts += [run_label(f"batch norm {row['batch norm']}")] if "batch norm" in row else []
    return ", ".join(parts)
