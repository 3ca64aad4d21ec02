"""The built-in tasks, data sets and networks by name, for listing without torch.

A task's name is DATASET-MODEL. Every network goes with every data set; the tasks listed in
:data:`BUILTIN` have settings of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class DataSet:
    """A data set known by name, with defaults for training on it.

    Attributes:
        name: its part of a task's name.
        function: the "module:function" that returns its training and validation data. It is called
            with ``arguments`` and, where the data set ``needs_data``, with the data root and with
            whether to download.
        summary: one line for a list.
        arguments: what ``function`` is called with first.
        classes: number of classes.
        batch_size: samples per batch.
        epochs: passes over the training data.
        needs_data: whether it is read from a data root.
    """

    name: str
    function: str
    summary: str
    arguments: tuple[str, ...] = ()
    classes: int = 10
    batch_size: int = 128
    epochs: int = 40
    needs_data: bool = True


@dataclass(frozen=True)
class Network:
    """A network known by name; :data:`landscape.tasks.combining.FACTORIES` makes it.

    Attributes:
        name: its part of a task's name.
        summary: one line for a list.
    """

    name: str
    summary: str


@dataclass(frozen=True)
class BuiltinTask:
    """A network on a data set, with what differs from the data set's defaults.

    Attributes:
        dataset: a name in :data:`DATASETS`.
        model: a name in :data:`MODELS`.
        summary: one line for a list.
        epochs: passes over the training data; None is the data set's default.
        shift: each training image is shifted at random by up to this many pixels.
    """

    dataset: str
    model: str
    summary: str
    epochs: int | None = None
    shift: int = 0

    @property
    def name(self) -> str:
        """DATASET-MODEL."""
        return f"{self.dataset}-{self.model}"

    @property
    def needs_data(self) -> bool:
        """Whether its data set is read from a data root."""
        return DATASETS[self.dataset].needs_data


DATASETS: Mapping[str, DataSet] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            DataSet(
                "digits",
                "landscape.tasks.datasets.digits:read",
                "scikit-learn's digits, 8x8 grey, 1,437 and 360; needs no data root",
                batch_size=64,
                epochs=20,
                needs_data=False,
            ),
            DataSet(
                "mnist",
                "landscape.tasks.datasets.mnist:read",
                "MNIST, 28x28 grey, 60,000 and 10,000 images",
                ("MNIST",),
            ),
            DataSet(
                "fashion",
                "landscape.tasks.datasets.mnist:read",
                "FashionMNIST, 28x28 grey, 60,000 and 10,000",
                ("FashionMNIST",),
            ),
            DataSet(
                "cifar10",
                "landscape.tasks.datasets.cifar:read",
                "CIFAR-10, 32x32 colour, 50,000 and 10,000; random crops and flips",
                ("CIFAR10",),
                epochs=50,
            ),
            DataSet(
                "cifar100",
                "landscape.tasks.datasets.cifar:read",
                "CIFAR-100, likewise with 100 classes",
                ("CIFAR100",),
                classes=100,
                epochs=100,
            ),
        )
    }
)

MODELS: Mapping[str, Network] = MappingProxyType(
    {
        model.name: model
        for model in (
            Network("mlp", "MLP with 512 and 256 hidden units (128 and 64 up to 8x8 pixels)"),
            Network("cnn", "three convolutions with batch norm, 25 thousand parameters"),
            Network("resnet20", "ResNet20 for CIFAR, 0.27 million parameters"),
            Network("resnet34", "ResNet34 with a stem for small images, 21.3 million"),
            Network("densenet121", "DenseNet121 with a stem for small images, 7.0 million"),
        )
    }
)

BUILTIN: Mapping[str, BuiltinTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            BuiltinTask(
                "digits",
                "mlp",
                "MLP 64-128-64-10 on scikit-learn's 8x8 digits; seconds, needs no data root",
                epochs=80,
            ),
            BuiltinTask(
                "digits",
                "cnn",
                "small CNN with batch norm and shifted images, on the same digits",
                shift=1,
            ),
            BuiltinTask("mnist", "mlp", "MLP 784-512-256-10 on MNIST, as in the thesis"),
            BuiltinTask("fashion", "mlp", "MLP 784-512-256-10 on FashionMNIST"),
            BuiltinTask("cifar10", "resnet34", "ResNet34 on CIFAR-10, as in the thesis"),
            BuiltinTask("cifar10", "densenet121", "DenseNet121 on CIFAR-10, as in the thesis"),
            BuiltinTask("cifar100", "resnet34", "ResNet34 on CIFAR-100, as in the thesis"),
            BuiltinTask("cifar10", "resnet20", "ResNet20 on CIFAR-10, for machines without a GPU"),
        )
    }
)
