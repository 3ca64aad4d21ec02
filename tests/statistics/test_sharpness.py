"""Sharpness of quadratics: from the critical step size, and along each batch's own gradient."""

import math

import numpy as np
import pytest
import torch
from helpers import planes
from torch import nn
from torch.nn.functional import cross_entropy

import landscape
from landscape.errors import InvalidValueError
from landscape.statistics import (
    batch_sharpness,
    critical_sharpness,
    interval,
    relative_critical_sharpness,
    resample_draws,
)

INF, NAN = math.inf, math.nan
STEPS = np.linspace(-1, 4, 5001)
DRAWS = ("checkpoint", "draw")


def test_of_a_quadratic_it_is_the_curvature_that_the_direction_feels():
    # 1 − 2·s + ½·h·s² rises above 1 at s = 4 / h.
    curvature = np.array([[2.0, 4.0], [1.5, 3.0]])[None, ..., None]
    dataset = planes.line(STEPS, 1 - 2 * STEPS + curvature * STEPS**2 / 2, draws=2)
    found = critical_sharpness(dataset)
    np.testing.assert_allclose(found["sharpness"], curvature[..., 0] / 2, rtol=1e-3)
    assert not found["open"].any()
    assert found["sharpness"].attrs == {"long_name": "critical sharpness", "units": "1"}
    relative = relative_critical_sharpness(dataset)
    assert relative["ratio"].dims == ("checkpoint", "draw")
    np.testing.assert_allclose(relative["ratio"], 2, rtol=1e-3)
    assert not relative["open"].any()
    other = relative_critical_sharpness(dataset, of="same_batch", to="validation")
    np.testing.assert_allclose(other["ratio"], 0.5, rtol=1e-3)


def test_what_the_range_does_not_show_is_open():
    steps = [0.0, 1.0, 2.0, 4.0]
    rows = [
        ([2, 1, 3, 9], 2 / 1.5, False),
        ([2, 1, 1, 1], 2 / 4, True),  # allows a longer step than was sampled
        ([2, 3, 1, 1], INF, True),  # none that was sampled
        ([2, 1, NAN, 1], 2 / 1, True),
        ([NAN, 1, 1, 1], NAN, True),
        ([2, 1, INF, 1], 2 / 1, False),
    ]
    values = np.array([row[0] for row in rows], float)[None, :, None]
    dataset = planes.line(
        steps, np.concatenate([values, np.broadcast_to(values[:, :1], values.shape)], 2), draws=6
    )
    found = critical_sharpness(dataset).sel(evaluation_set="same_batch")
    np.testing.assert_allclose(found["sharpness"][0], [row[1] for row in rows])
    np.testing.assert_array_equal(found["open"][0], [row[2] for row in rows])
    relative = relative_critical_sharpness(dataset, of="same_batch", to="validation")
    np.testing.assert_allclose(relative["ratio"][0], [row[1] * 1.5 / 2 for row in rows])
    np.testing.assert_array_equal(relative["open"][0], [row[2] for row in rows])
    # The flags of both count.
    turned = relative_critical_sharpness(dataset)
    np.testing.assert_array_equal(turned["open"], relative["open"])
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'big'"):
        relative_critical_sharpness(dataset, of="big")


def gradients(draws=4, scale=1.0):
    """Slices of quadratics in five parameters along each draw's own gradient.

    Another Hessian for each draw; the direction is ``scale`` times −g.
    """
    rng = np.random.default_rng(3)
    steps, losses, norms, expected = np.array([-0.1, 0.0, 0.1]), [], [], []
    for _ in range(draws):
        root, g = rng.normal(size=(5, 5)), rng.normal(size=5)
        hessian = root @ root.T
        losses.append(
            [1 + g @ (-s * scale * g) + (s * scale) ** 2 * g @ hessian @ g / 2 for s in steps]
        )
        norms.append(np.linalg.norm(g))
        expected.append(g @ hessian @ g / (g @ g))
    norms = np.array([norms])
    made = planes.line(steps, np.array(losses)[None, :, None], draws=draws, direction="update")
    made = made.assign_coords(
        gradient_norm=(DRAWS, norms),
        direction_norm=(DRAWS, abs(scale) * norms),
        direction_slope=(DRAWS, -scale * norms**2),
    )
    return made, np.array(expected)


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_batch_sharpness_is_the_mean_of_the_draws(scale):
    dataset, expected = gradients(scale=scale)
    found = batch_sharpness(dataset)
    assert found["sharpness"].dims == ("checkpoint",)
    np.testing.assert_allclose(found["of_draw"][0], expected)
    np.testing.assert_allclose(found["sharpness"], expected.mean())
    assert found["sharpness"].attrs == {"long_name": "batch sharpness", "units": "nat"}
    bounds = interval(resample_draws(found["of_draw"], 500), 0.9)
    assert bounds.dims == ("checkpoint", "bound")
    assert bounds[0, 0] < expected.mean() < bounds[0, 1]


def test_batch_sharpness_needs_the_batchs_own_gradient():
    dataset, expected = gradients()
    # A direction at an angle to one draw's gradient; another's gradient is 0.
    dataset["direction_slope"][0, 1] *= 0.999
    found = batch_sharpness(dataset)
    np.testing.assert_allclose(found["of_draw"][0], [expected[0], NAN, *expected[2:]])
    assert np.isnan(found["sharpness"]).all()
    none = gradients()[0]
    for name in ("gradient_norm", "direction_slope"):
        none[name][0, 0] = 0
    np.testing.assert_array_equal(np.isnan(batch_sharpness(none)["of_draw"][0]), [1, 0, 0, 0])
    dataset["direction_slope"][:] *= 0.9
    with pytest.raises(InvalidValueError, match="'update' does not point along the negative"):
        batch_sharpness(dataset)
    with pytest.raises(InvalidValueError, match="does not point along"):
        batch_sharpness(gradients(scale=-1.0)[0])  # uphill
    with pytest.raises(InvalidValueError, match="origin 'after-step'"):
        batch_sharpness(gradients()[0].assign_attrs(origin="after-step"))
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'big'"):
        batch_sharpness(gradients()[0], "big")


def test_a_value_that_is_not_a_number_is_one_draws():
    dataset, expected = gradients()
    dataset["loss"][0, 2, 0, 0] = NAN
    found = batch_sharpness(dataset)
    np.testing.assert_allclose(found["of_draw"][0, :2], expected[:2])
    assert np.isnan(found["of_draw"][0, 2])
    assert np.isnan(found["sharpness"]).all()
    other = batch_sharpness(dataset, "validation")
    np.testing.assert_allclose(other["sharpness"], expected.mean())


def test_of_a_network_it_is_that_of_automatic_differentiation():
    """g·H g / ‖g‖² of a probe in float64, against torch's Hessian-vector product."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = torch.randn(40, 6, dtype=torch.float64), torch.arange(40) % 3
    slices = landscape.probe(
        model, (x, y), step_sizes=[-1e-3, 0, 1e-3], batch_size=40, sets=["same_batch"]
    )
    parameters = list(model.parameters())
    loss = cross_entropy(model(x), y)
    first = torch.autograd.grad(loss, parameters, create_graph=True)
    product = torch.autograd.grad(first, parameters, [each.detach() for each in first])
    square = sum((g * g).sum() for g in first)
    expected = (sum((g * h).sum() for g, h in zip(first, product, strict=True)) / square).item()
    found = batch_sharpness(slices)["sharpness"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
