import math

import pytest
import torch
from helpers import cases, reference

from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.probing.directions import DIRECTIONS, DirectionContext
from landscape.probing.directions.direction import mean_gradient, norm

INPUTS, LABELS = (part[:64] for part in cases.digits()[0])


def take(name, model, inputs=INPUTS, labels=LABELS):
    gradient = mean_gradient(model, inputs, labels, cross_entropy)
    length = norm([*gradient.values()])
    return DIRECTIONS[name].take(
        DirectionContext(model, inputs, labels, cross_entropy, model, gradient, length, seed=0)
    )


def test_gradient_against_the_float64_reference():
    model = cases.fresh("mlp").eval()
    direction = take("gradient", model)
    expected = reference.gradient(model, INPUTS, LABELS)
    assert direction.tangent.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(-direction.tangent[name].double(), value, rtol=1e-4, atol=1e-7)
    norm = math.sqrt(sum(float((g**2).sum()) for g in expected.values()))
    assert direction.gradient_norm == pytest.approx(norm, rel=1e-6)


def test_normalised_gradient_has_length_one():
    model = cases.fresh("mlp").eval()
    steepest = take("gradient", model)
    direction = take("normalised-gradient", model)
    length = math.sqrt(sum(float((t.double() ** 2).sum()) for t in direction.tangent.values()))
    assert length == pytest.approx(1, rel=1e-6)
    assert direction.gradient_norm == steepest.gradient_norm
    for name, tangent in direction.tangent.items():
        torch.testing.assert_close(tangent * steepest.gradient_norm, steepest.tangent[name])


def test_the_norm_of_many_parameters_is_summed_in_float64():
    model = torch.nn.Linear(2**20 + 3, 1, bias=False)
    inputs = torch.full((1, 2**20 + 3), 0.1)
    gradient = mean_gradient(model, inputs, torch.zeros(1), lambda logits, _: logits[:, 0])
    expected = inputs[0, 0].double().item() * math.sqrt(2**20 + 3)
    assert norm([*gradient.values()]) == pytest.approx(expected, rel=1e-10)


def test_frozen_and_unused_parameters():
    model = cases.fresh("mlp").eval()
    model[1].weight.requires_grad_(False)
    model.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    with torch.no_grad():  # as within a probe
        direction = take("gradient", model)
    assert "1.weight" not in direction.tangent
    assert direction.tangent["unused"].tolist() == [0, 0, 0]
    assert all(p.grad is None for p in model.parameters())


def test_a_zero_gradient_has_no_direction():
    model = torch.nn.Linear(2, 1)  # one class: the loss is 0 everywhere
    direction = take(
        "normalised-gradient", model, torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)
    )
    assert direction.gradient_norm == 0
    assert direction.tangent["weight"].isnan().all()


def test_nothing_to_differentiate():
    model = cases.fresh("mlp").requires_grad_(False)
    with pytest.raises(InvalidValueError, match="requires_grad"):
        take("gradient", model)
