import os
import random
import signal
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape import checkpoints, randomness
from landscape.checkpoints import Checkpoint
from landscape.data import DatasetData, TensorData
from landscape.errors import CheckpointError, InvalidValueError
from landscape.randomness import generator
from landscape.tasks import Task, load_task
from landscape.training import (
    AUGMENTATION,
    INITIALISATION,
    ORDER,
    EpochRecord,
    Training,
    TrainingSettings,
    checkpoint_iterations,
    validate,
)

ROOT = Path(__file__).parents[1].parent / "shared" / "data"


def every(task, **changes):
    """Settings for a few short epochs of ``task``."""
    return TrainingSettings.of(
        task, **({"epochs": 3, "batch_size": 256, "checkpoints": 4} | changes)
    )


def dropout():
    """Digits with everything random: order, augmentation, dropout; and batch norm's buffers."""
    return replace(
        load_task("digits-cnn"),
        model=lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(144, 10)
        ),
    )


def weights(training):
    return {name: tensor.clone() for name, tensor in training.model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def plain(events):
    """What two runs must agree on."""
    return [
        astuple(replace(event, seconds=0.0))
        if isinstance(event, EpochRecord)
        else (event.iteration, event.epoch, event.learning_rate, event.digest)
        for event in events
    ]


# Which iterations are probed


@pytest.mark.parametrize(
    ("samples", "epochs", "distance"),
    [(60_000, 40, 1875), (50_000, 50, 1953), (50_000, 100, 3906)],
)
def test_the_published_iterations(samples, epochs, distance):
    found = checkpoint_iterations(samples, 128, epochs)
    assert found == [100, *(distance * i for i in range(1, 10))]


@pytest.mark.parametrize(
    ("samples", "batch_size", "epochs", "count", "expected"),
    [
        (1000, 100, 3, 3, [1, 10, 20]),
        (1000, 100, 50, 5, [10, 100, 200, 300, 400]),
        (1000, 100, 1, 10, list(range(1, 11))),
        (1000, 100, 1, 100, list(range(1, 11))),
        (100, 100, 1, 2, [1]),
        (199, 100, 10, 10, list(range(1, 11))),
        # Half of each epoch is dropped: 40 updates, not 79.
        (199, 100, 40, 10, [1, 4, 8, 12, 16, 20, 24, 28, 32, 36]),
        (1000, 100, 3, 1, [30]),
        (1000, 100, 3, 0, []),
    ],
)
def test_iterations_of_short_and_odd_runs(samples, batch_size, epochs, count, expected):
    assert checkpoint_iterations(samples, batch_size, epochs, count) == expected


def test_iterations_are_distinct_ascending_within_the_run_and_as_many_as_can_be():
    for samples in (64, 100, 999, 1437):
        for epochs in (1, 2, 7, 30):
            for count in (2, 3, 10, 11, 50):
                total = epochs * (samples // 64)
                found = checkpoint_iterations(samples, 64, epochs, count)
                assert found == sorted(set(found))
                assert found[0] >= 1
                assert found[-1] <= total
                # Of a run with hardly more updates than that, one or the other may coincide.
                assert min(count, total) - 1 <= len(found) <= count


# Settings


def test_settings_of_a_task_are_its_defaults_but_for_changes():
    settings = TrainingSettings.of(load_task("digits-mlp"), epochs=2)
    assert (settings.batch_size, settings.learning_rate, settings.epochs) == (64, 0.1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0; give a positive integer"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1; give a positive number"),
        ({"seed": -1}, "seed is -1; give an integer, 0 or more"),
        ({"checkpoints": True}, "checkpoints is True"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        TrainingSettings(**changes)


def test_a_batch_larger_than_the_data():
    task = load_task("digits-mlp")
    with pytest.raises(InvalidValueError, match="batch_size is 1438; the task has 1437 training"):
        Training(task, every(task, batch_size=1438))


# What is trained


def test_training_is_the_loop_that_one_would_write():
    task = load_task("digits-cnn")
    settings = every(task, options={"momentum": 0.9}, seed=3)
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
    assert [stop.epoch for stop in stops] == [0, 0, 1, 2]
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
    events = Training(task, TrainingSettings.of(task)).run()
    records = [event for event in events if isinstance(event, EpochRecord)]
    assert records[-1].validation_accuracy >= 0.955
    assert records[-1].loss < 0.02 < records[0].loss


def test_digits_are_learnt_with_batch_norm_and_augmentation():
    task = load_task("digits-cnn")
    events = Training(task, TrainingSettings.of(task, epochs=8)).run()
    records = [event for event in events if isinstance(event, EpochRecord)]
    assert max(record.validation_accuracy for record in records) >= 0.9


def test_an_optimizer_may_call_its_closure_often_and_without_gradients():
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
    ours, plain_sgd = Training(task, every(task)), Training(task, every(task))
    ours.optimizer = Searching(ours.model.parameters(), lr=0.1)
    records = [event for event in ours.run() if isinstance(event, EpochRecord)]
    list(plain_sgd.run())
    assert {(r.forward_passes, r.backward_passes) for r in records} == {(15, 5)}
    assert same(weights(ours), weights(plain_sgd))


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


def test_validation_in_chunks_equals_the_whole():
    task = load_task("digits-cnn")
    model = task.model()
    whole = validate(model, task.validation, task.loss)
    chunked = validate(model, task.validation, task.loss, chunk=7)
    assert chunked == pytest.approx(whole, rel=1e-6)
    assert not model.training


# Stopping, and going on to the same bits


OPTIMIZERS = {
    "sgd": {"momentum": 0.9},
    "adamw": {"amsgrad": True},
    "lbfgs": {"max_iter": 3, "history_size": 4},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_to_the_same_bits_from_every_point(optimizer, tmp_path):
    task = dropout()
    settings = every(
        task, optimizer=optimizer, options=OPTIMIZERS[optimizer], learning_rate=0.01, checkpoints=5
    )
    training = Training(task, settings)
    points = [(training.checkpoint(), event) for event in training.run()]
    expected = plain(event for _, event in points)
    assert {point.iteration % 5 for point, _ in points} == {0, 1, 2, 3, 4}
    for done, (point, event) in enumerate(points, 1):
        checkpoints.write(tmp_path / "a.pt", point)
        if isinstance(event, Checkpoint):
            assert event.training.keys() == point.training.keys()
            checkpoints.write(tmp_path / "a.pt", event)
        torch.rand(done)
        again = Training(task, settings)
        again.resume(checkpoints.read(tmp_path / "a.pt"))
        assert plain(again.run()) == expected[done:]
        assert same(weights(again), weights(training))
        assert plain([again.checkpoint()]) == plain([training.checkpoint()])


def test_a_dataset_with_random_transforms_goes_on_to_the_same_bits():
    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, index):
            return torch.rand(3) + np.random.rand() + random.random(), index % 2  # noqa: NPY002

    data = DatasetData(Noisy())
    task = Task("noisy", lambda: nn.Linear(3, 2), data, data)
    settings = every(task, batch_size=16)
    events = list(Training(task, settings).run())
    again = Training(task, settings)
    again.resume(events[0])
    assert plain(again.run()) == plain(events[1:])


def test_the_caller_and_the_run_do_not_disturb_each_other():
    task = dropout()
    expected = plain(Training(task, every(task)).run())
    with randomness.preserved():
        torch.manual_seed(1)
        before, found = torch.get_rng_state(), []
        training = Training(task, every(task))
        for event in training.run():
            assert torch.equal(torch.get_rng_state(), before)
            found.append(event)
            training.model.eval()
            torch.rand(1)
            before = torch.get_rng_state()
        assert torch.equal(torch.get_rng_state(), before)
    assert plain(found) == expected


def test_leaving_a_run_and_calling_it_again():
    task = dropout()
    expected = plain(Training(task, every(task)).run())
    training, found = Training(task, every(task)), []
    while training.iteration < training.steps or len(found) < len(expected):
        for event in training.run():
            found.append(event)
            break
    assert plain(found) == expected
    assert list(training.run()) == []


def interrupting(task, after, times=1):
    """The task, whose loss presses Ctrl-C when it is called for the ``after``-th time."""
    calls = []

    def loss(logits, targets):
        calls.append(1)
        if len(calls) == after:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        return F.cross_entropy(logits, targets, reduction="none")

    return replace(task, loss=loss)


def test_ctrl_c_lets_the_update_finish_and_the_run_goes_on_from_there():
    task = dropout()
    expected = plain(Training(task, every(task)).run())
    training, found = Training(interrupting(task, after=3), every(task)), []
    with pytest.raises(KeyboardInterrupt):
        found.extend(training.run())
    assert training.iteration == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found = []
    again = Training(task, every(task))
    again.resume(training.checkpoint())
    found.extend(again.run())
    assert plain(found) == expected[1:]


def test_ctrl_c_twice_is_raised_at_once_and_leaves_no_checkpoint():
    task = load_task("digits-mlp")
    training = Training(interrupting(task, after=3, times=2), every(task))
    with pytest.raises(KeyboardInterrupt):
        list(training.run())
    assert training.iteration == 2
    with pytest.raises(
        CheckpointError, match="an error cut off update 3; continue from an earlier"
    ):
        training.checkpoint()


def test_a_callers_own_handler_of_ctrl_c_stays():
    pressed = []
    previous = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        task = load_task("digits-mlp")
        training = Training(interrupting(task, after=3), every(task))
        assert len(list(training.run())) == 7
    finally:
        signal.signal(signal.SIGINT, previous)
    assert pressed == [1]


def test_a_longer_run_goes_on_from_the_end_of_a_shorter_one():
    task = dropout()
    short, long = Training(task, every(task, epochs=1)), Training(task, every(task, epochs=2))
    list(short.run())
    list(long.run())
    again = Training(task, every(task, epochs=2))
    again.resume(short.checkpoint())
    list(again.run())
    assert same(weights(again), weights(long))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "trained with seed 0, this run with 1; give the same"),
        ({"batch_size": 128}, "trained with batch_size 256, this run with 128"),
        ({"learning_rate": 0.2}, "trained with learning_rate 0.1, this run with 0.2"),
        ({"optimizer": "adamw"}, "trained with optimizer 'sgd', this run with 'adamw'"),
        ({"options": {"momentum": 0.9}}, "trained with options {}, this run with {'momentum'"),
        ({"epochs": 1}, "the checkpoint is at iteration 15; this run ends at 5"),
    ],
)
def test_a_run_with_other_settings_is_not_continued(changes, message):
    task = load_task("digits-mlp")
    done = Training(task, every(task))
    list(done.run())
    with pytest.raises(CheckpointError, match=message):
        Training(task, every(task, **changes)).resume(done.checkpoint())


def test_a_model_without_its_training_is_not_continued():
    task = load_task("digits-mlp")
    training = Training(task, every(task))
    with pytest.raises(CheckpointError, match="at iteration 4 holds a model without its training"):
        training.resume(Checkpoint(4, weights(training)))


def test_data_of_another_size_is_not_continued():
    task = load_task("digits-mlp")
    point = next(iter(Training(task, every(task)).run()))
    fewer = replace(task, train=TensorData(task.train.inputs[:1400], task.train.targets[:1400]))
    with pytest.raises(CheckpointError, match="trained with samples 1437, this run with 1400"):
        Training(fewer, every(task)).resume(point)


@pytest.mark.skipif(not (ROOT / "MNIST" / "raw").is_dir(), reason=f"no MNIST in {ROOT}")
def test_an_epoch_of_mnist():
    task = load_task("mnist-mlp", data=ROOT)
    training = Training(task, TrainingSettings.of(task, epochs=1))
    records = [event for event in training.run() if isinstance(event, EpochRecord)]
    assert training.iteration == 468
    assert records[0].validation_accuracy > 0.9
