"""Residual networks for small images [He2016], made of torchvision's basic blocks.

Convolutions are initialised as in torchvision's ResNet: normal, with variance 2 / fan-out. Batch
norm has weight 1 and bias 0, the linear layer torch's default. The names of modules and parameters
are torchvision's.
"""

from collections import OrderedDict
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F


def resnet34(classes: int = 10, channels: int = 3) -> nn.Module:
    """ResNet34 in the form for CIFAR: torchvision's, with a stem that keeps the image's size.

    The stem is one 3 x 3 convolution with stride 1, without max pool. It is followed by 3, 4, 6 and
    3 blocks of 64, 128, 256 and 512 channels; where they halve the image's size, the shortcut is a
    1 x 1 convolution with batch norm. 21.28 million parameters with 10 classes.

    Args:
        classes: number of classes.
        channels: channels of the images.

    Returns:
        A module from images (N, channels, H, W), 32 x 32 in [Hackel2023], to logits (N, classes).
    """
    from torchvision.models import resnet34 as for_large_images

    model = cast(nn.Module, for_large_images(num_classes=classes))
    model.conv1 = _convolution(channels, 64)
    model.maxpool = nn.Identity()
    _initialise(model.conv1)
    return model


def resnet20(classes: int = 10, channels: int = 3, width: int = 16) -> nn.Sequential:
    """ResNet20 for CIFAR (section 4.2 of [He2016]): three times three blocks.

    They have ``width``, 2 ``width`` and 4 ``width`` channels. Shortcuts have no parameters
    (option A): where a block halves the image's size, its shortcut takes every second pixel and
    fills the added channels with zeros. 0.27 million parameters.

    Args:
        classes: number of classes.
        channels: channels of the images.
        width: channels of the first three blocks.

    Returns:
        A module from images (N, channels, H, W) to logits (N, classes).
    """
    model = nn.Sequential(
        OrderedDict(
            [
                ("conv1", _convolution(channels, width)),
                ("bn1", nn.BatchNorm2d(width)),
                ("relu", nn.ReLU(inplace=True)),
                ("layer1", _blocks(width, width)),
                ("layer2", _blocks(width, 2 * width)),
                ("layer3", _blocks(2 * width, 4 * width)),
                ("avgpool", nn.AdaptiveAvgPool2d(1)),
                ("flatten", nn.Flatten()),
                ("fc", nn.Linear(4 * width, classes)),
            ]
        )
    )
    _initialise(model)
    return model


class Subsample(nn.Module):
    """A shortcut without parameters: every second pixel, and zeros as the added channels.

    Args:
        zeros: number of channels added.
    """

    def __init__(self, zeros: int) -> None:
        super().__init__()
        self.zeros = zeros

    def forward(self, images: Tensor) -> Tensor:
        """Subsample and pad a batch.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, C + zeros, ⌈H / 2⌉, ⌈W / 2⌉).
        """
        return F.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.zeros))


def _blocks(inputs: int, outputs: int) -> nn.Sequential:
    """Three basic blocks; with more channels out than in, the first of them halves the image."""
    from torchvision.models.resnet import BasicBlock

    first = (
        BasicBlock(inputs, outputs, 2, Subsample(outputs - inputs))
        if outputs > inputs
        else BasicBlock(inputs, outputs)
    )
    return nn.Sequential(first, BasicBlock(outputs, outputs), BasicBlock(outputs, outputs))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _initialise(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
