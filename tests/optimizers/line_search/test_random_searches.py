"""Searches on random models, data and settings, against an own slow search in float64."""

import copy
import math
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS


class Complex(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, features, dtype=torch.complex128))

    def forward(self, x):
        return (x.to(self.weight.dtype) @ self.weight).abs()


class Dropping(nn.Module):
    """A mask from Python's generator."""

    def __init__(self, features):
        super().__init__()
        self.layer = nn.Linear(features, features)

    def forward(self, x):
        return x if random.random() < 0.3 else x + self.layer(x)


def layer(draw, features):
    return draw.choice(
        [
            lambda: nn.Linear(features, features),
            lambda: nn.Tanh(),
            lambda: nn.BatchNorm1d(features),
            lambda: nn.BatchNorm1d(features, track_running_stats=False),
            lambda: nn.LayerNorm(features),
            lambda: nn.Dropout(0.3),
            lambda: Complex(features),
            lambda: Dropping(features),
            lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(features, features)),
            lambda: nn.utils.parametrizations.weight_norm(nn.Linear(features, features)),
        ]
    )()


def network(draw):
    features, classes = draw.randint(2, 6), draw.randint(2, 4)
    torch.manual_seed(draw.randint(0, 10**6))
    layers = [layer(draw, features) for _ in range(draw.randint(1, 4))]
    model = nn.Sequential(*layers, nn.Linear(features, classes))
    for module in model.modules():
        if not isinstance(module, Complex):
            for name, p in module.named_parameters(recurse=False):
                if not p.is_complex():
                    setattr(module, name, nn.Parameter(p.detach().double()))
            for name, b in module.named_buffers(recurse=False):
                if b.is_floating_point():
                    setattr(module, name, b.double())
    return model.train(draw.random() < 0.8), features, classes


def metric(kind, logits, targets, factor):
    if kind in (LossSLS, SGDArmijo):
        return F.cross_entropy(logits, targets, reduction="none")
    p = logits.softmax(1)
    own = p.gather(1, targets[:, None])
    margin = (own - p.scatter(1, targets[:, None], 0).amax(1, keepdim=True)).squeeze(1)
    return (margin > 0).double() if kind is AccuracySLS else (factor * margin).sigmoid()


class Slow:
    """The search as one would write it down, with a copy of the model for each evaluation."""

    def __init__(self, kind, options, published):
        self.kind, self.o, self.published = kind, options, published
        self.sign = 1 if kind in (LossSLS, SGDArmijo) else -1
        self.last, self.doubted = options["lr"], True

    def step(self, model, batch, searched, factor):
        python, torchs = random.getstate(), torch.get_rng_state()

        def evaluate(inputs, step_size=0.0, direction=None):
            random.setstate(python)
            torch.set_rng_state(torchs)
            other = copy.deepcopy(model)
            with torch.no_grad():
                for p, d in zip(other.parameters(), direction or [], strict=bool(direction)):
                    p.copy_(p - step_size * d)
            return other, other(inputs)

        other, logits = evaluate(batch[0])
        parameters = list(other.parameters())
        gradient = torch.autograd.grad(
            F.cross_entropy(logits, batch[1]), parameters, allow_unused=True
        )
        used = [g is not None for g in gradient]
        g = [
            torch.zeros_like(p) if d is None else d
            for p, d in zip(parameters, gradient, strict=True)
        ]
        norm = math.sqrt(sum(d.abs().square().sum().item() for d in g))
        if self.o["direction"] == "normalised-gradient" and norm:
            g = [d / norm for d in g]

        def h(step_size, grad=False):
            moved, found = evaluate(searched[0], step_size, g)
            value = metric(self.kind, found, searched[1], factor).double().mean()
            return (moved, value) if grad else value.item()

        if self.o["slope"] == "autograd":
            moved, value = h(0.0, grad=True)
            own = torch.autograd.grad(value, list(moved.parameters()), allow_unused=True)
            along = (
                (a.conj() * b).real.sum().item()
                for a, b in zip(own, g, strict=True)
                if a is not None
            )
            slope = self.sign * sum(along)
        else:
            difference = self.sign * (h(0.0) - h(self.o["eps"]))
            cut = self.published and difference < 1e-3 * self.o["eps"]
            slope = 0.0 if cut else difference / self.o["eps"]
        trials, cap = [], self.o["max_step_size"] or math.inf
        last = size = kept = min(self.last, cap)
        if self.published or slope > 0:
            size = min(last * self.o["gamma"] ** (1 / self.o["n"]), cap)
            for _ in range(self.o["max_trials"]):
                trials.append((size, h(size)))
                if self.sign * trials[-1][1] <= self.sign * h(0.0) - self.o["c"] * size * slope:
                    kept = size
                    break
                size *= self.o["beta"]
            else:
                kept = size if self.published else last
            if not self.published and size < last / 3 and not self.doubted:
                kept = last
        self.last, self.doubted = kept, kept != size
        after, _ = evaluate(batch[0])
        with torch.no_grad():
            for p, d, moves in zip(after.parameters(), g, used, strict=True):
                if moves:
                    p.copy_(p - size * d)
        return after, slope, trials, size


def example(seed):
    draw = random.Random(seed)
    model, features, classes = network(draw)
    kind = draw.choice([LossSLS, SGDArmijo, SmoothAccuracySLS, AccuracySLS])
    published = draw.random() < 0.3
    if kind is AccuracySLS:
        slopes = ["finite-difference"]
    elif kind is SGDArmijo:
        slopes = ["autograd"]
    else:
        slopes = ["autograd", "finite-difference"]
    options = {
        "lr": 10 ** draw.uniform(-2, 2),
        "n": draw.randint(1, 50),
        "c": draw.uniform(0.05, 0.9),
        "beta": draw.uniform(0.3, 0.9),
        "gamma": draw.uniform(1, 3),
        "eps": 1e-5,
        "max_trials": draw.randint(1, 30),
        "max_step_size": draw.choice([None, 5.0]),
        "slope": draw.choice(slopes),
        "direction": draw.choice(["gradient", "normalised-gradient"]),
    }
    factor = draw.choice([1.0, 5.0])
    more = {"slope_factor": factor} if kind is SmoothAccuracySLS else {}
    optimizer = kind(
        model.parameters(),
        **options,
        **more,
        preset="thesis" if published else "robust",
        model=draw.choice([None, model]),
    )
    slow, elsewhere = Slow(kind, options, published), draw.random() < 0.3
    random.seed(seed)
    for i in range(3):
        torch.manual_seed(100 * seed + i)
        samples = draw.randint(4, 20)
        draws = [
            (torch.randn(n, features).double(), torch.randint(0, classes, (n,)))
            for n in (samples, samples + 3)
        ]
        batch, searched = draws if elsewhere else (draws[0], draws[0])
        states = random.getstate(), torch.get_rng_state()
        expected = slow.step(model, batch, searched, factor)
        random.setstate(states[0])
        torch.set_rng_state(states[1])
        closures = [lambda pair=pair: (model(pair[0]), pair[1]) for pair in draws]
        optimizer.step(*closures if elsewhere else closures[:1])
        yield optimizer, model, *expected


@pytest.mark.parametrize("block", range(4))
def test_a_search_is_what_one_would_write_down(block):
    searched = 0
    for seed in range(15 * block, 15 * block + 15):
        for optimizer, model, after, slope, trials, size in example(seed):
            found = optimizer.last_search
            assert found.slope == pytest.approx(slope, rel=1e-4, abs=1e-7), seed
            assert [s for s, _ in found.trials] == pytest.approx([s for s, _ in trials]), seed
            assert [v for _, v in found.trials] == pytest.approx([v for _, v in trials]), seed
            assert found.step_size == pytest.approx(size), seed
            for (name, one), other in zip(
                model.state_dict().items(), after.state_dict().values(), strict=True
            ):
                torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11, msg=f"{seed} {name}")
            searched += bool(trials)
    assert searched > 20
