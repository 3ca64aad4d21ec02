"""What the tests of the line searches share: models, batches, the algorithms as printed."""

import math

import pytest
import torch
from helpers import reference
from helpers.cases import digits
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS

FAMILY = {
    "sa": SmoothAccuracySLS,
    "l": LossSLS,
    "a": AccuracySLS,
    "armijo": lambda *args, **kwargs: SGDArmijo(*args, **{"n": 21} | kwargs),
}


def batch(i, size=64, dtype=torch.float32):
    inputs, labels = digits()[0]
    start = i * size % (1400 - size)
    return inputs[start : start + size].to(dtype), labels[start : start + size]


def mlp(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    ).to(dtype)


def step(optimizer, model, i=0):
    inputs, labels = batch(i, dtype=next(model.parameters()).dtype)
    return optimizer.step(lambda: (model(inputs), labels))


def bits(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_equal_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def F_per_sample(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none")


def refused(message, act):
    with pytest.raises(InvalidValueError, match=message) as error:
        act()
    assert "\n" not in str(error.value)


def transcription(
    model,
    batches,
    metric,
    n,
    *,
    exact=False,
    search_batches=None,
    normalised=False,
    search_every=1,
    gamma=2.0,
    robust=False,
):
    """Algorithms 2 to 5 as printed, in pure float64; returns the step size after each step.

    As run: the first trial is at the grown step size; differences below 1e-7 count as 0. With
    ``search_batches`` the metric, and the exact slope, are those of the search batch (Ablation
    2); ``normalised`` moves along ∇L / ‖∇L‖. ``robust`` has the three cases of armijo.search.
    """
    c, beta, eps, lr, doubtful, kept = 0.1, 0.9, 1e-4, 1.0, True, []
    sign = 1 if metric == "loss" else -1  # of what gets better by falling

    def gradient_of_loss(images, labels):
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        return [p.grad.clone() for p in model.parameters()]

    for i, (batch_, searched) in enumerate(zip(batches, search_batches or batches, strict=True)):
        w = [p.detach().clone() for p in model.parameters()]
        gradient = gradient_of_loss(*batch_)
        if normalised:
            norm = math.sqrt(sum((d * d).sum().item() for d in gradient))
            gradient = [d / norm for d in gradient]

        def at(step_size, w=w, gradient=gradient, searched=searched):
            images, labels = searched
            with torch.no_grad():
                for p, start, direction in zip(model.parameters(), w, gradient, strict=True):
                    p.copy_(start - step_size * direction)
                logits = model(images)
            return sign * reference.metrics(logits.tolist(), labels.tolist())[metric]

        if i % search_every:
            at(lr)
            kept.append(lr)
            continue
        m_0 = at(0)
        if exact:
            of_search = gradient_of_loss(*searched)
            slope = sum((a * b).sum().item() for a, b in zip(of_search, gradient, strict=True))
        else:
            difference = m_0 - at(eps)
            slope = difference / eps if robust or difference >= 1e-7 else 0
        last = found = lr
        passed = robust and slope <= 0
        if not passed:
            found *= gamma ** (search_every / n)
            for _ in range(100):
                passed = at(found) <= m_0 - found * c * slope
                if passed:
                    break
                found = beta * found
        at(found)
        believed = passed and (found >= last / 3 or doubtful)
        lr = found if believed or not robust else last
        doubtful = lr != found
        kept.append(lr)
    return kept
