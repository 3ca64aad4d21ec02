"""The fully connected network of [Hackel2023]."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int] = (784, 512, 256, 10)) -> nn.Sequential:
    """Linear layers with ReLU between them.

    Args:
        sizes: the widths from input to output, at least two.

    Returns:
        A module from inputs (N, …), flattened to (N, sizes[0]), to logits (N, sizes[-1]).
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
