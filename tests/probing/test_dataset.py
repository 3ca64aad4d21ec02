"""What was measured, reduced and labelled; no network is run."""

import math

import numpy as np
import pytest
import torch

from landscape.network.measures import Units
from landscape.probing.dataset import Draw, build
from landscape.probing.directions import Direction
from landscape.probing.evaluation import Values
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.probing.settings import ProbeSettings

METRICS = ("loss", "accuracy", "smooth_accuracy")
SETTINGS = ProbeSettings(step_sizes=(-0.5, 0, 1), metrics=METRICS, slope_factors=(2, 0.5), seed=3)
AT = {"iteration": 40, "epoch": 1.5, "learning_rate": 0.25}
MARGIN = [[0.5, -0.25], [0.0, 1.0], [-1.0, -0.5]]


def made(name, loss, margin, first=0, kind=None, policy="batch"):
    """A set of so many samples, whose places begin at ``first``; and its values."""
    places = torch.arange(first, first + len(loss[0]))
    chosen = EvaluationSet(name, kind or name, policy, places, places[:, None], places % 10)
    return chosen, values_of(torch.tensor(loss), margin and torch.tensor(margin), places % 10)


def values_of(loss, margin, targets):
    arrays = {"loss": loss} if margin is None else {"loss": loss, "margin": margin}
    return Values(arrays, Units(loss.shape[1], 1, targets), dict.fromkeys(arrays, "unit"))


def draw(norm, *parts):
    along = Direction("mine", "d", {}, 3 * norm, -norm / 2, {}, norm)
    return Draw([along], [chosen for chosen, _ in parts], [values for _, values in parts])


def two_draws(settings=SETTINGS):
    loss = [[1.0, 2.0], [3.0, 5.0], [math.inf, math.nan]]
    draws = []
    for i in range(2):
        other = made("other_batch_1", [[float(i)] * 3] * 3, [[0.5] * 3] * 3, 20, "other_batch")
        same = made("same_batch", loss, MARGIN, 30 + 10 * i)
        draws.append(draw(2.0 + i, same, other))
    return build(settings, draws, **AT)


def test_where_and_when_it_was_measured():
    root = two_draws().to_dataset()
    labels = {name: root[name].values.tolist() for name in root.coords}
    assert labels == {
        "iteration": [40],
        "epoch": [1.5],
        "learning_rate": [0.25],
        "gradient_norm": [[2.0, 3.0]],
        "direction_norm": [[6.0, 9.0]],
        "direction_slope": [[-1.0, -1.5]],
        "draw": [0, 1],
        "evaluation_set": ["same_batch", "other_batch_1"],
        "kind": ["same_batch", "other_batch"],
        "samples": [2, 3],
        "batch_norm": ["batch", "batch"],
        "step_size": [-0.5, 0, 1],
        "slope_factor": [2, 0.5],
    }
    assert root.attrs == {
        "direction": "mine",
        "direction_symbol": "d",
        "direction_about": "",
        "direction_set": "same_batch",
        "origin": "before-step",
        "gradient_batch_norm": "batch",
        "seed": 3,
    }


def test_metrics_are_means_over_samples():
    root = two_draws().to_dataset().isel(checkpoint=0)
    dims = ("draw", "evaluation_set", "step_size")
    assert root.loss.dims == root.accuracy.dims == dims
    assert root.smooth_accuracy.dims == (*dims, "slope_factor")
    for i in range(2):
        np.testing.assert_array_equal(root.loss[i], [[1.5, 4, np.nan], [i, i, i]])
        np.testing.assert_array_equal(root.accuracy[i], [[0.5, 0.5, 0], [1, 1, 1]])
        expected = [
            [sum(1 / (1 + math.exp(-factor * m)) for m in row) / 2 for factor in (2, 0.5)]
            for row in MARGIN
        ]
        np.testing.assert_allclose(root.smooth_accuracy[i, 0], expected, rtol=1e-14)


def test_sums_are_in_float64_and_divided_last():
    loss = torch.rand(1, 4097, generator=torch.Generator().manual_seed(0)) * 3
    values = values_of(loss, None, torch.zeros(4097))
    chosen, _ = made("validation", loss.tolist(), None)
    settings = ProbeSettings(step_sizes=[0], metrics="loss", samples=False)
    found = build(settings, [draw(1.0, (chosen, values))], **AT)
    expected = math.fsum(loss[0].double().tolist()) / 4097
    assert found.loss.item() == pytest.approx(expected, rel=1e-14)
    assert "slope_factor" not in found.coords
    assert list(found.children) == []


def test_the_values_of_every_sample_are_kept():
    one = two_draws()["per_sample/same_batch"].to_dataset(inherit=False)
    assert one.loss.dims == one.margin.dims == ("checkpoint", "draw", "step_size", "sample")
    np.testing.assert_array_equal(one.margin[0, 1], MARGIN)
    np.testing.assert_array_equal(one.loss[0, 1], [[1, 2], [3, 5], [np.inf, np.nan]])
    assert one["index"].values.tolist() == [[[30, 31], [40, 41]]]
    assert one["target"].values.tolist() == [[[0, 1], [0, 1]]]
    assert two_draws()["per_sample/other_batch_1"].margin.shape == (1, 2, 3, 3)


def test_of_float64_the_means_are_exact_and_the_samples_are_rounded():
    loss = torch.tensor([[1e300, 1 / 3]], dtype=torch.float64)
    chosen, _ = made("validation", loss.tolist(), None)
    values = values_of(loss, loss / 1e300, torch.zeros(2))
    settings = ProbeSettings(step_sizes=[0], metrics=METRICS)
    tree = build(settings, [draw(1.0, (chosen, values))], **AT)
    assert tree.loss.item() == 5e299
    kept = tree["per_sample/validation"].loss.values.ravel()
    assert kept.tolist() == [np.inf, np.float32(1 / 3)]
    assert kept.dtype == tree["per_sample/validation"].margin.dtype == np.float32
