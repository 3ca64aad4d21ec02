"""The networks of the built-in tasks, as plain torch modules."""

from landscape.models.mlp import mlp
from landscape.models.small_cnn import small_cnn

__all__ = ["mlp", "small_cnn"]
