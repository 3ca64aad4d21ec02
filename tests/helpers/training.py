"""Short runs on the digits that the tests of training share."""

from dataclasses import astuple, replace

import torch
from torch import nn

from landscape.tasks import load_task
from landscape.training import EpochRecord, TrainingSettings


def every(task, **changes):
    """Settings for a few short epochs of ``task``."""
    return TrainingSettings.for_task(
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
