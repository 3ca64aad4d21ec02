"""Augmentation of whole batches: each image has its own draw, without a Python loop over images."""

import torch
from torch import Tensor
from torch.nn import functional as F

from landscape.data import Augmentation


def random_shift(pixels: int, *, mirror: bool = False) -> Augmentation:
    """Make an augmentation that shifts each image at random, with zeros moving in.

    It is the same as padding by ``pixels``, a random crop and, if asked for, a random horizontal
    flip.

    Args:
        pixels: the largest shift, in pixels, in height and in width.
        mirror: whether each image is also flipped left to right with probability 1/2.

    Returns:
        A function of images (N, C, H, W) of any dtype, on any device, and a generator of the CPU
        (so that the draws are the same on all devices); it returns images of the same shape and
        dtype.
    """

    def shift(images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)
        corners = torch.randint(2 * pixels + 1, (2, count), generator=generator)
        flips = torch.zeros(1, count, dtype=torch.int64)
        if mirror:
            flips = torch.randint(2, (1, count), generator=generator)
        # One transfer, which does not wait for CUDA's queue of work.
        draws = torch.cat([corners, flips]).to(images.device, non_blocking=images.is_cuda)
        top, left, flip = draws
        return crop(images, pixels, top, left, flip.bool())

    return shift


def crop(images: Tensor, padding: int, top: Tensor, left: Tensor, mirrored: Tensor) -> Tensor:
    """Cut a window of the images' own size out of each image, padded with zeros.

    Args:
        images: (N, C, H, W).
        padding: zeros added on each side, in pixels.
        top: the window's first row in the padded image, (N,) int64, from 0 to 2 ``padding``.
        left: its first column, likewise.
        mirrored: where the window is flipped left to right, (N,) bool.

    Returns:
        The windows, of the shape and dtype of ``images``.
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
