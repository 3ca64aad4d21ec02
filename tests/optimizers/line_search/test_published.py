"""The published preset in float32, held against the study's arithmetic to the bit."""

import numpy as np
import pytest
import torch
from helpers.cases import digits
from helpers.searches import mlp
from torch.nn import functional as F

from landscape.optimizers.line_search.armijo import armijo_line, finite_difference, single
from landscape.optimizers.line_search.sls import LossSLS, SmoothAccuracySLS

C, BETA, GAMMA, N, EPS = 0.1, 0.9, 2.0, 500, 1e-4


def smooth_accuracy(logits, labels, factor):
    p = logits.softmax(1)
    others = p.clone().scatter_(1, labels[:, None], 0.0)
    margin = p.gather(1, labels[:, None]) - others.max(1, keepdim=True)[0]
    return torch.sigmoid(factor * margin).mean()


def loss(logits, labels, _):
    return F.cross_entropy(logits, labels)


def published(model, batches, h, factor, *, minimise):
    """The step sizes tried and taken, with every quantity a float32 tensor."""
    step_size = 1.0
    for inputs, labels in batches:
        model.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        origin = [p.detach().clone() for p in model.parameters()]

        def at(s, inputs=inputs, labels=labels, origin=origin):
            with torch.no_grad():
                for p, o in zip(model.parameters(), origin, strict=True):
                    p.copy_(torch.add(o, p.grad, alpha=-s))
                return h(model(inputs), labels, factor)

        step_size *= GAMMA ** (1 / N)
        start, near = at(0.0), at(EPS)
        difference = start - near if minimise else near - start
        slope = 0 if difference < 1e-3 * EPS else difference / EPS
        tried = []
        for _ in range(100):
            tried.append(step_size)
            reached, change = at(step_size), step_size * C * slope
            if reached <= start - change if minimise else reached >= start + change:
                break
            step_size *= BETA
        at(step_size)
        yield tried, step_size


def batches(steps):
    inputs, labels = digits()[0]
    order = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(1400, (64,), generator=order)
        yield inputs[chosen], labels[chosen]


@pytest.mark.parametrize(
    ("kind", "h", "factor", "steps"),
    [(SmoothAccuracySLS, smooth_accuracy, 10.0, 500), (LossSLS, loss, None, 60)],
)
def test_trials_and_step_sizes_are_those_of_the_study_through_a_collapse(kind, h, factor, steps):
    slow, model = mlp(), mlp()
    more = {"slope_factor": factor} if factor else {}
    optimizer = kind(model.parameters(), preset="thesis", **more)
    expected = published(slow, batches(steps), h, factor, minimise=kind is LossSLS)
    sizes = []
    for (inputs, labels), (tried, taken) in zip(batches(steps), expected, strict=True):
        optimizer.step(lambda inputs=inputs, labels=labels: (model(inputs), labels))
        assert [s for s, _ in optimizer.last_search.trials] == tried
        assert optimizer.step_size == taken
        sizes.append(taken)
    for p, q in zip(model.parameters(), slow.parameters(), strict=True):
        assert torch.equal(p, q)
    if factor:  # it collapses, and stops where float32 sees no difference
        assert 1e-10 < min(sizes) < 1e-6
        assert sizes[-1] < 1e-6


def test_in_double_precision_nothing_is_rounded_and_a_step_size_falls_on():
    model = mlp(dtype=torch.float64)
    optimizer = SmoothAccuracySLS(model.parameters(), preset="thesis", metric=lambda z, t: -z[:, 0])
    inputs, labels = digits()[0][0][:64].double(), digits()[0][1][:64]
    optimizer.step(lambda: (model(inputs), labels))
    assert single(optimizer.last_search.value) != optimizer.last_search.value


def test_each_operation_is_rounded_as_in_float32():
    draw = np.random.default_rng(0)
    for _ in range(500):
        value, other, slope = draw.normal(size=3).astype(np.float32)
        slope *= np.float32(10 ** draw.uniform(-6, 2))
        step_size, c, eps = 10 ** draw.uniform(-9, 2), draw.uniform(), 10 ** draw.uniform(-6, -2)
        for mode, sign in (("min", -1), ("max", 1)):
            # as torch computes with numbers and float32 scalars
            tensors = [torch.tensor(float(x)) for x in (value, other, slope)]
            line = tensors[0] + sign * (step_size * c * tensors[2])
            found = armijo_line(float(value), float(slope), step_size, c, mode, single)
            assert found == line.item()
            rate = sign * (tensors[1] - tensors[0]) / torch.tensor(eps)
            assert finite_difference(
                float(value), float(other), eps, mode, rounded=single
            ) == pytest.approx(rate.item(), rel=1e-7)
    assert single(0.1) == float(np.float32(0.1))
