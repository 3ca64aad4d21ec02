"""The networks of the built-in tasks, as plain torch modules."""

from landscape.models.densenet import densenet121
from landscape.models.mlp import mlp
from landscape.models.resnet import resnet20, resnet34
from landscape.models.small_cnn import small_cnn

__all__ = ["densenet121", "mlp", "resnet20", "resnet34", "small_cnn"]
