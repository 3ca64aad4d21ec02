from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import cases, reference
from helpers.training import dropout, every, same, weights
from torch import nn
from torch.nn import functional as F

from landscape.data import TensorData
from landscape.errors import CheckpointError, InvalidValueError, LandscapeError
from landscape.network.chunking import EvalBatchSize
from landscape.optimizers import named
from landscape.optimizers.line_search.sls import SmoothAccuracySLS
from landscape.runtime import randomness
from landscape.runtime.randomness import generator
from landscape.study import runs
from landscape.tasks import as_task, load_task
from landscape.training import EpochRecord, Training, TrainingSettings, validate
from landscape.training.batches import AUGMENTATION, INITIALISATION, ORDER
from landscape.training.checkpoints import Checkpoint

ROOT = Path(__file__).parents[3] / "shared" / "data"


def test_a_batch_larger_than_the_data():
    task = load_task("digits-mlp")
    with pytest.raises(InvalidValueError, match="batch_size is 1438; the task has 1437 training"):
        Training(task, every(task, batch_size=1438))


# What is trained


def test_training_is_the_loop_that_one_would_write():
    task = load_task("digits-cnn")
    settings = every(task, options={"momentum": 0.9}, seed=3, channels_last=False)
    training = Training(task, settings)
    records = [event for event in training.run() if isinstance(event, EpochRecord)]

    with randomness.seeded(INITIALISATION, 3):
        model = task.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    iteration, expected = 0, []
    for epoch in range(3):
        order = torch.randperm(1437, generator=generator(ORDER, 3, epoch))
        losses = []
        for batch in order[: 5 * 256].split(256):
            inputs, targets = task.train.take(batch, generator(AUGMENTATION, 3, iteration))
            loss = F.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            iteration += 1
        expected.append(sum(losses) / 5)
    assert same(weights(training), model.state_dict())
    assert [record.loss for record in records] == pytest.approx(expected, rel=1e-6)
    assert [(r.epoch, r.iteration) for r in records] == [(1, 5), (2, 10), (3, 15)]
    assert {(r.forward_passes, r.backward_passes, r.step_size) for r in records} == {(5, 5, 0.1)}

    inputs, targets = task.validation.take(torch.arange(360))
    logits = model.eval()(inputs)
    assert records[-1].validation_loss == pytest.approx(F.cross_entropy(logits, targets).item())
    right = (logits.argmax(1) == targets).double().mean().item()
    assert records[-1].validation_accuracy == pytest.approx(right)
    assert all(0 < record.seconds < 60 for record in records)


def test_checkpoints_come_after_exactly_that_many_updates():
    task = load_task("digits-mlp")
    stops = [event for event in Training(task, every(task)).run() if isinstance(event, Checkpoint)]
    assert [stop.iteration for stop in stops] == [1, 4, 8, 12]
    assert [stop.epoch for stop in stops] == [1 / 5, 4 / 5, 8 / 5, 12 / 5]
    assert {stop.learning_rate for stop in stops} == {0.1}
    for stop in stops:
        alone = Training(task, every(task))
        for event in alone.run():
            if isinstance(event, Checkpoint) and event.iteration == stop.iteration:
                break
        assert alone.iteration == stop.iteration
        assert same(weights(alone), stop.model)
    assert len({stop.digest for stop in stops}) == 4


def test_a_record_comes_before_the_checkpoint_of_its_iteration():
    task = load_task("digits-mlp")
    events = list(Training(task, every(task, epochs=2, checkpoints=1)).run())
    assert [type(event).__name__ for event in events] == [
        "EpochRecord",
        "EpochRecord",
        "Checkpoint",
    ]
    assert events[-1].iteration == events[-2].iteration == 10


def test_a_given_checkpoint_does_not_change_with_the_run():
    task = dropout()
    training = Training(task, every(task, options={"momentum": 0.9}))
    run = training.run()
    first = next(run)
    digest = first.digest
    (buffer, *_) = [s["momentum_buffer"] for s in first.training["optimizer"]["state"].values()]
    before = buffer.clone()
    list(run)
    assert first.digest == digest
    assert torch.equal(buffer, before)


def test_the_seed_decides_initialisation_and_order():
    task = load_task("digits-mlp")
    starts = [weights(Training(task, every(task, seed=seed))) for seed in (0, 0, 1)]
    assert same(starts[0], starts[1])
    assert not same(starts[0], starts[2])


def test_one_seed_starts_every_optimizer_at_the_same_point():
    task = load_task("digits-mlp")
    assert same(
        weights(Training(task, every(task))),
        weights(Training(task, every(task, optimizer="adamw"))),
    )


def test_digits_are_learnt():
    task = load_task("digits-mlp")
    events = Training(task, TrainingSettings.for_task(task)).run()
    records = [event for event in events if isinstance(event, EpochRecord)]
    assert records[-1].validation_accuracy >= 0.955
    assert records[-1].loss < 0.02 < records[0].loss


def test_digits_are_learnt_with_batch_norm_and_augmentation():
    task = load_task("digits-cnn")
    events = Training(task, TrainingSettings.for_task(task, epochs=8)).run()
    records = [event for event in events if isinstance(event, EpochRecord)]
    assert max(record.validation_accuracy for record in records) >= 0.9


def test_an_optimizer_may_call_its_closure_often_and_without_gradients(monkeypatch):
    class Searching(torch.optim.SGD):
        def step(self, closure):
            first = closure()
            with torch.no_grad():
                before = [p.grad.clone() for p in self.param_groups[0]["params"]]
                closure()
                closure()
                for p, grad in zip(self.param_groups[0]["params"], before, strict=True):
                    assert torch.equal(p.grad, grad)
                super().step()
            return first

    task = load_task("digits-mlp")
    monkeypatch.setitem(named._TORCH, "searching", Searching)
    ours = Training(task, every(task, optimizer="searching"))
    plain_sgd = Training(task, every(task))
    records = [event for event in ours.run() if isinstance(event, EpochRecord)]
    list(plain_sgd.run())
    assert {(r.forward_passes, r.backward_passes) for r in records} == {(15, 5)}
    assert same(weights(ours), weights(plain_sgd))


def test_a_line_search_is_the_loop_that_one_would_write():
    task = load_task("digits-mlp")
    settings = every(task, optimizer="sa-sls", seed=3)
    training = Training(task, settings)
    records = [event for event in training.run() if isinstance(event, EpochRecord)]

    with randomness.seeded(INITIALISATION, 3):
        model = task.model()
    optimizer = SmoothAccuracySLS(model.parameters())
    for epoch in range(3):
        order = torch.randperm(1437, generator=generator(ORDER, 3, epoch))
        for batch in order[: 5 * 256].split(256):
            inputs, targets = task.train.take(batch)
            optimizer.step(lambda inputs=inputs, targets=targets: (model(inputs), targets))
    assert same(weights(training), model.state_dict())
    assert records[-1].step_size == optimizer.step_size
    for name in ("forward_passes", "backward_passes", "searches", "trials", "rejected", "skipped"):
        assert sum(getattr(record, name) for record in records) == optimizer.counts[name], name
    assert records[0].forward_passes == 5 + records[0].searches + records[0].skipped + (
        records[0].trials
    )


@pytest.mark.parametrize("size", [64, 1000])
def test_a_search_batch_is_fresh_and_outside_of_the_batch(size):
    task = load_task("digits-mlp")
    settings = every(task, optimizer="l-sls", search_batch=size, options={"search_every": 2})
    taken = []

    class Spy(TensorData):
        def take(self, indices, generator=None):
            taken.append(set(indices.tolist()))
            return super().take(indices, generator)

    train = Spy(task.train.inputs, task.train.targets)
    list(Training(replace(task, train=train), settings).run())
    searched = 15 // 2 + 1
    assert [len(t) for t in taken] == ([256, size, 256] * searched)[: 15 + searched]
    for batch, fresh in zip(taken[::3], taken[1::3], strict=True):
        assert not batch & fresh
    assert len({frozenset(t) for t in taken}) == len(taken)


def test_a_search_batch_that_cannot_be():
    task = load_task("digits-mlp")
    with pytest.raises(InvalidValueError, match="search_batch is 64, but sgd is no line search"):
        every(task, search_batch=64)
    with pytest.raises(InvalidValueError, match="search_batch is 1200; there are 1181 training"):
        Training(task, every(task, optimizer="l-sls", search_batch=1200))


def test_the_loss_of_the_task_is_what_is_minimised():
    task = load_task("digits-mlp")
    doubled = replace(task, loss=lambda z, y: 2 * F.cross_entropy(z, y, reduction="none"))
    single, double = (
        Training(task, every(task, learning_rate=0.1)),
        Training(doubled, every(task, learning_rate=0.05)),
    )
    one, two = (
        next(e for e in single.run() if isinstance(e, EpochRecord)),
        next(e for e in double.run() if isinstance(e, EpochRecord)),
    )
    assert two.loss == pytest.approx(2 * one.loss, rel=1e-5)
    assert two.validation_loss == pytest.approx(2 * one.validation_loss, rel=1e-5)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_loss_that_is_not_finite_is_recorded_as_it_is():
    task = load_task("digits-mlp")
    records = [
        event
        for event in Training(task, every(task, learning_rate=1e30, epochs=1)).run()
        if isinstance(event, EpochRecord)
    ]
    assert not np.isfinite(records[0].loss)
    assert not np.isfinite(records[0].validation_loss)
    assert np.isnan(records[0].validation_accuracy)


def slowly_validated(model, data):
    """Loss and accuracy in evaluation, sample by sample in float64."""
    logits = reference.forward(model, data.take(torch.arange(len(data)))[0], "running")
    found = reference.metrics(logits.tolist(), data.targets.tolist())
    return found["loss"], found["accuracy"]


def test_validation_in_chunks_equals_the_whole():
    task = load_task("digits-cnn")
    model = task.model()
    whole = validate(model, task.validation, task.loss)
    assert whole == pytest.approx(slowly_validated(model, task.validation), rel=1e-6)
    chunked = validate(model, task.validation, task.loss, EvalBatchSize(7))
    assert chunked == pytest.approx(whole, rel=1e-6)
    assert not model.training


def test_validation_that_does_not_fit_is_halved():
    task = load_task("digits-cnn")
    model = task.model()
    whole = slowly_validated(model, task.validation)
    sizes = []

    def refuse(_, args):
        sizes.append(len(args[0]))
        if len(args[0]) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.register_forward_pre_hook(refuse)
    halved = validate(model, task.validation, task.loss, EvalBatchSize(300))
    assert halved == pytest.approx(whole, rel=1e-6)
    assert [size for size in sizes if size > 100] == [300, 150]


@pytest.mark.skipif(not (ROOT / "MNIST" / "raw").is_dir(), reason=f"no MNIST in {ROOT}")
def test_an_epoch_of_mnist():
    task = load_task("mnist-mlp", data=ROOT)
    training = Training(task, TrainingSettings.for_task(task, epochs=1))
    records = [event for event in training.run() if isinstance(event, EpochRecord)]
    assert training.iteration == 468
    assert records[0].validation_accuracy > 0.9


class Halving(torch.nn.Module):
    """Works in place on its input."""

    def __init__(self, in_place):
        super().__init__()
        self.layer, self.in_place = torch.nn.Linear(64, 10), in_place

    def forward(self, x):
        x = x.mul_(0.5) if self.in_place else x * 0.5
        return self.layer(x.flatten(1))


@pytest.mark.parametrize("optimizer", ["sgd", "sa-sls", "lbfgs", "sa-sls-thesis"])
def test_a_model_that_works_in_place_on_its_input_trains_as_one_that_does_not(optimizer):
    found = []
    for in_place in (True, False):
        task = replace(load_task("digits-mlp"), model=lambda in_place=in_place: Halving(in_place))
        before = [task.train.inputs.clone(), task.validation.inputs.clone()]
        settings = every(task, optimizer=optimizer, epochs=1, learning_rate=0.1)
        training = Training(task, settings)
        training.check()
        batches = []

        @contextmanager
        def around(inputs, targets, indices, batches=batches):
            start = inputs.clone()
            yield
            batches.append(torch.equal(start, inputs))

        records = [e for e in training.run(around=around) if isinstance(e, EpochRecord)]
        assert all(batches)
        assert len(batches) == 5
        assert torch.equal(task.train.inputs, before[0])
        assert torch.equal(task.validation.inputs, before[1])
        found.append((weights(training), records[0].validation_loss))
    assert same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_parameters_that_share_memory_are_refused_before_a_search_trains_them():
    def tied():
        model = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.Linear(32, 64)
        )
        model[2].weight.data = model[1].weight.data.t()
        return model

    task = replace(load_task("digits-mlp"), model=tied)
    with pytest.raises(InvalidValueError, match=r"^1.weight and 2.weight share memory"):
        Training(task, every(task, optimizer="sa-sls")).check()
    Training(task, every(task, optimizer="sgd")).check()


# What is refused before anything is trained


class Detached(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs).detach()


class Unkept(nn.Linear):
    def get_extra_state(self):
        return SimpleNamespace(a=1)

    def set_extra_state(self, state):
        pass


class Unloadable(nn.Linear):
    def get_extra_state(self):
        return 1

    def set_extra_state(self, state):
        raise RuntimeError("not again")


X, Y = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 2
NORMED = (nn.Linear(4, 2), nn.BatchNorm1d(2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": nn.Linear(4, 2).requires_grad_(False)}, "no parameter that is trained"),
        ({"model": nn.Flatten}, "no parameter that is trained"),
        ({"model": Detached(4, 2)}, "the loss depends on no parameter that is trained"),
        ({"loss": lambda a, b: torch.zeros(len(b))}, "the loss depends on no parameter"),
        ({"model": nn.LazyLinear(2)}, "the model's weight has no values yet; let the task's model"),
        ({"model": nn.Linear(4, 2, device="meta")}, "the model's weight has no values yet"),
        ({"model": Unkept(4, 2)}, "_extra_state is a SimpleNamespace, which no checkpoint can"),
        ({"model": Unloadable(4, 2)}, "its own state does not fit the model: RuntimeError: not ag"),
        ({"augment": lambda x, g: 1 / 0}, "augment fails: ZeroDivisionError"),
        ({"augment": lambda x, g: x[:, :3]}, r"training on a batch of shape \(10, 3\) .* fails"),
        ({"model": nn.Sequential(*NORMED), "batch_size": 1}, "fails: ValueError: Expected more th"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path, changes, message):
    parts = {"model": nn.Linear(4, 2), "train": (X, Y), "validation": (X, Y), "batch_size": 10}
    task = as_task(parts | changes, "mine")
    with pytest.raises(LandscapeError, match=message) as error:
        runs.train(task, TrainingSettings.for_task(task, epochs=1), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_check_changes_neither_model_nor_generators():
    model = nn.Sequential(*NORMED, nn.Dropout(0.5))
    task = as_task(
        {"model": model, "train": (X, Y), "validation": (X, Y), "batch_size": 10}, "mine"
    )
    training = Training(task, TrainingSettings.for_task(task, epochs=1))
    before = cases.state(training.model)
    training.check()
    cases.assert_same_state(before, cases.state(training.model))


class Counted(nn.Linear):
    """It counts its passes in training, and keeps the count beside its parameters."""

    calls = 0

    def forward(self, inputs):
        self.calls += self.training
        return super().forward(inputs)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_extra_state_is_trained_and_continued_with():
    parts = {"model": lambda: Counted(4, 2), "train": (X, Y), "validation": (X, Y)}
    task = as_task(parts, "mine")
    settings = TrainingSettings.for_task(task, epochs=2, batch_size=10, checkpoints=2)
    stops = [stop for stop in Training(task, settings).run() if isinstance(stop, Checkpoint)]
    assert [stop.model["_extra_state"]["calls"] for stop in stops] == [1, 3]
    again = Training(task, settings)
    again.resume(stops[0])
    assert again.model.calls == 1


@pytest.mark.parametrize(
    "change",
    [
        {"settings": 3},
        {"random": {}},
        {"optimizer": {}},
        {"losses": ["a"]},
        {"passes": None},
        {"seconds": "x"},
    ],
)
def test_a_damaged_training_is_one_line(change):
    parts = {"model": nn.Linear(4, 2), "train": (X, Y), "validation": (X, Y), "batch_size": 10}
    task = as_task(parts, "mine")
    training = Training(task, TrainingSettings.for_task(task, epochs=1, checkpoints=2))
    checkpoint = next(stop for stop in training.run() if isinstance(stop, Checkpoint))
    damaged = replace(checkpoint, training=checkpoint.training | change)
    with pytest.raises(CheckpointError, match="the checkpoint at iteration 1 is damaged") as error:
        training.resume(damaged)
    assert "\n" not in str(error.value)
