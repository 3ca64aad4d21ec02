"""Models and real data that the tests share."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import nn


@cache
def digits():
    """(training inputs, labels), (validation inputs, labels) of the 8×8 digits."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    return (images[:1400], labels[:1400]), (images[1400:], labels[1400:])


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def cnn():
    """A CNN with batch norm whose running statistics have seen some data."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    for inputs in digits()[0][0][:300].split(100):
        model(inputs)
    return model


def dropout():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 10),
    )


MODELS = {"mlp": mlp, "cnn": cnn, "dropout": dropout}


def fresh(name):
    """The model called ``name``, initialised alike each time, a little trained, in train mode."""
    torch.manual_seed(0)
    model = MODELS[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, labels = digits()[0]
    for start in range(0, 1280, 64):
        loss = nn.functional.cross_entropy(
            model(inputs[start : start + 64]), labels[start : start + 64]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


def state(model):
    """Everything a probe must leave alone, in a form that compares bit for bit."""
    import random

    import numpy as np

    return {
        "tensors": {
            n: t.detach().clone().view(torch.uint8) if t.ndim else t.clone()
            for n, t in model.state_dict().items()
        },
        "identities": [id(t) for t in [*model.parameters(), *model.buffers()]],
        "modes": [m.training for m in model.modules()],
        "switches": [
            (m.momentum, m.track_running_stats)
            for m in model.modules()
            if hasattr(m, "track_running_stats")
        ],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "gradients": [p.grad for p in model.parameters()],
        "python": random.getstate(),
        "numpy": [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
    }


def assert_same_state(before, after):
    assert before.keys() == after.keys()
    for name in before:
        if name == "tensors":
            assert all(torch.equal(before[name][n], after[name][n]) for n in before[name])
        else:
            assert before[name] == after[name], name
