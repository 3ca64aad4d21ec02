"""Whatever the model, the data and the loss: right values, the right slope, and nothing changed.

``pytest tests/probing/test_properties.py -m long`` tries 2,000 of them.
"""

import copy
import functools
import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import landscape
from landscape.errors import InvalidValueError

FEATURES, CLASSES, SAMPLES = 12, 3, 60
POLICIES = ("batch", "running")


class Counting(nn.Module):
    """A state in plain attributes, which moves at each pass and shifts what comes out."""

    def __init__(self):
        super().__init__()
        self.calls, self.mean, self.seen = 0, torch.zeros(FEATURES), []

    def forward(self, inputs):
        self.calls += 1
        self.mean = 0.9 * self.mean + 0.1 * inputs.detach().mean(0)
        self.seen.append(self.calls)
        return inputs + 0.01 * self.calls


class Whitened(nn.Module):
    """Batch statistics without a layer that says so."""

    def forward(self, inputs):
        return (inputs - inputs.mean(0)) / (inputs.var(0, unbiased=False) + 0.1).sqrt()


class Shared(nn.Module):
    """One layer used twice, and a buffer that lies over its weight."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(FEATURES, FEATURES)
        self.register_buffer("start", self.layer.weight.data)

    def forward(self, inputs):
        return self.layer(torch.tanh(self.layer(inputs)))


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(FEATURES, FEATURES, dtype=torch.complex64) / 3)

    def forward(self, inputs):
        return (inputs.to(torch.complex128) @ self.w.to(torch.complex128)).real


class Partly(nn.Module):
    """A layer of which only a part has a gradient, and one that the loss does not reach."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(FEATURES, FEATURES), nn.Linear(2, 2)
        self.used.bias.requires_grad_(False)

    def forward(self, inputs):
        return self.used(inputs)


LAYERS = {
    "linear": lambda: nn.Linear(FEATURES, FEATURES),
    "tanh": nn.Tanh,
    "relu in place": lambda: nn.ReLU(inplace=True),
    "softplus": nn.Softplus,
    "batch norm": lambda: nn.BatchNorm1d(FEATURES),
    "batch norm without statistics": lambda: nn.BatchNorm1d(FEATURES, track_running_stats=False),
    "layer norm": lambda: nn.LayerNorm(FEATURES),
    "dropout": lambda: nn.Dropout(0.3),
    "counting": Counting,
    "whitened": Whitened,
    "shared": Shared,
    "complex": Complex,
    "partly": Partly,
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(FEATURES, FEATURES)),
}
LOSSES = {
    "cross-entropy": None,
    "module": nn.CrossEntropyLoss(),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.2),
    "margin": nn.MultiMarginLoss(p=2),
    "function": lambda z, y: F.cross_entropy(z, y, reduction="none").square(),
}
FORMS = ("tensors", "strided", "dataset", "loader")

examples = st.fixed_dictionaries(
    {
        "layers": st.lists(st.sampled_from(sorted(LAYERS)), min_size=0, max_size=4),
        "loss": st.sampled_from(sorted(LOSSES)),
        "form": st.sampled_from(FORMS),
        "policy": st.sampled_from(POLICIES),
        "direction": st.sampled_from(["gradient", "normalised-gradient"]),
        "training": st.booleans(),
        "frozen": st.booleans(),
        "chunk": st.sampled_from([None, 5, 17]),
        "seed": st.integers(0, 10_000),
    }
)


def network(example):
    torch.manual_seed(example["seed"])
    model = nn.Sequential(*(LAYERS[n]() for n in example["layers"]), nn.Linear(FEATURES, CLASSES))
    model = model.double()
    with torch.no_grad():
        model(torch.randn(40, FEATURES, dtype=torch.float64))
    model.train(example["training"])
    if example["frozen"] and example["training"]:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
    return model


def data(example, offset):
    generator = torch.Generator().manual_seed(example["seed"] + offset)
    inputs = torch.randn(SAMPLES, FEATURES, dtype=torch.float64, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    return inputs, labels


def given_as(form, inputs, labels):
    if form == "strided":
        return inputs.repeat_interleave(2, 1)[:, ::2], labels.repeat_interleave(3)[::3]
    if form == "tensors":
        return inputs, labels
    dataset = torch.utils.data.TensorDataset(inputs, labels)
    pairs = torch.utils.data.Subset(dataset, range(SAMPLES))
    return pairs if form == "dataset" else torch.utils.data.DataLoader(pairs, batch_size=7)


def generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002


def state(model):
    """All that a model holds, as plain values."""
    tensors = {
        n: t.detach().clone() for n, t in [*model.named_parameters(), *model.named_buffers()]
    }
    counters = [
        (m.calls, m.mean.clone(), list(m.seen)) for m in model.modules() if isinstance(m, Counting)
    ]
    grads = [p.grad for p in model.parameters()], [p.requires_grad for p in model.parameters()]
    return tensors, counters, [m.training for m in model.modules()], grads


def assert_same(before, after):
    for name, tensor in before[0].items():
        assert torch.equal(tensor, after[0][name]), name
    for (calls, mean, seen), (calls_, mean_, seen_) in zip(before[1], after[1], strict=True):
        assert (calls, seen) == (calls_, seen_)
        assert torch.equal(mean, mean_)
    assert before[2:] == after[2:]


def reference(model, example, policy):
    """A copy in the mode that the policy means, which starts each pass from the same state."""
    twin = copy.deepcopy(model).eval()
    if policy == "batch":
        for one, other in zip(model.modules(), twin.modules(), strict=True):
            frozen = example["training"] and not one.training
            if isinstance(other, nn.BatchNorm1d) and not frozen:
                other.train()
    return twin


def mean_loss(loss, twin, inputs, labels):
    logits = copy.deepcopy(twin)(inputs.clone())
    return (loss or nn.CrossEntropyLoss())(logits, labels).mean()


def check(example):
    torch.manual_seed(example["seed"])
    model, loss = network(example), LOSSES[example["loss"]]
    train, validation = data(example, 1), data(example, 2)
    batch = train[0][:20].clone(), train[1][:20].clone()
    copies = [t.clone() for t in (*train, *validation, *batch)]
    before, drawn = state(model), generators()
    policies = dict.fromkeys(("same_batch", "other_batch", "big_batch"), example["policy"])
    known = {} if loss is None else {"loss": loss}
    step = 1e-5
    twin = reference(model, example, example["policy"])
    moved = {n: p for n, p in twin.named_parameters() if p.requires_grad}
    try:
        mean = loss_gradient(loss, twin, batch, moved)
    except RuntimeError:  # torch's own: a layer in place after one that needs its output
        mean = None
    probe = functools.partial(
        landscape.probe,
        model,
        given_as(example["form"], *train),
        given_as(example["form"], *validation),
        batch=batch,
        sets=("same_batch", "validation"),
        step_sizes=(-step, 0.0, step, 0.3),
        direction=example["direction"],
        eval_batch_size=example["chunk"],
        batch_norm=policies,
        **known,
    )
    if mean is None:
        with pytest.raises(InvalidValueError, match="gradient of the loss fails"):
            probe()
    else:
        found = probe()
    # Nothing has changed.
    assert_same(before, state(model))
    for one, other in zip(copies, (*train, *validation, *batch), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(drawn, generators(), strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    if mean is None:
        return
    # The gradient, its norm and the slope.
    norm = float(sum(g.abs().double().square().sum() for g in mean.values())) ** 0.5
    np.testing.assert_allclose(found.gradient_norm.item(), norm, rtol=1e-5, atol=1e-12)
    scale = 1.0 if example["direction"] == "gradient" else norm
    # The values.
    for size in (0.0, 0.3):
        for name, (inputs, labels), policy in (
            ("same_batch", batch, example["policy"]),
            ("validation", validation, "running"),
        ):
            there = reference(model, example, policy)
            with torch.no_grad():
                for parameter, g in zip(named(there, mean), mean.values(), strict=True):
                    parameter -= size * g / scale
                wanted = mean_loss(loss, there, inputs, labels).item()
            value = found.loss.sel(evaluation_set=name, step_size=size).item()
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-9, err_msg=name)
    # The slope is that of the slice.
    low, _, high, _ = found.loss.sel(evaluation_set="same_batch").values.ravel()
    slope = landscape.statistics.gradient_slope(found).item()
    np.testing.assert_allclose(slope, -norm * norm / scale, rtol=1e-5, atol=1e-12)
    if "relu in place" not in example["layers"]:  # of which a kink may lie within the difference
        tolerance = 1e-2 * abs(slope) + 1e-6
        np.testing.assert_allclose((high - low) / (2 * step), slope, rtol=0, atol=tolerance)


def named(model, gradients):
    parameters = dict(model.named_parameters())
    return [parameters[name] for name in gradients]


def loss_gradient(loss, twin, batch, moved):
    fresh = copy.deepcopy(twin)
    own = {n: p for n, p in fresh.named_parameters() if n in moved}
    value = (loss or nn.CrossEntropyLoss())(fresh(batch[0].clone()), batch[1]).mean()
    found = torch.autograd.grad(
        value, list(own.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(own, found, strict=True))


RUN = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.mark.filterwarnings("ignore::landscape.errors.SlopeWarning")
@given(examples)
@settings(max_examples=100, **RUN)
def test_any_model(example):
    check(example)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::landscape.errors.SlopeWarning")
@given(examples)
@settings(max_examples=2000, **RUN | {"derandomize": False})
def test_any_of_2000_models(example):
    check(example)
