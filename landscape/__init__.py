"""Loss and accuracy landscapes of neural networks along any direction: probe, store, plot.

>>> import landscape
>>> slice_ = landscape.probe(model, (images, labels), validation)
>>> dict(slice_.sizes)
{'checkpoint': 1, 'draw': 1, 'evaluation_set': 5, 'step_size': 13, 'slope_factor': 1}
>>> axes = landscape.plots.plot_batches(slice_)

Everything is loaded when it is first used, subpackages too:
``landscape.optimizers.SmoothAccuracySLS``.

References:
    [Andreyev2024] Andreyev, Beneventano. Edge of stochastic stability: revisiting the edge of
        stability for SGD. arXiv:2412.20553, 2024.
    [Armijo1966] Armijo. Minimization of functions having Lipschitz continuous first partial
        derivatives. Pacific Journal of Mathematics 16(1), 1966.
    [Efron1979] Efron. Bootstrap methods: another look at the jackknife. Annals of Statistics 7(1),
        1979.
    [Entezari2022] Entezari, Sedghi, Saukh, Neyshabur. The role of permutation invariance in linear
        mode connectivity of neural networks. ICLR 2022.
    [Hackel2023] Osane Hackel. Accuracy-Based Line Search. Bachelor thesis, Eberhard Karls
        University Tübingen, 2023; "the thesis".
    [He2016] He, Zhang, Ren, Sun. Deep residual learning for image recognition. CVPR 2016.
    [Huang2017] Huang, Liu, van der Maaten, Weinberger. Densely connected convolutional networks.
        CVPR 2017.
    [Izmailov2018] Izmailov, Podoprikhin, Garipov, Vetrov, Wilson. Averaging weights leads to wider
        optima and better generalization. UAI 2018.
    [Li2018] Li, Xu, Taylor, Studer, Goldstein. Visualizing the loss landscape of neural nets.
        NeurIPS 2018.
    [Lin2017] Lin, Goyal, Girshick, He, Dollár. Focal loss for dense object detection. ICCV 2017.
    [Loshchilov2019] Loshchilov, Hutter. Decoupled weight decay regularization. ICLR 2019.
    [Mutschler2020] Mutschler, Zell. Parabolic approximation line search for DNNs. NeurIPS 2020.
    [Mutschler2021] Mutschler, Zell. Empirically explaining SGD from a line search perspective.
        ICANN 2021.
    [Vaswani2019] Vaswani, Mishkin, Laradji, Schmidt, Gidel, Lacoste-Julien. Painless stochastic
        gradient: interpolation, line-search, and convergence rates. NeurIPS 2019.
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
        integrations,
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
    from landscape.network.measures import Measure
    from landscape.probing.one_model import probe
    from landscape.probing.prober import Prober
    from landscape.probing.settings import ProbeSettings
    from landscape.store import open_samples
    from landscape.study.recorder import Recorder
    from landscape.tasks import Task, load_task
    from landscape.training.loop import Training
    from landscape.training.settings import TrainingSettings

__all__ = [
    "LandscapeError",
    "Measure",
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
    "integrations",
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
    *("data", "errors", "histories", "integrations", "metrics", "optimizers", "plots", "probing"),
    *("report", "statistics", "store", "study", "tables", "tasks", "training"),
)
_load, _names = lazily(
    __name__,
    {
        **{room: room for room in _ROOMS},
        "LandscapeError": "errors:",
        "Measure": "network.measures:",
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
    # Their Datasets have ``dataset.landscape``, which the accessor registers.
    if name in ("Prober", "probe", "probing"):
        import_module("landscape.accessor")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*_names(), "__version__"})
