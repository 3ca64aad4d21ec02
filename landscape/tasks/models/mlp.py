"""The fully connected network of the thesis."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int] = (784, 512, 256, 10)) -> nn.Sequential:
    """Linear layers with ReLU between them; inputs (N, …) are flattened to (N, sizes[0]).

    ``sizes`` are the widths from input to output, at least two; returns logits (N, sizes[-1]).
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
