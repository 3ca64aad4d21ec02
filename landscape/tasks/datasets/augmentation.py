"""Augmentation of whole batches: each image its own draw, no Python per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from landscape.data import Augmentation


def random_shift(pixels: int, *, mirror: bool = False) -> Augmentation:
    """Shift each image by up to ``pixels`` in height and in width, with zeros moving in.

    With ``mirror``, every other image on average is flipped left to right as well. The returned
    function takes images (N, C, H, W) of any dtype, on any device, and a generator of the CPU,
    so that all devices see the same draws; it gives images of the same shape and dtype. This is
    padding by ``pixels``, a random crop and a random horizontal flip.
    """

    def shift(images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)
        corners = torch.randint(2 * pixels + 1, (2, count), generator=generator)
        flips = torch.zeros(1, count, dtype=torch.int64)
        if mirror:
            flips = torch.randint(2, (1, count), generator=generator)
        # One transfer, for which CUDA's queue of work is not waited.
        draws = torch.cat([corners, flips]).to(images.device, non_blocking=images.is_cuda)
        top, left, flip = draws
        return crop(images, pixels, top, left, flip.bool())

    return shift


def crop(images: Tensor, padding: int, top: Tensor, left: Tensor, mirrored: Tensor) -> Tensor:
    """Windows of the size of ``images`` (N, C, H, W) in those images padded with zeros.

    ``top`` and ``left`` (N,) int64, from 0 to 2 ``padding``, are the windows' corners; where
    ``mirrored`` (N,) bool, the window is flipped left to right.
    """
    count, channels, height, width = images.shape
    padded = F.pad(images, [padding] * 4)
    # row r of the window is row top + r, its column c is left + c, or left + width − 1 − c
    across = torch.arange(width, device=images.device)
    columns = left.unsqueeze(1) + torch.where(mirrored.unsqueeze(1), across.flip(0), across)
    rows = top.unsqueeze(1) + torch.arange(height, device=images.device)
    places = rows.unsqueeze(2) * padded.shape[3] + columns.unsqueeze(1)
    places = places.view(count, 1, height * width).expand(-1, channels, -1)
    return padded.flatten(2).gather(2, places).view_as(images)
