"""What a probe finds by comparing two ways: it measures rightly, or refuses in one line."""

import copy
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import cases, reference
from torch import nn
from torch.nn import functional as F

import landscape
from landscape import statistics
from landscape.errors import DeterminismError, InvalidValueError, SlopeWarning

TRAIN, VALIDATION = cases.digits()
SMALL = {"step_sizes": (-0.1, 0.0, 0.1), "batch_size": 32, "big_batch": 60}
ALONE = {"sets": ("same_batch",), "batch": (TRAIN[0][:32], TRAIN[1][:32])}
POINTS = (-0.1, 0.0, 0.1)


class Wrapped(nn.Module):
    """A linear model whose forward pass is given."""

    def __init__(self, forward, **attributes):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(64, 10)
        self._forward = forward
        vars(self).update(attributes)

    def forward(self, inputs):
        return self._forward(self, inputs)


def plain(model, inputs):
    return model.linear(inputs.flatten(1))


def losses(model, **settings):
    """The losses of the same batch at three points."""
    chosen = {**ALONE, "step_sizes": POINTS, **settings}
    return landscape.probe(model, TRAIN, **chosen).loss.values.ravel()


TRUE = losses(Wrapped(plain))


# Whose memory it is


def halved_in_place(model, inputs):
    return model.linear(inputs.flatten(1).mul_(0.5))


def halved_behind_torch(model, inputs):
    inputs.detach().numpy()[:] *= 0.5
    return model.linear(inputs.flatten(1))


def halved_where_gradients_are_on(model, inputs):
    changed = inputs.mul_(0.5) if torch.is_grad_enabled() else inputs * 0.5
    return model.linear(changed.flatten(1))


@pytest.mark.parametrize(
    "forward", [halved_in_place, halved_behind_torch, halved_where_gradients_are_on]
)
def test_what_is_handed_in_is_not_written_to(forward, tmp_path):
    images, labels = (t.clone() for t in TRAIN)
    validation = np.memmap(tmp_path / "v", "f4", "w+", shape=(100, 1, 8, 8))
    validation[:] = VALIDATION[0][:100].numpy()
    batch = images[:32].clone(), labels[:32].clone()
    found = landscape.probe(
        Wrapped(forward), (images, labels), (validation, VALIDATION[1][:100]), batch=batch, **SMALL
    )
    halved = Wrapped(lambda model, inputs: model.linear(inputs.flatten(1) / 2))
    true = landscape.probe(
        halved, TRAIN, (VALIDATION[0][:100], VALIDATION[1][:100]), batch=batch, **SMALL
    )
    np.testing.assert_allclose(found.loss, true.loss, rtol=1e-6)
    assert torch.equal(images, TRAIN[0])
    assert torch.equal(labels, TRAIN[1])
    assert torch.equal(batch[0], TRAIN[0][:32])
    assert np.array_equal(validation, VALIDATION[0][:100].numpy())


def test_a_model_in_place_under_recalibration():
    def net(first):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), first, nn.BatchNorm1d(64), nn.Linear(64, 10))

    settings = {**SMALL, "batch_norm": dict.fromkeys(("validation", "same_batch"), "recalibrated")}
    signed = (TRAIN[0] - 0.5, TRAIN[1]), (VALIDATION[0] - 0.5, VALIDATION[1])
    found, true = (
        landscape.probe(net(nn.ReLU(inplace=inplace)), *signed, **settings)
        for inplace in (True, False)
    )
    assert found.identical(true)


def test_a_loss_that_writes_to_what_it_is_given():
    def loss(logits, targets):
        values = F.cross_entropy(logits, targets, reduction="none")
        if not torch.is_grad_enabled():  # autograd itself refuses it
            logits.zero_()
            targets.zero_()
        return values

    labels = TRAIN[1].clone()
    settings = {"sets": ("same_batch",), "step_sizes": (0,)}
    batch = TRAIN[0][:32], labels[:32]
    found = landscape.probe(Wrapped(plain), (TRAIN[0], labels), batch=batch, loss=loss, **settings)
    true = landscape.probe(Wrapped(plain), TRAIN, **{**ALONE, **settings})
    assert torch.equal(labels, TRAIN[1])
    for name in ("loss", "accuracy", "smooth_accuracy"):
        np.testing.assert_array_equal(found[name], true[name])


# What moves besides what is moved


def moving(model, inputs):
    """Everything that a forward pass may change in attributes."""
    model.calls += 1
    model.seen.append(model.calls)
    model.means["x"] = model.means["x"] * 0.9 + 0.1
    model.tensor.add_(1)
    model.array += 1
    model.nested[0][0].mul_(2)
    model.late = model.calls
    noise = torch.rand((), generator=model.generator) + model.numbers.random()
    shift = model.calls + len(model.seen) + model.means["x"] + float(model.tensor) + model.array[0]
    return model.linear(inputs.flatten(1)) * (noise + shift + float(model.nested[0][0]))


def test_plain_attributes_are_put_back_before_each_pass_and_at_the_end():
    model = Wrapped(
        moving, calls=0, seen=[], means={"x": 1.0}, tensor=torch.zeros(()), array=np.zeros(1),
        nested=([torch.ones(())],), generator=torch.Generator().manual_seed(1),
        numbers=np.random.default_rng(0),
    )  # fmt: skip
    true = copy.deepcopy(model)
    found = landscape.probe(model, TRAIN, VALIDATION, draws=3, **SMALL)
    at_zero = found.loss.sel(evaluation_set="validation", step_size=0)[0].values
    assert len(set(at_zero)) == 1
    assert (model.calls, model.seen, model.means) == (0, [], {"x": 1.0})
    assert (float(model.tensor), model.array[0], float(model.nested[0][0])) == (0, 0, 1)
    assert not hasattr(model, "late")
    with torch.no_grad():
        loss = F.cross_entropy(model(VALIDATION[0]), VALIDATION[1]).item()
        assert loss == F.cross_entropy(true(VALIDATION[0]), VALIDATION[1]).item()
    np.testing.assert_allclose(at_zero[0], loss, rtol=1e-6)


def test_attributes_are_put_back_after_an_exception():
    def failing(model, inputs):
        model.seen.append(1)
        if len(inputs) == 60:
            raise RuntimeError("no")
        return plain(model, inputs)

    model = Wrapped(failing, seen=[])
    with pytest.raises(InvalidValueError, match="on big batch fails: RuntimeError: no"):
        landscape.probe(model, TRAIN, **SMALL)
    assert model.seen == []


def test_a_state_that_cannot_be_put_back_is_refused():
    state = SimpleNamespace(scale=1.0)

    def forward(model, inputs):
        if torch.is_grad_enabled():
            state.scale *= 1.5
        return plain(model, inputs) * state.scale

    with pytest.raises(DeterminismError, match="keeps a state of its own"):
        losses(Wrapped(forward))


def test_a_buffer_over_a_parameters_memory_moves_along():
    model = Wrapped(plain)
    model.register_buffer("start", model.linear.weight.data)
    model.alias = model.linear.bias.detach()
    np.testing.assert_array_equal(losses(model), TRUE)


@pytest.mark.parametrize("part", ["whole", "transposed", "rows"])
def test_parameters_over_one_memory_are_refused(part):
    model = Wrapped(plain)
    weight = model.linear.weight.data
    shared = {"whole": weight, "transposed": weight.t(), "rows": weight[2:4]}[part]
    model.other = nn.Parameter(shared)
    with pytest.raises(InvalidValueError, match="share memory"):
        losses(model)


def test_a_parameter_used_twice_is_no_two():
    model = Wrapped(plain)
    model.again = model.linear
    np.testing.assert_array_equal(losses(model), TRUE)


def clipped(model, inputs):
    with torch.no_grad():
        model.linear.weight.clamp_(-0.05, 0.05)
    return plain(model, inputs)


def clipped_behind_torch(model, inputs):
    model.linear.weight.data = model.linear.weight.data.clamp(-0.05, 0.05)
    return plain(model, inputs)


def registered_anew(model, inputs):
    model.linear.weight = nn.Parameter(model.linear.weight * 0.5)
    return plain(model, inputs)


@pytest.mark.parametrize("forward", [clipped, clipped_behind_torch, registered_anew])
def test_a_model_that_moves_its_own_parameters_is_refused_and_put_back(forward):
    model = Wrapped(forward)
    weight, values = model.linear.weight, model.linear.weight.detach().clone()
    place = weight.data_ptr()
    with pytest.raises((InvalidValueError, DeterminismError)):
        losses(model)
    assert model.linear.weight is weight
    assert torch.equal(weight, values)
    assert weight.data_ptr() == place


def test_an_embedding_with_max_norm_is_refused():
    torch.manual_seed(0)
    words = torch.randint(20, (300, 5))
    model = nn.Sequential(nn.Embedding(20, 8, max_norm=1.0), nn.Flatten(), nn.Linear(40, 3))
    with pytest.raises((InvalidValueError, DeterminismError), match=r"max_norm|two evaluations"):
        landscape.probe(model, (words, torch.arange(300) % 3), **SMALL)


class Merging(nn.Module):
    """A low-rank addition that eval() merges into the weight, and train() takes out again."""

    def __init__(self, frozen):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(10, 64) / 8, requires_grad=not frozen)
        self.a, self.b = nn.Parameter(torch.randn(10, 2)), nn.Parameter(torch.randn(2, 64) / 8)
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += (self.a @ self.b).detach() * (-1 if mode else 1)
            self.merged = not mode
        return self

    def forward(self, inputs):
        weight = self.weight if self.merged else self.weight + self.a @ self.b
        return inputs.flatten(1) @ weight.t()


def test_a_model_that_merges_weights_is_measured_merged_and_put_back():
    model = Merging(frozen=False)
    true = copy.deepcopy(model).eval()
    before = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        logits = model(TRAIN[0])
    found = losses(model)
    assert model.training
    assert not model.merged
    assert all(map(torch.equal, before, model.parameters()))
    with torch.no_grad():
        assert torch.equal(model(TRAIN[0]), logits)
        at_zero = F.cross_entropy(true(TRAIN[0][:32]), TRAIN[1][:32]).item()
    np.testing.assert_allclose(found[1], at_zero, rtol=1e-6)
    gradient = reference.gradient(true, TRAIN[0][:32], TRAIN[1][:32])
    moved = reference.displaced(true, gradient, 0.1)
    wanted = F.cross_entropy(moved(TRAIN[0][:32].double()), TRAIN[1][:32]).item()
    np.testing.assert_allclose(found[2], wanted, rtol=1e-5)


def test_merged_weights_without_a_gradient_are_refused():
    with pytest.raises(InvalidValueError, match="depends on no parameter with requires_grad"):
        losses(Merging(frozen=True))


def test_weights_that_were_cached_are_refused():
    model = Wrapped(plain)
    cached = [copy.deepcopy(model.linear)]

    def forward(model, inputs):
        layer = model.linear if torch.is_grad_enabled() else cached[0]
        return layer(inputs.flatten(1))

    model._forward = forward
    with pytest.raises(InvalidValueError, match="does not follow its parameters"):
        losses(model)


def test_a_backward_pass_that_is_no_derivative_is_said():
    class Through(torch.autograd.Function):
        @staticmethod
        def forward(_, inputs):
            return inputs.clone()

        @staticmethod
        def backward(_, gradient):
            return 3 * gradient

    with pytest.warns(SlopeWarning, match="is not the derivative of the forward pass"):
        found = losses(Wrapped(lambda model, inputs: Through.apply(plain(model, inputs))))
    assert found[1] == TRUE[1]


# How samples mix


def by_function(model, inputs):
    return F.batch_norm(plain(model, inputs), None, None, training=True) * 3


def centred(model, inputs):
    logits = plain(model, inputs)
    return logits - logits.mean(0) + model.linear.bias


@pytest.mark.parametrize("forward", [by_function, centred])
def test_samples_that_mix_outside_of_a_layer_go_through_the_model_at_once(forward):
    model = Wrapped(forward)
    with torch.no_grad():
        true = F.cross_entropy(model(VALIDATION[0]), VALIDATION[1]).item()
    for size in (None, 10):
        found = landscape.probe(model, TRAIN, VALIDATION, eval_batch_size=size, **SMALL)
        at_zero = found.loss.sel(evaluation_set="validation", step_size=0).item()
        np.testing.assert_allclose(at_zero, true, rtol=1e-5)


class Frozen(nn.Module):
    """Batch norm that the model's own train() leaves in eval mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.last = nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10)
        for _ in range(20):
            self(2 * TRAIN[0][:300] + 1)

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, inputs):
        return self.last(torch.relu(self.norm(self.first(inputs.flatten(1)))))


@pytest.mark.parametrize("how", ["by hand", "own train", "own train, given in eval", "policy"])
def test_frozen_batch_norm_stays_frozen(how):
    model = Frozen()
    settings = {}
    if how == "policy":
        model.train = lambda mode=True: nn.Module.train(model, mode)
        del model.train
        model.__class__ = type("Plain", (Frozen,), {"train": nn.Module.train})
        model.train()
        settings = {"batch_norm": dict.fromkeys(("same_batch", "other_batch"), "running")}
    elif how == "own train, given in eval":
        model.eval()
    else:
        model.train()
    twin = copy.deepcopy(model).eval()
    mean = F.cross_entropy(twin(TRAIN[0][:32]), TRAIN[1][:32])
    gradient = torch.autograd.grad(mean, list(twin.parameters()))
    squared = sum(float(g.double().square().sum()) for g in gradient)
    found = landscape.probe(model, TRAIN, **ALONE, step_sizes=(-1e-3, 0.0, 1e-3), **settings)
    low, middle, high = found.loss.values.ravel()
    np.testing.assert_allclose(middle, mean.item(), rtol=1e-6)
    np.testing.assert_allclose(statistics.gradient_slope(found), -squared, rtol=1e-4)
    np.testing.assert_allclose((high - low) / 2e-3, -squared, rtol=1e-2)
    assert found.attrs["gradient_batch_norm"] == ("running" if how == "policy" else "batch")


# Number types


def test_complex_parameters():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.w = nn.Parameter(torch.randn(64, 8, dtype=torch.complex128))
            self.linear = nn.Linear(8, 10).double()

        def forward(self, inputs):
            return self.linear((inputs.flatten(1).to(self.w.dtype) @ self.w).abs())

    model = Net()
    data = TRAIN[0].double(), TRAIN[1]
    batch = data[0][:32], data[1][:32]
    gradient = torch.autograd.grad(
        F.cross_entropy(model(batch[0]), batch[1]), [*model.parameters()]
    )
    norm = sum(g.abs().square().sum() for g in gradient).sqrt().item()
    for direction, slope in (("gradient", -norm * norm), ("normalised-gradient", -norm)):
        found = landscape.probe(
            model, data, batch=batch, sets=("same_batch",), step_sizes=(-1e-6, 0, 1e-6),
            direction=direction,
        )  # fmt: skip
        low, _, high = found.loss.values.ravel()
        np.testing.assert_allclose(found.gradient_norm, norm, rtol=1e-12)
        np.testing.assert_allclose((high - low) / 2e-6, slope, rtol=1e-5)
        np.testing.assert_allclose(found.direction_slope, slope, rtol=1e-12)


def test_a_sparse_gradient_is_the_dense_one():
    words, labels = torch.randint(50, (300, 5)), torch.arange(300) % 3

    def net(sparse):
        torch.manual_seed(0)
        return nn.Sequential(nn.EmbeddingBag(50, 8, sparse=sparse), nn.Linear(8, 3))

    one, other = (landscape.probe(net(s), (words, labels), **SMALL) for s in (True, False))
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-6)
    np.testing.assert_allclose(one.gradient_norm, other.gradient_norm, rtol=1e-6)


@pytest.mark.parametrize("source", [random.random, np.random.random_sample])
def test_masks_of_pythons_and_numpys_generators(source):
    def forward(model, inputs):
        kept = 0.0 if model.training and source() < 0.5 else 1.0
        return plain(model, inputs) * (1 + kept)

    for seed in range(6):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 -- what such models draw from
        steps = np.linspace(-1e-6, 1e-6, 9)
        found = losses(Wrapped(forward), dropout=True, step_sizes=steps, batch_norm={})
        assert np.ptp(found) < 1e-4


@pytest.mark.parametrize("source", [random.random, lambda: torch.rand(()).item()])
@pytest.mark.parametrize("chance", [0.0, 0.1])
def test_a_model_that_draws_where_dropout_is_off(source, chance):
    """A layer that is left out one time in ten is found, though two passes mostly agree."""

    def forward(model, inputs):
        return plain(model, inputs) * (2.0 if source() < chance else 1.0)

    refused = 0
    for seed in range(5):
        random.seed(seed)
        torch.manual_seed(seed)
        model = Wrapped(forward)
        try:
            found = losses(model)
        except DeterminismError:
            refused += 1
        else:
            np.testing.assert_allclose(found, TRUE, rtol=1e-5)
    assert refused >= 4 if chance else refused == 0


def test_requires_grad_and_grad_are_put_back():
    def forward(model, inputs):
        model.linear.bias.requires_grad_(False)
        logits = plain(model, inputs)
        if torch.is_grad_enabled():
            logits.sum().backward(retain_graph=True)
        return logits

    model = Wrapped(forward)
    losses(model)
    assert model.linear.bias.requires_grad
    assert model.linear.weight.grad is None


# Whose step


class OwnAttributes(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.rates = [group["lr"] for group in self.param_groups]
        self.by_place = {id(p): 1.0 for group in self.param_groups for p in group["params"]}

    @torch.no_grad()
    def step(self, closure=None):
        for group, rate in zip(self.param_groups, self.rates, strict=True):
            for p in group["params"]:
                self.by_place[id(p)] += 1
                p.sub_(rate * p.grad)


def insists(error):
    class Insists(OwnAttributes):
        def step(self, closure=None):
            if closure is None:
                raise error("give a closure")

    return Insists


def test_an_optimizer_steps_with_all_it_has():
    model = Wrapped(plain)
    settings = {"origin": "after-step", "step_sizes": (0.0,)}
    optimizer = OwnAttributes(model.parameters(), 0.5)
    before = [p.detach().clone() for p in model.parameters()]
    found = losses(model, optimizer=optimizer, **settings)
    true = losses(model, learning_rate=0.5, **settings)
    np.testing.assert_allclose(found, true, rtol=1e-6)
    assert set(optimizer.by_place.values()) == {1.0}
    assert all(map(torch.equal, before, model.parameters()))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("error", [TypeError, AssertionError, RuntimeError, ValueError])
def test_an_optimizer_that_insists_on_a_closure_is_refused(error):
    model = Wrapped(plain)
    with pytest.raises(InvalidValueError, match="'before-step' if it needs a closure"):
        losses(model, optimizer=insists(error)(model.parameters(), 0.5), origin="after-step")


@pytest.mark.parametrize("also_own", [False, True])
def test_the_optimizer_of_another_model_is_refused(also_own):
    model = Wrapped(plain)
    held = [*copy.deepcopy(model).parameters(), *(model.parameters() if also_own else ())]
    with pytest.raises(InvalidValueError, match="are not the model's"):
        losses(model, optimizer=torch.optim.SGD(held, lr=0.1), origin="after-step")


# What the loss's mean is


class Divided(nn.Module):
    """A mean over something of its own."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits, targets):
        values = F.cross_entropy(logits, targets, reduction="none")
        return values.sum() / 128 if self.reduction == "mean" else values


class Balanced(nn.CrossEntropyLoss):
    """Class weights under a name of its own."""

    def __init__(self):
        super().__init__()
        self.balance = torch.linspace(0.5, 2, 10)

    def forward(self, logits, targets):
        return F.cross_entropy(logits, targets, self.balance, reduction=self.reduction)


@pytest.mark.parametrize("loss", [Divided(), Balanced()])
def test_a_mean_that_is_of_no_values_is_refused(loss):
    ones = TRAIN[1] == 1  # a batch that does not show it by itself
    batch = TRAIN[0][ones][:32], TRAIN[1][ones][:32]
    with pytest.raises(InvalidValueError, match="where the mean of its values is"):
        losses(Wrapped(plain), loss=loss, batch=batch)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(label_smoothing=0.1), nn.MultiMarginLoss()])
def test_a_mean_over_the_samples_is_taken(loss):
    model = Wrapped(plain)
    with torch.no_grad():
        true = loss(model(TRAIN[0][:32]), TRAIN[1][:32]).item()
    np.testing.assert_allclose(losses(model, loss=loss)[1], true, rtol=1e-6)
