import torch
from torch import nn

from landscape.tasks.models import mlp


def test_the_network_of_the_thesis():
    model = mlp()
    shapes = [tuple(p.shape) for p in model.parameters()]
    assert shapes == [(512, 784), (512,), (256, 512), (256,), (10, 256), (10,)]


def test_logits_are_the_layers_with_relu_between_and_none_at_the_end():
    torch.manual_seed(0)
    model, images = mlp((64, 8, 4, 3)), torch.randn(5, 1, 8, 8)
    values = images.reshape(5, 64).double()
    *hidden, last = [layer for layer in model if isinstance(layer, nn.Linear)]
    for layer in hidden:
        values = (values @ layer.weight.double().T + layer.bias.double()).clamp(min=0)
    values = values @ last.weight.double().T + last.bias.double()
    torch.testing.assert_close(model(images).double(), values, rtol=1e-5, atol=1e-6)
    assert (values < 0).any()
