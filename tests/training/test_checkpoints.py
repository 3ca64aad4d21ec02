import math
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import CheckpointError, MissingFileError
from landscape.tasks.models import mlp, small_cnn
from landscape.training import checkpoints
from landscape.training.checkpoints import (
    Checkpoint,
    CheckpointFiles,
    find,
    load_into,
    read,
    write,
)


def state(seed=0):
    torch.manual_seed(seed)
    model = small_cnn(width=2)
    model(torch.randn(8, 1, 8, 8))
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# Our own files


def test_what_is_written_is_read(tmp_path):
    checkpoint = Checkpoint(
        7, state(), 2.0, 0.1, {"random": (1, None, torch.arange(3))}, {"task": "digits-cnn"}
    )
    write(tmp_path / "new" / "a.pt", checkpoint)
    back = read(tmp_path / "new" / "a.pt")
    assert (back.iteration, back.epoch, back.learning_rate) == (7, 2.0, 0.1)
    assert same(back.model, checkpoint.model)
    assert torch.equal(back.training["random"][2], torch.arange(3))
    assert back.run == {"task": "digits-cnn"}
    assert back.digest == checkpoint.digest


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.pt"
    write(path, Checkpoint(1, state()))
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        write(path, Checkpoint(2, state(), training={"function": lambda: None}))
    assert list(tmp_path.iterdir()) == [path]
    assert read(path).iteration == 1


def test_the_digest_depends_on_names_dtypes_shapes_and_bytes():
    model = state()
    first = Checkpoint(1, model)
    assert len(first.digest) == 16
    assert int(first.digest, 16) >= 0
    assert replace(first, iteration=2, model=dict(reversed(model.items()))).digest == first.digest
    name, tensor = "0.weight", model["0.weight"]
    nudged = tensor.clone()
    nudged.view(-1)[3] = nudged.view(-1)[3].nextafter(torch.tensor(9.0))
    others = [
        {f"{name}s": tensor},
        {name: nudged},
        {name: tensor.view(torch.int32)},
        {name: tensor.flatten()},
    ]
    rest = {key: value for key, value in model.items() if key != name}
    assert len({Checkpoint(1, rest | other).digest for other in others} | {first.digest}) == 5


def test_the_digest_of_any_dtype_and_layout():
    values = torch.randn(4, 6)
    assert Checkpoint(0, {"a": values.T}).digest == Checkpoint(0, {"a": values.T.clone()}).digest
    digests = {
        Checkpoint(0, {"a": values.to(dtype), "empty": torch.zeros(0, 3)}).digest
        for dtype in (torch.bfloat16, torch.float64, torch.bool, torch.int8)
    }
    assert len(digests) == 4


def test_a_newer_format_is_refused(tmp_path):
    torch.save({"format": "landscape checkpoint", "version": 2}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a.pt has checkpoint version 2; .* reads version 1"):
        read(tmp_path / "a.pt")


# Files of others


@pytest.mark.parametrize(
    "key",
    ["state_dict", "model_state_dict", "model", "net", "params", "weights", "any name of its own"],
)
def test_a_state_dict_inside_a_dict(tmp_path, key):
    content = {key: state(), "best": 0.9, "name": "run", "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "a.pt")
    assert same(read(tmp_path / "a.pt").model, state())


def test_the_likeliest_of_several_state_dicts(tmp_path):
    torch.save({"ema": state(1), "model": state(), "net": state(2)}, tmp_path / "a.pt")
    assert same(read(tmp_path / "a.pt").model, state())


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("a.pt", {}, (0, math.nan, math.nan)),
        ("epoch3-step_0200.ckpt", {}, (200, math.nan, math.nan)),
        ("step_5.pth.tar", {"iteration": 7, "epoch": 2, "lr": 0.1}, (7, 2, 0.1)),
        ("a.pt", {"global_step": torch.tensor(9), "learning_rate": 1}, (9, math.nan, 1)),
        ("a_4.pt", {"step": True, "epoch": "three"}, (4, math.nan, math.nan)),
        (
            "a.pt",
            {"it": 3.0, "optimizer": {"param_groups": [{"lr": 0.5}]}, "lr": 1.0},
            (3, math.nan, 0.5),
        ),
    ],
)
def test_iteration_epoch_and_learning_rate(tmp_path, file, content, expected):
    torch.save({"model": state(), **content}, tmp_path / file)
    found = read(tmp_path / file)
    assert isinstance(found.iteration, int)
    np.testing.assert_equal((found.iteration, found.epoch, found.learning_rate), expected)
    assert found.training is found.run is None


def test_a_plain_state_dict(tmp_path):
    torch.save(small_cnn(width=2).state_dict(), tmp_path / "net-12.pt")
    assert read(tmp_path / "net-12.pt").iteration == 12


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def cut_off(path):
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty; give a file that torch.save wrote"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_text("iteration,loss\n1,2\n"), "is no checkpoint; give a file"),
        (lambda path: path.write_bytes(b"PK"), "is damaged or cut off"),
        (cut_off, "is damaged or cut off"),
        (lambda path: torch.save(Trap(), path), "holds posix.mkdir.*could run code; save the st"),
        (lambda path: path.write_bytes(pickle.dumps(Trap())), "is no checkpoint"),
        (lambda path: torch.save({"a": Trap(), **state()}, path), "could run code"),
        (lambda path: torch.save(small_cnn(), path), "torch.nn.modules.container.Sequential"),
        (lambda path: torch.save(torch.zeros(3), path), "holds no state dict but Tensor; give"),
        (lambda path: torch.save({}, path), "holds no state dict but dict"),
        (lambda path: torch.save({1: 2, "x": {}}, path), "no state dict but a dict of 1, x; give"),
        (
            lambda path: torch.save({"a": state(), "b": state()}, path),
            "no state dict but a dict of a, b; .* under one of state_dict, model_state_dict",
        ),
    ],
)
def test_what_is_no_checkpoint_is_one_line_and_runs_nothing(tmp_path, monkeypatch, make, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pt"
    make(path)
    with pytest.raises(CheckpointError, match=message) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert not Path("sprung").exists()


def test_every_cut_of_a_file_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    write(path, Checkpoint(1, {"weight": torch.zeros(3)}))
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"no checkpoint at .*none.pt"):
        read(tmp_path / "none.pt")


# Into a model


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "_orig_mod.module."])
def test_a_models_tensors_are_set_whatever_wrapped_it(prefix):
    model, wanted = small_cnn(width=2), state()
    given = {prefix + name: tensor for name, tensor in wanted.items()}
    load_into(model, Checkpoint(1, given), "a.pt")
    assert same(model.state_dict(), wanted)


def test_names_that_fit_keep_a_wrappers_prefix():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = mlp((64, 10))

    model, source = Wrapped(), Wrapped()
    load_into(model, Checkpoint(1, source.state_dict()), "a.pt")
    assert same(model.state_dict(), source.state_dict())
    torch.nn.init.zeros_(source.model[1].weight)
    prefixed = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    load_into(model, Checkpoint(1, prefixed), "a.pt")
    assert not model.model[1].weight.any()


def test_what_does_not_fit_is_named_and_nothing_is_set():
    model = mlp((64, 32, 16, 10))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    given = {f"module.{name}": t + 1 for name, t in mlp((64, 32, 16, 16, 8)).state_dict().items()}
    given["module.1.weight"] = torch.zeros(32, 60)
    with pytest.raises(CheckpointError) as error:
        load_into(model, Checkpoint(1, given), "a.pt")
    assert str(error.value) == (
        "a.pt does not fit the model: unexpected: 7.weight, 7.bias; of another shape: "
        "1.weight (32, 60) instead of (32, 64), 5.weight (16, 16) instead of (10, 16), "
        "5.bias (16,) instead of (10,)"
    )
    assert same(model.state_dict(), before)


def test_only_the_first_names_are_listed():
    with pytest.raises(CheckpointError, match=r"missing: 0.weight, 1.weight, 1.bias and 17 more"):
        load_into(small_cnn(), Checkpoint(1, {"head.weight": torch.zeros(1)}), "a.pt")


# Finding them


@pytest.fixture
def folder(tmp_path):
    for name in ("b-9.pt", "b-10.pt", "b-1.PTH", "notes.txt", ".b-9.pt.17.tmp", "c.pth.tar"):
        (tmp_path / name).touch()
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    for name in ("iteration-0000010.pt", "iteration-0000002.pt"):
        (tmp_path / "run" / "checkpoints" / name).touch()
    (tmp_path / "run" / "latest.pt").touch()
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    return tmp_path


def test_files_of_a_folder_in_natural_order(folder):
    names = [path.name for path in find([folder])]
    assert names == ["b-1.PTH", "b-9.pt", "b-10.pt", "c.pth.tar"]


def test_a_runs_folder_stands_for_its_checkpoints(folder):
    found = find([folder / "run"])
    assert [path.name for path in found] == ["iteration-0000002.pt", "iteration-0000010.pt"]
    assert found == find([folder / "run" / "checkpoints"])


def test_files_are_taken_whatever_their_name_and_once(folder):
    found = find([folder / "notes.txt", folder / "b-10.pt", folder / "b-9.pt", folder])
    names = ["b-1.PTH", "b-9.pt", "b-10.pt", "c.pth.tar", "notes.txt"]
    assert [path.name for path in found] == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "no checkpoint at .*none; give"),
        ("empty", "no checkpoints in .*; looked for .*.pt"),
    ],
)
def test_where_there_are_none(folder, name, message):
    with pytest.raises(MissingFileError, match=message):
        find([folder, folder / name])


def test_each_file_is_read_once_as_long_as_all_fit(tmp_path, monkeypatch):
    model = torch.nn.Linear(3, 2)
    paths = [tmp_path / f"step-{i}.pt" for i in range(3)]
    for path in paths:
        torch.save(model.state_dict(), path)
    read = []
    monkeypatch.setattr(
        checkpoints, "read", lambda path, own=checkpoints.read: read.append(path) or own(path)
    )
    files = CheckpointFiles([tmp_path])
    assert CheckpointFiles.of(files) is files
    for _ in range(2):
        assert [files.read(path).iteration for path in files.paths] == [0, 1, 2]
    assert read == paths
    read.clear()
    size = sum(each.nbytes for each in model.state_dict().values())
    monkeypatch.setattr(checkpoints, "KEPT", size * 1.5)  # one alone fits
    files = CheckpointFiles([tmp_path])
    for _ in range(2):
        assert [files.read(path).iteration for path in files.paths] == [0, 1, 2]
    assert sorted(read) == sorted([*paths, *paths[1:]])
