import random

import numpy as np
import pytest
import torch
from helpers import cases, hooks
from helpers.hooks import BATCH, SMALL, TRAIN, VALIDATION

import landscape
from landscape.errors import InvalidValueError

accelerate = pytest.importorskip("accelerate")
from accelerate.state import AcceleratorState, GradientState, PartialState  # noqa: E402
from accelerate.tracking import GeneralTracker  # noqa: E402

from landscape.integrations.accelerate import Bystander, recorder  # noqa: E402


@pytest.fixture(autouse=True)
def _alone():
    """Accelerators share one state, which is left to no other test."""
    yield
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


class Kept(GeneralTracker):
    name, requires_logging_directory = "kept", False

    def __init__(self):
        super().__init__()
        self.values = []

    @property
    def tracker(self):
        return self.values

    def store_init_configuration(self, values):
        pass

    def log(self, values, step=None, **kwargs):
        self.values.append((step, values))


def trained(path, steps=6, start=0, tracker=None, data=None, **options):
    """A training of the digits in batches, recorded if there is a path."""
    accelerator = accelerate.Accelerator(cpu=True, log_with=tracker)
    if tracker is not None:
        accelerator.init_trackers("digits")
    model = cases.fresh("cnn")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    hooks.seed()
    loader = torch.utils.data.DataLoader(data or hooks.Pairs(TRAIN), batch_size=BATCH, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    record = None
    if path is not None:
        options = {"at": [0, 3]} | SMALL | options
        record = recorder(accelerator, path, model, optimizer, loader, VALIDATION, **options)
    for i, (inputs, targets) in enumerate(loader):
        if i < start:
            continue
        if i == steps:
            break
        block = torch.enable_grad() if record is None else record(inputs, targets, iteration=i)
        with block:
            optimizer.zero_grad()
            accelerator.backward(torch.nn.functional.cross_entropy(model(inputs), targets))
            optimizer.step()
    return hooks.everything(model, optimizer)


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
def test_training_ends_at_the_same_bits(tmp_path, origin):
    assert trained(None) == trained(tmp_path / "s.zarr", origin=origin)
    stored = landscape.open(tmp_path / "s.zarr")
    assert stored.iteration.values.tolist() == [0, 3]
    assert (stored.attrs["optimizer"], stored.attrs["task"]) == ("Adam", "Sequential")
    assert stored.attrs["training_samples"] == 400


def test_the_trackers_get_the_scalars(tmp_path):
    tracker = Kept()
    trained(tmp_path / "s.zarr", tracker=tracker)
    assert [step for step, _ in tracker.values] == [0, 3]
    stored = landscape.open(tmp_path / "s.zarr")
    for i, (_, values) in enumerate(tracker.values):
        found = landscape.statistics.scalars(stored.isel(checkpoint=[i]))
        assert values == {f"landscape/{name}": value for name, value in found.items()}
        assert "landscape/critical_step_size/same_batch" in values
        # Adam's learning rate is no step along the gradient, at which there would be a bias.
        assert "landscape/batch_bias/validation" not in values


def test_a_resumed_training_goes_on_in_the_same_store(tmp_path):
    trained(tmp_path / "s.zarr", steps=2)
    trained(tmp_path / "s.zarr", steps=6, start=2)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 3]


def test_other_processes_stand_by(tmp_path, monkeypatch):
    accelerator = accelerate.Accelerator(cpu=True)
    monkeypatch.setattr(type(accelerator), "is_main_process", False)
    model = cases.fresh("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    beside = recorder(accelerator, tmp_path / "s.zarr", model, optimizer, TRAIN, at=[0])
    assert isinstance(beside, Bystander)
    assert not beside.due(0)
    with beside(TRAIN[0][:10], TRAIN[1][:10], iteration=0):
        pass
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize(
    ("accelerators", "options", "message"),
    [
        ({"gradient_accumulation_steps": 2}, {}, "gradient_accumulation_steps is 2"),
        ({"mixed_precision": "bf16"}, {"precision": "float32"}, "precision is 'float32', but"),
        ({}, {"at": None}, "at is None and every is None"),
    ],
)
def test_what_is_refused(tmp_path, accelerators, options, message):
    accelerator = accelerate.Accelerator(cpu=True, **accelerators)
    model = cases.fresh("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    options = {"at": [0]} | options
    with pytest.raises(InvalidValueError, match=message):
        recorder(accelerator, tmp_path / "s.zarr", model, optimizer, TRAIN, **options)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("distributed_type", accelerate.DistributedType.FSDP, "distributed by FSDP, which splits"),
        ("mixed_precision", "fp16", "mixed_precision is 'fp16'"),
    ],
)
def test_what_no_cpu_can_be_asked_for_is_refused(tmp_path, monkeypatch, name, value, message):
    accelerator = accelerate.Accelerator(cpu=True)
    monkeypatch.setattr(type(accelerator), name, value)
    with pytest.raises(InvalidValueError, match=message):
        recorder(accelerator, tmp_path / "s.zarr", cases.fresh("mlp"), None, TRAIN, at=[0])


def test_mixed_precision_is_that_of_the_probe(tmp_path):
    accelerator = accelerate.Accelerator(cpu=True, mixed_precision="bf16")
    model = cases.fresh("mlp")
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    forward = model.forward
    record = recorder(accelerator, tmp_path / "s.zarr", model, optimizer, TRAIN, at=[0], **SMALL)
    inputs, targets = TRAIN[0][:50], TRAIN[1][:50]
    with record(inputs, targets):
        optimizer.zero_grad()
        accelerator.backward(torch.nn.functional.cross_entropy(model(inputs), targets))
        optimizer.step()
    assert model.forward is forward or model.forward == forward
    assert landscape.open(tmp_path / "s.zarr").attrs["settings"]["precision"] == "bfloat16"


def test_of_a_loader_shared_among_processes_the_whole_is_meant(tmp_path):
    accelerator = accelerate.Accelerator(cpu=True)
    data = hooks.Pairs(TRAIN)
    part = torch.utils.data.SubsetRandomSampler(range(300))
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH, sampler=part)
    shared = accelerate.data_loader.prepare_data_loader(loader, num_processes=2, process_index=0)
    assert isinstance(shared.batch_sampler, accelerate.data_loader.BatchSamplerShard)
    model = cases.fresh("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    path = tmp_path / "s.zarr"
    record = recorder(accelerator, path, model, optimizer, shared, shared, at=[0], **SMALL)
    with record(*(each[:BATCH] for each in TRAIN)):
        pass
    assert landscape.open(path).attrs["training_samples"] == 300


def test_generators_of_the_tests_data_are_drawn_from():
    """Else the comparison of the generators would show nothing."""
    hooks.seed()
    before = random.getstate(), np.random.get_state()[2], torch.get_rng_state()  # noqa: NPY002
    hooks.Pairs(TRAIN)[0]
    assert random.getstate() != before[0]
    assert not torch.equal(torch.get_rng_state(), before[2])
