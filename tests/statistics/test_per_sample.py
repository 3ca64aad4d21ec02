"""Other metrics and resampled slices from the per-sample values of a real probe."""

import importlib.util
import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers import cases
from torch import nn

import landscape
from landscape import store
from landscape.data import as_data
from landscape.errors import InvalidValueError
from landscape.metrics import METRICS, Metric, focal_loss
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings
from landscape.statistics import (
    batch_bias,
    gradient_slope,
    interval,
    parabolas,
    peak_widths,
    rederive,
    resample_draws,
    resample_samples,
)
from landscape.store import reading

INF, NAN = math.inf, math.nan
TRAIN, VALIDATION = cases.digits()
SETTINGS = ProbeSettings(
    step_sizes=(-0.1, -0.01, 0, 0.01, 0.1),
    batch_size=32,
    big_batch=100,
    draws=2,
    metrics=tuple(name for name, metric in METRICS.items() if metric.of != "residual"),
    slope_factors=(0.5, 1, 10),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store of two checkpoints, the second with the model a little further on."""
    path = tmp_path_factory.mktemp("stores") / "s.zarr"
    prober = Prober(as_data(TRAIN), as_data(VALIDATION), SETTINGS)
    model = cases.fresh("mlp")
    row = prober(model, iteration=10, epoch=1, learning_rate=0.1)
    writer = store.create(path, row, rows=2, attributes={"task": "digits"})
    writer.write(row)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.1
    writer.write(prober(model, iteration=20, epoch=2, learning_rate=0.1))
    return path


@pytest.fixture(scope="module")
def probed(path):
    return landscape.open(path)


@pytest.fixture(scope="module")
def samples(path, probed):
    return [landscape.open_samples(path, str(name)).load() for name in probed.evaluation_set.values]


def test_samples_know_their_set_and_the_stores_attributes(path, probed):
    one = landscape.open_samples(path, "big_batch")
    assert (one.evaluation_set.item(), one.kind.item(), one.samples.item()) == (
        *("big_batch", "big_batch"),
        100,
    )
    assert one.attrs == probed.attrs


@pytest.mark.parametrize("metric", SETTINGS.metrics)
def test_rederived_is_what_was_probed_bit_for_bit(samples, probed, metric):
    sloped = metric == "smooth_accuracy"
    found = rederive(samples, metric, (0.5, 1, 10) if sloped else None)
    xr.testing.assert_identical(
        found[metric].drop_vars("learning_rate"), probed[metric].drop_vars("learning_rate")
    )
    assert found.attrs == probed.attrs


@pytest.mark.parametrize("along_sample", [False, True])
def test_chunk_by_chunk_it_is_the_same_to_the_order_of_the_sum(path, along_sample):
    pytest.importorskip("dask")
    here = landscape.open_samples(path, "big_batch")
    lazy = landscape.open_samples(path, "big_batch", chunks={"checkpoint": 1})
    assert lazy.loss.chunksizes["checkpoint"] == (1, 1)
    if along_sample:
        lazy = lazy.chunk(sample=13)
    for metric in ("loss", "smooth_accuracy", "focal_loss"):
        found = rederive(lazy, metric)
        assert found[metric].chunks[0] == (1, 1)  # along checkpoint
        np.testing.assert_allclose(found[metric], rederive(here, metric)[metric], rtol=1e-13)
    by_class = (rederive(each, "loss", by_class=True).loss for each in (lazy, here))
    np.testing.assert_allclose(*by_class, rtol=1e-13)
    drawn = (resample_samples(each, "loss", 7).loss for each in (lazy, here))
    np.testing.assert_array_equal(*drawn)


def test_without_dask_one_line_says_what_to_do(path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(reading, "find_spec", lambda name: None if name == "dask" else real(name))
    with pytest.raises(InvalidValueError, match=r"pip install 'accuracy-landscape\[dask\]'"):
        landscape.open_samples(path, "validation", chunks={"checkpoint": 1})
    landscape.open_samples(path, "validation").load()


def test_sigmoidal_loss_at_its_own_slope_factor_and_at_others(path, probed):
    one = landscape.open_samples(path, "validation")
    found = rederive(one, "sigmoidal_loss", [2, 10]).sigmoidal_loss
    assert found.dims == ("checkpoint", "draw", "step_size", "slope_factor")
    expected = 1 / (1 + np.exp(2 * one.margin.values.astype(float)))
    np.testing.assert_allclose(found.sel(slope_factor=2), expected.mean(-1))
    own = probed.sigmoidal_loss.sel(evaluation_set="validation")
    np.testing.assert_array_equal(found.sel(slope_factor=10), own)


def test_a_metric_of_ones_own(path):
    own = Metric(lambda loss: focal_loss(loss, 5), "loss", "focal loss", "nat", "min")
    one = landscape.open_samples(path, "validation")
    found = rederive(one, own).metric
    loss = one.loss.values.astype(float)
    np.testing.assert_allclose(found, ((1 - np.exp(-loss)) ** 5 * loss).mean(-1))
    assert found.attrs == {"long_name": "focal loss", "units": "nat"}


def test_classes_weighted_by_their_samples_are_the_whole(path):
    one = landscape.open_samples(path, "same_batch").load()
    found = rederive(one, "accuracy", by_class=True).accuracy
    assert found.dims == ("checkpoint", "draw", "step_size", "class_label")
    seven = (one.margin > 0).where(one.target == 7).mean("sample")
    np.testing.assert_allclose(found.sel(class_label=7), seven)
    count = (one.target == found.class_label).sum("sample")
    whole = rederive(one, "accuracy").accuracy
    np.testing.assert_allclose((found * count).sum("class_label") / 32, whole)


def test_a_class_that_a_set_has_not_is_nan(path, probed):
    few, all_ = (landscape.open_samples(path, n).load() for n in ("same_batch", "validation"))
    few = few.assign(target=few.target * 0)
    found = rederive([few, all_], "loss", by_class=True).loss
    assert found.class_label.values.tolist() == list(range(10))
    present = np.isfinite(found).all(("checkpoint", "draw", "step_size"))
    assert present[0].values.tolist() == [True] + [False] * 9
    assert present[1].all()


def test_non_finite_samples_stay_in_their_class_and_make_the_mean(path):
    one = landscape.open_samples(path, "big_batch").load()
    three = int(one.target[0, 0, 3])
    one["loss"][0, 0, 1, 3] = NAN
    one["loss"][0, 0, 2, 3] = INF
    whole = rederive(one, "loss").loss[0, 0]
    np.testing.assert_array_equal(np.isnan(whole), [False, True, False, False, False])
    assert whole[2] == INF
    classes = rederive(one, "loss", by_class=True).loss[0, 0]
    assert np.isnan(classes[1].sel(class_label=three))
    assert np.isfinite(classes.sel(class_label=classes.class_label != three)).all()
    drawn = resample_samples(one, "loss", 50).loss[0, 0]
    assert np.isnan(drawn[1]).any()
    assert np.isposinf(drawn[2]).any()
    # Where the odd sample was not drawn the mean is finite; every other point always is.
    np.testing.assert_array_equal(np.isfinite(drawn[1]), np.isfinite(drawn[2]))
    assert np.isfinite(drawn[[0, 3, 4]]).all()
    assert np.isfinite(drawn[1]).any()


def test_slope_and_curvature_are_those_of_the_network():
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10)
    model = nn.Sequential(*layers).double()
    inputs, labels = TRAIN[0][:200].double(), TRAIN[1][:200]
    settings = ProbeSettings(step_sizes=(-1e-3, 0, 1e-3), sets=("same_batch",), batch_size=50)
    prober = Prober(as_data((inputs, labels)), None, settings)
    batch = (inputs[:50], labels[:50], None)
    row = prober(model, iteration=0, epoch=0, learning_rate=0.1, batch=batch).to_dataset()
    found = parabolas(row, "loss", "difference")
    assert found.slope.item() == pytest.approx(gradient_slope(row).item(), rel=1e-6)
    loss = nn.functional.cross_entropy(model(inputs[:50]), labels[:50])
    gradient = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    square = sum((g**2).sum() for g in gradient)
    product = torch.autograd.grad(square / 2, list(model.parameters()))
    along = sum((g * h).sum().item() for g, h in zip(gradient, product, strict=True))
    assert found.curvature.item() == pytest.approx(along, rel=1e-4)


# Resampling


def test_resampled_is_seeded_and_does_not_depend_on_the_other_sets(samples):
    one, two = (resample_samples(samples, "accuracy", 20, seed=5).accuracy for _ in range(2))
    xr.testing.assert_identical(one, two)
    assert one.dims == ("checkpoint", "draw", "evaluation_set", "step_size", "resample")
    alone = resample_samples([samples[2]], "accuracy", 20, seed=5).accuracy
    np.testing.assert_array_equal(alone[:, :, 0], one[:, :, 2])
    generators = (np.random.default_rng(3) for _ in range(2))
    ours, theirs = (resample_samples(samples[0], "accuracy", 20, seed=g) for g in generators)
    xr.testing.assert_identical(ours, theirs)
    assert not (one == resample_samples(samples, "accuracy", 20, seed=6).accuracy).all()


def test_points_and_checkpoints_take_the_same_samples(path):
    one = landscape.open_samples(path, "big_batch").load()
    one["loss"] = one.loss * 0 + np.arange(100)
    found = resample_samples(one, "loss", 30).loss
    assert (found == found[0, 0, 0]).all()
    assert len(np.unique(found[0, 0, 0])) > 20
    # and as one would do it by hand
    drawn = np.random.default_rng([0, *b"big_batch"]).integers(100, size=(30, 100))
    expected = one.loss[0, 0, 0].values.astype(float)[drawn].mean(-1)
    np.testing.assert_allclose(found[0, 0, 0], expected)


def test_intervals_of_statistics_of_a_real_store(samples, probed):
    drawn = resample_samples(samples, "accuracy", 200)
    bias = interval(batch_bias(drawn, "accuracy"))
    assert bias.bias.dims == ("checkpoint", "draw", "evaluation_set", "step_size", "bound")
    np.testing.assert_array_equal(bias.bias.sel(evaluation_set="same_batch"), 0)
    measured = batch_bias(probed, "accuracy").bias
    inside = (bias.bias.sel(bound="lower") <= measured) & (measured <= bias.bias.sel(bound="upper"))
    assert inside.mean() > 0.95
    wide, narrow = (interval(drawn.accuracy, level) for level in (0.95, 0.5))
    spread = [(each.sel(bound="upper") - each.sel(bound="lower")) for each in (wide, narrow)]
    assert (spread[0] >= spread[1]).all()
    widths = interval(peak_widths(drawn, tolerance=0.1))
    assert (widths.width.sel(bound="lower") <= widths.width.sel(bound="upper")).all()
    assert widths.lower_open.dtype == bool
    assert bias.bias.attrs["units"] == "1"


def test_draws_resampled_from_a_statistic_keep_its_labels(probed):
    found = resample_draws(peak_widths(probed), 10, seed=1)
    assert found.width.dims == ("checkpoint", "evaluation_set", "resample")
    assert found.width.attrs["long_name"] == "peak width"
    xr.testing.assert_identical(found, resample_draws(peak_widths(probed), 10, seed=1))
