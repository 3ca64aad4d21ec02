"""Images kept as bytes: normalised and augmented batch by batch, on their device."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from landscape.data import TensorData
from landscape.tasks.datasets.augmentation import random_shift


@dataclass(frozen=True)
class Normalisation:
    """From bytes to float32, bit for bit as torchvision's ToTensor and Normalize.

    Attributes:
        mean: of each channel, of pixels in [0, 1].
        sd: the standard deviation of each channel, of pixels in [0, 1].
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise a batch.

        Args:
            images: (N, C, H, W) uint8.

        Returns:
            (pixel / 255 − mean) / sd, (N, C, H, W) float32.
        """
        mean, sd = (_on(images.device, values) for values in (self.mean, self.sd))
        # (x / 255 − mean) / sd
        return images.float().div_(255).sub_(mean).div_(sd)


@cache
def _on(device: torch.device, values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


# As in [Hackel2023]: those of CIFAR-10, for CIFAR-100 too.
COLOUR = Normalisation((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
GREY = Normalisation((0.5,), (0.5,))


def colour_images(images: Tensor, targets: Tensor, *, augmented: bool) -> TensorData:
    """Make data of colour images, normalised and augmented like CIFAR.

    Args:
        images: (N, 3, H, W) uint8.
        targets: class labels, (N,) int64.
        augmented: whether images are padded by 4 pixels, cropped at random and flipped
            horizontally at random.

    Returns:
        The data.
    """
    augment = random_shift(4, mirror=True) if augmented else None
    return TensorData(images, targets, augment=augment, prepare=COLOUR)


def grey_images(images: Tensor, targets: Tensor) -> TensorData:
    """Make data of grey images, normalised like MNIST and never augmented.

    Args:
        images: (N, 1, H, W) uint8.
        targets: class labels, (N,) int64.

    Returns:
        The data; inputs are float32 from −1 to 1.
    """
    return TensorData(images, targets, prepare=GREY)
