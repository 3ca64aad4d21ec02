import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.training import dropout, every, plain, same, weights
from torch import nn

from landscape.data import DatasetData, TensorData
from landscape.errors import CheckpointError
from landscape.runtime import randomness
from landscape.tasks import Task, load_task
from landscape.training import Training, checkpoints
from landscape.training.checkpoints import Checkpoint

# Stopping, and going on to the same bits


OPTIMIZERS = {
    "sgd": {"momentum": 0.9},
    "adamw": {"amsgrad": True},
    "lbfgs": {"max_iter": 3, "history_size": 4},
    "adam": {},
    "sgd-schedule": {"momentum": 0.9},
    "sa-sls": {"search_every": 2},
    "l-sls": {},
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


def test_training_of_an_older_version_is_not_continued():
    task = load_task("digits-mlp")
    point = Training(task, every(task)).checkpoint()
    del point.training["before"]
    with pytest.raises(CheckpointError, match="an older version's training; it can be probed"):
        Training(task, every(task)).resume(point)
