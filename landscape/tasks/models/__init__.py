"""The networks of the built-in tasks, as plain torch modules."""

from landscape.tasks.models.densenet import densenet121
from landscape.tasks.models.mlp import mlp
from landscape.tasks.models.resnet import resnet20, resnet34
from landscape.tasks.models.small_cnn import small_cnn

__all__ = ["densenet121", "mlp", "resnet20", "resnet34", "small_cnn"]
