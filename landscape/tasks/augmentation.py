"""Augmentation of whole batches: each image its own draw, no Python per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from landscape.data import Augmentation


def random_shift(pixels: int) -> Augmentation:
    """Shift each image by up to ``pixels`` in height and in width, with zeros moving in.

    The returned function takes images (N, C, H, W) of any dtype and a generator, and gives
    images of the same shape and dtype. This is padding by ``pixels`` and a random crop.
    """

    def shift(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        offsets = torch.randint(2 * pixels + 1, (2, count), generator=generator)
        top, left = offsets.to(images.device).unsqueeze(2)
        rows = (top + torch.arange(height, device=images.device)).unsqueeze(2)
        columns = (left + torch.arange(width, device=images.device)).unsqueeze(1)
        image = torch.arange(count, device=images.device).view(-1, 1, 1)
        padded = F.pad(images, [pixels] * 4)
        return padded[image, :, rows, columns].movedim(-1, 1).contiguous()

    return shift
