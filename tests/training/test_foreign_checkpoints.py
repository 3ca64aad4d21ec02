"""Checkpoints as the libraries of others write them."""

import argparse
import json
import math
import os
import subprocess
from collections import OrderedDict
from enum import Enum
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from landscape.errors import CheckpointError, InvalidValueError, UnknownNameError
from landscape.tasks.models import small_cnn
from landscape.training.checkpoints import Checkpoint, CheckpointFiles, find, load_into, read, write
from landscape.training.harmless import HARMLESS


def state(seed=0):
    torch.manual_seed(seed)
    return small_cnn(width=2).state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# safetensors, and folders


@pytest.mark.parametrize("name", ["step-12.safetensors", "step-12.pt", "step-12"])
def test_a_safetensors_file_whatever_its_name(tmp_path, name):
    save_file(state(), tmp_path / name)
    found = read(tmp_path / name)
    assert same(found.model, state())
    assert found.iteration == 12
    save_file(state(1), tmp_path / "other")
    with (tmp_path / name).open("r+b") as file:
        file.write((tmp_path / "other").read_bytes())
    assert same(found.model, state())  # what was read does not follow the file


def test_a_type_of_eight_bits_in_safetensors(tmp_path):
    save_file({"a": torch.ones(3).to(torch.float8_e4m3fn)}, tmp_path / "a.safetensors")
    model = nn.Module()
    model.register_buffer("a", torch.zeros(3))
    load_into(model, read(tmp_path / "a.safetensors"), "a.safetensors")
    assert model.a.tolist() == [1, 1, 1]


def test_every_cut_of_safetensors_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.zeros(30)}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"a\.safetensors (is|holds no) [^\n]*$"):
            read(path)


def test_safetensors_that_are_not_installed(tmp_path, monkeypatch):
    save_file(state(), tmp_path / "a.safetensors")
    monkeypatch.setattr("landscape.training.checkpoints.loading.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"pip install 'accuracy-landscape\[safetensors\]'$"):
        read(tmp_path / "a.safetensors")


def trainer_folder(folder, step=None, seed=0, epoch=0.5, weights="model.safetensors"):
    """What transformers' Trainer leaves."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    torch.save({"state": {}, "param_groups": [{"lr": 0.5}]}, folder / "optimizer.pt")
    (folder / "training_args.bin").write_bytes(b"no checkpoint")
    if weights.endswith(".bin"):
        torch.save(state(seed), folder / weights)
    else:
        save_file(state(seed), folder / weights)
    if step is not None:
        (folder / "trainer_state.json").write_text(
            json.dumps({"global_step": step, "epoch": epoch, "log_history": []})
        )
    return folder


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_a_trainer_is_one_checkpoint(tmp_path, weights):
    folder = trainer_folder(tmp_path / "checkpoint-7", 500, weights=weights)
    assert find([folder]) == [folder]
    for path in (folder, folder / weights):
        found = read(path)
        assert (found.iteration, found.epoch) == (500, 0.5)
        assert same(found.model, state())


def test_a_folder_without_a_state_has_the_iteration_of_its_name(tmp_path):
    folder = trainer_folder(tmp_path / "checkpoint_3")
    assert read(folder).iteration == 3
    (tmp_path / "latest").symlink_to("checkpoint_3")
    assert read(tmp_path / "latest").iteration == 3


@pytest.mark.parametrize(
    ("name", "iteration"),
    [("llama-3", None), ("run2", None), ("my_checkpoint-30", 30), ("500", 500), ("step_7", 7)],
)
def test_the_name_of_a_folder_is_often_that_of_a_model(tmp_path, name, iteration):
    found = read(trainer_folder(tmp_path / name))
    assert (found.iteration_known, found.iteration) == (iteration is not None, iteration or 0)


def test_a_folder_of_folders_is_a_run(tmp_path):
    folders = [trainer_folder(tmp_path / "out" / f"checkpoint-{n}", n, n) for n in (5, 10)]
    (tmp_path / "out" / "last").symlink_to("checkpoint-10")
    assert find([tmp_path / "out"]) == folders
    # What the Trainer leaves at the end beside them is a checkpoint too.
    for name in ("config.json", "model.safetensors", "training_args.bin"):
        (tmp_path / "out" / name).write_bytes((folders[1] / name).read_bytes())
    assert set(find([tmp_path / "out"])) == {*folders, tmp_path / "out"}
    files = CheckpointFiles([tmp_path / "out"])
    assert len({files.read(path).digest for path in files.paths}) == 2


def sharded(folder, change=lambda places: None):
    folder.mkdir()
    whole, places = state(), {}
    for i, name in enumerate(whole):
        places[name] = f"model-0000{i % 2 + 1}-of-00002.safetensors"
    for file in set(places.values()):
        save_file({n: whole[n] for n in places if places[n] == file}, folder / file)
    change(places)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def test_shards_are_put_together(tmp_path):
    assert same(
        dict(sorted(read(sharded(tmp_path / "a")).model.items())), dict(sorted(state().items()))
    )
    assert find([tmp_path / "a"]) == [tmp_path / "a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda places: places.update({"0.weight": "../secret.bin"}),
            "has to name files beside it",
        ),
        (lambda places: places.update({"0.weight": 3}), "has to name files beside it"),
        (lambda places: places.update({"0.weight": "none.bin"}), "lacks the shard 'none.bin'"),
        (
            lambda places: places.pop("0.weight"),
            "does not hold the tensors that model.safetensors.in",
        ),
        (lambda places: places.update(more=places["0.weight"]), "does not hold the tensors that"),
    ],
)
def test_shards_that_are_not_what_the_index_says(tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        read(sharded(tmp_path / "a", change))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "it is no JSON"), ("[" * 10**5, "it is no JSON"), ("[1]", "it holds no JSON object")],
)
def test_a_trainers_state_that_is_damaged(tmp_path, text, message):
    folder = trainer_folder(tmp_path / "checkpoint-7", 500)
    (folder / "trainer_state.json").write_text(text)
    with pytest.raises(CheckpointError, match=f"trainer_state.json is damaged: {message}"):
        read(folder)


def test_weights_that_are_tied_and_saved_once(tmp_path):
    def tied():
        model = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
        model.b.weight = model.a.weight
        return model

    save_file({"b.weight": torch.eye(3)}, tmp_path / "a.safetensors")
    model = tied()
    load_into(model, read(tmp_path / "a.safetensors"), "a.safetensors")
    assert torch.equal(model.a.weight, torch.eye(3))
    model.b.weight = nn.Parameter(torch.zeros(3, 3))
    with pytest.raises(CheckpointError, match=r"missing: a\.weight"):
        load_into(model, read(tmp_path / "a.safetensors"), "a.safetensors")


# Several sets of weights


def averaged(seed):
    torch.manual_seed(seed)
    return AveragedModel(small_cnn(width=2)).state_dict()


@pytest.mark.parametrize(
    ("content", "names", "taken", "plain"),
    [
        ({"state_dict": 0, "state_dict_ema": 1}, ["state_dict_ema"], "state_dict", True),  # timm
        ({"ema": 1, "model": 0}, ["ema"], "model", True),
        ({"model_ema": 1, "model": 0}, ["model_ema"], "model", True),
        ({"ema_state_dict": 1, "generator": 0}, ["ema_state_dict"], "generator", True),
        ({"state_dict": 1, "current_model_state": 0}, ["state_dict"], "current_model_state", True),
        ({"ema": 0}, [], "ema", False),
    ],
)
def test_the_plain_weights_unless_others_are_asked_for(tmp_path, content, names, taken, plain):
    path = tmp_path / "a.pt"
    optimizer = {"state": {}, "param_groups": [{"lr": 0.5}]}
    torch.save({**{n: state(s) for n, s in content.items()}, "optimizer": optimizer}, path)
    found = read(path)
    assert (found.weights, found.plain, set(found.weight_sets)) == (taken, plain, set(content))
    assert same(found.model, state())
    assert len(found.optimizers) == plain  # which are those of the plain weights
    for name in names:
        other = read(path, weights=name)
        assert (other.weights, other.plain, other.optimizers) == (name, False, ())
        assert same(other.model, state(1))
    with pytest.raises(UnknownNameError, match=r"unknown set of weights in .*a\.pt: 'x'; choose f"):
        read(path, weights="x")


def test_averages_of_torch(tmp_path):
    for name, content in {
        "swa.pt": averaged(1),
        "both.pt": {"swa_model": averaged(1), "model": state()},
        "nested.pt": {"ema": {"module": state(1), "updates": 3}, "model": state()},
    }.items():
        torch.save(content, tmp_path / name)
    model = small_cnn(width=2)
    for name, weights in {"swa.pt": None, "both.pt": "swa_model", "nested.pt": "ema"}.items():
        found = read(tmp_path / name, weights)
        assert not found.plain
        load_into(model, found, name)
        assert same(model.state_dict(), state(1))
    assert read(tmp_path / "swa.pt").weights == "averaged"
    assert same(read(tmp_path / "both.pt").model, state())


def test_what_lightnings_averaging_counts_is_no_set_of_weights(tmp_path):
    sets = {"state_dict": state(1), "current_model_state": state()}
    torch.save({**sets, "averaging_state": {"n_averaged": torch.tensor(3)}}, tmp_path / "a.ckpt")
    assert set(read(tmp_path / "a.ckpt").weight_sets) == set(sets)


def test_several_sets_of_which_none_is_the_plain_one(tmp_path):
    torch.save({"generator": state(), "critic": state(1)}, tmp_path / "a.pt")
    with pytest.raises(InvalidValueError, match=r"generator, critic; choose one with --weights"):
        read(tmp_path / "a.pt")
    assert same(read(tmp_path / "a.pt", weights="critic").model, state(1))


def test_a_file_of_this_package_has_one_set(tmp_path):
    write(tmp_path / "a.pt", Checkpoint(1, state()))
    assert read(tmp_path / "a.pt", weights="model").plain
    with pytest.raises(UnknownNameError, match="'ema'; choose from model"):
        read(tmp_path / "a.pt", weights="ema")


# Prefixes


@pytest.mark.parametrize(
    "prefix",
    [
        "_forward_module.",
        "net.",
        "_forward_module.module._orig_mod.",
        "model.module._orig_mod.net.",
    ],
)
def test_the_prefixes_of_any_wrapper(prefix):
    model = small_cnn(width=2)
    wrapped = {f"{prefix}{name}": tensor for name, tensor in state(1).items()}
    load_into(model, Checkpoint(1, wrapped), "a.pt")
    assert same(model.state_dict(), state(1))
    wrapped["criterion.weight"] = torch.zeros(2)
    with pytest.raises(CheckpointError, match=r"does not fit the model: .*criterion\.weight"):
        load_into(model, Checkpoint(1, wrapped), "a.pt")


def test_an_average_of_one_tensor():
    model = nn.Linear(3, 2, bias=False)
    load_into(model, Checkpoint(1, AveragedModel(nn.Linear(3, 2, bias=False)).state_dict()), "a.pt")


class Flipped(nn.Linear):
    """Its first version kept weights of the other sign."""

    _version = 2

    def _load_from_state_dict(self, state, prefix, versions, *rest):
        if versions.get("version", 1) < 2:
            state[f"{prefix}weight"] = -state[f"{prefix}weight"]
        super()._load_from_state_dict(state, prefix, versions, *rest)


def test_what_compiling_adds_to_names_leaves_the_versions_of_modules(tmp_path):
    source = nn.Sequential(Flipped(3, 2))
    torch.save(torch.compile(source, backend="eager").state_dict(), tmp_path / "a-1.pt")
    model = nn.Sequential(Flipped(3, 2))
    load_into(model, read(tmp_path / "a-1.pt"), "a-1.pt")
    assert torch.equal(model[0].weight, source[0].weight)


# Classes


class Color(Enum):
    RED = 1


class Config:
    def __init__(self):
        self.lr = 0.5


class Calls:
    """What pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (argparse.Namespace(lr=0.1), ["argparse.Namespace"]),
        (PurePosixPath("a/b"), ["pathlib.PurePosixPath"]),
        (np.float64(3), ["numpy"]),
        (np.arange(3), ["numpy"]),
        (
            [np.int32(1), argparse.Namespace(at=PurePosixPath("a"))],
            ["argparse.Namespace", "pathlib.PurePosixPath", "numpy"],
        ),
    ],
)  # fmt: skip
def test_a_harmless_class_is_taken_where_it_is_allowed(tmp_path, value, names):
    path = tmp_path / "a.pt"
    torch.save({"model": state(), "args": value, "epoch": 3}, path)
    with pytest.raises(CheckpointError, match="which is harmless; take it with") as error:
        read(path)
    assert all(f"--allow {name}" in str(error.value) for name in names)
    assert str(error.value).count("--allow") == len(names)
    assert "\n" not in str(error.value)
    assert same(read(path, allow=names).model, state())
    with pytest.raises(CheckpointError, match="which is harmless"):
        read(path)  # it was allowed for that time only


def test_a_class_of_ones_own_is_allowed_as_itself(tmp_path):
    torch.save({"model": state(), "config": Config(), "color": Color.RED}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"holds .*, and loading that could run code"):
        read(tmp_path / "a.pt", allow=[Color])
    assert same(read(tmp_path / "a.pt", allow=[Color, Config]).model, state())


def test_what_is_missing_among_what_is_allowed_is_named(tmp_path):
    content = {"model": state(), "color": Color.RED, "args": argparse.Namespace()}
    torch.save({**content, "path": PurePosixPath("a")}, tmp_path / "a.pt")
    allow = [Color, "pathlib.PurePosixPath"]
    with pytest.raises(CheckpointError, match=r"holds argparse\.Namespace beside") as error:
        read(tmp_path / "a.pt", allow=allow)
    assert str(error.value).count("--allow") == 1
    assert same(read(tmp_path / "a.pt", allow=[*allow, "argparse.Namespace"]).model, state())


def test_what_a_user_told_torch_stays_told(tmp_path):
    torch.save({"model": state(), "config": Config()}, tmp_path / "a.pt")
    with torch.serialization.safe_globals([Config]):
        read(tmp_path / "a.pt", allow=[Config])
        assert Config in torch.serialization.get_safe_globals()
    assert Config not in torch.serialization.get_safe_globals()


@pytest.mark.parametrize(
    "kind",
    ["os.system", "builtins.eval", "subprocess.Popen", "Namespace", os.system, eval, print,
     subprocess.Popen, type, object, np.memmap, torch.nn.Linear, 3],
)  # fmt: skip
def test_what_could_do_harm_is_never_allowed(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": state(), "x": Calls(os.mkdir, "sprung")}, "a.pt")
    for use in (
        lambda: read(Path("a.pt"), allow=[kind]),
        lambda: CheckpointFiles([], allow=[kind]),
    ):
        with pytest.raises(InvalidValueError, match=r"allow|unknown harmless class"):
            use()
    assert not Path("sprung").exists()


def test_nothing_else_gets_in_with_what_is_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [name for name in HARMLESS if name != "omegaconf"]
    for function, arguments in (
        (os.mkdir, ("sprung",)),
        (subprocess.Popen, (["touch", "sprung"],)),
        (eval, ("open('sprung', 'w')",)),
        (getattr, (argparse.Namespace, "__init__")),
        (np.memmap, ("sprung", "uint8", "w+", 0, (3,))),
    ):
        content = {"model": state(), "args": argparse.Namespace(), "x": Calls(function, *arguments)}
        torch.save(content, "a.pt")
        with pytest.raises(CheckpointError, match="could run code; save the state dict alone"):
            read(Path("a.pt"), allow=names)
    assert not Path("sprung").exists()


def test_a_package_that_is_allowed_and_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "omegaconf", None)
    with pytest.raises(InvalidValueError, match="omegaconf was allowed, but it is not installed"):
        CheckpointFiles([], allow=["omegaconf"])


# Places


@pytest.mark.parametrize(
    ("name", "content", "iteration", "epoch", "may_be_epoch"),
    [
        ("epoch=3-step=500.ckpt", {}, 500, 3, False),
        ("resnet50_epoch_7.pt", {}, None, 7, False),
        ("Epoch12.pth", {"epoch": 13}, None, 13, False),
        ("checkpoint-12.pth.tar", {"epoch": 12}, 12, 12, True),  # timm
        ("checkpoint-13.pth.tar", {"epoch": 12}, 13, 12, True),
        ("checkpoint-14.pth.tar", {"epoch": 12}, 14, 12, False),
        ("step-3.pt", {"epoch": 12}, 3, 12, False),
        ("model_best.pth.tar", {"epoch": 12}, None, 12, False),
        ("footstep.pt", {}, None, math.nan, False),
        ("step-10_v2.pt", {}, 10, math.nan, False),
    ],
)  # fmt: skip
def test_what_a_name_says(tmp_path, name, content, iteration, epoch, may_be_epoch):
    torch.save({"state_dict": OrderedDict(state()), **content}, tmp_path / name)
    found = read(tmp_path / name)
    assert found.iteration_known == (iteration is not None)
    assert found.iteration == (iteration or 0)
    np.testing.assert_equal(found.epoch, float(epoch))
    assert found.may_be_epoch == may_be_epoch
