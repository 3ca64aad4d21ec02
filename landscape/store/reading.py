"""The finished rows of stores."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, StoreError, UnknownNameError
from landscape.slices.planes import SECOND
from landscape.slices.schema import upgraded
from landscape.store.damage import finished_rows, reading_values, require_whole
from landscape.store.layout import FINISHED, PER_SAMPLE, reading
from landscape.store.metadata import STRUCTURE, Metadata, read
from landscape.store.opening import Marks, zarr_store

# What every store of slices has: name -> (dimensions, kinds of numpy's dtype).
ALWAYS = {
    "iteration": (("checkpoint",), "iu"),
    "epoch": (("checkpoint",), "iuf"),
    "draw": (("draw",), "iu"),
    "evaluation_set": (("evaluation_set",), "TOU"),
    "kind": (("evaluation_set",), "TOU"),
    "step_size": (("step_size",), "f"),
}


def open_(path: str | Path) -> xr.Dataset:
    """Read the finished rows of a store.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        The rows in memory: checkpoints in order of iteration, epochs in that of the store. Slices
        of an older schema come in the present one. ``encoding["source"]`` is the store's path.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
    """
    path = local_path(path)
    metadata = read(path)
    dataset, rows = _rows(metadata)
    found = upgraded(dataset.drop_vars(FINISHED).isel({metadata.along: rows}))
    found.encoding["source"] = str(path.absolute())
    return found


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
    metadata = read(path)
    root, rows = _rows(metadata)
    if "evaluation_set" not in root:
        raise StoreError(f"{path} has rows along {metadata.along!r}, and no evaluation sets")
    root = upgraded(root.drop_vars(FINISHED).isel({metadata.along: rows}))
    sets = [str(s) for s in root["evaluation_set"].values]
    if evaluation_set not in sets:
        raise UnknownNameError("evaluation set", evaluation_set, sets)
    group = f"{PER_SAMPLE}/{evaluation_set}"
    arrays = [a for a in metadata.arrays.values() if a.name.rpartition("/")[0] == group]
    if not arrays:
        raise StoreError(f"{path} was made without per-sample values")
    finished = finished_rows(metadata)
    require_whole(metadata, finished, arrays)
    with reading(path):
        samples = _opened(metadata, finished, group, None if chunks is None else dict(chunks))
    root = root.isel(evaluation_set=sets.index(evaluation_set))
    shared = [name for name, c in root.coords.items() if set(c.dims) <= set(samples.dims)]
    samples = samples.isel({metadata.along: np.flatnonzero(finished)[rows]})
    with reading(path):
        samples = samples.assign_coords({n: root.coords[n] for n in shared})
    return samples.assign_attrs(root.attrs)


def has_samples(path: str | Path) -> bool:
    """Say whether a store keeps values of samples, which a packed one does not.

    Args:
        path: a store: a folder, or a zip of one.

    Returns:
        Whether :func:`open_samples` finds some.

    Raises:
        InvalidValueError: for an address on another machine.
        MissingFileError: where nothing is at the path.
        StoreError: for what is not a store or damaged, and for a newer schema.
    """
    return any(name.startswith(f"{PER_SAMPLE}/") for name in read(local_path(path)).arrays)


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
    metadata = read(local_path(path))
    finished = finished_rows(metadata)
    return int(finished.sum()), len(finished)


def _rows(metadata: Metadata) -> tuple[xr.Dataset, np.ndarray[Any, Any]]:
    """What was finished, in memory, and in which order its rows are shown."""
    metadata.require_even()
    along = metadata.along
    finished = finished_rows(metadata)
    with reading_values(metadata):
        dataset = _opened(metadata, finished)
        if not finished.all():
            dataset = dataset.isel({along: np.flatnonzero(finished)})
        dataset.load()
    if along != "checkpoint":
        return dataset, np.arange(int(finished.sum()))
    _require_slices(metadata, dataset)
    return dataset, np.argsort(dataset["iteration"].values, kind="stable")


def _opened(
    metadata: Metadata,
    finished: Marks,
    group: str = "/",
    chunks: dict[str, int] | None = None,
) -> xr.Dataset:
    """One group as xarray reads it; attributes mean nothing but what this package writes."""
    dataset: xr.Dataset = xr.open_zarr(
        zarr_store(metadata, finished),
        group=group,
        consolidated=False,
        zarr_format=3,
        chunks=chunks,
        mask_and_scale=False,
        decode_times=False,
        decode_timedelta=False,
        concat_characters=False,
    )
    dataset.attrs.pop(STRUCTURE, None)
    for variable in dataset.variables.values():
        variable.attrs.pop("_FillValue", None)
    return dataset


def _require_slices(metadata: Metadata, dataset: xr.Dataset) -> None:
    """Refuse slices that lack what every figure and table needs, or where it means nothing."""
    path = metadata.path
    for name, (dims, kinds) in ALWAYS.items():
        if name not in dataset.variables:
            raise StoreError(f"{path} is damaged: it has no {name!r}; make it anew")
        found = dataset[name]
        if found.dims != dims or found.dtype.kind not in kinds:
            raise StoreError(
                f"{path} is damaged: {name!r} is {found.dtype} along "
                f"{', '.join(map(str, found.dims)) or 'nothing'}; make it anew"
            )
    for name in ("step_size", SECOND):
        steps = dataset[name].values if name in dataset.coords else np.zeros(1)
        if not (
            steps.dtype.kind == "f" and np.isfinite(steps).all() and (np.diff(steps) > 0).all()
        ):
            raise StoreError(f"{path} is damaged: its step sizes are not ascending; make it anew")
    for name in ("iteration", "evaluation_set"):
        names = dataset[name].values.tolist()
        if len(set(names)) < len(names):
            twice = next(each for each in names if names.count(each) > 1)
            raise StoreError(
                f"{path} is damaged: it has the {name.replace('_', ' ')} {twice!r} twice; make it "
                "anew"
            )
    for metric, values in dataset.data_vars.items():
        if "step_size" in values.dims and values.dtype.kind != "f":
            raise StoreError(f"{path} is damaged: {metric!r} is {values.dtype}; make it anew")
