import pytest
import torch
from torch import nn

from landscape.tasks.models import small_cnn


@pytest.mark.parametrize(("channels", "classes", "size"), [(1, 10, 8), (3, 5, 32)])
def test_logits_of_images_of_any_size(channels, classes, size):
    logits = small_cnn(channels, classes)(torch.randn(4, channels, size, size))
    assert logits.shape == (4, classes)


def test_every_convolution_is_normalised():
    model = small_cnn(width=8)
    widths = [layer.out_channels for layer in model if isinstance(layer, nn.Conv2d)]
    assert widths == [8, 16, 32]
    assert [layer.num_features for layer in model if isinstance(layer, nn.BatchNorm2d)] == widths


def test_batch_norm_sees_the_batch_in_training_and_not_in_evaluation():
    torch.manual_seed(0)
    model, images = small_cnn(), torch.randn(16, 1, 8, 8)
    alone = model.eval()(images[:1])
    torch.testing.assert_close(model(images)[:1], alone)
    assert not torch.allclose(model.train()(images)[:1], alone, atol=1e-3)
