import numpy as np
import pytest
import torch
from helpers import cases

import landscape
from landscape.errors import InvalidValueError
from landscape.network.measures import Measure

TRAIN, _ = cases.digits()
SMALL = {"batch_size": 48, "sets": "same_batch", "step_sizes": [-0.1, 0, 0.1]}


def directions(model, direction, **more):
    settings = landscape.ProbeSettings(direction=direction, **SMALL)
    prober = landscape.Prober(landscape.data.as_data(TRAIN), None, settings, **more)
    return prober.directions(model, tuple(part[:48] for part in TRAIN))[0]


@pytest.mark.parametrize("samples", [None, 100])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_the_gradient_of_all_at_once(samples, weighted):
    model = cases.fresh("mlp").eval()
    weight = torch.linspace(0.1, 3, 10) if weighted else None
    loss = torch.nn.CrossEntropyLoss(weight=weight)
    name = "full-gradient" if samples is None else f"full-gradient:{samples}"
    found = directions(model, name, loss=Measure(loss))
    inputs, labels = (part[:samples] for part in TRAIN)
    wide = torch.nn.CrossEntropyLoss(weight=None if weight is None else weight.double())
    model = model.double()
    mean = wide(model(inputs.double()), labels)
    expected = torch.autograd.grad(mean, list(model.parameters()))
    for (each, tangent), g in zip(found.tangent.items(), expected, strict=True):
        torch.testing.assert_close(-tangent.double(), g, rtol=1e-4, atol=1e-6, msg=each)
    # Of the batch's loss, to which the slope belongs.
    gradients = [found.gradient[name] for name in found.tangent]
    slope = sum(
        float((g * t).sum()) for g, t in zip(gradients, found.tangent.values(), strict=True)
    )
    assert found.slope == pytest.approx(slope, rel=1e-4)


def test_more_samples_than_there_are():
    model = cases.fresh("mlp")
    with pytest.raises(InvalidValueError, match=r"asks for 9999 training samples.* 1400"):
        landscape.probe(model, TRAIN, direction="full-gradient:9999", **SMALL)
    with pytest.raises(InvalidValueError, match="a number of training samples, from 1"):
        landscape.ProbeSettings(direction="full-gradient:0")


def test_under_batch_statistics_each_batch_has_its_own():
    model = cases.fresh("cnn")
    before = cases.state(model)
    found = landscape.probe(model, TRAIN, direction="full-gradient:96", **SMALL)
    cases.assert_same_state(before, cases.state(model))
    model.train()
    expected = 0.0
    for start in (0, 48):
        inputs, labels = (part[start : start + 48] for part in TRAIN)
        mean = torch.nn.functional.cross_entropy(model(inputs), labels)
        grads = torch.autograd.grad(mean, list(model.parameters()))
        expected = expected + torch.cat([g.reshape(-1) for g in grads]).double() / 2
    assert found.direction_norm.item() == pytest.approx(expected.norm().item(), rel=1e-4)
    assert np.isfinite(found.loss).all()
