"""Loss and accuracy landscapes of neural networks along the gradient: probe, store, plot.

>>> import landscape
>>> slice_ = landscape.probe(model, (images, labels), validation)  # doctest: +SKIP
>>> landscape.plots.plot_batches(slice_)  # doctest: +SKIP

Heavy parts (torch, xarray, matplotlib) load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.version import __version__

if TYPE_CHECKING:
    from landscape import histories, plots, report, statistics, tables
    from landscape.accessor import open_ as open  # noqa: A004
    from landscape.errors import LandscapeError
    from landscape.probing import Prober, probe
    from landscape.recording import Recorder
    from landscape.settings import ProbeSettings
    from landscape.store import open_samples
    from landscape.tasks import Task, load_task
    from landscape.training import Training, TrainingSettings

__all__ = [
    "LandscapeError",
    "ProbeSettings",
    "Prober",
    "Recorder",
    "Task",
    "Training",
    "TrainingSettings",
    "__version__",
    "histories",
    "load_task",
    "open",
    "open_samples",
    "plots",
    "probe",
    "report",
    "statistics",
    "tables",
]

_HOME = {
    "LandscapeError": "errors:LandscapeError",
    "ProbeSettings": "settings:ProbeSettings",
    "Prober": "probing:Prober",
    "Recorder": "recording:Recorder",
    "Task": "tasks:Task",
    "Training": "training:Training",
    "TrainingSettings": "training:TrainingSettings",
    "histories": "histories:",
    "load_task": "tasks:load_task",
    "open": "accessor:open_",
    "open_samples": "store:open_samples",
    "plots": "plots:",
    "probe": "probing:probe",
    "report": "report:",
    "statistics": "statistics:",
    "tables": "tables:",
}
# These give Datasets, too, which then have ``dataset.landscape``.
_GIVE_DATASETS = ("Prober", "probe")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'landscape' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    loaded = import_module(f"landscape.{module}")
    if name in _GIVE_DATASETS:
        import_module("landscape.accessor")
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
