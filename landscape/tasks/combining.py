"""A task made of a data set and a network, each given by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from math import prod
from pathlib import Path

from torch import nn

from landscape.arguments import local_path
from landscape.data import TensorData
from landscape.errors import InvalidValueError, UnknownNameError
from landscape.tasks import models
from landscape.tasks.datasets import arrays
from landscape.tasks.datasets.augmentation import random_shift
from landscape.tasks.registry import BUILTIN, DATASETS, MODELS, BuiltinTask, DataSet
from landscape.tasks.task import Task

DATA_ROOT = Path("data")
FILE = "or a file of arrays as path/to/file.npz"

Shape = tuple[int, ...]


def _mlp(shape: Shape, classes: int) -> nn.Module:
    inputs = prod(shape)
    hidden = (128, 64) if inputs <= 64 else (512, 256)
    return models.mlp((inputs, *hidden, classes))


# From the shape (C, H, W) of an image and the number of classes.
FACTORIES: Mapping[str, Callable[[Shape, int], nn.Module]] = {
    "mlp": _mlp,
    "cnn": lambda shape, classes: models.small_cnn(shape[0], classes),
    "resnet20": lambda shape, classes: models.resnet20(classes, shape[0]),
    "resnet34": lambda shape, classes: models.resnet34(classes, shape[0]),
    "densenet121": lambda shape, classes: models.densenet121(classes, shape[0]),
}


@dataclass(frozen=True)
class Combination:
    """A network on a data set, each by name.

    Attributes:
        dataset: a name in :data:`DATASETS`, or the path of an .npz.
        model: a name in :data:`MODELS`.
    """

    dataset: str
    model: str

    @property
    def name(self) -> str:
        """DATASET-MODEL; a file of arrays is called by its name without the folder."""
        return f"{Path(self.dataset).name}-{self.model}"

    @property
    def file(self) -> Path | None:
        """The file of arrays, if the data set is one."""
        return local_path(self.dataset) if _is_file(self.dataset) else None

    @property
    def needs_data(self) -> bool:
        """Whether the data set is read from a data root."""
        return self.file is None and DATASETS[self.dataset].needs_data


def combination(spec: str | None, model: str | None, dataset: str | Path | None) -> Combination:
    """Find the data set and the network that are meant.

    Args:
        spec: DATASET-MODEL, or None.
        model: a name in :data:`MODELS` that replaces the network in ``spec``, or None.
        dataset: a name in :data:`DATASETS` or the path of an .npz that replaces the data set in
            ``spec``, or None.

    Returns:
        Both names.

    Raises:
        InvalidValueError: for an unknown name, and where a part is given neither in ``spec`` nor
            by itself.
        UnknownNameError: for a name that is not known.
    """
    named_dataset, named_model = (None, None) if spec is None else _parts(spec)
    dataset, model = str(dataset) if dataset else named_dataset, model or named_model
    if dataset is None or model is None:
        part, option, names = (
            ("data set", "--dataset", [*DATASETS, FILE])
            if dataset is None
            else ("model", "--model", [*MODELS])
        )
        raise InvalidValueError(
            f"no {part} was given; name a task or give {option}, one of {', '.join(names)}"
        )
    if not _is_file(dataset) and dataset not in DATASETS:
        raise UnknownNameError("data set", dataset, [*DATASETS, FILE])
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    return Combination(dataset, model)


def combine(chosen: Combination, data: Path | None = None, download: bool = False) -> Task:
    """Make the task of a data set and a network.

    A file of arrays is trained on like CIFAR-10 (50 epochs, batches of 128 samples).

    Args:
        chosen: the names of both.
        data: the folder of the data sets; ``./data`` unless given.
        download: whether a data set that is not in that folder is fetched into it.

    Returns:
        The task, with the data read.
    """
    train, validation, known = _read(chosen, data or DATA_ROOT, download)
    own = BUILTIN.get(chosen.name, BuiltinTask(chosen.dataset, chosen.model, ""))
    if own.shift:
        train = replace(train, augment=random_shift(own.shift))
    shape = tuple(train.inputs.shape[1:])
    return Task(
        chosen.name,
        partial(FACTORIES[chosen.model], shape, known.classes),
        train,
        validation,
        batch_size=known.batch_size,
        epochs=own.epochs or known.epochs,
    )


def _read(
    chosen: Combination, root: Path, download: bool
) -> tuple[TensorData, TensorData, DataSet]:
    if chosen.file is not None:
        train, validation = arrays.read(chosen.file)
        classes = int(train.targets.max()) + 1
        known = replace(DATASETS["cifar10"], name=chosen.dataset, classes=classes)
        return train, validation, known
    known = DATASETS[chosen.dataset]
    module, _, function = known.function.partition(":")
    read = getattr(import_module(module), function)
    where = (root, download) if known.needs_data else ()
    return *read(*known.arguments, *where), known


def _parts(spec: str) -> tuple[str, str]:
    dataset, _, model = spec.rpartition("-")
    if model in MODELS and (dataset in DATASETS or _is_file(dataset)):
        return dataset, model
    raise UnknownNameError(
        "task",
        spec,
        [
            *BUILTIN,
            f"another DATASET-MODEL of {', '.join(DATASETS)} and {', '.join(MODELS)}",
            "or a task of your own as my_module:my_task or path/to/file.py:my_task",
        ],
    )


def _is_file(dataset: str) -> bool:
    return dataset.endswith(".npz")
