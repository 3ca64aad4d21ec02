import copy
import io
import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from helpers.cases import digits, fresh
from helpers.searches import (
    FAMILY,
    F_per_sample,
    assert_equal_bits,
    batch,
    bits,
    mlp,
    refused,
    step,
    transcription,
)
from torch import nn
from torch.nn import functional as F

from landscape.optimizers.line_search.sls import (
    COUNTS,
    AccuracySLS,
    LossSLS,
    SGDArmijo,
    SmoothAccuracySLS,
)

# As published


@pytest.mark.parametrize(
    ("name", "version"),
    [("sa", "smooth_accuracy"), ("l", "loss"), ("a", "accuracy"), ("armijo", "loss")],
)
def test_thesis_preset_is_what_was_published(name, version):
    order = torch.Generator().manual_seed(0)
    inputs, labels = digits()[0]
    draws = [torch.randint(1400, (64,), generator=order) for _ in range(120)]
    batches = [(inputs[draw].double(), labels[draw]) for draw in draws]
    slow, model = mlp(dtype=torch.float64), mlp(dtype=torch.float64)
    exact = name == "armijo"
    expected = transcription(slow, batches, version, n=21 if exact else 500, exact=exact)
    optimizer = FAMILY[name](model.parameters(), preset="thesis")
    accepted = []
    for images, targets in batches:
        optimizer.step(lambda images=images, targets=targets: (model(images), targets))
        accepted.append(optimizer.step_size)
    assert sum(after < before for before, after in pairwise(accepted)) >= 1
    assert accepted == pytest.approx(expected, rel=1e-9)
    for p, q in zip(model.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)


def test_thesis_preset_searches_where_the_slope_is_negative_and_keeps_where_it_ends():
    model = mlp(dtype=torch.float64)
    # A metric that gets worse along −∇L.
    optimizer = SmoothAccuracySLS(
        model.parameters(), metric=F_per_sample, preset="thesis", lr=0.1, gamma=1.0
    )
    before = bits(model)
    step(optimizer, model)
    assert optimizer.last_search.slope == 0
    assert optimizer.counts["exhausted"] == 1
    assert optimizer.counts["rejected"] == 100
    assert optimizer.step_size == pytest.approx(0.1 * 0.9**100)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), before[name] - 0.1 * 0.9**100 * p.grad)


def train(seed, steps, cls=SmoothAccuracySLS, **settings):
    model = mlp(seed)
    optimizer = cls(model.parameters(), **settings)
    inputs, labels = digits()[0]
    order = torch.randperm(1400)
    for i in range(steps):
        if i % 21 == 0:
            order = torch.randperm(1400)
        chosen = order[i % 21 * 64 :][:64]
        optimizer.step(lambda chosen=chosen: (model(inputs[chosen]), labels[chosen]))
    return optimizer


def test_step_size_dies_as_published_and_not_by_default():
    for seed in range(3):
        dead = train(seed, 300, slope_factor=10.0, preset="thesis")
        alive = train(seed, 300, slope_factor=10.0)
        assert dead.step_size < 1e-4, seed
        assert alive.step_size > 1e-4, seed
        assert alive.counts["exhausted"] == 0
        assert alive.counts["skipped"] > 0


def test_accuracy_makes_the_step_size_diminish():
    # One sample of 64 within ε makes a line that only s ≤ ε/c stays above.
    optimizer = train(0, 400, AccuracySLS, preset="thesis")
    assert optimizer.step_size < 1e-3
    assert optimizer.counts["rejected"] > 60


# One step


@pytest.mark.parametrize("name", FAMILY)
def test_step_is_along_the_gradient_and_satisfies_armijo(name):
    model = fresh("mlp").double()
    optimizer = FAMILY[name](model.parameters())
    before, images_labels = bits(model), batch(3, dtype=torch.float64)
    expected = F.cross_entropy(model(images_labels[0]), images_labels[1])
    gradient = torch.autograd.grad(expected, list(model.parameters()))
    loss = step(optimizer, model, 3)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, expected.detach())
    found = optimizer.last_search
    assert optimizer.step_size == found.step_size == optimizer.param_groups[0]["lr"]
    for (name_, p), direction in zip(model.named_parameters(), gradient, strict=True):
        torch.testing.assert_close(p.grad, direction)
        assert torch.equal(p.detach(), torch.add(before[name_], p.grad, alpha=-found.step_size))
    if name == "a":
        assert found.outcome in ("accepted", "skipped")
        return
    assert found.outcome == "accepted"
    assert found.trials[0][0] == pytest.approx(
        optimizer.param_groups[0]["gamma"] ** (1 / optimizer.param_groups[0]["n"])
    )
    sign = 1 if optimizer.mode == "max" else -1
    gains = [sign * (h - found.value) - 0.1 * s * found.slope for s, h in found.trials]
    assert gains[-1] >= 0
    assert all(gain < 0 for gain in gains[:-1])
    assert found.trials[-1][0] == found.step_size


def rosenbrock(x):
    return (1 - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


def himmelblau(x):
    return (x[:, 0] ** 2 + x[:, 1] - 11) ** 2 + (x[:, 0] + x[:, 1] ** 2 - 7) ** 2


def quadratic(x):
    return x[:, 0] ** 2 / 2 + 10 * x[:, 1] ** 2


@pytest.mark.parametrize("cls", [LossSLS, partial(SGDArmijo, n=2)])
@pytest.mark.parametrize(
    ("f", "start"), [(quadratic, (3.0, 1.0)), (rosenbrock, (-1.2, 1.0)), (himmelblau, (0.0, 0.0))]
)
def test_known_functions_go_down_by_the_largest_step_that_armijo_allows(cls, f, start):
    x = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = cls([x], loss=lambda z, t: f(z), gamma=4.0, n=2, max_step_size=2.0)
    values = [f(x).item()]
    for _ in range(100):
        origin, tried = x.detach().clone(), min(optimizer.step_size * 2, 2.0)
        optimizer.step(lambda: (x * 1, torch.zeros(1, dtype=torch.int64)))
        values.append(f(x).item())
        taken, squared = optimizer.last_search.step_size, x.grad.square().sum().item()
        if squared < 1e-20:  # at the minimum
            break

        def holds(s, origin=origin, squared=squared):
            return f(origin - s * x.grad).item() <= f(origin).item() - 0.1 * s * squared

        assert holds(taken)
        # Every larger one of the sequence fails.
        while tried > taken * (1 + 1e-9):
            assert not holds(tried)
            tried *= 0.9
        assert tried == pytest.approx(taken)
    assert all(after < before for before, after in pairwise(values) if before > 1e-12)
    assert values[-1] < values[0] / 5


@pytest.mark.parametrize(
    ("name", "forward", "backward"), [("sa", 2, 1), ("l", 1, 1), ("armijo", 1, 1)]
)
def test_passes_are_those_counted_and_few(name, forward, backward):
    model, calls = fresh("mlp"), []
    model.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    optimizer = FAMILY[name](model.parameters(), lr=0.1, n=500)
    for i in range(200):
        step(optimizer, model, i)
    counts = optimizer.counts
    assert set(counts) == set(COUNTS)
    assert counts["forward_passes"] == 200 * forward + counts["trials"]
    assert counts["backward_passes"] == 200 * backward
    # The first search evaluates twice more, once with gradients on.
    assert (len(calls), sum(calls)) == (counts["forward_passes"] + 2, 200 * backward + 1)
    assert counts["trials"] == counts["searches"] - counts["exhausted"] + counts["rejected"]
    assert counts["steps"] == 200 == counts["searches"] + counts["skipped"]
    assert len(calls) / 200 <= forward + 1 + 0.02


def test_slope_by_autograd_is_that_by_finite_difference():
    found = {}
    for slope in ("autograd", "finite-difference"):
        for name in ("sa", "l"):
            model = fresh("mlp").double()
            optimizer = FAMILY[name](model.parameters(), slope=slope, eps=1e-6)
            step(optimizer, model)
            found[name, slope] = optimizer
    for name in ("sa", "l"):
        exact, approximate = (found[name, s] for s in ("autograd", "finite-difference"))
        assert exact.last_search.slope == pytest.approx(approximate.last_search.slope, rel=1e-3)
        assert exact.step_size == approximate.step_size
    assert found["sa", "autograd"].counts["backward_passes"] == 2
    assert (
        found["sa", "autograd"].counts["forward_passes"]
        == 2 + found["sa", "autograd"].counts["rejected"]
    )
    # Another metric, of which lower is better: twice the loss has twice its slope.
    model = fresh("mlp").double()
    optimizer = LossSLS(model.parameters(), metric=lambda z, t: 2 * F_per_sample(z, t))
    step(optimizer, model)
    assert optimizer.last_search.slope == pytest.approx(
        2 * found["l", "autograd"].last_search.slope
    )


def test_small_differences_survive_the_mean():
    slopes = {}
    for preset, slope, dtype in (
        ("robust", "autograd", torch.float64),
        ("robust", "finite-difference", torch.float32),
        ("thesis", "finite-difference", torch.float32),
    ):
        model = fresh("mlp").to(dtype)
        optimizer = SmoothAccuracySLS(model.parameters(), slope=slope, preset=preset)
        step(optimizer, model)
        slopes[preset, slope] = optimizer.last_search.slope
        single = torch.tensor(optimizer.last_search.value).item() == optimizer.last_search.value
        assert single == (preset == "thesis")
    exact, robust, thesis = slopes.values()
    assert robust == pytest.approx(exact, rel=0.05)
    assert abs(robust - exact) < abs(thesis - exact)


def test_loss_may_be_per_sample_or_mean_and_the_metric_anything():
    final = []
    for loss in (F_per_sample, F.cross_entropy, nn.CrossEntropyLoss()):
        model = fresh("mlp")
        optimizer = LossSLS(model.parameters(), loss=loss)
        step(optimizer, model)
        final.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(final[0], final[1])
    assert torch.equal(final[1], final[2])
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters(), metric=lambda z, t: -F.cross_entropy(z, t))
    step(optimizer, model)
    torch.testing.assert_close(
        torch.cat([p.detach().flatten() for p in model.parameters()]), final[0]
    )


def test_skipped_and_exhausted_searches_keep_the_step_size():
    growth = 2 ** (1 / 500)
    for metric, outcome, taken in (
        (F_per_sample, "skipped", 5.0),
        (None, "exhausted", 5.0 * growth * 0.9),
    ):
        model = fresh("mlp")
        # c near 1 asks for more than a concave rise can give within one trial.
        optimizer = SmoothAccuracySLS(model.parameters(), 5.0, metric=metric, c=0.999, max_trials=1)
        before = bits(model)
        step(optimizer, model)
        assert optimizer.last_search.outcome == outcome
        assert optimizer.counts[outcome] == 1
        assert optimizer.step_size == 5.0
        assert optimizer.last_search.step_size == taken
        for name, p in model.named_parameters():
            assert torch.equal(p.detach(), torch.add(before[name], p.grad, alpha=-taken))


def test_one_steep_fall_is_doubted_and_a_second_in_a_row_believed():
    model, factor = fresh("mlp"), [1]
    optimizer = LossSLS(
        model.parameters(),
        loss=lambda z, t: factor[0] * F_per_sample(z, t),
        metric=F_per_sample,
        max_step_size=0.05,
    )
    sizes, doubted = [], []
    # Where −∇L is long, only short steps along it go down.
    for i, factor[0] in enumerate([1, 1000, 1, 1000, 1000, 1]):
        step(optimizer, model, i)
        sizes.append(optimizer.step_size)
        doubted.append(optimizer.last_search.provisional)
    assert doubted == [False, True, False, True, False, False]
    assert sizes[:4] == pytest.approx([0.05] * 4)
    assert sizes[4] < 0.05 / 3
    assert optimizer.counts["doubted"] == 2


def test_cap():
    model = fresh("mlp")
    optimizer = LossSLS(model.parameters(), max_step_size=0.01)
    for i in range(3):
        step(optimizer, model, i)
        assert optimizer.step_size == 0.01


def test_step_size_is_held_between_searches():
    model = mlp()
    optimizer = LossSLS(model.parameters(), lr=0.05, n=10, search_every=3)
    seen = []
    for i in range(9):
        step(optimizer, model, i)
        seen.append((optimizer.step_size, optimizer.counts["forward_passes"]))
    sizes, passes = zip(*seen, strict=True)
    assert sizes == pytest.approx([0.05 * 2 ** (0.3 * (1 + i // 3)) for i in range(9)])
    assert passes == (2, 3, 4, 6, 7, 8, 10, 11, 12)
    assert optimizer.counts["searches"] == 3
    assert optimizer.counts["backward_passes"] == 9


# Side effects


def normalised(momentum=0.1):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4, momentum=momentum),
        nn.ReLU(),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Flatten(),
        nn.Linear(64, 8),
        nn.BatchNorm1d(8).eval(),
        nn.Linear(8, 10),
    )


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("preset", ["robust", "thesis"])
def test_running_statistics_move_as_by_one_forward_pass(known, momentum, preset):
    model = normalised(momentum)
    optimizer = SmoothAccuracySLS(
        model.parameters(), lr=50.0, preset=preset, model=model if known else None
    )
    for i in range(4):
        plain = copy.deepcopy(model)
        plain(batch(i)[0])
        identities = [id(b) for b in model.buffers()]
        step(optimizer, model, i)
        assert [id(b) for b in model.buffers()] == identities
        for (name, one), other in zip(model.named_buffers(), plain.buffers(), strict=True):
            assert torch.equal(one, other), name
        assert [m.track_running_stats for m in model.modules() if hasattr(m, "running_mean")] == [
            m.track_running_stats for m in plain.modules() if hasattr(m, "running_mean")
        ]
    assert optimizer.counts["trials"] > 4
    assert not nn.modules.module._global_forward_pre_hooks


def test_trials_normalise_by_the_batch():
    model = fresh("cnn")
    optimizer = LossSLS(model.parameters())
    plain = copy.deepcopy(model)
    step(optimizer, model)
    plain.load_state_dict(
        {n: t for n, t in model.state_dict().items() if n in dict(model.named_parameters())},
        strict=False,
    )
    value = F.cross_entropy(plain(batch(0)[0]), batch(0)[1]).item()
    assert optimizer.last_search.trials[-1][1] == pytest.approx(value, rel=1e-6)


def test_one_dropout_mask_for_all_evaluations_and_one_forward_of_randomness():
    model = fresh("dropout")
    optimizer = SmoothAccuracySLS(model.parameters(), lr=20.0, slope_factor=3.0)
    states = []
    model[3].register_forward_pre_hook(lambda *_: states.append(torch.get_rng_state()))
    torch.manual_seed(5)
    for i in range(3):
        states.clear()
        started = torch.get_rng_state()
        with torch.no_grad():
            copy.deepcopy(model)(batch(i)[0])
        after_one = torch.get_rng_state()
        torch.set_rng_state(started)
        states.clear()
        step(optimizer, model, i)
        assert len(states) >= 3
        assert all(torch.equal(state, started) for state in states)
        assert torch.equal(torch.get_rng_state(), after_one)
        assert not torch.equal(started, after_one)


def test_randomness_of_one_forward_pass_even_if_a_trial_fails():
    model, calls = fresh("dropout"), []
    optimizer = SmoothAccuracySLS(model.parameters())

    def closure():
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return model(batch(0)[0]), batch(0)[1]

    started = torch.get_rng_state()
    model(batch(0)[0])
    after_one = torch.get_rng_state()
    torch.set_rng_state(started)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert torch.equal(torch.get_rng_state(), after_one)


def test_groups_share_the_step_size_and_frozen_parameters_stay():
    model = fresh("mlp")
    model[1].weight.requires_grad_(False)
    unused = nn.Parameter(torch.ones(3))
    before = bits(model)
    optimizer = SmoothAccuracySLS(
        [{"params": model[1].parameters()}, {"params": model[3].weight}], slope="autograd"
    )
    optimizer.add_param_group({"params": [model[3].bias, unused]})
    for i in range(3):
        step(optimizer, model, i)
        assert {group["lr"] for group in optimizer.param_groups} == {optimizer.step_size}
    assert torch.equal(model[1].weight, before["1.weight"])
    assert model[1].weight.grad is None
    assert unused.grad is None
    assert torch.equal(unused, torch.ones(3))
    for name in ("1.bias", "3.weight", "3.bias"):
        assert not torch.equal(model.state_dict()[name], before[name])
    optimizer.add_param_group({"params": nn.Parameter(torch.ones(1))})
    assert optimizer.param_groups[-1]["lr"] == optimizer.step_size


def test_groups_are_the_same_as_one():
    final = []
    for split in (False, True):
        model = fresh("mlp")
        params = [{"params": [p]} for p in model.parameters()] if split else model.parameters()
        optimizer = SmoothAccuracySLS(params)
        for i in range(5):
            step(optimizer, model, i)
        final.append(bits(model))
    assert_equal_bits(*final)


def test_schedulers_write_where_the_next_search_starts():
    model = fresh("mlp")
    optimizer = LossSLS(model.parameters(), lr=0.01, gamma=1.0)
    scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda _: 0.5)
    for i in range(3):
        assert optimizer.step_size == pytest.approx(0.01 * 0.5**i)
        step(optimizer, model, i)
        scheduler.step()


# What is kept


@pytest.mark.parametrize("name", FAMILY)
def test_state_dict_continues_to_the_same_bits(name):
    model = fresh("dropout")
    optimizer = FAMILY[name](model.parameters(), c=0.3, search_every=3)
    for i in range(7):
        step(optimizer, model, i)
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict(), torch.get_rng_state()], file)
    file.seek(0)
    saved, state, generator = torch.load(file, weights_only=True)
    counts = optimizer.counts
    for i in range(7, 14):
        step(optimizer, model, i)

    other = fresh("dropout")
    other.load_state_dict(saved)
    continued = FAMILY[name](other.parameters())
    continued.load_state_dict(state)
    assert continued.counts == counts
    torch.set_rng_state(generator)
    for i in range(7, 14):
        step(continued, other, i)
    assert_equal_bits(bits(model), bits(other))
    assert continued.counts == optimizer.counts
    assert continued.step_size == optimizer.step_size
    assert state["param_groups"][0]["steps"] == 7


def test_copies_go_on_alike():
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters(), model=model)
    step(optimizer, model)
    other, twin = copy.deepcopy((model, optimizer))
    step(optimizer, model, 1)
    step(twin, other, 1)
    assert_equal_bits(bits(model), bits(other))


@pytest.mark.parametrize("around", [True, False])
def test_bfloat16_autocast(around):
    model, seen = fresh("mlp"), []

    def metric(logits, targets):
        seen.append(logits.dtype)
        return -F_per_sample(logits, targets)

    optimizer = SmoothAccuracySLS(model.parameters(), lr=0.5, metric=metric)
    inputs, labels = batch(0)

    def closure():
        with torch.autocast("cpu", torch.bfloat16, enabled=not around):
            return model(inputs), labels

    def outer():
        with torch.autocast("cpu", torch.bfloat16):
            return optimizer.step(lambda: (model(inputs), labels))

    loss = outer() if around else optimizer.step(closure)
    assert loss.dtype == torch.float32
    assert set(seen) == {torch.float32}
    found = optimizer.last_search
    assert found.outcome == "accepted"
    # The weights that autocast has cast are those of the trial, not those of the start.
    with torch.autocast("cpu", torch.bfloat16):
        now = -F.cross_entropy(model(inputs).float(), labels).item()
    assert found.trials[-1][1] == pytest.approx(now, rel=1e-6)
    assert now > found.value


# What is refused


@pytest.mark.parametrize("search_every", [1, 2])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_loss_leaves_the_parameters_alone(bad, search_every):
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters(), search_every=search_every)
    step(optimizer, model)
    before, size = bits(model), optimizer.step_size
    inputs, labels = batch(1)
    refused(
        "the loss is (nan|inf); a step needs it finite",
        lambda: optimizer.step(lambda: (model(inputs * bad), labels)),
    )
    assert_equal_bits(bits(model), before)
    assert optimizer.step_size == size
    assert optimizer.counts["steps"] == 1
    step(optimizer, model, 1)
    assert optimizer.counts["steps"] == 2


def test_non_finite_metric_and_gradient_leave_the_parameters_alone():
    model = fresh("mlp")
    before = bits(model)
    optimizer = LossSLS(model.parameters(), metric=lambda z, t: z.sum(1) * math.nan)
    refused("the metric is nan", lambda: step(optimizer, model))
    # √ has an infinite slope at 0, and 0 · ∞ is no number.
    for slope in ("autograd", "finite-difference"):
        optimizer = LossSLS(
            model.parameters(), loss=lambda z, t: (z.sum(1) * 0).sqrt(), slope=slope
        )
        refused("the slope is nan", partial(step, optimizer, model))
    assert_equal_bits(bits(model), before)


def test_parameters_come_back_when_a_trial_fails():
    model = normalised()
    optimizer = SmoothAccuracySLS(model.parameters(), lr=50.0)
    inputs, labels = batch(0)
    before = [p.detach().clone() for p in model.parameters()]
    for i, fail_at in enumerate((4, 3)):  # the first search makes two evaluations more
        calls = []

        def closure(calls=calls, fail_at=fail_at):
            calls.append(1)
            if len(calls) == fail_at:
                raise KeyboardInterrupt
            return model(inputs), labels

        with pytest.raises(KeyboardInterrupt):
            optimizer.step(closure)
        assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
        assert model[1].track_running_stats
        # Only the gradient's own pass moves the statistics.
        assert model[1].num_batches_tracked.item() == i + 1
        assert not nn.modules.module._global_forward_pre_hooks


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_closure_that_moves_parameters(at):
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters())
    inputs, labels = batch(0)
    calls = []

    def closure():
        calls.append(1)
        logits = model(inputs)
        if len(calls) == at:
            with torch.no_grad():
                model[1].bias.add_(0.1)
        return logits, labels

    before = bits(model)
    refused("the parameters moved while the closure ran", lambda: optimizer.step(closure))
    if at > 3:  # at a trial
        assert_equal_bits(bits(model), before)


def test_closures_that_cannot_be_searched():
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters())
    inputs, labels = batch(0)
    before = bits(model)

    def backward():
        logits = model(inputs)
        F.cross_entropy(logits, labels).backward(retain_graph=True)
        return logits, labels

    refused("the closure is None; give step", lambda: optimizer.step())
    refused("the closure is 3; give step", lambda: optimizer.step(3))
    refused(r"the closure called backward\(\)", lambda: optimizer.step(backward))
    refused("carry no gradient", lambda: optimizer.step(lambda: (model(inputs).detach(), labels)))
    for returned, received in [
        (model(inputs), r"a tensor of shape \(64, 10\)"),
        (model(inputs).mean(), "a scalar tensor"),
        (model(inputs).mean().item(), "a float"),
        (None, "None"),
        (model(inputs).detach().numpy(), "a numpy.ndarray"),
        ({"logits": model(inputs)}, "a dict"),
        ((model(inputs),), r"a tuple of 1 \(a tensor of shape \(64, 10\)\)"),
        ((model(inputs), 3), r"a tuple of 2 \(a tensor of shape \(64, 10\), a int\)"),
        ((model(inputs).detach().numpy(), labels), r"a tuple of 2 \(a numpy.ndarray, a tensor"),
        ([model(inputs), labels, None], r"a list of 3 \(.*, None\)"),
        ((model(inputs), labels[:5]), r"targets \(5,\)"),
        ((model(inputs)[0], labels), r"logits \(10,\)"),
        ((model(inputs), labels[:, None]), r"targets \(64, 1\)"),
        ((model(inputs), labels.float()), "torch.float32"),
        ((model(inputs).argmax(1, keepdim=True), labels), r"\(64, 1\) torch.int64"),
        ((model(inputs)[:0], labels[:0]), r"logits \(0, 10\)"),
    ]:
        refused(
            f"the closure returned .*{received}.*; return a tuple of two tensors, logits",
            lambda returned=returned: optimizer.step(lambda: returned),
        )
    assert_equal_bits(bits(model), before)
    stranger = SmoothAccuracySLS([nn.Parameter(torch.ones(2))])
    refused("none of the optimizer's parameters has a gradient", lambda: step(stranger, model))
    optimizer = LossSLS(model.parameters(), loss=lambda z, t: z)
    refused(r"shape \(64, 10\) for 64 samples", lambda: step(optimizer, model))
    step(SmoothAccuracySLS(model.parameters()), model)


def test_grad_scaler_is_refused_and_does_no_harm():
    model = fresh("mlp")
    optimizer = SmoothAccuracySLS(model.parameters())
    inputs, labels = batch(0)
    scaler = torch.amp.GradScaler("cpu")
    before = bits(model)
    for arguments in ((lambda: (model(inputs), labels),), ()):
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(F.cross_entropy(model(inputs), labels)).backward()
        refused("a GradScaler calls SmoothAccuracySLS", partial(scaler.step, optimizer, *arguments))
    assert_equal_bits(bits(model), before)
    step(optimizer, model)
    off = torch.amp.GradScaler("cpu", enabled=False)
    off.step(optimizer, lambda: (model(inputs), labels))
    assert optimizer.counts["steps"] == 2


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (SmoothAccuracySLS, {"lr": 0}, "lr is 0; give a number above 0"),
        (SmoothAccuracySLS, {"c": 1.5}, "c is 1.5; give a number above 0 and below 1"),
        (SmoothAccuracySLS, {"beta": 1}, "beta is 1; give"),
        (SmoothAccuracySLS, {"gamma": 0.5}, "gamma is 0.5; give"),
        (SmoothAccuracySLS, {"n": 0}, "n is 0; give"),
        (SmoothAccuracySLS, {"eps": -1e-4}, "eps is -0.0001; give"),
        (SmoothAccuracySLS, {"search_every": 0}, "search_every is 0; give"),
        (SmoothAccuracySLS, {"slope": "exact"}, "unknown slope of SmoothAccuracySLS 'exact'"),
        (SmoothAccuracySLS, {"preset": "theses"}, "did you mean 'thesis'"),
        (AccuracySLS, {"slope": "autograd"}, "slope of AccuracySLS 'autograd'.*finite-difference"),
        (SGDArmijo, {"n": 9, "slope": "finite-difference"}, "choose from autograd"),
        (SGDArmijo, {}, "n is None; give SGDArmijo the number of steps per epoch"),
        (LossSLS, {"slope_factor": 2.0}, "slope_factor is 2.0; LossSLS has none"),
    ],
)
def test_settings_out_of_range(cls, settings, message):
    refused(message, lambda: cls(mlp().parameters(), **settings))


def test_a_group_cannot_have_settings_of_its_own():
    groups = [{"params": mlp().parameters(), "lr": 0.1}]
    refused("a parameter group sets lr to 0.1; one search serves", lambda: LossSLS(groups))
