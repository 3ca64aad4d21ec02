import pytest
import torch

from landscape.runtime.randomness import generator
from landscape.tasks.datasets.augmentation import crop, random_shift


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 4, 4)])
def test_crops_are_those_of_one_image_after_the_other(dtype, shape):
    torch.manual_seed(0)
    images = torch.randint(256, (60, *shape)).to(dtype)
    top, left = torch.randint(5, (2, 60))
    mirrored = torch.arange(60) % 3 == 0
    expected = []
    for image, t, x, flip in zip(images, top, left, mirrored, strict=True):
        padded = torch.zeros(shape[0], shape[1] + 4, shape[2] + 4, dtype=dtype)
        padded[:, 2:-2, 2:-2] = image
        window = padded[:, t : t + shape[1], x : x + shape[2]]
        expected.append(window.flip(2) if flip else window)
    cropped = crop(images, 2, top, left, mirrored)
    assert cropped.dtype == dtype
    assert cropped.is_contiguous()
    assert torch.equal(cropped, torch.stack(expected))


def test_crops_are_those_of_torchvision():
    from torchvision.transforms.functional import crop as one_crop
    from torchvision.transforms.functional import hflip, pad

    images = torch.randint(256, (40, 3, 32, 32), dtype=torch.uint8)
    top, left = torch.randint(9, (2, 40))
    cropped = crop(images, 4, top, left, torch.arange(40) < 20)
    for i in range(40):
        window = one_crop(pad(images[i], [4]), int(top[i]), int(left[i]), 32, 32)
        assert torch.equal(cropped[i], hflip(window) if i < 20 else window)


def test_every_corner_and_both_sides_are_drawn_alike():
    # In each image one bright pixel at (row, column) = (4, 3) tells where the window was.
    count, size = 27_000, 9
    images = torch.zeros(count, 1, size, size, dtype=torch.uint8)
    images[:, 0, 4, 3] = 1
    moved = random_shift(1, mirror=True)(images, generator(0))
    places = moved.flatten(1).argmax(1)
    assert moved.flatten(1).sum(1).eq(1).all()
    rows, columns = places // size, places % size
    # Not flipped, the pixel is in column 2, 3 or 4; flipped, in column 6, 5 or 4.
    for values, shares in (
        (rows, {3: 1 / 3, 4: 1 / 3, 5: 1 / 3}),
        (columns, {2: 1 / 6, 3: 1 / 6, 4: 1 / 3, 5: 1 / 6, 6: 1 / 6}),
    ):
        assert set(values.tolist()) == set(shares)
        for value, share in shares.items():
            assert (values == value).float().mean().item() == pytest.approx(share, abs=0.012)
    # The draws of rows and of columns have nothing to do with each other.
    assert (rows - 4.0).mul(columns - 4.0).mean().abs() < 0.02


def test_without_mirroring_nothing_more_is_drawn():
    images, drawn, expected = torch.zeros(10, 1, 4, 4), generator(0), generator(0)
    random_shift(1)(images, drawn)
    torch.randint(3, (2, 10), generator=expected)
    assert torch.equal(drawn.get_state(), expected.get_state())


def test_no_pixels_is_no_shift():
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(random_shift(0)(images, generator(0)), images)
