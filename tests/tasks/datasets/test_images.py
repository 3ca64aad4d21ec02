import numpy as np
import pytest
import torch

from landscape.runtime.randomness import generator
from landscape.tasks.datasets.images import COLOUR, GREY, colour_images, grey_images


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.randint(256, (20, 3, 32, 32), dtype=torch.uint8)


def test_colours_are_normalised_as_torchvision_does_bit_for_bit(images):
    from PIL import Image
    from torchvision import transforms

    theirs = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        ]
    )
    expected = torch.stack(
        [theirs(Image.fromarray(np.asarray(image.permute(1, 2, 0)))) for image in images]
    )
    assert torch.equal(COLOUR(images), expected)
    assert COLOUR(images).dtype == torch.float32


def test_every_grey_level_lies_between_minus_one_and_one():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    torch.testing.assert_close(GREY(levels).flatten(), torch.linspace(-1, 1, 256))


def test_colour_images_stay_bytes_and_are_augmented_before_they_are_normalised(images):
    train = colour_images(images, torch.arange(20), augmented=True)
    assert train.inputs.data_ptr() == images.data_ptr()
    everything = torch.arange(20)
    plain, targets = train.take(everything)
    assert torch.equal(plain, COLOUR(images))
    assert torch.equal(targets, everything)
    first, again, other = (train.take(everything, generator(i))[0] for i in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # What a crop lets in is black before the normalisation.
    black = COLOUR(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).flatten()
    let_in = [image for image in first if image[:, 0, 0].equal(black)]
    assert 8 < len(let_in) < 20
    assert torch.equal(images, train.inputs)


def test_validation_and_grey_images_are_never_augmented(images):
    for data in (
        colour_images(images, torch.arange(20), augmented=False),
        grey_images(images[:, :1], torch.arange(20)),
    ):
        indices = torch.tensor([3, 1])
        assert torch.equal(data.take(indices, generator(0))[0], data.take(indices)[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_images(images):
    data = colour_images(images, torch.arange(20), augmented=True)
    there = data.to(torch.device("cuda"))
    assert there.inputs.dtype == torch.uint8
    assert there.inputs.is_cuda
    indices = torch.tensor([7, 7, 2])
    moved, targets = there.take(indices, generator(3))
    expected, _ = data.take(indices, generator(3))
    torch.testing.assert_close(moved.cpu(), expected)
    assert torch.equal(targets.cpu(), indices)
