"""The finished rows of stores."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from landscape.errors import InvalidValueError, StoreError, unknown
from landscape.slices.schema import upgraded
from landscape.store.layout import FINISHED, PER_SAMPLE, array, check, reading, zarr_store


def open_(path: str | Path) -> xr.Dataset:
    """The finished rows of a store (a folder, or a zip of one), in memory, in order of iteration.

    Raises :class:`MissingFileError` or :class:`StoreError` where there is no store, or one of a
    newer schema.
    """
    path = Path(path)
    attributes = check(path)
    with reading(path):
        dataset: xr.Dataset = xr.open_zarr(zarr_store(path), consolidated=False, chunks=None)
        rows = _finished_rows(dataset.load(), str(attributes["along"]))
    return upgraded(dataset.drop_vars(FINISHED).isel({str(attributes["along"]): rows}))


def open_samples(
    path: str | Path, evaluation_set: str, chunks: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Per-sample loss and margin of one evaluation set, read from disk when they are used.

    With ``chunks``, as ``{"checkpoint": 1}``, as dask arrays, for more than fits into memory.
    """
    path = Path(path)
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
            raise unknown("evaluation set", evaluation_set, sets)
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
    """How many rows are finished, and how many there is room for."""
    path = Path(path)
    check(path)
    with reading(path):
        root = zarr.open_group(zarr_store(path), mode="r")
        marks = np.asarray(array(root, FINISHED)[:])
    return int(marks.sum()), len(marks)


def _finished_rows(dataset: xr.Dataset, along: str) -> np.ndarray[Any, Any]:
    rows = np.flatnonzero(dataset[FINISHED].values)
    order = dataset["iteration"].values[rows] if along == "checkpoint" else rows
    return rows[np.argsort(order, kind="stable")]
