"""What users do to a line search, and what it then says or does."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS


def toy(seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    inputs = torch.randn(64, 8, generator=generator)
    return model, inputs, torch.randint(0, 3, (64,), generator=generator)


@pytest.mark.parametrize("kind", [LossSLS, SmoothAccuracySLS, AccuracySLS])
def test_a_held_step_on_a_gradient_that_is_not_finite_moves_nothing(kind):
    model, inputs, targets = toy()
    bad = False

    def loss(logits, labels):
        losses = F.cross_entropy(logits, labels, reduction="none")
        # √0 has an infinite slope and so, times 0, a NaN for a gradient.
        return losses + (logits * 0).abs().sqrt().sum(1) if bad else losses

    optimizer = kind(model.parameters(), loss=loss, search_every=3)
    optimizer.step(lambda: (model(inputs), targets))
    bad, before = True, [p.clone() for p in model.parameters()]
    with pytest.raises(InvalidValueError, match="the gradient's norm is nan"):
        optimizer.step(lambda: (model(inputs), targets))
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("lr", [math.nan, -0.1, 0.0, math.inf])
def test_a_step_size_that_a_scheduler_broke_is_refused(lr):
    model, inputs, targets = toy()
    optimizer = SmoothAccuracySLS(model.parameters())
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises(InvalidValueError, match=r"lr is .*; give a number above 0"):
        optimizer.step(lambda: (model(inputs), targets))


def test_the_cap_holds_between_searches_too():
    model, inputs, targets = toy()
    optimizer = LossSLS(model.parameters(), max_step_size=0.5, search_every=2)
    optimizer.step(lambda: (model(inputs), targets))
    optimizer.param_groups[0]["lr"] = 7.0
    before = [p.clone() for p in model.parameters()]
    optimizer.step(lambda: (model(inputs), targets))
    for p, b in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, torch.add(b, p.grad, alpha=-0.5))


def test_in_bfloat16_the_slope_is_exact():
    model, inputs, targets = toy()
    wide = SmoothAccuracySLS(model.parameters(), slope="autograd")
    wide.step(lambda: (model(inputs), targets))
    model, inputs, targets = toy()
    optimizer = SmoothAccuracySLS(model.parameters())

    def closure():
        with torch.autocast("cpu", torch.bfloat16):
            return model(inputs), targets

    optimizer.step(closure)
    assert optimizer.counts["backward_passes"] == 2
    assert optimizer.last_search.slope == pytest.approx(wide.last_search.slope, rel=0.02)
    assert optimizer.last_search.outcome == "accepted"
    thesis = SmoothAccuracySLS(model.parameters(), preset="thesis")
    thesis.step(closure)
    assert thesis.counts["backward_passes"] == 1


def test_numbers_of_any_kind():
    model, inputs, targets = toy()
    optimizer = SGDArmijo(
        model.parameters(), n=np.int64(5), lr=np.float32(0.5), max_trials=np.int64(3)
    )
    optimizer.step(lambda: (model(inputs), targets))
    assert type(optimizer.param_groups[0]["n"]) is int
    with pytest.raises(InvalidValueError, match=r"gamma is 1e\+300 in n = 1 steps"):
        SGDArmijo(model.parameters(), n=1, gamma=1e300, search_every=10)


def test_logits_from_outside_of_the_closure_are_noticed():
    model, inputs, targets = toy()
    logits = model(inputs)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(InvalidValueError, match="the same logits again; run the model inside"):
        SmoothAccuracySLS(model.parameters()).step(lambda: (logits, targets))
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        (3, {}, "the loss fails: IndexError: Target 3 is out of bounds"),
        (-100, {}, "the searched metric fails: .*-100"),
        (0, {"loss": lambda z, y: 1.0}, "the loss fails: AttributeError"),
        (0, {"loss": lambda z, y: F.cross_entropy(z.detach(), y)}, "the gradient of the loss"),
        (0, {"loss": "cross_entropy"}, "the loss fails: TypeError"),
    ],
)
def test_losses_and_labels_that_do_not_fit_are_one_line(label, options, message):
    model, inputs, targets = toy()
    targets[0] = label
    with pytest.raises(InvalidValueError, match=message) as error:
        SmoothAccuracySLS(model.parameters(), **options).step(lambda: (model(inputs), targets))
    assert "\n" not in str(error.value)


def test_states_and_groups_of_another_kind():
    model, inputs, targets = toy()
    searching = SmoothAccuracySLS(model.parameters())
    for other in (torch.optim.SGD(model.parameters()), LossSLS(model.parameters())):
        with pytest.raises(InvalidValueError, match=r"the state is that of .*SmoothAccuracySLS"):
            searching.load_state_dict(other.state_dict())
    with pytest.raises(InvalidValueError, match=r"sets weight_decay to 0.1; SmoothAccuracySLS has"):
        SmoothAccuracySLS([{"params": model.parameters(), "weight_decay": 0.1}])
    named = SmoothAccuracySLS(model.named_parameters())
    named.step(lambda: (model(inputs), targets))
