"""Tasks: a model, its data and its loss, with defaults for training.

Built-in ones are named in :data:`BUILTIN`; a user's own has the same members. Only the table
is loaded with the package; everything that needs torch loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.tasks.registry import BUILTIN, BuiltinTask

if TYPE_CHECKING:
    from landscape.tasks.loading import load_task
    from landscape.tasks.losses import SampleLoss, sample_loss
    from landscape.tasks.task import Task, as_task

__all__ = [
    "BUILTIN",
    "BuiltinTask",
    "SampleLoss",
    "Task",
    "as_task",
    "load_task",
    "sample_loss",
]

_HOME = {
    "SampleLoss": "losses",
    "Task": "task",
    "as_task": "task",
    "load_task": "loading",
    "sample_loss": "losses",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
