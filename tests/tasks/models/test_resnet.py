"""Against the formulas in float64, with torch.nn.functional alone."""

import pytest
import torch
from helpers.networks import assert_one_step_agrees, moved, normalised
from torch import nn
from torch.nn import functional as F

from landscape.tasks.models import resnet20, resnet34


def reference(state, images, blocks, running=False):
    """Logits of a network with so many basic blocks a layer; shortcuts by what ``state`` has."""
    values = F.conv2d(images, state["conv1.weight"], padding=1)
    values = F.relu(normalised(values, state, "bn1", running))
    for layer, count in enumerate(blocks, 1):
        for block in range(count):
            name = f"layer{layer}.{block}"
            stride = 2 if layer > 1 and block == 0 else 1
            inner = F.conv2d(values, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            inner = F.relu(normalised(inner, state, f"{name}.bn1", running))
            inner = F.conv2d(inner, state[f"{name}.conv2.weight"], padding=1)
            inner = normalised(inner, state, f"{name}.bn2", running)
            if f"{name}.downsample.0.weight" in state:
                values = F.conv2d(values, state[f"{name}.downsample.0.weight"], stride=stride)
                values = normalised(values, state, f"{name}.downsample.1", running)
            elif stride == 2:
                values = values[:, :, ::2, ::2]
                zeros = torch.zeros_like(inner[:, values.shape[1] :])
                values = torch.cat([values, zeros], 1)
            values = F.relu(inner + values)
    return values.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(4, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 3, 9, 3])


def test_resnet20_is_the_formula(batch):
    model = moved(resnet20(width=4))
    assert_one_step_agrees(model, lambda *a, **k: reference(*a, (3, 3, 3), **k), *batch)


def test_resnet34_is_the_formula(batch):
    model = moved(resnet34())
    assert_one_step_agrees(model, lambda *a, **k: reference(*a, (3, 4, 6, 3), **k), *batch)


@pytest.mark.parametrize(
    ("network", "classes", "parameters"),
    [(resnet20, 10, 269_722), (resnet20, 100, 275_572), (resnet34, 10, 21_282_122)],
)
def test_parameters_as_published(network, classes, parameters):
    assert sum(p.numel() for p in network(classes).parameters()) == parameters


def test_the_image_keeps_its_size_through_the_stem_and_the_first_layer():
    model = resnet34(classes=100, channels=1).eval()
    sizes = []
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
        layer.register_forward_hook(lambda *call: sizes.append(tuple(call[2].shape[1:])))
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 100)
    assert sizes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_images_of_odd_size():
    model = resnet20(classes=7, channels=1, width=4)
    assert model(torch.zeros(2, 1, 29, 27)).shape == (2, 7)


@pytest.mark.parametrize("network", [resnet20, resnet34])
def test_initialisation(network):
    torch.manual_seed(0)
    model = network()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            # variance 2 / (outputs · kernel)
            sd = (2 / (module.out_channels * module.kernel_size[0] ** 2)) ** 0.5
            assert module.weight.std().item() == pytest.approx(sd, rel=0.15), name
            assert module.bias is None
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()
    again = {n: t.clone() for n, t in model.state_dict().items()}
    torch.manual_seed(0)
    assert all(torch.equal(t, again[n]) for n, t in network().state_dict().items())
