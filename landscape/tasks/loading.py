"""From a task's name to the task: a data set and a network, or an object in a user's module."""

import importlib
import importlib.util
import sys
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from landscape.arguments import local_path
from landscape.data import first
from landscape.errors import InvalidValueError, LandscapeError, MissingFileError, UnknownNameError
from landscape.tasks import combining
from landscape.tasks.task import Task, as_task


def load_task(
    spec: str | None = None,
    *,
    model: str | None = None,
    dataset: str | Path | None = None,
    data: Path | None = None,
    download: bool = False,
    train_samples: int | None = None,
) -> Task:
    """Load a task by its name, or by the names of its data set and its network.

    >>> task = landscape.load_task("digits-mlp")
    >>> task.train
    TensorData(1,437 samples, 1×8×8 float32)
    >>> landscape.load_task(dataset="digits", model="cnn").name
    'digits-cnn'

    Args:
        spec: DATASET-MODEL, as the names in :data:`BUILTIN`; or a task of your own as
            ``my_module:my_task`` (modules in the current folder are found) or
            ``path/to/file.py:my_task``.
        model: a name in :data:`MODELS`, which replaces that part of ``spec``.
        dataset: a name in :data:`DATASETS` or the path of an .npz of arrays (see
            :mod:`landscape.tasks.datasets.arrays`), which replaces that part of ``spec``.
        data: the folder of the data sets, ``./data`` unless given; or an .npz of arrays.
        download: whether a data set that is not in that folder is fetched into it.
        train_samples: keeps the first this many training samples, in their order; all unless
            given.

    Returns:
        The task.

    Raises:
        InvalidValueError: for an unknown name, for a module that cannot be imported or holds no
            task, and for a damaged data set.
        MissingFileError: for a file or a data set that is not found.
    """
    if spec is not None and is_own(spec):
        if model is not None or dataset is not None:
            raise InvalidValueError(
                f"task {spec!r} has a model and data of its own; give --model and --dataset "
                "without it, or with a built-in task"
            )
        task = as_task(_attribute(*_parts(spec)), spec)
    else:
        chosen, root = _choice(spec, model, dataset, data)
        task = combining.combine(chosen, root, download)
    if train_samples is None:
        return task
    return replace(task, train=first(task.train, train_samples))


def source(
    spec: str | None = None,
    *,
    model: str | None = None,
    dataset: str | Path | None = None,
    data: Path | None = None,
    train_samples: int | None = None,
) -> dict[str, Any]:
    """Describe a task in plain values, from which :func:`load_task` makes it again in any folder.

    Args:
        spec: as for :func:`load_task`, like the others.
        model: the network's name.
        dataset: the data set's name or file.
        data: the data root or file.
        train_samples: number of training samples kept.

    Returns:
        ``task`` and, where they matter, ``dataset``, ``data`` and ``train_samples``, which are
        arguments of :func:`load_task`; ``folder`` is where a task of your own is imported from.
    """
    found: dict[str, Any] = {}
    if spec is not None and is_own(spec):
        where, _, name = spec.rpartition(":")
        path = str(local_path(where).resolve()) if where.endswith(".py") else where
        found |= {"task": f"{path}:{name}", "folder": str(Path.cwd())}
    else:
        chosen, root = _choice(spec, model, dataset, data)
        found["task"] = chosen.name
        if chosen.file is not None:
            found["dataset"] = str(chosen.file.resolve())
        elif chosen.needs_data:
            found["data"] = str((root or combining.DATA_ROOT).resolve())
    if train_samples is not None:
        found["train_samples"] = train_samples
    return found


def _choice(
    spec: str | None, model: str | None, dataset: str | Path | None, data: Path | None
) -> tuple[combining.Combination, Path | None]:
    """The data set and the network, and the data root; ``data`` may be the data set itself."""
    data = None if data is None else local_path(data)
    if data is not None and data.suffix == ".npz":
        if dataset is not None:
            raise InvalidValueError(
                f"both the data set {dataset!r} and the file of arrays {str(data)!r} were given; "
                "choose one"
            )
        dataset, data = data, None
    return combining.combination(spec, model, dataset), data


def is_own(spec: str) -> bool:
    """Whether a name means a task of a user's own, whose module is imported, and no built-in one.

    Args:
        spec: a task's name, as for :func:`load_task`.

    Returns:
        True for ``my_module:my_task`` and the like.
    """
    return all(spec.rpartition(":"))


def _parts(spec: str) -> tuple[ModuleType, str]:
    where, _, name = spec.rpartition(":")
    importer = _import_file if where.endswith(".py") else _import_module
    try:
        return importer(where), name
    except SyntaxError as error:
        raise InvalidValueError(
            f"task {spec!r} cannot be imported: {error.msg} ({error.filename}, line {error.lineno})"
        ) from error
    except ImportError as error:
        raise InvalidValueError(f"task {spec!r} cannot be imported: {error}") from error
    except LandscapeError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidValueError(
            f"task {spec!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _import_module(name: str) -> ModuleType:
    if name.startswith("."):
        raise ImportError("a relative name; give the module's full name")
    _importable(Path.cwd())
    return importlib.import_module(name)


def _import_file(where: str) -> ModuleType:
    path = local_path(where).resolve()
    if not path.is_file():
        raise MissingFileError(f"no file {where!r} for the task; looked at {path}")
    _importable(path.parent)
    # Its own name, so that a file called like another module does not replace that module.
    specification = importlib.util.spec_from_file_location(f"task_of_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()


def _attribute(module: ModuleType, name: str) -> Any:
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError:
        names = [
            key
            for key, value in vars(module).items()
            if not key.startswith("_") and not isinstance(value, ModuleType)
        ]
        raise UnknownNameError(f"task in {module.__name__}", name, names) from None
