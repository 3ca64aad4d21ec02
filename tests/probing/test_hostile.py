"""What a hostile user tried: each must end in one line, or in the right value."""

import math
import signal

import numpy as np
import pytest
import torch
from helpers import cases
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import landscape
from landscape import study
from landscape.data import as_data
from landscape.errors import CheckpointError, InvalidValueError, StoreError
from landscape.histories.layout import Run
from landscape.network.point import preserved
from landscape.probing.settings import ProbeSettings
from landscape.study import runs
from landscape.tasks import as_task, load_task
from landscape.training import TrainingSettings, checkpoints

TRAIN, VALIDATION = cases.digits()
SMALL = {"step_sizes": (0,), "batch_size": 32, "big_batch": 60}


def test_instance_norm_is_recalibrated_too():
    torch.manual_seed(0)
    inputs = 2 + 3 * torch.randn(300, 3, 5, 5)
    layer = nn.InstanceNorm2d(3, track_running_stats=True)
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(75, 3))
    data = inputs, torch.arange(300) % 3
    settings = {**SMALL, "big_batch": 100, "batch_norm": {"validation": "recalibrated"}}
    for _ in range(200):
        model(inputs)
    running = landscape.probe(model, data, data, **{**settings, "batch_norm": {}})
    recalibrated = landscape.probe(model, data, data, **settings)
    at = {"evaluation_set": "validation"}
    np.testing.assert_allclose(running.loss.sel(at), recalibrated.loss.sel(at), rtol=2e-2)


def test_a_set_of_one_sample_with_batch_statistics():
    with pytest.raises(InvalidValueError, match="on big batch fails: ValueError: Expected more"):
        landscape.probe(cases.fresh("cnn"), TRAIN, **{**SMALL, "big_batch": 1})


def test_iterable_data_leaves_the_generators_alone():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(*TRAIN, strict=True))

    before = torch.get_rng_state()
    for source in (Stream(), DataLoader(Stream(), batch_size=10)):
        assert len(as_data(source)) == 1400
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_sampler_that_leaves_samples_out_means_those_it_shows():
    loader = DataLoader(torch.utils.data.TensorDataset(*TRAIN), batch_sampler=[[0, 9], [5, 3]])
    found = as_data(loader)
    inputs, labels = found.take(torch.arange(len(found)))
    shown = {(x.numpy().tobytes(), int(y)) for x, y in zip(inputs, labels, strict=True)}
    assert shown == {(TRAIN[0][i].numpy().tobytes(), int(TRAIN[1][i])) for i in (0, 9, 5, 3)}
    assert len(found) == 4


def test_buffers_of_every_kind_come_back():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 10)
            self.register_buffer("late", None)
            self.register_buffer("expanded", torch.ones(1).expand(64))

        def forward(self, inputs):
            self.late = torch.ones(3)
            if not hasattr(self, "new"):
                self.register_buffer("new", torch.ones(2))
            return self.linear(inputs.flatten(1) * self.expanded)

    model = Odd()
    landscape.probe(model, TRAIN, **SMALL)
    assert model.late is None
    assert not hasattr(model, "new")
    assert model.training


def test_ctrl_c_while_the_model_is_put_back_waits():
    model = cases.fresh("cnn")
    before = cases.state(model)

    def interrupted():
        with preserved(model) as point:
            restore = point.restore
            point.restore = lambda: (signal.raise_signal(signal.SIGINT), restore())
            model.eval()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    cases.assert_same_state(before, cases.state(model))


@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_after_step_of_a_weight_normalised_model(norm):
    model = nn.Sequential(nn.Flatten(), norm(nn.Linear(64, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    settings = {**SMALL, "origin": "after-step"}
    first = landscape.probe(model, TRAIN, optimizer=optimizer, **settings)
    second = landscape.probe(model, TRAIN, learning_rate=0.1, **settings)
    np.testing.assert_allclose(first.loss, second.loss, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Flatten(), "no parameters"),
        (lambda: torch.jit.script(nn.Linear(64, 10)), "ScriptModule"),
        (lambda: nn.Sequential(torch.jit.script(nn.Linear(64, 10))), "has a ScriptModule"),
        (nn.LazyLinear(10), "the model's weight has no values yet"),
        (lambda: nn.Linear(64, 10, device="meta"), "the model's weight has no values yet"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*jit.*:FutureWarning", "ignore::DeprecationWarning")
def test_modules_that_are_no_models(model, message):
    with pytest.raises(InvalidValueError, match=message):
        landscape.probe(model if isinstance(model, nn.Module) else model(), TRAIN, **SMALL)


def broken(**members):
    x = torch.randn(100, 5)
    whole = {"model": lambda: nn.Linear(5, 3), "train": (x, torch.arange(100) % 3)}
    whole["validation"] = whole["train"]
    return {**whole, **members}


def fail(*_):
    raise KeyError("mine")


LABELS = torch.arange(100) % 3


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"train": (torch.randn(100, 5), LABELS + 5)}, "labels of training data run from 5 to 7"),
        ({"train": (torch.randn(100, 5), LABELS - 1)}, "labels of training data run from -1 to 1"),
        (
            {"validation": (torch.randn(100, 5), LABELS + 1)},
            "labels of validation data run from 1 to 3",
        ),
        ({"train": (torch.zeros(100, 5, dtype=torch.uint8), LABELS)}, "uint8 fails"),
        ({"validation": (torch.randn(100, 4), LABELS)}, "the model on validation data"),
        ({"model": lambda: nn.Unflatten(1, (5, 1))}, "no parameter that is trained"),
        ({"model": fail}, r"model\(\) fails|needs arguments|callable"),
        ({"model": lambda: fail()}, r"model\(\) fails: KeyError: 'mine'"),
        ({"loss": fail}, "the loss fails: KeyError"),
        ({"augment": lambda inputs, generator: fail()}, "augment fails: KeyError: 'mine'"),
        ({"model": lambda: nn.Linear(5, 3).requires_grad_(False)}, "no parameter that is trained"),
    ],
)
def test_training_a_broken_task(tmp_path, members, message):
    settings = TrainingSettings(epochs=1, batch_size=20, checkpoints=1)
    with pytest.raises(InvalidValueError, match=message):
        runs.train(as_task(broken(**members), "broken"), settings, tmp_path / "run")


def test_a_task_file_that_fails(tmp_path):
    for code, message in {"1/0": "ZeroDivisionError", "raise SystemExit(3)": "SystemExit"}.items():
        (tmp_path / "bad.py").write_text(code)
        with pytest.raises(InvalidValueError, match=f"cannot be imported: {message}"):
            load_task(f"{tmp_path / 'bad.py'}:task")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"w": torch.ones(2)}, "step": math.inf}, "is at iteration inf"),
        ({"state_dict": {"w": torch.ones(2)}, "step": -3}, "is at iteration -3"),
        ({"format": "landscape checkpoint", "version": 1, "iteration": 3}, "lacks model"),
    ],
)
def test_odd_checkpoint_files(tmp_path, content, message):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=message):
        checkpoints.read(tmp_path / "odd.pt")


def test_long_numbers_and_odd_entries_of_checkpoint_files(tmp_path):
    path = tmp_path / "model-99999999999999999999.pt"
    torch.save({"w": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="a number from 0 to"):
        checkpoints.read(path)
    torch.save({"state_dict": {"w": torch.ones(2)}, "epoch": 10**400, "step": 3,
                "optimizer": {"param_groups": {"a": 1}}}, path)  # fmt: skip
    assert checkpoints.read(path).iteration == 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.complex64])
def test_a_checkpoint_that_the_model_would_round_is_refused(dtype):
    state = {name: t.to(dtype) for name, t in nn.Linear(2, 2).state_dict().items()}
    with pytest.raises(CheckpointError, match="of another type: weight"):
        checkpoints.load_into(nn.Linear(2, 2), checkpoints.Checkpoint(1, state), "x.pt")


def test_half_precision_loads_exactly():
    model = nn.Linear(2, 2)
    state = {name: t.half() for name, t in model.state_dict().items()}
    checkpoints.load_into(model, checkpoints.Checkpoint(1, state), "x.pt")
    assert torch.equal(model.weight, state["weight"].float())


def test_two_learning_rates_or_runs_do_not_mix_in_a_store(tmp_path):
    task = load_task("digits-mlp")
    settings = ProbeSettings(**{**SMALL, "origin": "after-step"})
    torch.save(task.model().state_dict(), tmp_path / "a-1.pt")
    study.probe(task, [tmp_path / "a-1.pt"], tmp_path / "s.zarr", settings, learning_rate=0.1)
    with pytest.raises(StoreError, match=r"learning rate 0.1, and now it is 5"):
        study.probe(task, [tmp_path / "a-1.pt"], tmp_path / "s.zarr", settings, learning_rate=5)
    for seed in (0, 1):
        runs.train(task, TrainingSettings.for_task(task, epochs=1, checkpoints=2, seed=seed),
                   tmp_path / f"run{seed}", source={"task": task.name})  # fmt: skip
    out = tmp_path / "t.zarr"
    study.probe(task, [tmp_path / "run0"], out, ProbeSettings(**SMALL))
    with pytest.raises(StoreError, match="made with seed 0, and now it is 1"):
        study.probe(task, [tmp_path / "run1"], out, ProbeSettings(**SMALL))


def test_a_folder_with_only_the_start_of_a_record_is_a_new_one(tmp_path):
    (tmp_path / ".run.json.99999999.tmp").write_text("{")
    task = load_task("digits-mlp")
    runs.train(
        task, TrainingSettings.for_task(task, epochs=1), tmp_path, source={"task": task.name}
    )
    assert Run(tmp_path).read()["task"] == "digits-mlp"
