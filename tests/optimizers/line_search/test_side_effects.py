"""Every evaluation of a step starts from one state, whatever moves it; what does not is refused."""

import copy
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import DeterminismError
from landscape.optimizers.line_search.sls import LossSLS, SmoothAccuracySLS

INPUTS = torch.randn(60, 6, generator=torch.Generator().manual_seed(1))
TARGETS = torch.arange(60) % 3


class Renorm(nn.Module):
    """Batch norm of a class of its own, whose running mean takes part in what it gives."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if self.training:
            self.mean.lerp_(x.detach().mean(0), 0.1)
            self.count = self.count + 1  # another tensor each time
        return x - self.mean


def net(*middle, head=True):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Tanh(), nn.Linear(8, 3))


def script(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        return torch.jit.script(module)


def forms():
    """(what is run, the modules whose state it is), by name."""
    found = {}
    for name, make in {
        "batch norm": lambda: net(nn.BatchNorm1d(8)),
        "cumulative": lambda: net(nn.BatchNorm1d(8, momentum=None)),
        "own class": lambda: net(Renorm()),
        "spectral norm": lambda: net(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))),
        "scripted": lambda: script(net(nn.BatchNorm1d(8))),
        "script inside": lambda: net(script(nn.Sequential(nn.BatchNorm1d(8), nn.ReLU()))),
    }.items():
        model = make().train()
        found[name] = (model, model)
    model = net(nn.BatchNorm1d(8))
    found["compiled"] = (torch.compile(model, backend="eager"), model)
    model = net(nn.BatchNorm1d(8))
    found["compiled function"] = (torch.compile(lambda x, m=model: m(x), backend="eager"), model)
    return found


@pytest.mark.parametrize("name", forms())
@pytest.mark.parametrize(("kind", "given"), [(SmoothAccuracySLS, False), (LossSLS, True)])
def test_buffers_move_as_by_the_gradients_pass_alone(name, kind, given):
    run, model = forms()[name]
    optimizer = kind(model.parameters(), lr=20.0, model=model if given else None)
    for _ in range(3):
        plain = copy.deepcopy(model)
        plain(INPUTS)
        identities = [id(b) for b in model.buffers()]
        optimizer.step(lambda: (run(INPUTS), TARGETS))
        for (label, one), other in zip(model.named_buffers(), plain.buffers(), strict=True):
            assert torch.equal(one, other), label
        if name != "own class":  # which replaces one in each pass
            assert [id(b) for b in model.buffers()] == identities
    assert optimizer.counts["trials"] > 3
    assert not nn.modules.module._global_forward_pre_hooks


def test_trials_see_the_buffers_of_the_gradients_pass():
    model = net(Renorm()).double()
    optimizer = LossSLS(model.parameters(), lr=3.0)
    inputs = INPUTS.double()
    for _ in range(4):
        start = copy.deepcopy(model)
        optimizer.step(lambda: (model(inputs), TARGETS))
        found = optimizer.last_search
        # At each trial, from the buffers that the step started with.
        gradients = [p.grad for p in model.parameters()]
        for step_size, value in found.trials:
            other = copy.deepcopy(start)
            with torch.no_grad():
                for p, g in zip(other.parameters(), gradients, strict=True):
                    p.sub_(step_size * g)
                expected = F.cross_entropy(other(inputs), TARGETS).item()
            assert value == pytest.approx(expected, rel=1e-12)


def test_layers_that_thaw_later_are_watched_anew():
    model = net(nn.BatchNorm1d(8))
    optimizer = SmoothAccuracySLS(model.parameters())
    for i in range(6):
        model.train(i >= 2)
        optimizer.step(lambda: (model(INPUTS), TARGETS))
    assert model[1].num_batches_tracked.item() == 4


class Masked(nn.Module):
    def __init__(self, draw):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 3)
        self.draw = draw

    def forward(self, x):
        for layer in self.layers:
            if self.draw() > 0.3:
                x = x + torch.tanh(layer(x))
        return self.head(x)


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        lambda: random.gauss(0.5, 0.3),
        np.random.rand,
        lambda: np.random.standard_normal() + 0.5,  # noqa: NPY002
        lambda: torch.rand(()).item(),
    ],
)
def test_masks_of_any_global_generator_are_one_for_a_step(draw):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 -- users' masks draw from it
    torch.manual_seed(3)
    model = Masked(draw).double()
    optimizer = LossSLS(model.parameters(), lr=0.01, slope="finite-difference", eps=1e-6)
    inputs = INPUTS.double()
    masks = set()
    for _ in range(8):
        optimizer.step(lambda: (model(inputs), TARGETS))
        # Another mask would be another function, and its difference no slope.
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        squared = sum(g.square().sum().item() for g in gradients)
        assert optimizer.last_search.slope == pytest.approx(squared, rel=1e-3)
        masks.add(tuple(p.grad is None for p in model.parameters()))
    assert len(masks) > 1


def test_the_generators_end_where_one_forward_pass_leaves_them():
    model = Masked(random.random)
    random.seed(5)
    model(INPUTS)
    expected = random.getstate()
    random.seed(5)
    SmoothAccuracySLS(model.parameters()).step(lambda: (model(INPUTS), TARGETS))
    assert random.getstate() == expected


def in_place(inputs):
    model = net().double()
    return lambda: (model(inputs.mul_(1.1)), TARGETS), model


def through_data(inputs):
    model = net().double()

    def closure():
        inputs.data += 0.1  # leaves no trace in the version
        return model(inputs), TARGETS

    return closure, model


def other_batch(inputs):
    model = net().double()
    batches = iter(inputs.split(10) * 9)
    return lambda: (model(next(batches)), TARGETS[:10]), model


def smaller_batch(inputs):
    model = net().double()
    sizes = iter(range(60, 0, -5))
    return lambda: (lambda n: (model(inputs[:n]), TARGETS[:n]))(next(sizes)), model


def own_generator(inputs):
    model, generator = net().double(), np.random.default_rng(0)
    return lambda: (model(inputs + torch.from_numpy(generator.normal(size=6))), TARGETS), model


def state_in_an_attribute(inputs):
    model = net().double()
    model.shift = torch.zeros(6)

    def closure():
        model.shift = model.shift + 0.01
        return model(inputs + model.shift), TARGETS

    return closure, model


def another_function_without_gradients(inputs):
    model = net().double()
    return lambda: (model(inputs * (1.5 if torch.is_grad_enabled() else 1)), TARGETS), model


CHANGING = [
    in_place,
    through_data,
    other_batch,
    smaller_batch,
    own_generator,
    state_in_an_attribute,
]


@pytest.mark.parametrize(
    ("make", "elsewhere"),
    [
        *[(make, elsewhere) for make in CHANGING for elsewhere in (True, False)],
        (another_function_without_gradients, False),  # a search closure never has them
    ],
)
def test_closures_that_do_not_repeat_are_refused_each_time(make, elsewhere):
    inputs = INPUTS.double()
    closure, model = make(inputs)
    optimizer = SmoothAccuracySLS(model.parameters())
    before = [p.detach().clone() for p in model.parameters()]
    still = lambda: (model(INPUTS.double()), TARGETS)  # noqa: E731
    for _ in range(2):
        with pytest.raises(DeterminismError, match=r"^two evaluations .* other|different") as error:
            optimizer.step(*((still, closure) if elsewhere else (closure,)))
        assert "\n" not in str(error.value)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    assert optimizer.counts["steps"] == 0
    # The same optimizer takes a closure that repeats.
    optimizer.step(still)
    assert optimizer.last_search.outcome == "accepted"


def test_rounding_and_infinite_logits_repeat():
    model, noise = net(), iter([0.0, 1e-7, -1e-7, 1e-7] * 9)
    masked = torch.tensor([0.0, 0.0, 0.0, -torch.inf])

    def closure():
        logits = model(INPUTS) * (1 + next(noise))
        return torch.cat([logits, logits[:, :1]], 1) + masked, TARGETS

    optimizer = LossSLS(model.parameters())
    optimizer.step(closure)
    assert optimizer.last_search.outcome == "accepted"


def test_a_compiled_model_is_compiled_for_the_first_step_alone():
    graphs = []

    def backend(module, _):
        graphs.append(1)
        return module.forward

    torch._dynamo.reset()
    model = net(nn.BatchNorm1d(8))
    compiled = torch.compile(model, backend=backend)
    optimizer = SmoothAccuracySLS(model.parameters())
    seen = []
    for _ in range(6):
        optimizer.step(lambda: (compiled(INPUTS), TARGETS))
        seen.append(len(graphs))
    assert len(set(seen)) == 1
    assert seen[0] <= 2  # with and without gradients


def test_a_continued_search_watches_anew_and_ends_at_the_same_bits():
    finals = []
    for cut in (False, True):
        random.seed(1)
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), Masked(random.random))
        optimizer = SmoothAccuracySLS(model.parameters())
        for i in range(6):
            if cut and i == 3:
                state, optimizer = optimizer.state_dict(), SmoothAccuracySLS(model.parameters())
                optimizer.load_state_dict(state)
            optimizer.step(lambda model=model: (model(INPUTS), TARGETS))
        finals.append((model.state_dict(), optimizer.counts, random.getstate()))
    assert finals[0][1:] == finals[1][1:]
    assert all(torch.equal(a, b) for a, b in zip(*(f[0].values() for f in finals), strict=True))
