"""Against the formulas in float64, with torch.nn.functional alone."""

import pytest
import torch
from helpers.networks import assert_one_step_agrees, moved, normalised
from torch import nn
from torch.nn import functional as F

from landscape.tasks.models import densenet121


def reference(state, images, blocks, running):
    values = F.conv2d(images, state["features.conv0.weight"], padding=1)
    for block, layers in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            new = F.relu(normalised(values, state, f"{name}.norm1", running))
            new = F.conv2d(new, state[f"{name}.conv1.weight"])
            new = F.relu(normalised(new, state, f"{name}.norm2", running))
            new = F.conv2d(new, state[f"{name}.conv2.weight"], padding=1)
            values = torch.cat([values, new], 1)
        if block < len(blocks):
            name = f"features.transition{block}"
            values = F.relu(normalised(values, state, f"{name}.norm", running))
            values = F.avg_pool2d(F.conv2d(values, state[f"{name}.conv.weight"]), 2)
    values = F.relu(normalised(values, state, "features.norm5", running)).mean((2, 3))
    return values @ state["classifier.weight"].T + state["classifier.bias"]


@pytest.mark.parametrize(("growth", "blocks", "size"), [(4, (2, 1, 3, 2), 8), (6, (2, 3), 12)])
def test_densenet_is_the_formula(growth, blocks, size):
    torch.manual_seed(0)
    model = moved(densenet121(growth=growth, blocks=blocks))
    images, labels = torch.randn(8, 3, size, size).double(), torch.arange(8)
    assert_one_step_agrees(
        model, lambda *a, running: reference(*a, blocks, running), images, labels
    )


@pytest.mark.parametrize(("classes", "parameters"), [(10, 6_956_298), (100, 7_048_548)])
def test_parameters_as_published(classes, parameters):
    assert sum(p.numel() for p in densenet121(classes).parameters()) == parameters


def test_the_published_widths_and_sizes():
    model, sizes = densenet121(channels=1).eval(), {}
    for name, module in model.features.named_children():
        module.register_forward_hook(
            lambda *call, name=name: sizes.update({name: tuple(call[2].shape[1:])})
        )
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 10)
    assert sizes == {
        "conv0": (64, 32, 32),
        "denseblock1": (256, 32, 32),
        "transition1": (128, 16, 16),
        "denseblock2": (512, 16, 16),
        "transition2": (256, 8, 8),
        "denseblock3": (1024, 8, 8),
        "transition3": (512, 4, 4),
        "denseblock4": (1024, 4, 4),
        "norm5": (1024, 4, 4),
    }


def test_initialisation():
    torch.manual_seed(0)
    model = densenet121()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            # variance 2 / (inputs · kernel)
            sd = (2 / (module.in_channels * module.kernel_size[0] ** 2)) ** 0.5
            assert module.weight.std().item() == pytest.approx(sd, rel=0.1), name
    assert model.classifier.bias.eq(0).all()
