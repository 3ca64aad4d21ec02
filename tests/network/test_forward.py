import copy
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import cases
from helpers import training as training_cases
from torch import nn

from landscape.data import as_data
from landscape.errors import CheckpointError, InvalidValueError
from landscape.network import forward as forward_module
from landscape.network.forward import Forward, check_precision, float32_products
from landscape.optimizers.line_search.sls import SmoothAccuracySLS
from landscape.probing import Prober, probe
from landscape.probing.settings import ProbeSettings
from landscape.tasks import load_task
from landscape.tasks.task import as_task
from landscape.training import Training, TrainingSettings
from landscape.training.checkpoints import Checkpoint

TRAIN, VALIDATION = cases.digits()
IMAGES = TRAIN[0][:64]
SMALL = {"step_sizes": (-0.5, 0.0, 0.1, 1.0), "batch_size": 32, "big_batch": 60}
CPU = torch.device("cpu")


@pytest.fixture
def traced(monkeypatch):
    """Traced and guarded as for any backend, but without the C++ compiler, which takes minutes."""
    monkeypatch.setattr(forward_module, "BACKEND", "eager")


# Precision


def global_settings():
    backends = torch.backends
    parts = (backends, backends.cudnn, backends.cuda.matmul, backends.cudnn.conv)
    parts += (backends.cudnn.rnn, backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn)
    return [part.fp32_precision for part in parts]


@pytest.fixture
def torchs_settings():
    """torch's own settings, put back whatever a test does to them."""
    with float32_products("ieee"):
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True
        yield


def everywhere():
    torch.backends.fp32_precision = "tf32"


def matmul():
    torch.backends.cuda.matmul.fp32_precision = "tf32"


@pytest.mark.parametrize(
    "asked",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
        everywhere,
        matmul,
    ],
)
@pytest.mark.parametrize("rounding", ["ieee", "tf32"])
@pytest.mark.usefixtures("torchs_settings")
def test_float32_is_float32_whatever_the_caller_has_set_and_keeps(asked, rounding):
    asked()
    before = global_settings()
    with suppress(KeyboardInterrupt), float32_products(rounding):
        assert set(global_settings()[2:]) == {rounding}
        # Both can be read: where old and new settings disagree, torch raises.
        assert torch.backends.cuda.matmul.allow_tf32 == (rounding == "tf32")
        assert torch.backends.cudnn.allow_tf32 == (rounding == "tf32")
        raise KeyboardInterrupt
    assert global_settings() == before


@pytest.mark.usefixtures("torchs_settings")
def test_a_part_that_said_nothing_says_nothing_again():
    """Else a caller's later setting of the whole would not reach it."""
    torch.backends.mkldnn.conv.fp32_precision = "none"
    torch.backends.fp32_precision = "tf32"
    with float32_products("ieee"):
        pass
    assert torch.backends.mkldnn.conv.fp32_precision == "tf32"
    torch.backends.fp32_precision = "ieee"
    assert torch.backends.mkldnn.conv.fp32_precision == "ieee"


@pytest.mark.usefixtures("torchs_settings")
def test_probing_and_training_are_in_the_precision_that_was_asked_for():
    torch.set_float32_matmul_precision("medium")
    seen = set()
    model = cases.fresh("cnn")
    model[0].register_forward_hook(lambda *_: seen.add(tuple(global_settings()[2:])))
    with torch.autocast("cpu", torch.bfloat16):
        cast = probe(model, TRAIN, VALIDATION, **SMALL)
    assert seen == {("ieee",) * 6}
    assert probe(model, TRAIN, VALIDATION, **SMALL).identical(cast)
    training = Training(load_task("digits-cnn"), TrainingSettings(epochs=1, checkpoints=0))
    training.check()
    seen.clear()
    training.model.register_forward_hook(lambda *_: seen.add(tuple(global_settings()[2:])))
    list(training.run())
    assert seen == {("ieee",) * 6}
    assert torch.get_float32_matmul_precision() == "medium"


def test_bfloat16_rounds_the_network_alone():
    model = cases.fresh("cnn").eval()
    narrow = Forward(model, "bfloat16")
    kinds = []
    model[0].register_forward_hook(lambda _, __, out: kinds.append(out.dtype))
    with torch.no_grad():
        logits, exact = narrow(IMAGES), model(IMAGES)
    assert kinds[0] == torch.bfloat16
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits.bfloat16().float())  # it is the network's that are rounded
    torch.testing.assert_close(logits, exact, rtol=0.03, atol=0.1)
    assert not torch.equal(logits, exact)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
def test_a_slice_in_bfloat16(origin):
    model = cases.fresh("cnn")
    settings = {**SMALL, "origin": origin}
    policies = {"batch_norm": {"validation": "recalibrated"}}
    kinds = set()
    model[0].register_forward_hook(lambda _, __, out: kinds.add(out.dtype))
    before = cases.state(model)
    search = SmoothAccuracySLS(model.parameters())
    rounded = probe(
        model, TRAIN, VALIDATION, optimizer=search, precision="bfloat16", **settings, **policies
    )
    assert kinds == {torch.bfloat16}  # gradient, search, recalibration and all
    cases.assert_same_state(before, cases.state(model))
    exact = probe(model, TRAIN, VALIDATION, optimizer=search, **settings, **policies)
    assert rounded.loss.dtype == np.float64
    assert not (rounded.loss == exact.loss).any()
    if origin == "before-step":  # a search's step may differ
        np.testing.assert_allclose(rounded.loss, exact.loss, rtol=0.1)


def test_training_in_bfloat16_learns_with_parameters_in_float32():
    task = load_task("digits-mlp")
    for optimizer in ("sgd", "sa-sls"):
        settings = TrainingSettings.for_task(
            task, optimizer=optimizer, epochs=2, precision="bfloat16"
        )
        training = Training(task, settings)
        kinds = set()
        training.model.register_forward_hook(lambda _, __, out, k=kinds: k.add(out.dtype))
        *_, last = (e for e in training.run() if not isinstance(e, Checkpoint))
        assert kinds == {torch.bfloat16}  # the validation too
        assert last.validation_accuracy > 0.6
        assert {p.dtype for p in training.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_precisions_that_are_not_there(precision):
    message = (
        "precision is 'tf32', which device 'cpu' lacks; choose from float32, bfloat16"
        if precision == "tf32"
        else "unknown precision 'float16'.*choose from float32, tf32, bfloat16"
    )
    with pytest.raises(InvalidValueError, match=message):
        probe(cases.fresh("mlp"), TRAIN, precision=precision)
    task = load_task("digits-mlp")
    with pytest.raises(InvalidValueError, match=message):
        Training(task, TrainingSettings.for_task(task, precision=precision))
    with pytest.raises(InvalidValueError, match=message):
        # Known before a checkpoint is read.
        Prober(as_data(TRAIN), None, ProbeSettings(precision=precision), device="cpu")


def test_an_old_gpu_lacks_them(monkeypatch):
    gpu = torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    for precision in ("tf32", "bfloat16"):
        with pytest.raises(InvalidValueError, match=r"device 'cuda:0' lacks; choose from float32$"):
            check_precision(precision, gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    check_precision("tf32", gpu)
    check_precision("bfloat16", gpu)


def test_a_precision_is_no_type():
    with pytest.raises(InvalidValueError, match=r"the model is of torch.float64; choose 'float32'"):
        probe(cases.fresh("mlp").double(), TRAIN, precision="bfloat16")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compile": "yes"}, "compile is 'yes'; give true or false"),
        ({"channels_last": 1}, "channels_last is 1; give true or false"),
    ],
)
@pytest.mark.parametrize("kind", [ProbeSettings, TrainingSettings])
def test_bad_settings(kind, changes, message):
    with pytest.raises(InvalidValueError, match=message):
        kind(**changes)


def test_a_compiled_probe_has_no_dropout():
    with pytest.raises(InvalidValueError, match="compile is True and dropout is True"):
        ProbeSettings(compile=True, dropout=True)


# Compiled, and channels last


@pytest.mark.usefixtures("traced")
def test_compiled_and_channels_last_equal_plain_to_rounding():
    """And the model stays the very one, every parameter where it was."""
    model = cases.fresh("cnn")
    policies = {"batch_norm": {"validation": "recalibrated", "big_batch": "running"}}
    settings = ProbeSettings(**SMALL, **policies, eval_batch_size=200, channels_last=False)
    plain = Prober(as_data(TRAIN), as_data(VALIDATION), settings)(model)
    prober = Prober(
        as_data(TRAIN), as_data(VALIDATION), replace(settings, compile=True, channels_last=True)
    )
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    places, seen = [p.data_ptr() for p in model.parameters()], set()
    attributes = [dict(module.__dict__) for module in model.modules()]
    before = cases.state(model)

    def advance():
        seen.add(tuple(p.data_ptr() for p in model.parameters()))

    fast = prober(model, advance=advance)
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert compiled >= 3
    assert seen == {tuple(places)}
    cases.assert_same_state(before, cases.state(model))
    assert [m.__dict__.keys() for m in model.modules()] == [a.keys() for a in attributes]
    for name in ("loss", "smooth_accuracy"):
        np.testing.assert_allclose(fast[name], plain[name], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fast.gradient_norm, plain.gradient_norm, rtol=1e-5)

    # The next checkpoint runs what was compiled for the first, on its own weights.
    with torch.no_grad():
        model[0].weight *= 2
    again = prober(model)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == compiled
    assert (again.loss != fast.loss).all()


@pytest.mark.usefixtures("traced")
def test_training_compiled_equals_plain_to_rounding():
    """By a line search, whose trials are without gradients and move no statistics."""
    # Without dropout, whose masks differ where a network is compiled.
    layers = [m for m in training_cases.dropout().model() if not isinstance(m, nn.Dropout)]
    task = as_task(
        {"model": nn.Sequential(*layers), "train": TRAIN, "validation": VALIDATION}, "digits"
    )
    settings = training_cases.every(task, optimizer="sa-sls", epochs=2, channels_last=False)
    plain = Training(task, settings)
    fast = Training(task, replace(settings, compile=True, channels_last=True))
    assert fast.model[0].weight.is_contiguous(memory_format=torch.channels_last)
    first, second = (
        [e for e in training.run() if not isinstance(e, Checkpoint)] for training in (plain, fast)
    )
    for one, other in zip(first, second, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=1e-3)
    assert plain.model.state_dict().keys() == fast.model.state_dict().keys()


def test_channels_last_reaches_the_network_and_leaves_others_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10))
    laid_out = []
    model[0].register_forward_pre_hook(
        lambda _, args: laid_out.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    images = torch.rand(5, 3, 8, 8)
    expected = model(images)
    torch.testing.assert_close(Forward(model, channels_last=True)(images), expected)
    assert laid_out == [False, True]
    flat = nn.Linear(4, 2)
    assert Forward(flat, channels_last=True)(torch.rand(3, 4)).shape == (3, 2)


class Viewing(nn.Module):
    """As in many a tutorial: a ``view`` that channels-last tensors do not have."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4 * 6 * 6, 10)

    def forward(self, inputs):
        return self.linear(torch.relu(self.convolution(inputs)).view(len(inputs), -1))


def test_the_format_is_channels_last_where_convolutions_bear_it():
    images = torch.rand(5, 3, 8, 8)
    for model, inputs, last in (
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), images, True),
        (Viewing(), images, False),
        (cases.fresh("mlp"), torch.rand(5, 64), False),
        (nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten()), torch.rand(5, 3, 8), False),
    ):
        forward = Forward(model)
        with torch.no_grad():
            forward.choose_memory_format(inputs)
        assert forward.channels_last is last
        torch.testing.assert_close(forward(inputs), model(inputs))
    asked = Forward(Viewing(), channels_last=True)
    asked.choose_memory_format(images)
    with pytest.raises(RuntimeError, match="view"):
        asked(images)


def test_a_network_that_views_is_probed_and_trained():
    train, validation = (
        (x.reshape(-1, 1, 8, 8).expand(-1, 3, -1, -1), y) for x, y in (TRAIN, VALIDATION)
    )
    model = Viewing()
    slice_ = Prober(as_data(train), as_data(validation), ProbeSettings(**SMALL))(model)
    assert np.isfinite(slice_.loss).all()
    task = as_task({"model": Viewing, "train": train, "validation": validation}, "viewing")
    training = Training(task, training_cases.every(task, epochs=1))
    before = training_cases.weights(training)
    next(training.run())
    assert not training_cases.same(before, training_cases.weights(training))


class Auxiliary(Viewing):
    """With a second head, in training alone."""

    def forward(self, inputs):
        features = torch.relu(self.convolution(inputs))
        if self.training:
            features = features.view(len(features), -1)
        return self.linear(features.flatten(1))


class Strided(Viewing):
    """Sees how its numbers lie."""

    def forward(self, inputs):
        features = torch.relu(self.convolution(inputs))
        return self.linear(torch.as_strided(features, (len(inputs), 144), (144, 1)))


@pytest.mark.parametrize("network", [Auxiliary, Strided])
def test_the_format_is_tried_in_both_modes_and_for_the_same_values(network):
    model, images = network(), torch.rand(5, 3, 8, 8)
    before = cases.state(model)
    forward = Forward(model)
    with torch.no_grad():
        forward.choose_memory_format(images)
    assert forward.channels_last is False
    cases.assert_same_state(before, cases.state(model))


def test_one_sample_can_be_trained_on():
    one = TRAIN[0][:1].reshape(1, 1, 8, 8), TRAIN[1][:1]
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10))
    task = as_task({"model": model, "train": one, "validation": one, "batch_size": 1}, "one")
    first = next(Training(task, TrainingSettings.for_task(task, epochs=1)).run())
    assert first.iteration == 1


def test_an_optimizer_that_views_the_gradients_trains():
    """Torch's L-BFGS does: the weights keep their format, while images are laid out anew."""
    colour = [(x.expand(-1, 3, -1, -1)[:300], y[:300]) for x, y in (TRAIN, VALIDATION)]
    layers = (nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10))
    parts = {"model": lambda: nn.Sequential(*layers), "train": colour[0], "validation": colour[1]}
    task = as_task(parts, "colour")
    training = Training(task, training_cases.every(task, optimizer="lbfgs", epochs=1))
    last = set()

    def note(_, __, features):
        if len(features) > 2:  # those by which the format is chosen are two
            last.add(features.is_contiguous(memory_format=torch.channels_last))

    training.model[0].register_forward_hook(note)
    next(training.run())
    assert last == {True}
    assert all(p.is_contiguous() for p in training.model.parameters())


# Going on


def test_training_goes_on_from_a_checkpoint_that_knows_no_precision():
    task = load_task("digits-mlp")
    settings = training_cases.every(task)
    whole = Training(task, settings)
    events = list(whole.run())
    older = copy.deepcopy(next(e for e in events if isinstance(e, Checkpoint)))
    for name in ("precision", "compile", "channels_last"):
        del older.training["settings"][name]
    training = Training(task, settings)
    training.resume(older)
    list(training.run())
    assert training_cases.same(training_cases.weights(whole), training_cases.weights(training))
    other = Training(task, replace(settings, precision="bfloat16"))
    with pytest.raises(CheckpointError, match="precision 'float32', this run with 'bfloat16'"):
        other.resume(older)
