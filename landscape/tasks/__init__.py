"""Tasks: a model, its data and its loss, with defaults for training.

Built-in ones are any of :data:`MODELS` on any of :data:`DATASETS`, with :data:`BUILTIN` the most
used; a user's own has the same members. Only these tables are loaded with the package;
everything that needs torch loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.tasks.registry import BUILTIN, DATASETS, MODELS, BuiltinTask

if TYPE_CHECKING:
    from landscape.tasks.loading import load_task, source
    from landscape.tasks.losses import SampleLoss, sample_loss
    from landscape.tasks.task import Task, as_task

__all__ = [
    "BUILTIN",
    "DATASETS",
    "MODELS",
    "BuiltinTask",
    "SampleLoss",
    "Task",
    "as_task",
    "load_task",
    "sample_loss",
    "source",
]

_HOME = {
    "SampleLoss": "losses",
    "Task": "task",
    "as_task": "task",
    "load_task": "loading",
    "sample_loss": "losses",
    "source": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
