"""Metrics from the stored values of tokens and of numbers, and resamples of whole sentences."""

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape import store
from landscape.errors import InvalidValueError
from landscape.network.measures import Measure
from landscape.statistics import rederive, resample_samples

IDS = torch.randint(7, (30, 6), generator=torch.Generator().manual_seed(0))
LENGTHS = torch.arange(30) % 4 + 2
LABELS = torch.where(torch.arange(6) < LENGTHS[:, None], IDS, -100)
WEIGHTS = torch.linspace(0.5, 2, 7)


def probed(tmp_path, measure, model, data, **settings):
    data = landscape.data.as_data(data)
    settings = landscape.ProbeSettings(
        step_sizes=[0, 0.3], batch_size=5, other_batches=1, big_batch=9, draws=2, **settings
    )
    tree = landscape.Prober(data, data, settings, loss=measure)(model, iteration=3)
    writer = store.create(tmp_path / "s.zarr", tree, rows=1, attributes={"task": "tokens"})
    writer.write(tree)
    names = ["same_batch", "validation"]
    sets = [landscape.open_samples(tmp_path / "s.zarr", name).load() for name in names]
    return landscape.open(tmp_path / "s.zarr").sel(evaluation_set=names).load(), sets


def tokens():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(7, 5), nn.Tanh(), nn.Linear(5, 7))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    measure = Measure(nn.CrossEntropyLoss(WEIGHTS), class_dim=-1)
    return probed(tmp_path_factory.mktemp("units"), measure, tokens(), (IDS, LABELS))


@pytest.mark.parametrize("metric", ["loss", "accuracy", "smooth_accuracy"])
def test_metrics_are_those_that_were_probed(text, metric):
    slices, sets = text
    found = rederive(sets, metric)[metric]
    np.testing.assert_allclose(found, slices[metric], rtol=1e-6)


def test_one_class_at_a_time(text):
    _, sets = text
    found = rederive(sets, "accuracy", by_class=True)["accuracy"]
    one = sets[1].isel(checkpoint=0, draw=0, step_size=0)
    for label in range(7):
        own = (one["target"] == label) & (one["unit_sample"] >= 0)
        expected = float((one["margin"].values[own.values] > 0).mean())
        at = found.sel(evaluation_set="validation", class_label=label)
        assert at.isel(checkpoint=0, draw=0, step_size=0).item() == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_resamples_take_whole_sentences(text, metric):
    """Against a loop over sentences, with the same choice of them."""
    _, sets = text
    one = sets[1]
    found = resample_samples(one, metric, resamples=20, seed=4)[metric].isel(checkpoint=0)
    rng = np.random.default_rng([4, *b"validation"])
    chosen = rng.integers(30, size=(20, 30))
    at = one.isel(checkpoint=0, draw=1, step_size=1)
    for resample, sentences in enumerate(chosen):
        total = count = 0.0
        for sentence in sentences:
            own = at["unit_sample"].values == sentence
            weight = at["weight"].values[own].astype(float)
            if metric == "loss":
                total += (weight * at["loss"].values[own]).sum()
                count += weight.sum()
            else:
                total += (at["margin"].values[own] > 0).sum()
                count += own.sum()
        value = found.isel(draw=1, step_size=1, resample=resample).item()
        assert value == pytest.approx(total / count, rel=1e-6)


def test_samples_that_do_not_count_in_some_batches(tmp_path):
    """Rows of a store are alike, whether a batch has such samples or not."""
    torch.manual_seed(0)
    x, y = torch.randn(40, 4), torch.arange(40) % 3
    y[:4] = -100
    data = landscape.data.as_data((x, y))
    settings = landscape.ProbeSettings(step_sizes=[0, 0.3], batch_size=4, big_batch=9)
    prober = landscape.Prober(data, data, settings, loss=nn.CrossEntropyLoss())
    model = nn.Linear(4, 3)
    rows = [prober(model, iteration=i) for i in range(5)]
    writer = store.create(tmp_path / "s.zarr", rows[0], rows=5, attributes={"task": "samples"})
    for row in rows:
        writer.write(row)
    slices = landscape.open(tmp_path / "s.zarr")
    one = landscape.open_samples(tmp_path / "s.zarr", "same_batch")
    ignored = (one["unit_sample"] < 0).sum("sample").values.ravel()
    assert 0 in ignored
    assert ignored.max() > 0
    sets = [landscape.open_samples(tmp_path / "s.zarr", n) for n in ("same_batch", "validation")]
    for metric in ("loss", "accuracy", "smooth_accuracy"):
        expected = slices[metric].sel(evaluation_set=["same_batch", "validation"])
        np.testing.assert_allclose(rederive(sets, metric)[metric], expected, rtol=1e-6)
    by_class = rederive(sets, "accuracy", by_class=True)
    assert by_class["class_label"].values.tolist() == [0, 1, 2]


def test_regression(tmp_path):
    torch.manual_seed(0)
    x, y = torch.randn(30, 4), torch.randn(30, 2)
    slices, sets = probed(tmp_path, nn.MSELoss(), nn.Linear(4, 2), (x, y))
    for metric in ("loss", "mean_absolute_error", "r_squared"):
        np.testing.assert_allclose(rederive(sets, metric)[metric], slices[metric], rtol=1e-5)
    with pytest.raises(InvalidValueError, match="accuracy needs the margin of each sample"):
        rederive(sets, "accuracy")
    with pytest.raises(InvalidValueError, match="no class labels"):
        rederive(sets, "loss", by_class=True)
    with pytest.raises(InvalidValueError, match="r_squared is no mean over samples"):
        resample_samples(sets, "r_squared")


def top_2(outputs, targets):
    return (outputs.topk(2, 1).indices == targets[:, None]).any(1).float()


@pytest.mark.parametrize("mode", ["max", ""])
def test_a_metric_of_ones_own_is_stored_and_evaluated(tmp_path, mode):
    """With the direction of better, or asked for it."""
    torch.manual_seed(0)
    data = torch.randn(30, 4), torch.arange(30) % 3
    model = nn.Sequential(nn.Linear(4, 3))
    own = landscape.metrics.own_metric(top_2, mode=mode, long_name="hits", units="1")
    slices, sets = probed(tmp_path, Measure(), model, data, metrics=["loss", own])
    assert slices["hits"].attrs == {"long_name": "hits", "units": "1", "mode": mode}
    kept = sets[1]["hits"].astype(float).mean("sample")
    np.testing.assert_array_equal(kept, slices["hits"][:, :, 1])
    assert landscape.plots.plot_batches(slices, metric="hits").get_ylabel() == "hits"
    best = slices["hits"].max("step_size")
    if mode:
        found = landscape.statistics.best_steps(slices, "hits")["best_value"]
        np.testing.assert_array_equal(found, best)
        return
    with pytest.raises(InvalidValueError, match="whether 'hits' is better higher or lower"):
        landscape.statistics.best_steps(slices, "hits")
    found = landscape.statistics.best_steps(slices, "hits", mode="max")["best_value"]
    np.testing.assert_array_equal(found, best)
