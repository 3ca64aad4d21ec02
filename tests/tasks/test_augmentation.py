import pytest
import torch

from landscape.randomness import generator
from landscape.tasks.augmentation import random_shift


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_each_image_is_shifted_by_its_own_draw(dtype):
    images = torch.arange(1, 200 * 2 * 4 * 6 + 1).view(200, 2, 4, 6).remainder(251).to(dtype)
    shifted = random_shift(1)(images, generator(0))
    assert shifted.shape == images.shape
    assert shifted.dtype == dtype
    found = set()
    for before, after in zip(images, shifted, strict=True):
        padded = torch.zeros(2, 6, 8, dtype=dtype)
        padded[:, 1:5, 1:7] = before
        fits = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if torch.equal(after, padded[:, top : top + 4, left : left + 6])
        ]
        assert len(fits) == 1
        found.update(fits)
    assert len(found) == 9


def test_the_generator_decides():
    images = torch.rand(20, 1, 8, 8)
    first, again, other = (random_shift(2)(images, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_pixels_is_no_shift():
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(random_shift(0)(images, generator(0)), images)
