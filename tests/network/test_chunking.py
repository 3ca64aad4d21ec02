import math

import pytest
import torch
import xarray as xr
from helpers import cases
from torch import nn

from landscape.data import as_data
from landscape.errors import InvalidValueError, TooLargeError
from landscape.network.chunking import EvalBatchSize, fitting
from landscape.network.forward import Forward
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings
from landscape.tasks import models

TRAIN, VALIDATION = cases.digits()
SMALL = {"step_sizes": (0.0, 0.1), "batch_size": 32, "big_batch": 60}
VALIDATION_ONLY = {**SMALL, "sets": ["validation"]}


def small(model, most):
    """``model`` on a device that has room for ``most`` samples; and the sizes it was given."""
    sizes = []

    def refuse(_, args):
        sizes.append(len(args[0]))
        if len(args[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model[0].register_forward_pre_hook(refuse)
    return sizes


def prober(**settings):
    return Prober(as_data(TRAIN), as_data(VALIDATION), ProbeSettings(**settings))


def test_what_does_not_fit_is_halved_and_measured_all_the_same():
    model = cases.fresh("mlp").double()
    train, validation = ((x.double(), y) for x, y in (TRAIN, VALIDATION))
    settings = ProbeSettings(**SMALL, eval_batch_size=300)
    whole = Prober(as_data(train), as_data(validation), settings)(model)
    sizes = small(model, 70)
    halving = Prober(as_data(train), as_data(validation), settings)
    parts = halving(model)
    xr.testing.assert_allclose(whole.to_dataset(), parts.to_dataset(), rtol=1e-12)
    assert [s for s in sizes if s > 70] == [300, 150, 75]  # once each, and not at the next point
    assert 37 in sizes
    sizes.clear()
    halving(model, iteration=1)
    assert max(sizes) == 37  # nor at the next checkpoint
    # What was asked for stays recorded.
    assert halving.settings.eval_batch_size == 300


def test_too_few_samples_are_halved_from_what_was_tried():
    """Not from a chunk far above, step by step."""
    model = cases.fresh("mlp")
    sizes = small(model, 200)
    prober(**VALIDATION_ONLY, eval_batch_size=100_000)(model)
    assert [s for s in sizes if s > 200] == [len(VALIDATION[1])]


@pytest.mark.parametrize(
    ("name", "most", "settings", "message"),
    [
        ("cnn", 40, {}, "60 samples of big batch do not fit .* batch statistics need them at once"),
        ("mlp", 20, {}, "32 samples of same batch do not fit .* of cpu, and the gradient needs"),
        ("dropout", 40, {"dropout": True}, "60 samples of big batch .* the dropout mask goes over"),
    ],
)
def test_what_must_go_whole_says_so(name, most, settings, message):
    model = cases.fresh(name)
    left, count = most, [0]

    def refuse(module, args):
        # The check of the labels is made without a gradient, and takes less.
        if len(args[0]) > left and (torch.is_grad_enabled() or len(args[0]) > 32):
            count[0] += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model[0].register_forward_pre_hook(refuse)
    before = cases.state(model)
    with pytest.raises(TooLargeError, match=message):
        prober(**SMALL, **settings)(model)
    assert count == [1]
    cases.assert_same_state(before, cases.state(model))


def test_one_sample_cannot_be_halved():
    model = cases.fresh("mlp")
    small(model, 40)
    model[0].register_forward_pre_hook(lambda m, a: full(a[0]))
    with pytest.raises(InvalidValueError, match="the model or its loss on validation fails: OutOf"):
        prober(**VALIDATION_ONLY)(model)


def full(inputs):
    if len(inputs) not in (2, 4, 32):
        raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize(
    ("model", "inputs", "size"),
    [
        (nn.Linear(4, 2), torch.zeros(3, 4), 1000),
        (nn.Linear(4, 1000), torch.zeros(1, 4), 1000),  # 4 kB a sample; its weights do not count
        (nn.Linear(4, 5000), torch.zeros(3, 4), 256),  # 20 kB
        (nn.Flatten(), torch.zeros(1, 3, 224, 224), 8),  # the images themselves are 600 kB
        (models.resnet20(), torch.zeros(2, 3, 32, 32), 128),
        (models.resnet34(), torch.zeros(2, 3, 32, 32), 32),
        (models.densenet121(), torch.zeros(2, 3, 32, 32), 8),  # of a concatenation
    ],
)
def test_open_on_the_cpu_is_what_stays_in_the_caches(model, inputs, size):
    model.eval()
    before = cases.state(model)
    with torch.no_grad():
        assert EvalBatchSize().choose(Forward(model), inputs) == size
        assert EvalBatchSize(7).choose(Forward(model), inputs) == 7
    cases.assert_same_state(before, cases.state(model))


def test_a_compiled_network_is_measured_too():
    network, inputs = nn.Sequential(nn.Linear(4, 5000), nn.ReLU()), torch.zeros(3, 4)
    with torch.no_grad():
        assert (
            EvalBatchSize().choose(Forward(torch.compile(network, backend="eager")), inputs) == 256
        )


@pytest.mark.parametrize("width", [1300, 1301, 4096])
def test_weights_of_any_size_do_not_count(width):
    network = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 2000))
    size = 1000 if width < 2000 else 512
    with torch.no_grad():
        assert EvalBatchSize().choose(Forward(network), torch.zeros(50, 64)) == size


class Sparse(nn.Linear):
    def forward(self, inputs):
        return torch.sparse.mm(inputs.to_sparse(), self.weight.T)


class Pairs(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs.view(len(inputs) // 6, 6, -1)).flatten(0, 1)


def test_a_network_that_does_not_bear_it_has_the_most():
    whole = torch.compile(nn.Linear(4, 5000), backend="eager", fullgraph=True)
    for network in (Sparse(4, 2), Pairs(4, 2), whole):
        with torch.no_grad():
            assert EvalBatchSize().choose(Forward(network), torch.rand(12, 4)) == 1000
            network(torch.rand(12, 4))


def test_every_slice_is_run_once():
    eval_batch_size, seen = EvalBatchSize(4), []
    eval_batch_size.over(10, lambda part: seen.extend(range(part.start, part.stop)))
    assert seen == list(range(10))


def test_down_to_one_sample_at_a_time():
    seen = []

    def run(part):
        if part.stop - part.start > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        seen.append(part.start)

    EvalBatchSize(8).over(10, run)
    assert seen == list(range(10))


def test_open_is_recorded_as_open():
    assert ProbeSettings().eval_batch_size is None
    assert ProbeSettings(dropout=True).eval_batch_size == 1000  # the masks depend on it


@pytest.mark.parametrize(
    ("room", "each", "expected"),
    [
        (40e9, 2e6, 8192),  # no more than is of use
        (4e9, 2e6, 1024),
        (4.096e9, 2e6, 2048),
        (1e6, 1e9, 1),
        (1e9, 0, 8192),
    ],
)
def test_the_fitting_size(room, each, expected):
    found = fitting(room, each, 8192)
    assert found == expected
    assert math.log2(found).is_integer()
    assert found == 1 or found * each <= room


class OnGpu(torch.Tensor):
    """On the CPU, and says otherwise."""

    device = torch.device("cuda")


def test_the_fitting_size_is_measured(monkeypatch):
    """A small pass that takes 10 kB a sample, with 2 MB free and 1 MB that is held and unused."""
    allocated = {"now": 500_000}
    model = nn.Linear(4, 2)
    model.register_forward_hook(lambda _, args, __: allocated.update(peak=len(args[0]) * 10_000))
    fake = {
        "memory_allocated": lambda _: allocated["now"],
        "reset_peak_memory_stats": lambda _: None,
        "max_memory_allocated": lambda _: allocated["now"] + allocated["peak"],
        "memory_reserved": lambda _: allocated["now"] + 1_000_000,
        "mem_get_info": lambda _: (2_000_000, 80_000_000),
    }
    for name, function in fake.items():
        monkeypatch.setattr(torch.cuda, name, function)
    inputs = torch.rand(1000, 4).as_subclass(OnGpu)
    assert EvalBatchSize().choose(Forward(model), inputs) == 128  # ≤ 3 MB / 2 / 10 kB
    small([model], 40)  # even the small pass is too large
    assert EvalBatchSize().choose(Forward(model), inputs) == 32
