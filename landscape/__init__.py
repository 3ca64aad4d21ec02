"""Loss and accuracy landscapes of neural networks along the gradient: probe, store, plot.

>>> import landscape
>>> slice_ = landscape.probe(model, (images, labels), validation)  # doctest: +SKIP
>>> landscape.plots.plot_batches(slice_)  # doctest: +SKIP

Everything loads on first use, also the rooms: ``landscape.optimizers.SmoothAccuracySLS``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.lazy import lazily
from landscape.version import __version__

if TYPE_CHECKING:
    from landscape import (
        data,
        errors,
        histories,
        metrics,
        optimizers,
        plots,
        probing,
        report,
        statistics,
        store,
        study,
        tables,
        tasks,
        training,
    )
    from landscape.accessor import open_ as open  # noqa: A004
    from landscape.errors import LandscapeError
    from landscape.probing.prober import Prober, probe
    from landscape.probing.settings import ProbeSettings
    from landscape.store import open_samples
    from landscape.study.recorder import Recorder
    from landscape.tasks import Task, load_task
    from landscape.training.loop import Training
    from landscape.training.settings import TrainingSettings

__all__ = [
    "LandscapeError",
    "ProbeSettings",
    "Prober",
    "Recorder",
    "Task",
    "Training",
    "TrainingSettings",
    "__version__",
    "data",
    "errors",
    "histories",
    "load_task",
    "metrics",
    "open",
    "open_samples",
    "optimizers",
    "plots",
    "probe",
    "probing",
    "report",
    "statistics",
    "store",
    "study",
    "tables",
    "tasks",
    "training",
]

_ROOMS = (
    *("data", "errors", "histories", "metrics", "optimizers", "plots", "probing", "report"),
    *("statistics", "store", "study", "tables", "tasks", "training"),
)
_load, _names = lazily(
    __name__,
    {
        **{room: room for room in _ROOMS},
        "LandscapeError": "errors:",
        "ProbeSettings": "probing:",
        "Prober": "probing:",
        "Recorder": "study:",
        "Task": "tasks:",
        "Training": "training:",
        "TrainingSettings": "training:",
        "load_task": "tasks:",
        "open": "accessor:open_",
        "open_samples": "store:",
        "probe": "probing:",
    },
)


def __getattr__(name: str) -> Any:
    if name in ("Prober", "probe", "probing"):  # whose Datasets have ``dataset.landscape``
        import_module("landscape.accessor")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*_names(), "__version__"})
