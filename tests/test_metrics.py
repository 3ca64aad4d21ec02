import math

import numpy as np
import pytest
import torch
from helpers import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape import metrics
from landscape.metrics import METRICS, cross_entropy, margin

NAN, INF = math.nan, math.inf


def of(logits, label):
    rows, targets = torch.tensor([logits]), torch.tensor([label])
    return cross_entropy(rows, targets).item(), margin(rows, targets).item()


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=12),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_against_the_float64_reference(logits, data):
    label = data.draw(st.integers(0, len(logits) - 1))
    loss, m = of(logits, label)
    loss64, m64 = reference.sample(logits, label)
    assert loss == pytest.approx(loss64, rel=1e-5, abs=1e-6)
    assert m == pytest.approx(m64, rel=1e-5, abs=1e-6)
    others = [z for k, z in enumerate(logits) if k != label]
    assert (m > 0) == (np.float32(logits[label]) > np.float32(max(others)))


@pytest.mark.parametrize(
    ("logits", "label", "loss", "m"),
    [
        ([5.0, 5.0, 0.0], 0, math.log(2 + math.exp(-5)), 0.0),  # tie
        ([0.0, 0.0], 1, math.log(2), 0.0),
        ([3.0], 0, 0.0, 1.0),  # single class
        ([1e4, 0.0], 0, 0.0, 1.0),  # large, in float32
        ([1e4, 0.0], 1, 1e4, -1.0),
        ([3e38, -3e38], 0, 0.0, 1.0),
        ([-INF, 0.0, 1.0], 0, INF, -1 / (1 + math.exp(-1))),
        ([-INF, 2.0, -INF], 1, 0.0, 1.0),
        ([NAN, 0.0], 1, NAN, NAN),
        ([INF, 0.0], 0, NAN, NAN),
        ([INF, 0.0], 1, NAN, NAN),
        ([-INF, -INF], 0, NAN, NAN),
    ],
)
def test_defined_outcomes(logits, label, loss, m):
    assert of(logits, label) == pytest.approx((loss, m), rel=1e-6, nan_ok=True)


def test_sign_of_the_margin_is_the_logits_own():
    # One unit in the last place apart: their softmax rounds to a tie, the margin does not.
    low = torch.tensor(0.1)
    high = torch.nextafter(low, torch.tensor(1.0))
    logits = torch.stack([high, low]).unsqueeze(0)
    p = logits.softmax(1)[0]
    assert p[0] == p[1]
    assert margin(logits, torch.tensor([0])).item() > 0
    assert margin(logits, torch.tensor([1])).item() < 0


def test_half_precision_is_widened_and_double_kept():
    logits = torch.randn(4, 3)
    targets = torch.tensor([0, 1, 2, 0])
    for dtype, expected in [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)]:
        assert cross_entropy(logits.to(dtype), targets).dtype == expected
        assert margin(logits.to(dtype), targets).dtype == expected


def test_correct_keeps_nan_and_counts_a_tie_as_wrong():
    values = metrics.correct(np.array([-0.1, 0.0, 0.2, NAN]))
    np.testing.assert_array_equal(values, [0, 0, 1, NAN])


@pytest.mark.parametrize("slope_factor", [0.1, 1.0, 10.0, 1e4])
def test_smooth_correct_is_the_sigmoid(slope_factor):
    m = np.linspace(-1, 1, 21)
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-slope_factor * m))
    np.testing.assert_allclose(metrics.smooth_correct(m, slope_factor), expected, atol=1e-15)


def test_functions_of_figure_seven():
    p = np.array([0.01, 0.3, 0.5, 0.9, 1 - 1e-12])
    np.testing.assert_allclose(metrics.focal_loss(-np.log(p), 5), (1 - p) ** 5 * -np.log(p), 1e-3)
    assert metrics.focal_loss(np.array([0.0, INF])).tolist() == [0.0, INF]
    m = 2 * p - 1  # two classes
    np.testing.assert_allclose(metrics.sigmoidal_loss(m, 10), 1 / (1 + np.exp(10 * m)), atol=1e-15)
    np.testing.assert_array_equal(metrics.zero_one_loss(m), [1, 1, 1, 0, 0])


def test_focal_loss_keeps_its_digits_where_the_probability_is_near_1():
    # (1 − e^−x)² · x = x³ · (1 − x + …)
    loss = np.array([1e-3, 1e-6, 1e-12, 1e-30])
    np.testing.assert_allclose(metrics.focal_loss(loss), loss**3 * (1 - loss), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "of", "value", "expected", "mode"),
    [
        ("loss", "loss", 0.7, 0.7, "min"),
        ("accuracy", "margin", 0.7, 1, "max"),
        ("smooth_accuracy", "margin", 0.7, 1 / (1 + math.exp(-0.7)), "max"),
        ("focal_loss", "loss", 0.7, (1 - math.exp(-0.7)) ** 2 * 0.7, "min"),
        ("sigmoidal_loss", "margin", 0.7, 1 / (1 + math.exp(7)), "min"),
        ("zero_one_loss", "margin", 0.7, 0, "min"),
    ],
)
def test_each_metric_is_its_formula_with_the_constants_of_the_thesis(
    name, of, value, expected, mode
):
    metric = METRICS[name]
    assert (metric.of, metric.mode, metric.sloped) == (of, mode, name == "smooth_accuracy")
    assert metric.values(np.array([value])).item() == pytest.approx(expected, rel=1e-12)


def test_numpy_and_torch_agree():
    values = np.linspace(-1, 1, 11)
    for metric in METRICS.values():
        if metric.of_targets:
            given = values[:, None], np.cos(values)[:, None]
            found = metric.values(*map(torch.tensor, given)).numpy()
            np.testing.assert_allclose(metric.values(*given), found, rtol=1e-12)
            continue
        array = np.abs(values) if metric.of == "loss" else values
        np.testing.assert_allclose(
            metric.values(array), metric.values(torch.tensor(array)).numpy(), rtol=1e-15
        )


def test_metrics_of_a_set_against_the_reference():
    torch.manual_seed(0)
    logits, targets = 3 * torch.randn(50, 7), torch.randint(0, 7, (50,))
    expected = reference.metrics(logits.tolist(), targets.tolist())
    arrays = {"loss": cross_entropy(logits, targets), "margin": margin(logits, targets)}
    for name, value in expected.items():
        assert METRICS[name].values(arrays[METRICS[name].of]).mean().item() == pytest.approx(
            value, rel=1e-6
        )
