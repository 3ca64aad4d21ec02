import gc
import gzip
import math
import os
import pickle
import tarfile
import warnings
import zipfile
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
        ("epoch3-step_0200.ckpt", {}, (200, 3, math.nan)),
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
        (
            lambda path: path.write_bytes(pickle.dumps(Trap())),
            "is a pickle that torch.save did not",
        ),
        (lambda path: torch.save({"a": Trap(), **state()}, path), "could run code"),
        (lambda path: torch.save(small_cnn(), path), "torch.nn.modules.container.Sequential"),
        (lambda path: torch.save(torch.zeros(3), path), "holds no state dict but Tensor; give"),
        (lambda path: torch.save({}, path), "holds no state dict but an empty dict"),
        (
            lambda path: torch.save({"state_dict": {}}, path),
            "no state dict but a dict of state_dict",
        ),
        (lambda path: torch.save({1: 2, "x": {}}, path), "no state dict but a dict of 1, x; give"),
        (
            lambda path: path.write_bytes(b"\x02\0\0\0\0\0\0\0{}"),
            "holds no state dict but an empty dict; give a state dict",
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
    with pytest.raises(CheckpointError, match=r"missing: 0.weight, 1.weight, 1.bias and 14 more"):
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
        checkpoints.files,
        "read",
        lambda path, *rest, own=checkpoints.read: read.append(path) or own(path),
    )
    files = CheckpointFiles([tmp_path])
    assert CheckpointFiles.of(files) is files
    for _ in range(2):
        assert [files.read(path).iteration for path in files.paths] == [0, 1, 2]
    assert read == paths
    read.clear()
    size = sum(each.nbytes for each in model.state_dict().values())
    monkeypatch.setattr(checkpoints.files, "KEPT", size * 1.5)  # one alone fits
    files = CheckpointFiles([tmp_path])
    for _ in range(2):
        assert [files.read(path).iteration for path in files.paths] == [0, 1, 2]
    assert sorted(read) == sorted([*paths, *paths[1:]])


# Which file, and which iteration


def test_a_link_is_the_file_that_it_leads_to(tmp_path):
    for iteration in (10, 20):
        torch.save(
            {"weight": torch.full((2,), float(iteration))}, tmp_path / f"ckpt-{iteration}.pt"
        )
    (tmp_path / "latest.pt").symlink_to("ckpt-20.pt")
    (tmp_path / "best-7.pt").symlink_to("ckpt-10.pt")
    for paths in ([tmp_path], sorted(tmp_path.iterdir()), sorted(tmp_path.iterdir())[::-1]):
        assert [path.name for path in find(paths)] == ["ckpt-10.pt", "ckpt-20.pt"]
    for name, iteration in (("latest.pt", 20), ("best-7.pt", 10)):
        assert [path.name for path in find([tmp_path / name])] == [name]
        assert read(tmp_path / name).iteration == iteration


def test_a_link_into_a_cache_by_hashes_has_the_name(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "5f3e9")
    (tmp_path / "step-40.pt").symlink_to("5f3e9")
    assert read(tmp_path / "step-40.pt").iteration == 40


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("best.pt", {}, False),
        ("best.pt", {"step": 3}, True),
        ("best-3.pt", {}, True),
    ],
)
def test_whether_a_file_says_its_iteration(tmp_path, name, content, known):
    torch.save({"model": state(), **content}, tmp_path / name)
    found = read(tmp_path / name)
    assert found.iteration_known == known
    assert found.iteration == 3 * known


@pytest.mark.parametrize("iteration", [-1, 1.5, 1e300, math.inf, 2**63])
def test_an_iteration_that_is_none(tmp_path, iteration):
    torch.save({"model": state(), "step": iteration}, tmp_path / "a.pt")
    with pytest.raises(
        CheckpointError, match=r"a\.pt is at iteration .*; an iteration is a number"
    ):
        read(tmp_path / "a.pt")


# What a file is instead


def folder_with(*names):
    def make(path):
        path.mkdir()
        for name in names:
            (path / name).write_bytes(b"x")

    return make


def exported(path):
    torch.export.save(torch.export.export(nn.Linear(3, 2), (torch.zeros(1, 3),)), path)


def scripted(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Linear(3, 2)).save(path)


def tarred(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (scripted, r"is a TorchScript archive; torch.save\(torch.jit.load"),
        (exported, r"is an exported program; torch.save\(torch.export.load"),
        (lambda path: np.savez(path.open("wb"), a=np.zeros(3)), "is an .npz of arrays; torch.save"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is one numpy array"),
        (lambda path: path.write_bytes(gzip.compress(b"x")), "is packed with gzip; unpack it"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "is an HDF5 file"),
        (
            lambda path: path.write_text("version https://git-lfs.github.com"),
            "is a pointer of Git LFS, .* git lfs pull",
        ),
        (lambda path: path.write_text("<html>"), "is a page of .* download the file itself"),
        (tarred, "is a tar archive"),
        (lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"), "is a zip archive of someth"),
        (folder_with(".metadata", "__0_0.distcp"), "is a distributed checkpoint; make one file"),
        (folder_with("m.index.json", "m-00001-of-00002.bin"), "holds one checkpoint in several sh"),
        (folder_with("data.pkl", "version"), "is an unpacked checkpoint; pack the folder again"),
        (lambda path: os.mkfifo(path), "is no regular file; give a file that torch.save wrote"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_good_file_of_another_kind_is_called_what_it_is(tmp_path, make, message):
    path = tmp_path / "a.pt"
    make(path)
    gc.collect()  # closes what it wrote
    with pytest.raises(CheckpointError, match=f"a.pt {message}") as error:
        read(path)
    assert "\n" not in str(error.value)


def test_a_folder_of_shards_is_no_folder_of_checkpoints(tmp_path):
    for i in (1, 2):
        torch.save({"weight": torch.zeros(2)}, tmp_path / f"model-0000{i}-of-00002.bin")
    with pytest.raises(CheckpointError, match="holds one checkpoint in several shards; load it"):
        find([tmp_path])


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    path, random = tmp_path / "a-1.pt", np.random.default_rng(0)
    write(path, Checkpoint(1, {"weight": torch.randn(30)}, 2.0, 0.5))
    good, digest = path.read_bytes(), read(path).digest
    noticed = 0
    for _ in range(300):
        flipped = bytearray(good)
        flipped[random.integers(len(good))] ^= 1 << random.integers(8)
        path.write_bytes(flipped)
        try:
            found = read(path)
        except CheckpointError:
            noticed += 1
        else:
            assert found.digest == digest
            assert (found.iteration, found.epoch, found.learning_rate) == (1, 2, 0.5)
    assert noticed > 150


def test_a_file_that_was_written_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state(), tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert same(read(tmp_path / "a.pt").model, state())


# What a state dict may hold


class Counting(nn.Linear):
    """It keeps more than tensors."""

    def __init__(self):
        super().__init__(3, 2)
        self.calls = 0

    def get_extra_state(self):
        return {"calls": self.calls, "mean": torch.ones(2)}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_extra_state_is_kept(tmp_path):
    model, other = Counting(), Counting()
    model.calls = 5
    torch.save(model.state_dict(), tmp_path / "a-1.pt")
    load_into(other, read(tmp_path / "a-1.pt"), "a-1.pt")
    assert other.calls == 5
    write(tmp_path / "b.pt", Checkpoint(1, model.state_dict()))
    one = read(tmp_path / "b.pt")
    assert one.digest == read(tmp_path / "a-1.pt").digest
    model.calls = 6
    assert Checkpoint(1, model.state_dict()).digest != one.digest


class Versioned(nn.Linear):
    """Its first version kept weights of the other sign."""

    _version = 2

    def __init__(self):
        super().__init__(3, 2)

    def _load_from_state_dict(self, state, prefix, versions, *rest):
        if versions.get("version", 1) < 2:
            state[f"{prefix}weight"] = -state[f"{prefix}weight"]
        super()._load_from_state_dict(state, prefix, versions, *rest)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_modules_convert_what_older_versions_wrote_and_nothing_else(tmp_path, prefix):
    source = nn.Sequential(Versioned())
    wrapped = nn.ModuleDict({"module": source}) if prefix else source
    torch.save(wrapped.state_dict(), tmp_path / "new-1.pt")
    torch.save(dict(wrapped.state_dict()), tmp_path / "old-1.pt")
    write(tmp_path / "own.pt", Checkpoint(1, checkpoints.copied(wrapped.state_dict())))
    for name, sign in (("new-1.pt", 1), ("old-1.pt", -1), ("own.pt", 1)):
        model = nn.Sequential(Versioned())
        load_into(model, read(tmp_path / name), name)
        assert torch.equal(model[0].weight, sign * source[0].weight)


def test_batch_norm_from_before_it_counted_batches():
    model = small_cnn(width=2)
    old = {name: tensor for name, tensor in state().items() if "tracked" not in name}
    load_into(model, Checkpoint(1, old), "a.pt")
    assert same({name: model.state_dict()[name] for name in old}, old)


def test_what_averaging_compiling_and_sharding_add_to_names():
    source = small_cnn(width=2)
    averaged = torch.optim.swa_utils.AveragedModel(source)
    torch.nn.init.constant_(averaged.module[0].weight, 3.0)
    model = small_cnn(width=2)
    load_into(model, Checkpoint(1, averaged.state_dict()), "a.pt")
    assert same(model.state_dict(), averaged.module.state_dict())
    inside = {
        name.replace(".", "._orig_mod.", 1): tensor for name, tensor in source.state_dict().items()
    }
    load_into(model, Checkpoint(1, inside), "a.pt")
    assert same(model.state_dict(), source.state_dict())


@pytest.mark.parametrize(
    ("dtype", "other", "held"),
    [
        (torch.float32, torch.float8_e4m3fn, True),
        (torch.float32, torch.float16, True),
        (torch.float64, torch.float32, True),
        (torch.float32, torch.float64, False),
        (torch.float16, torch.bfloat16, False),
        (torch.bfloat16, torch.float16, False),
        (torch.float8_e4m3fn, torch.float32, False),
        (torch.float32, torch.int64, False),
        (torch.int64, torch.bool, True),
        (torch.complex64, torch.float32, False),
        (torch.complex64, torch.int64, False),
        (torch.float32, torch.complex64, False),
        (torch.int64, torch.uint16, False),  # torch does not say
    ],
)
def test_a_type_that_a_models_cannot_hold_exactly_is_refused(dtype, other, held):
    model = nn.Module()
    model.register_buffer("values", torch.zeros(3).to(dtype))
    given = Checkpoint(1, {"values": torch.tensor([0.0, 1.0, 1.0]).to(other)})
    if held:
        load_into(model, given, "a.pt")
        assert model.values.float().tolist() == [0, 1, 1]
    else:
        with pytest.raises(CheckpointError, match=f"values {other} instead of {dtype}"):
            load_into(model, given, "a.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (torch.Tensor.to_sparse, r"holds 'a', which is of layout sparse_coo; make it dense"),
        (lambda t: t.to("meta"), "holds 'a', which is on the device meta, without values"),
        (lambda t: quantised(t), r"holds 'a', which is quantised; make plain numbers of it"),
    ],
)
def test_a_tensor_whose_values_cannot_be_read(tmp_path, change, message):
    torch.save({"a": change(torch.zeros(3))}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=message):
        read(tmp_path / "a.pt")


def quantised(tensor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


def test_a_model_whose_hooks_fail_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(3, 3), Counting())
    before = {name: t.clone() for name, t in model.state_dict().items() if t is not None and
              isinstance(t, torch.Tensor)}  # fmt: skip
    other = {name: t + 1 for name, t in before.items()} | {"1._extra_state": ["not a dict"]}
    with pytest.raises(
        CheckpointError, match=r"a\.pt does not fit the model: TypeError: list indic"
    ):
        load_into(model, Checkpoint(1, other), "a.pt")
    assert all(torch.equal(model.state_dict()[name], t) for name, t in before.items())


def test_a_lazy_layer_takes_its_size_from_the_file():
    model = nn.Sequential(nn.LazyLinear(2))
    source = nn.Sequential(nn.Linear(3, 2))
    load_into(model, Checkpoint(1, source.state_dict()), "a.pt")
    assert torch.equal(model(torch.ones(1, 3)), source(torch.ones(1, 3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": "three"}, "is damaged: its epoch is 'three'; it has to be a number"),
        ({"learning_rate": [0.1]}, r"is damaged: its learning rate is \[0.1\]; it has"),
        ({"epoch": 10**400}, "is damaged or no checkpoint: OverflowError"),
        ({"training": 3}, "is damaged: its training is 3; it has to be a dict"),
        ({"run": "digits-mlp"}, "is damaged: it holds no JSON object"),
        ({"run": {"task": 3}}, "is damaged: its 'task' is 3, which no version of"),
        ({"run": {"batch_size": True}}, "is damaged: its 'batch_size' is True, which"),
        (
            {"run": {"task": "a", "x": torch.zeros(2)}},
            "its record of the run holds more than plain",
        ),
        ({"iteration": float("nan")}, "is at iteration nan"),
        ({"iteration": 10**400}, "is at iteration 1000.*0…; an iteration is a number"),
        ({"version": [1]}, r"has checkpoint version \[1\]; this landscape reads version 1"),
        ({"model": {}}, "is damaged: it lacks a state dict"),
        ({"model": {1: torch.zeros(2)}}, "is damaged: it lacks a state dict"),
    ],
)
def test_values_of_another_type_are_one_line(tmp_path, change, message):
    path = tmp_path / "a.pt"
    write(path, Checkpoint(1, state(), 2.0, 0.1, {}, {"task": "a", "optimizer": "sgd"}))
    torch.save(torch.load(path) | change, path)
    with pytest.raises(CheckpointError, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_the_optimizers_that_a_file_holds(tmp_path):
    one, two = ({"state": {}, "param_groups": [{"lr": lr}]} for lr in (0.5, 0.25))
    torch.save({"model": state(), "optimizer_states": [one, {"inner": two}]}, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt")
    assert found.optimizers == (one, two)
    assert found.learning_rate == 0.5
