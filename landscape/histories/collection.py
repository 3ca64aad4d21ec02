"""The histories of many runs, side by side in one Dataset and kept in one small file.

Figures and tables that compare runs are made from such a collection. Reading needs no network.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape import store
from landscape.errors import InvalidValueError, MissingFileError
from landscape.histories import reading as history
from landscape.histories.labels import head, natural, run_labels


def collect(paths: str | Path | Iterable[str | Path]) -> xr.Dataset:
    """The histories of all runs at ``paths``, as one Dataset over (run, epoch).

    Each path is a run's folder, its history's store, a folder in which runs are looked for at
    any depth, or a file that :func:`pack` made. A run that is found twice is taken once.

    The variables are those of the histories, in float64; a run's epochs that are not done are NaN.
    Coordinates along ``run``, which is indexed by the shortest tail of the folder's path that
    tells it from the others: ``task``, ``optimizer``, ``learning_rate``, ``seed``, ``options``
    (JSON), ``epochs_done`` and ``epochs_asked``, ``device_name``, ``record`` (all that the run
    was asked to do, as JSON), and ``label``: the optimizer, and those settings in which runs of
    the same task and optimizer differ. Figures and tables group runs by task and ``label``,
    which may be assigned anew.

    Raises :class:`MissingFileError` where there is no run, :class:`StoreError` for a store that
    cannot be read, :class:`InvalidValueError` for one that holds something else.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found = {h.path: h for path in given for h in history.read(Path(path).resolve())}
    if not found:
        raise MissingFileError("no run was given")
    every = list(found.values())
    names = _tails([each.path for each in every])
    tasks = [str(each.record.get("task", "unknown")) for each in every]
    short = dict(zip(set(tasks), _tails([Path(t) for t in set(tasks)]), strict=True))
    records = [
        {**each.record, "task": short[task], "optimizer": each.record["optimizer"].lower()}
        for each, task in zip(every, tasks, strict=True)
    ]
    return _dataset(names, records, [each.epochs for each in every])


def pack(dataset: xr.Dataset, path: str | Path) -> Path:
    """Keep a collection in one file, from which :func:`collect` reads the same again.

    ``path`` ends in .zip and is replaced as a whole. Labels that were assigned are not kept.

    Raises :class:`InvalidValueError` for another name, for what is no collection and for one
    without a finished epoch, :class:`MissingFileError` where there is no such folder.
    """
    path = Path(path)
    if path.suffix != ".zip":
        raise InvalidValueError(f"the file is {path.name!r}; give a name that ends in .zip")
    if not path.parent.is_dir():
        raise MissingFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    groups(dataset)  # refuses what is no collection
    runs = [
        {
            "name": str(one["run"].item()),
            "epochs_done": int(one["epochs_done"]),
            "record": json.loads(one["record"].item()),
        }
        for one in (dataset.isel(run=i) for i in range(dataset.sizes["run"]))
    ]
    rows = dataset.reset_coords(drop=True).drop_vars("run")
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as temporary:
        folder = Path(temporary) / "runs.zarr"
        trees = [xr.DataTree(rows.isel(run=[i])) for i in range(len(runs))]
        writer = store.create(
            folder,
            trees[0],
            rows=len(runs),
            along="run",
            chunk=len(runs),
            attributes={"runs": runs},
        )
        for tree in trees:
            writer.write(tree)
        Path(shutil.make_archive(str(folder), "zip", folder)).replace(path)
    return path


# What the figures and tables take from a collection


@dataclass(frozen=True)
class Group:
    """The runs of one task that are alike but for their seed."""

    task: str
    label: str
    runs: xr.Dataset

    def series(self, name: str) -> list[NDArray[np.float64]]:
        """The values of ``name`` in each run, (epochs done,)."""
        return series(self.runs, name)


def groups(dataset: xr.Dataset) -> list[Group]:
    """The groups of a collection: tasks and optimizers in order, then settings by their number.

    Raises :class:`InvalidValueError` for a Dataset that is no collection, and for one of runs
    that have not finished an epoch.
    """
    _require(dataset)
    if not dataset["epochs_done"].values.any():
        raise InvalidValueError("no epoch of any run is finished, so there is nothing to compare")
    tasks, names = (list(map(str, dataset[name].values)) for name in ("task", "label"))
    pairs = list(zip(tasks, names, strict=True))
    heads = [head(name) for name in names]

    def place(pair: tuple[str, str]) -> tuple[int, int, list[tuple[float, str]]]:
        task, name = pair
        return tasks.index(task), heads.index(head(name)), natural(name)

    return [
        Group(*pair, dataset.isel(run=[i for i, p in enumerate(pairs) if p == pair]))
        for pair in sorted(set(pairs), key=place)
    ]


def series(dataset: xr.Dataset, name: str) -> list[NDArray[np.float64]]:
    """The values of ``name`` in each run of a collection, (epochs done,), without padding."""
    done = dataset["epochs_done"].values
    values = dataset[name].transpose("run", "epoch").values
    return [row[:count] for row, count in zip(values, done, strict=True)]


def best_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """The highest validation accuracy of each run, (run,); NaN before the first epoch.

    The published measure. It picks the epoch by the data that it reports, so it flatters.
    """
    return _each(dataset, lambda values: float(values.max()), "best validation accuracy")


def final_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """The validation accuracy of each run after its last finished epoch, (run,)."""
    return _each(dataset, lambda values: float(values[-1]), "final validation accuracy")


def unfinished(dataset: xr.Dataset) -> NDArray[np.bool_]:
    """Which runs have not done all epochs that they were asked for, (run,)."""
    return np.asarray(dataset["epochs_done"].values < dataset["epochs_asked"].values)


def _each(dataset: xr.Dataset, reduce: Any, long_name: str) -> xr.DataArray:
    accuracies = series(dataset, "validation_accuracy")
    values = [reduce(each) if each.size else np.nan for each in accuracies]
    attributes = {"long_name": long_name, "units": "1"}
    coordinates = {k: v for k, v in dataset.coords.items() if v.dims == ("run",)}
    return xr.DataArray(values, coordinates, "run", attrs=attributes)


def _require(dataset: xr.Dataset) -> None:
    missing = [n for n in ("label", "epochs_done", "epochs_asked") if n not in dataset.coords]
    if missing or dataset["label"].dims != ("run",):
        raise InvalidValueError(
            f"the dataset is over {', '.join(map(str, dataset.dims)) or 'nothing'}; give a "
            "collection of runs, as landscape.histories.collect makes it"
        )


def _tails(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as few as tell all of them apart."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        tails = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(tails)) == len(paths):
            break
    return tails


def _dataset(
    names: Sequence[str], records: Sequence[Mapping[str, Any]], epochs: Sequence[xr.Dataset]
) -> xr.Dataset:
    done = [each.sizes.get("epoch", 0) for each in epochs]
    shape = len(epochs), max(done)
    variables: dict[str, Any] = {}
    for name in sorted({str(n) for each in epochs for n in each.data_vars}):
        values = np.full(shape, np.nan)
        for row, each in zip(values, epochs, strict=True):
            if name in each:
                row[: each.sizes["epoch"]] = each[name].values
        attributes = next(each[name].attrs for each in epochs if name in each)
        variables[name] = ("run", "epoch"), values, attributes

    def texts(values: Iterable[Any]) -> tuple[str, NDArray[np.object_]]:
        return "run", np.array([str(value) for value in values], dtype=object)

    coordinates = {
        "run": texts(names),
        "epoch": ("epoch", np.arange(1, shape[1] + 1), {"long_name": "epoch", "units": "1"}),
        "task": texts(record["task"] for record in records),
        "label": texts(run_labels(records)),
        "optimizer": texts(record["optimizer"] for record in records),
        "learning_rate": (
            "run",
            np.array([float(r.get("learning_rate", np.nan)) for r in records]),
        ),
        "seed": ("run", np.array([int(r.get("seed", 0)) for r in records])),
        "options": texts(json.dumps(record.get("options", {})) for record in records),
        "epochs_done": ("run", np.array(done)),
        "epochs_asked": (
            "run",
            np.array([int(r.get("epochs", n)) for r, n in zip(records, done, strict=True)]),
        ),
        "device_name": texts(record.get("device_name", "unknown") for record in records),
        "record": texts(json.dumps(record) for record in records),
    }
    return xr.Dataset(variables, coordinates)
