"""Checkpoints of random structure, cut off or with flipped bits: read rightly, or one line.

The long run, ``pytest -m long``, has many times as many.
"""

import math
import pickle
import random
import warnings
from collections import OrderedDict
from copy import deepcopy

import pytest
import torch
from torch import nn

from landscape.errors import CheckpointError, InvalidValueError, LandscapeError
from landscape.probing import ProbeSettings
from landscape.study import checkpoint_probe
from landscape.tasks import as_task
from landscape.training import Training, TrainingSettings, checkpoints
from landscape.training.checkpoints.checkpoint import FORMAT, SAVED, VERSION, Checkpoint

INPUTS, TARGETS = (
    torch.randn(60, 6, generator=torch.Generator().manual_seed(0)),
    torch.arange(60) % 3,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


TASK = as_task(
    {
        "model": network,
        "train": (INPUTS, TARGETS),
        "validation": (INPUTS, TARGETS),
        "batch_size": 20,
    },
    "fuzzed",
)
SETTINGS = TrainingSettings.for_task(TASK, epochs=2, checkpoints=2)


def own():
    """A checkpoint that this package wrote in the middle of a training, as plain values."""
    training = Training(TASK, SETTINGS)
    checkpoint = next(event for event in training.run() if isinstance(event, Checkpoint))
    run = {"task": "digits-mlp", "optimizer": "sgd", "learning_rate": 0.1, "options": {}}
    values = {name: getattr(checkpoint, name) for name in SAVED}
    values |= {"run": run | {"batch_size": 20, "train_samples": 300}}
    return {"format": FORMAT, "version": VERSION, **values}


def foreign():
    """A checkpoint as other training code writes it."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(INPUTS).sum().backward()
    optimizer.step()
    return {
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "global_step": 40,
        "args": {"lr": 0.1},
    }


SOURCES = (own(), foreign(), dict(network().state_dict()))


def odd_values(choose):
    """Values that nobody expects, each made afresh."""
    endless = []
    endless.append(endless)
    deep = []
    for _ in range(400):
        deep = [deep]
    plain = torch.randn(4)
    return [
        *(None, True, -1, 0, 2**63, 10**400, -(10**400), 1.5, math.nan, math.inf, 1e300),
        *("", "os:abort", "x\ny\x1b[31m", "a" * 3000, "0.1", b"bytes", "digits-mlp"),
        *([], {}, (), [1, 2], {"a": 1}, {1: 2}, {"lr": None}, [[]], OrderedDict(a=1)),
        *(endless, deep, {"param_groups": 3}, {"param_groups": [3], "state": {}}),
        *(plain, plain.double(), plain.half(), plain.bfloat16(), plain.to(torch.float8_e5m2)),
        *(plain.to(torch.complex64).conj(), torch.arange(4), plain > 0, torch.zeros(0)),
        *(torch.tensor(3.0), torch.full((4,), math.nan), plain.expand(3, 4), plain[::2]),
        *(plain.to_sparse(), plain.to("meta"), nn.Parameter(plain), torch.eye(4).to_sparse_csr()),
        *(plain.to(torch.uint16), torch.randn(4, 6).T, torch.tensor([10**18])),
        *(torch.quantize_per_tensor(plain, 0.1, 0, torch.qint8), choose.random()),
    ]


def places(value, path=()):
    """The paths to every value in nested dicts and lists."""
    if not isinstance(value, (dict, list)) or len(path) > 6:  # a list may contain itself
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(each, (*path, key))


def mutated(choose):
    """One of the sources with some values replaced, left out, moved, or under another key."""
    content = deepcopy(choose.choice(SOURCES))
    for _ in range(choose.choice((1, 1, 2, 3))):
        path = choose.choice(list(places(content)) or [None])
        if path is None:
            return content
        parent = content
        for key in path[:-1]:
            parent = parent[key]
        value = choose.choice(odd_values(choose))
        action = choose.choice(("replace", "replace", "replace", "delete", "rename", "wrap"))
        if action == "replace" or isinstance(parent, list):
            parent[path[-1]] = value
        elif action == "delete":
            del parent[path[-1]]
        elif action == "rename":
            key = choose.choice(("", 7, None, "module.x", "model", "state_dict", "step", (1, 2)))
            parent[key] = parent.pop(path[-1])
        else:
            parent[path[-1]] = choose.choice(([parent[path[-1]]], {"x": parent[path[-1]]}))
    return content


def use(path, folder):
    """Do with a file whatever may be done with a checkpoint; what it gives is right or refused."""
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    checkpoint = checkpoints.read(path)
    assert 0 <= checkpoint.iteration < 2**63
    assert len(checkpoint.digest) == 16
    try:
        checkpoints.load_into(model, checkpoint, path)
    except CheckpointError:
        assert all(torch.equal(model.state_dict()[name], t) for name, t in before.items())
        raise
    for name, tensor in model.state_dict().items():
        if name in checkpoint.model:
            assert (
                torch.equal(tensor, checkpoint.model[name].to(tensor.dtype)) or tensor.isnan().any()
            )
    try:
        Training(TASK, SETTINGS).resume(checkpoint)
    except CheckpointError as error:
        assert_one_line(error)
    try:
        checkpoint_probe.task_of([path], None)
    except InvalidValueError as error:
        assert_one_line(error)
    settings = ProbeSettings(
        step_sizes=(0.0,), batch_size=20, sets="validation", origin="after-step", samples=False
    )
    checkpoint_probe.probe(TASK, [path], folder / "slices.zarr", settings)


def assert_one_line(error):
    assert str(error).isprintable(), repr(str(error))


def fuzz(tmp_path, seeds, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for seed in seeds:
        choose = random.Random(seed)
        path, folder = tmp_path / f"a-{seed}.pt", tmp_path / str(seed)
        content = mutated(choose)
        try:
            torch.save(content, path)
        except (TypeError, NotImplementedError, RuntimeError, pickle.PicklingError, RecursionError):
            continue  # nothing that a file can hold
        try:
            use(path, folder)
        except LandscapeError as error:
            assert_one_line(error)
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    assert len(seeds) / 3 < refused < len(seeds)
    assert {each.suffix for each in tmp_path.iterdir()} <= {".pt", ""}


def bits(tmp_path, seeds):
    """Flip a bit, or cut the file off; what is read then is what was written."""
    whole = []
    for i, source in enumerate(SOURCES):
        path = tmp_path / f"whole-{i}.pt"
        torch.save(source, path)
        whole.append((path.read_bytes(), checkpoints.read(path)))
    path = tmp_path / "a-1.pt"
    noticed = 0
    for seed in seeds:
        choose = random.Random(seed)
        content, expected = choose.choice(whole)
        damaged = bytearray(content)
        if choose.random() < 0.3:
            damaged = damaged[: choose.randrange(len(damaged))]
        else:
            damaged[choose.randrange(len(damaged))] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        try:
            found = checkpoints.read(path)
        except CheckpointError as error:
            assert_one_line(error)
            noticed += 1
        else:
            assert found.digest == expected.digest, f"seed {seed}"
            assert repr(found.training) == repr(expected.training), f"seed {seed}"
            assert found.run == expected.run, f"seed {seed}"
    assert noticed > len(seeds) / 2


@pytest.fixture(autouse=True)
def _quiet():
    """Without the warnings of torch about types that it gives up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_random_structures(tmp_path, monkeypatch):
    fuzz(tmp_path, range(60), monkeypatch)


def test_flipped_bits_and_cut_off_files(tmp_path):
    bits(tmp_path, range(300))


@pytest.mark.long
def test_many_random_structures(tmp_path, monkeypatch):
    fuzz(tmp_path, range(1000, 7000), monkeypatch)


@pytest.mark.long
def test_many_flipped_bits_and_cut_off_files(tmp_path):
    bits(tmp_path, range(1000, 11000))
