"""Densely connected networks for small images [Huang2017]: torchvision's, with another stem.

Initialised as in torchvision: convolutions normal, with variance 2 / fan-in; batch norm with
weight 1 and bias 0; the linear layer with bias 0. The names of modules and parameters are
torchvision's.
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

    The stem gives 2 ``growth`` channels. Each layer of a dense block adds ``growth`` channels, and
    each transition between two blocks halves the channels and the image's size. 6.96 million
    parameters with 10 classes.

    Args:
        classes: number of classes.
        channels: channels of the images.
        growth: channels that each layer adds.
        blocks: layers in each dense block.

    Returns:
        A module from images (N, channels, H, W), 32 x 32 in [Hackel2023], to logits (N, classes).
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
