"""The finished rows of stores."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, StoreError, UnknownNameError
from landscape.slices.schema import upgraded
from landscape.store.layout import FINISHED, PER_SAMPLE, array, check, reading, zarr_store


def open_(path: str | Path) -> xr.Dataset:
    """Read the finished rows of a store.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        The rows in memory: checkpoints in order of iteration, epochs in that of the store. Slices
        of an older schema come in the present one.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
    """
    path = local_path(path)
    attributes = check(path)
    with reading(path):
        dataset: xr.Dataset = xr.open_zarr(zarr_store(path), consolidated=False, chunks=None)
        rows = _finished_rows(dataset.load(), str(attributes["along"]))
    return upgraded(dataset.drop_vars(FINISHED).isel({str(attributes["along"]): rows}))


def open_samples(
    path: str | Path, evaluation_set: str, chunks: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Open the per-sample loss and margin of one evaluation set, read from disk when used.

    >>> import torch
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> recorder = landscape.Recorder("samples.zarr", model, optimizer, (images, labels), every=1)
    >>> with recorder(images[:64], labels[:64]):
    ...     optimizer.step()
    >>> samples = landscape.open_samples("samples.zarr", "same_batch")
    >>> samples["margin"].dims
    ('checkpoint', 'draw', 'step_size', 'sample')

    Args:
        path: a store: a folder.
        evaluation_set: its name, as "validation".
        chunks: dimension -> samples, checkpoints, … per chunk, as ``{"checkpoint": 1}``: the
            values are then dask arrays, for more than fits into memory.

    Returns:
        The finished rows: ``loss`` and ``margin`` over (checkpoint, draw, step_size, sample),
        with each sample's label ``target`` and its place in the data ``index``.

    Raises:
        InvalidValueError: for an unknown evaluation set, chunks without dask, or an address on
            another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store, and for one without per-sample values.
        UnknownNameError: for a name that is not known.
    """
    path = local_path(path)
    if chunks is not None and find_spec("dask") is None:
        raise InvalidValueError(
            f"chunks {chunks} were given, but dask is not installed; "
            "pip install 'accuracy-landscape[dask]', or leave chunks out"
        )
    along = str(check(path)["along"])
    with reading(path):
        root = xr.open_zarr(zarr_store(path), consolidated=False, chunks=None)
        sets = [str(s) for s in root["evaluation_set"].values]
        if evaluation_set not in sets:
            raise UnknownNameError("evaluation set", evaluation_set, sets)
        root = upgraded(root.load())
        rows = _finished_rows(root, along)
        try:
            samples: xr.Dataset = xr.open_zarr(
                zarr_store(path),
                group=f"{PER_SAMPLE}/{evaluation_set}",
                consolidated=False,
                chunks=None if chunks is None else dict(chunks),
            )
        except (FileNotFoundError, KeyError) as error:
            raise StoreError(f"{path} was made without per-sample values") from error
    root = root.isel({along: rows, "evaluation_set": sets.index(evaluation_set)})
    shared = [name for name, c in root.coords.items() if set(c.dims) <= set(samples.dims)]
    samples = samples.isel({along: rows}).assign_coords({n: root.coords[n] for n in shared})
    return samples.assign_attrs(root.attrs)


def progress(path: str | Path) -> tuple[int, int]:
    """How many rows are finished, and how many there is room for.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        (finished rows, all rows).

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
    """
    path = local_path(path)
    check(path)
    with reading(path):
        root = zarr.open_group(zarr_store(path), mode="r")
        marks = np.asarray(array(root, FINISHED)[:])
    return int(marks.sum()), len(marks)


def _finished_rows(dataset: xr.Dataset, along: str) -> np.ndarray[Any, Any]:
    rows = np.flatnonzero(dataset[FINISHED].values)
    order = dataset["iteration"].values[rows] if along == "checkpoint" else rows
    return rows[np.argsort(order, kind="stable")]
