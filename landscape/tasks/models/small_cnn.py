"""A small convolutional network with batch norm, for images of at least 8 x 8 pixels."""

from torch import nn


def small_cnn(channels: int = 1, classes: int = 10, width: int = 16) -> nn.Sequential:
    """Three 3 x 3 convolutions, each with batch norm and ReLU, then average pool and linear.

    The second and third convolution halve the image's size and have 2 ``width`` and 4 ``width``
    channels.

    Args:
        channels: channels of the images.
        classes: number of classes.
        width: channels of the first convolution.

    Returns:
        A module from images (N, channels, H, W) to logits (N, classes).
    """
    return nn.Sequential(
        *_convolution(channels, width, stride=1),
        *_convolution(width, 2 * width, stride=2),
        *_convolution(2 * width, 4 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    # Batch norm subtracts any bias again.
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
