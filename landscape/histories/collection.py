"""The histories of many runs, side by side in one Dataset and packed into one small file.

Figures and tables that compare runs are made from such a collection.
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
from landscape.arguments import local_path
from landscape.errors import InvalidValueError, MissingFileError
from landscape.histories import reading as history
from landscape.histories.labels import head, natural, run_labels
from landscape.store.layout import writing


def collect(paths: str | Path | Iterable[str | Path]) -> xr.Dataset:
    """Read the histories of all runs at ``paths`` into one Dataset over (run, epoch).

    A run that is found twice is taken once.

    Args:
        paths: a path or several: each a run's folder, the store of its history, a folder that holds
            runs at any depth, or a file that :func:`pack` made.

    Returns:
        The variables of the histories, (run, epoch), in float64; epochs that a run has not done are
        NaN. ``run`` is the shortest end of the folder's path that tells it from the others.
        Coordinates along ``run`` are ``task``, ``optimizer``, ``learning_rate``, ``seed``,
        ``options`` (JSON), ``epochs_done`` and ``epochs_asked``, ``device_name``, ``record`` (all
        that the run was asked to do, as JSON), and ``label``: the optimizer, and those settings in
        which runs of the same task and optimizer differ. Figures and tables group runs by task and
        ``label``, which may be assigned anew.

    Raises:
        MissingFileError: where there is no run.
        StoreError: for a store that cannot be read.
        InvalidValueError: for a store that holds something else.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found = {h.path: h for path in given for h in history.read(local_path(path).resolve())}
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

    Labels that were assigned are not kept.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.
        path: the file to write, which ends in .zip; an existing one is replaced as a whole.

    Returns:
        ``path``.

    Raises:
        InvalidValueError: for another suffix, and for a Dataset that is no collection or has no
            finished epoch.
        MissingFileError: where the folder to write to does not exist.
        StoreError: where the disk refuses.
    """
    path = local_path(path)
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
    with writing(path), tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as temporary:
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


# What figures and tables use


@dataclass(frozen=True)
class Group:
    """The runs of one task that differ only in their seed.

    Attributes:
        task: name of the task.
        label: optimizer and settings, as in the collection.
        runs: the part of the collection that holds these runs, (run, epoch).
    """

    task: str
    label: str
    runs: xr.Dataset

    def series(self, name: str) -> list[NDArray[np.float64]]:
        """The values of one variable in each run, without padding.

        Args:
            name: name of the variable.

        Returns:
            One array (epochs done,) for each run.
        """
        return series(self.runs, name)


def groups(dataset: xr.Dataset) -> list[Group]:
    """The groups of a collection, in the order in which to show them.

    Tasks and optimizers keep their order; settings are ordered by their numbers.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.

    Returns:
        The groups; every run is in exactly one.

    Raises:
        InvalidValueError: for a Dataset that is no collection, and where no run has finished an
            epoch.
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
    """The values of one variable in each run of a collection, without padding.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.
        name: name of the variable.

    Returns:
        One array (epochs done,) for each run.
    """
    done = dataset["epochs_done"].values
    values = dataset[name].transpose("run", "epoch").values
    return [row[:count] for row, count in zip(values, done, strict=True)]


def best_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """The highest validation accuracy of each run, the measure of [Hackel2023].

    It chooses the epoch by the accuracy that it reports, so it flatters.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.

    Returns:
        (run,), from 0 to 1; NaN before the first epoch is finished.
    """
    return _each(dataset, lambda values: float(values.max()), "best validation accuracy")


def final_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """The validation accuracy of each run after its last finished epoch.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.

    Returns:
        (run,), from 0 to 1; NaN before the first epoch is finished.
    """
    return _each(dataset, lambda values: float(values[-1]), "final validation accuracy")


def unfinished(dataset: xr.Dataset) -> NDArray[np.bool_]:
    """Which runs have not done all the epochs that they were asked for.

    Args:
        dataset: a collection of runs, as :func:`collect` makes it.

    Returns:
        (run,).
    """
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
            f"the dataset has the dimensions {', '.join(map(str, dataset.dims)) or 'none'}; give a "
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
