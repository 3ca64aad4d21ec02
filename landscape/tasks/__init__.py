"""Tasks: a model, its data and its loss, with defaults for training.

A built-in task is any of :data:`MODELS` on any of :data:`DATASETS`; :data:`BUILTIN` lists the most
used ones. A task of your own has the same members. Only the tables load with the package; what
needs torch loads on first use.
"""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.tasks.loading import load_task, source
    from landscape.tasks.registry import BUILTIN, DATASETS, MODELS, BuiltinTask
    from landscape.tasks.task import Task, as_task

__all__ = [
    "BUILTIN",
    "DATASETS",
    "MODELS",
    "BuiltinTask",
    "Task",
    "as_task",
    "load_task",
    "source",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "BUILTIN": "registry:",
        "BuiltinTask": "registry:",
        "DATASETS": "registry:",
        "MODELS": "registry:",
        "Task": "task:",
        "as_task": "task:",
        "load_task": "loading:",
        "source": "loading:",
    },
)
