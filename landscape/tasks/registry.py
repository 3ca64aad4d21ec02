"""The built-in tasks by name: what a command can list without loading torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class BuiltinTask:
    """A task that comes with the package.

    ``function`` is the "module:function" that makes it. Where ``needs_data``, its data set is
    read from a data root, and the function takes ``data: Path`` and ``download: bool``;
    otherwise it takes no arguments.
    """

    name: str
    function: str
    summary: str
    needs_data: bool = False


BUILTIN: Mapping[str, BuiltinTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            BuiltinTask(
                "digits-mlp",
                "landscape.tasks.digits:digits_mlp",
                "MLP 64-128-64-10 on scikit-learn's 8x8 digits; seconds, needs no data root",
            ),
            BuiltinTask(
                "digits-cnn",
                "landscape.tasks.digits:digits_cnn",
                "small CNN with batch norm and shifted images, on the same digits",
            ),
            BuiltinTask(
                "mnist-mlp",
                "landscape.tasks.mnist:mnist_mlp",
                "MLP 784-512-256-10 on MNIST, as in the thesis",
                needs_data=True,
            ),
            BuiltinTask(
                "fashion-mlp",
                "landscape.tasks.mnist:fashion_mlp",
                "MLP 784-512-256-10 on FashionMNIST",
                needs_data=True,
            ),
        )
    }
)
