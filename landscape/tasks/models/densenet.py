"""Densely connected networks for small images (Huang et al. 2017), torchvision's with another stem.

Initialised as there: convolutions normal, with variance 2 / fan-in; batch norm with weight 1 and
bias 0; the linear layer with bias 0. The names of modules and parameters are torchvision's.
"""

from collections.abc import Sequence
from typing import cast

from torch import nn


def densenet121(
    classes: int = 10,
    channels: int = 3,
    *,
    growth: int = 32,
    blocks: Sequence[int] = (6, 12, 24, 16),
) -> nn.Module:
    """DenseNet-BC-121 in the form for CIFAR: the stem is one 3 x 3 convolution with stride 1.

    It gives 2 ``growth`` channels to the first of the dense ``blocks``; each of their layers adds
    ``growth``, and each transition between them halves the channels and the image. Inputs
    (N, channels, H, W), 32 x 32 in the thesis; returns logits (N, classes). 6.96 million
    parameters with 10 classes.
    """
    from torchvision.models import DenseNet

    model = cast(
        nn.Module,
        DenseNet(growth, tuple(blocks), num_init_features=2 * growth, num_classes=classes),
    )
    features = cast(nn.Sequential, model.features)
    features.conv0 = nn.Conv2d(channels, 2 * growth, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(features.conv0.weight)
    for name in ("norm0", "relu0", "pool0"):
        delattr(features, name)
    return model
