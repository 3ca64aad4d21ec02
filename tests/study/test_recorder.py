import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr
from helpers import cases
from torch import nn

import landscape
from landscape.errors import InvalidValueError, StoreError
from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS
from landscape.plots.registry import get
from landscape.study.recorder import Recorder
from landscape.study.search_record import search_settings

TRAIN, VALIDATION = cases.digits()
SMALL = {
    "step_sizes": (-0.1, 0.0, 0.1),
    "big_batch": 60,
    "validation_samples": 50,
    "samples": False,
}
OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "sa-sls": SmoothAccuracySLS,
    "armijo": lambda p: SGDArmijo(p, n=20, search_every=2),
}


def batch(i, size=32):
    places = torch.arange(i * size, (i + 1) * size)
    return TRAIN[0][places], TRAIN[1][places], places


def double(data):
    return data[0].double(), data[1]


def step(model, optimizer, inputs, targets):
    if isinstance(optimizer, landscape.optimizers.line_search.sls.LineSearch):
        optimizer.step(lambda: (model(inputs), targets))
        return
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.step()


def trained(model, optimizer, recorder=None, steps=range(6), **call):
    """Train on one batch after the other, recorded if there is a recorder."""
    for i in steps:
        inputs, targets, places = batch(i)
        inputs = inputs.to(next(model.parameters()).dtype)
        if recorder is None:
            step(model, optimizer, inputs, targets)
            continue
        with recorder(inputs, targets, indices=places, **call):
            step(model, optimizer, inputs, targets)


def made(path, name="mlp", optimizer=SmoothAccuracySLS, **settings):
    """A model, its optimizer and a recorder of both."""
    model = cases.fresh(name)
    optimizer = optimizer(model.parameters())
    settings = SMALL | {"every": 4} | settings
    return model, optimizer, Recorder(path, model, optimizer, TRAIN, VALIDATION, **settings)


def everything(model, optimizer):
    """What must end at the same bits."""
    state = cases.state(model)
    del state["identities"]
    state["gradients"] = [p.grad.tolist() for p in model.parameters()]
    return state, plain(optimizer.state_dict()), getattr(optimizer, "last_search", None)


def plain(value):
    """Tensors as lists of their numbers, at any depth."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("cnn", "momentum"), ("dropout", "adam"), ("cnn", "sa-sls"), ("dropout", "armijo")],
)
def test_training_ends_at_the_same_bits(tmp_path, name, optimizer, origin):
    model = cases.fresh(name)
    unrecorded = OPTIMIZERS[optimizer](model.parameters())
    torch.manual_seed(1)
    trained(model, unrecorded)
    expected = everything(model, unrecorded)
    model, recorded, recorder = made(
        tmp_path / "s.zarr", name, OPTIMIZERS[optimizer], origin=origin, dropout=True
    )
    torch.manual_seed(1)
    trained(model, recorded, recorder)
    reached = everything(model, recorded)
    cases.assert_same_state(expected[0], reached[0])
    assert expected[1:] == reached[1:]
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 4]


def test_a_row_is_the_slice_of_the_steps_own_batch(tmp_path):
    model, optimizer, recorder = made(tmp_path / "s.zarr", at=[2], every=None, samples=True)
    trained(model, optimizer, recorder, range(2))
    inputs, targets, places = batch(2)
    expected = landscape.Prober(
        landscape.data.as_data(TRAIN),
        landscape.data.as_data(VALIDATION),
        landscape.ProbeSettings(**SMALL, batch_size=32),
    )(copy.deepcopy(model), iteration=2, batch=(inputs, targets, places))
    rate = optimizer.step_size
    trained(model, optimizer, recorder, range(2, 4), epoch=0.5)
    row = landscape.open(tmp_path / "s.zarr")
    assert (row.iteration.item(), row.epoch.item()) == (2, 0.5)
    assert row.learning_rate.item() == rate
    for name in ("loss", "accuracy", "smooth_accuracy"):
        np.testing.assert_array_equal(row[name], expected[name])
    samples = landscape.open_samples(tmp_path / "s.zarr", "same_batch")
    np.testing.assert_array_equal(samples["index"][0, 0], places)
    for other in ("other_batch_1", "other_batch_2", "big_batch"):
        drawn = landscape.open_samples(tmp_path / "s.zarr", other)["index"].values
        assert not np.isin(drawn, places).any()


@pytest.mark.parametrize("optimizer", [LossSLS, SmoothAccuracySLS, AccuracySLS])
def test_the_trials_lie_on_the_slice(tmp_path, optimizer):
    """In float64, h(0) and every trial are the stored values of the searched metric."""

    def start():
        model = cases.fresh("cnn").double()
        # Within a wider ε some sample changes its class, so that accuracy has a slope.
        return model, optimizer(model.parameters(), lr=30.0, eps=0.05)

    model, own = start()
    trained(model, own, steps=range(1))
    found = own.last_search
    assert found.rejected >= 2
    model, own = start()
    recorder = Recorder(
        tmp_path / "s.zarr",
        model,
        own,
        double(TRAIN),
        at=[0],
        step_sizes=[0.0, *(step_size for step_size, _ in found.trials)],
        big_batch=60,
        samples=False,
    )
    trained(model, own, recorder, range(1))
    row = landscape.open(tmp_path / "s.zarr").isel(checkpoint=0, draw=0)
    slice_ = row[row.attrs["search"]["metric"]].sel(evaluation_set="same_batch")
    slice_ = slice_.isel(slope_factor=0) if "slope_factor" in slice_.dims else slice_
    tried = row.trial_step_size.dropna("trial")
    assert tried.values.tolist() == [step_size for step_size, _ in found.trials]
    np.testing.assert_allclose(
        row.trial_value.values[: len(tried)], slice_.sel(step_size=tried.values), rtol=1e-10
    )
    np.testing.assert_allclose(row.search_value, slice_.sel(step_size=0), rtol=1e-10)
    assert row.search_slope.item() == found.slope
    assert row.search_step_size.item() == found.step_size
    assert row.search_outcome.item() == "accepted"
    assert row.sizes["trial"] == 100
    assert np.isnan(row.trial_value.values[len(tried) :]).all()


def test_what_is_said_of_the_search(tmp_path):
    model, optimizer, recorder = made(
        tmp_path / "s.zarr", optimizer=lambda p: SmoothAccuracySLS(p, c=0.2, slope_factor=3)
    )
    trained(model, optimizer, recorder)
    row = landscape.open(tmp_path / "s.zarr")
    said = {"metric": "smooth_accuracy", "mode": "max", "c": 0.2, "beta": 0.9}
    said |= {"slope_factor": 3, "direction": "gradient"}
    assert said.items() <= row.attrs["search"].items()
    assert row.slope_factor.values.tolist() == [1, 3]
    assert row.search_value.attrs["units"] == "1"
    assert (row.attrs["task"], row.attrs["optimizer"]) == ("Sequential", "SmoothAccuracySLS")


@pytest.mark.parametrize(
    ("optimizer", "searched", "factors"),
    [
        (LossSLS, {"loss"}, None),
        (AccuracySLS, {"accuracy"}, None),
        (lambda p: SmoothAccuracySLS(p, slope_factor=3), {"smooth_accuracy"}, [2, 3, 10]),
        (lambda p: SmoothAccuracySLS(p, slope_factor=2), {"smooth_accuracy"}, [10, 2]),
        (OPTIMIZERS["adam"], set(), None),
    ],
)
def test_what_was_searched_is_kept_whatever_else_is_chosen(tmp_path, optimizer, searched, factors):
    chosen = {"metrics": ["focal_loss"], "sets": ["validation"], "slope_factors": [10, 2]}
    model, optimizer, recorder = made(tmp_path / "s.zarr", optimizer=optimizer, **chosen)
    trained(model, optimizer, recorder, range(1))
    row = landscape.open(tmp_path / "s.zarr")
    assert set(row.data_vars) == {"focal_loss"} | searched
    sets = ["same_batch", "validation"] if searched else ["validation"]
    assert row.evaluation_set.values.tolist() == sets
    assert (row.slope_factor.values.tolist() if "slope_factor" in row.dims else None) == factors
    if searched:
        plt.switch_backend("Agg")
        get("line-search").load()(row)
        plt.close("all")


def test_a_search_on_a_metric_of_ones_own_adds_nothing(tmp_path):
    model, optimizer, recorder = made(
        tmp_path / "s.zarr",
        optimizer=lambda p: LossSLS(p, metric=nn.functional.multi_margin_loss),
        metrics=["accuracy"],
        sets=["validation"],
    )
    trained(model, optimizer, recorder, range(1))
    row = landscape.open(tmp_path / "s.zarr")
    assert (list(row.data_vars), row.evaluation_set.values) == (["accuracy"], ["validation"])


def test_a_loaded_optimizer_says_the_same_of_its_search():
    kept, fresh = (SmoothAccuracySLS(cases.fresh("mlp").parameters(), c=c) for c in (0.3, 0.1))
    assert search_settings(kept) != search_settings(fresh)
    expected = search_settings(kept)
    assert (expected["metric"], expected["c"]) == ("smooth_accuracy", 0.3)
    fresh.load_state_dict(copy.deepcopy(kept.state_dict()))
    assert search_settings(fresh) == expected


def test_a_step_size_that_is_held_is_not_taken_for_a_search(tmp_path):
    model, optimizer, recorder = made(
        tmp_path / "s.zarr", every=1, optimizer=lambda p: LossSLS(p, search_every=3)
    )
    taken = []
    for i in range(4):
        trained(model, optimizer, recorder, [i])
        taken.append(optimizer.last_search.step_size)
    row = landscape.open(tmp_path / "s.zarr")
    held = [False, True, True, False]
    assert row.search_outcome.values.tolist() == ["held" if h else "accepted" for h in held]
    assert np.isnan(row.search_value.values).tolist() == held
    assert np.isnan(row.trial_step_size.values).all(axis=1).tolist() == held
    assert row.search_step_size.values.tolist() == taken


def test_other_optimizers_have_a_learning_rate_and_no_search(tmp_path):
    model, optimizer, recorder = made(
        tmp_path / "s.zarr", optimizer=OPTIMIZERS["adam"], samples=True
    )
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for i in range(5):
        with recorder(*batch(i)[:2]):
            step(model, optimizer, *batch(i)[:2])
            scheduler.step()
    row = landscape.open(tmp_path / "s.zarr")
    assert row.search_outcome.values.tolist() == ["none", "none"]
    np.testing.assert_allclose(row.search_step_size, [0.01, 0.01 / 16])
    assert row.attrs["search"] == {}
    for name in ("search_value", "search_slope", "trial_step_size", "trial_value"):
        assert np.isnan(row[name]).all()
    # The places of these batches were not told.
    assert (landscape.open_samples(tmp_path / "s.zarr", "same_batch")["index"] == -1).all()


@pytest.mark.parametrize("optimizer", ["sgd", "sa-sls"])
def test_after_the_step_the_slice_is_shifted_by_the_step(tmp_path, optimizer):
    rows = {}
    for origin in ("before-step", "after-step"):
        model = cases.fresh("mlp").double()
        own = (
            torch.optim.SGD(model.parameters(), lr=0.3)
            if optimizer == "sgd"
            else SmoothAccuracySLS(model.parameters(), lr=0.5)
        )
        taken = rows["before-step"].search_step_size.item() if rows else 0.0
        recorder = Recorder(
            tmp_path / f"{origin}.zarr",
            model,
            own,
            double(TRAIN),
            at=[3],
            origin=origin,
            # The points of both slices are the same.
            step_sizes=[0.1 - taken, 0.5 - taken] if rows else [0.1, 0.5],
            big_batch=60,
            samples=False,
        )
        trained(model, own, recorder, range(5))
        rows[origin] = landscape.open(tmp_path / f"{origin}.zarr")
    before, after = rows["before-step"], rows["after-step"]
    assert before.search_step_size.item() > 0.2
    for name in ("loss", "accuracy", "smooth_accuracy"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9)
    xr.testing.assert_equal(after.gradient_norm, before.gradient_norm)
    np.testing.assert_array_equal(after.trial_value, before.trial_value)


def test_a_resumed_training_goes_on_in_the_same_store(tmp_path):
    model, optimizer, recorder = made(tmp_path / "whole.zarr", every=2)
    trained(model, optimizer, recorder)
    model, optimizer, recorder = made(tmp_path / "parts.zarr", every=2)
    trained(model, optimizer, recorder, range(3))
    at_3 = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    trained(model, optimizer, recorder, range(3, 5))  # lost with what trained it
    model, optimizer, recorder = made(tmp_path / "parts.zarr", every=2)
    model.load_state_dict(at_3[0])
    optimizer.load_state_dict(at_3[1])
    passes = []
    model.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    trained(model, optimizer, recorder, [3], iteration=3)
    few = len(passes)
    trained(model, optimizer, recorder, [4])
    assert len(passes) <= 2 * few + 2  # iteration 4 is there, and not probed again
    trained(model, optimizer, recorder, range(5, 6))
    whole, parts = (landscape.open(tmp_path / f"{name}.zarr") for name in ("whole", "parts"))
    assert parts.iteration.values.tolist() == [0, 2, 4]
    assert parts.identical(whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "made with seed 0, and now it is 1"),
        (
            {"optimizer": LossSLS},
            "made with optimizer 'SmoothAccuracySLS', and now it is 'LossSLS'",
        ),
        ({"optimizer": lambda p: SmoothAccuracySLS(p, c=0.3)}, "made with c 0.1"),
        ({"task": "another"}, "made with task 'Sequential', and now it is 'another'"),
    ],
)
def test_a_store_of_other_settings_is_refused(tmp_path, changes, message):
    model, optimizer, recorder = made(tmp_path / "s.zarr")
    trained(model, optimizer, recorder, range(1))
    model, optimizer, recorder = made(tmp_path / "s.zarr", **changes)
    with pytest.raises(StoreError, match=message):
        trained(model, optimizer, recorder)
    assert optimizer.counts["steps"] == 0


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
def test_a_step_that_raises_writes_nothing_and_does_not_count(tmp_path, origin):
    model, optimizer, recorder = made(tmp_path / "s.zarr", origin=origin, every=1)
    trained(model, optimizer, recorder, range(2))
    for error in (KeyError, KeyboardInterrupt):
        with pytest.raises(error), recorder(*batch(2)[:2]):
            raise error
    assert recorder.iteration == 2
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1]
    trained(model, optimizer, recorder, [2])
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1, 2]
    passing = made(tmp_path / "t.zarr", at=[5], every=None)[2]
    with pytest.raises(KeyError), passing(*batch(0)[:2]):
        raise KeyError
    assert passing.iteration == 0


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
@pytest.mark.parametrize("calls", [1, 3, 9])
def test_a_probe_cut_off_leaves_no_trace(tmp_path, origin, calls):
    model, optimizer, recorder = made(tmp_path / "s.zarr", "cnn", origin=origin)
    trained(model, optimizer, recorder, range(4))
    stepping, left = [False], [calls]

    def fail(*_):
        left[0] -= not stepping[0]
        if left[0] == 0:
            raise KeyboardInterrupt

    handle = model[0].register_forward_hook(fail)
    states = [everything(model, optimizer)]

    def one_step():
        with recorder(*batch(4)[:2]):
            stepping[0] = True
            step(model, optimizer, *batch(4)[:2])
            stepping[0] = False
            states.append(everything(model, optimizer))

    with pytest.raises(KeyboardInterrupt):
        one_step()
    handle.remove()
    states.append(everything(model, optimizer))
    before, after = states[-2:]
    cases.assert_same_state(before[0], after[0])
    assert before[1:] == after[1:]
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0]


def test_a_smaller_batch_is_passed_over_and_the_next_whole_one_probed(tmp_path):
    model, optimizer, recorder = made(tmp_path / "s.zarr", every=3)
    for i in range(9):
        inputs, targets, _ = batch(i, 20 if i in (3, 6, 7) else 32)
        with recorder(inputs, targets):
            step(model, optimizer, inputs, targets)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 4, 8]
    with pytest.raises(InvalidValueError, match="has 40 samples and batch_size is 32"):
        recorder(*batch(0, 40)[:2]).__enter__()


def test_each_slice_is_handed_on_once_it_is_written(tmp_path):
    seen = []

    def see(slice_):
        seen.append(slice_)
        assert landscape.open(tmp_path / "s.zarr").sizes["checkpoint"] == len(seen)

    model, optimizer, recorder = made(tmp_path / "s.zarr", on_slice=see)
    trained(model, optimizer, recorder)
    stored = landscape.open(tmp_path / "s.zarr")
    for i, slice_ in enumerate(seen):
        xr.testing.assert_equal(slice_["loss"], stored["loss"].isel(checkpoint=[i]).compute())
        expected = landscape.statistics.scalars(stored.isel(checkpoint=[i]))
        assert landscape.statistics.scalars(slice_) == expected
    assert len(seen) == 2


def test_a_step_is_due_where_it_was_asked_for_or_one_was_passed_over(tmp_path):
    model, optimizer, recorder = made(tmp_path / "s.zarr", at=[0, 2], every=None)
    assert [recorder.due(i) for i in range(4)] == [True, False, True, False]
    trained(model, optimizer, recorder, range(2))
    inputs, targets, _ = batch(2, 20)
    with recorder(inputs, targets):
        step(model, optimizer, inputs, targets)
    assert recorder.due(3)
    trained(model, optimizer, recorder, range(3, 4))
    assert not recorder.due(4)
    every = made(tmp_path / "t.zarr", every=3)[2]
    assert [every.due(i) for i in range(4)] == [True, False, False, True]


def test_at_makes_room_for_all_its_iterations(tmp_path):
    model, optimizer, recorder = made(tmp_path / "s.zarr", at=[1, 5, 30], every=None)
    trained(model, optimizer, recorder)
    assert landscape.store.progress(tmp_path / "s.zarr") == (2, 3)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [1, 5]


@pytest.mark.parametrize("steps", [0, 2])
def test_a_block_makes_one_step(tmp_path, steps):
    model, optimizer, recorder = made(tmp_path / "s.zarr")

    def block():
        with recorder(*batch(0)[:2]):
            for _ in range(steps):
                step(model, optimizer, *batch(0)[:2])

    message = f"made {steps} steps of SmoothAccuracySLS; make one"
    with pytest.raises(InvalidValueError, match=message):
        block()
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": None}, "at is None and every is None; give one of them"),
        ({"at": [1]}, r"at is \[1\] and every is 4; give one of them"),
        ({"every": 0}, "every is 0; give an integer of at least 1"),
        ({"every": 1.5}, "every is 1.5; give an integer"),
        ({"at": [2, -1], "every": None}, "at is -1; give an integer of at least 0"),
        ({"draws": 4}, "draws is 4; a training step has one batch, so choose 1"),
        ({"draws": None}, "draws is None; give an integer"),
        ({"origin": "between"}, "unknown origin 'between'"),
        ({"metrics": ["los"]}, "did you mean 'loss'"),
    ],
)
def test_settings_that_are_not_allowed(tmp_path, settings, message):
    with pytest.raises(InvalidValueError, match=message):
        made(tmp_path / "s.zarr", **settings)


def test_data_that_is_too_small_is_told_before_the_first_step(tmp_path):
    model, optimizer, recorder = made(tmp_path / "s.zarr", at=[100], every=None, big_batch=5000)
    with pytest.raises(InvalidValueError, match="big_batch is 5000, larger than the 1368"):
        trained(model, optimizer, recorder)
    assert optimizer.counts["steps"] == 0


def test_the_figures_of_a_probe_can_be_drawn(tmp_path):
    plt.switch_backend("Agg")
    model, optimizer, recorder = made(tmp_path / "s.zarr")
    trained(model, optimizer, recorder)
    rows = landscape.open(tmp_path / "s.zarr")
    for name in ("widening", "batches", "gap", "stepwise", "loss-vs-accuracy", "line-search"):
        get(name).load()(rows)
        plt.gcf().canvas.draw()
        plt.close("all")
    assert landscape.statistics.peak_widths(rows).width.sizes["checkpoint"] == 2
