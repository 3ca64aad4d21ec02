"""Images kept as bytes: normalised, and augmented, a batch at a time on their device."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from landscape.data import TensorData
from landscape.tasks.datasets.augmentation import random_shift


@dataclass(frozen=True)
class Normalisation:
    """From bytes to float32 as torchvision's ToTensor and Normalize, bit for bit.

    ``mean`` and ``sd`` are per channel, of pixels in [0, 1].
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, H, W) uint8 → float32."""
        mean, sd = (_on(images.device, values) for values in (self.mean, self.sd))
        # (x / 255 − mean) / sd
        return images.float().div_(255).sub_(mean).div_(sd)


@cache
def _on(device: torch.device, values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


# As published: CIFAR-10's own mean, for CIFAR-100 too.
COLOUR = Normalisation((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
GREY = Normalisation((0.5,), (0.5,))


def colour_images(images: Tensor, targets: Tensor, *, augmented: bool) -> TensorData:
    """Data of uint8 images (N, 3, H, W), with the normalisation and augmentation of CIFAR.

    The augmentation is padding by 4, a random crop and a random horizontal flip.
    """
    augment = random_shift(4, mirror=True) if augmented else None
    return TensorData(images, targets, augment=augment, prepare=COLOUR)


def grey_images(images: Tensor, targets: Tensor) -> TensorData:
    """Data of uint8 images (N, 1, H, W), from −1 to 1 and never augmented, as MNIST."""
    return TensorData(images, targets, prepare=GREY)
