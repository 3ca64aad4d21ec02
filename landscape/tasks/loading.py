"""From a task's spec to the task: a built-in name, or an object in a user's module."""

import importlib
import importlib.util
import sys
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from landscape.errors import InvalidValueError, LandscapeError, MissingFileError, unknown
from landscape.tasks.registry import BUILTIN
from landscape.tasks.task import Task, as_task

DATA_ROOT = Path("data")


def load_task(spec: str, *, data: Path | None = None, download: bool = False) -> Task:
    """Load the task that ``spec`` names.

    ``spec`` is a name of :data:`BUILTIN`, ``my_module:my_task`` (the current folder is
    importable) or ``path/to/file.py:my_task``. ``data`` is the folder of the data sets
    (default ``./data``) and ``download`` fetches what is not there; only built-in tasks with
    ``needs_data`` use them.

    Raises :class:`InvalidValueError` for an unknown name and for a module that cannot be
    imported or holds no task, :class:`MissingFileError` for a file or data that is not there.
    What the user's own code raises is passed on.
    """
    if spec in BUILTIN:
        builtin = BUILTIN[spec]
        function = _attribute(*_parts(builtin.function))
        return as_task(
            function(data=data or DATA_ROOT, download=download)
            if builtin.needs_data
            else function(),
            spec,
        )
    if not all(spec.rpartition(":")):
        own = "or a task of your own as my_module:my_task or path/to/file.py:my_task"
        raise unknown("task", spec, [*BUILTIN, own])
    return as_task(_attribute(*_parts(spec)), spec)


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
    path = Path(where).resolve()
    if not path.is_file():
        raise MissingFileError(f"no file {where!r} for the task; looked at {path}")
    _importable(path.parent)
    # A name of its own, so that a file called like some module is not taken for it.
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
        raise unknown(f"task in {module.__name__}", name, names) from None
