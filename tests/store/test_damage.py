"""Damaged and foreign stores: what is wrong with them is said, and no other number is shown."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import cases, damage
from helpers.commands import refused, run

import landscape
from landscape import store
from landscape.data import as_data
from landscape.errors import LandscapeError, StoreError
from landscape.histories import collection
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small store of three rows."""
    (inputs, labels), validation = cases.digits()
    settings = ProbeSettings(
        step_sizes=(-0.1, 0, 0.1), batch_size=16, big_batch=20, validation_samples=20
    )
    prober = Prober(as_data((inputs, labels)), as_data(validation), settings)
    path = tmp_path_factory.mktemp("whole") / "s.zarr"
    model = cases.fresh("mlp")
    rows = [prober(model, iteration=i, epoch=i / 10) for i in (100, 200, 300)]
    attributes = {"task": "digits", "optimizer": "sgd", "settings": prober.settings.as_dict()}
    writer = store.create(path, rows[0], rows=4, attributes=attributes)
    for row in rows:
        writer.write(row)
    return path


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    run("train", "digits-mlp", "--epochs", 2, "--checkpoints", 2, "--out", path)
    return path / "history.zarr"


@pytest.fixture
def copy(whole, tmp_path):
    return damage.copied(whole, tmp_path / "s.zarr")


def edited(path, change, node=""):
    file = path / node / "zarr.json"
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))
    return path


def message(path, read=landscape.open):
    with pytest.raises(StoreError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_chunk_carries_a_checksum_and_is_there(whole):
    arrays = [a for _, a in zarr.open_group(whole, mode="r").members(None) if hasattr(a, "shape")]
    assert len(arrays) > 30
    for array in arrays:
        assert array.metadata.codecs[-1].to_dict() == {"name": "crc32c"}
        done = 3 if array.metadata.dimension_names[0] == "checkpoint" else 1
        assert len(damage.files(whole / array.path, metadata=False)) == done
    # One of nothing but fill values among them: the first draw is 0, and no rate is known.
    assert (whole / "draw" / "c" / "0").exists()
    assert np.isnan(landscape.open(whole)["learning_rate"]).all()
    assert store.find_damage(whole) == []
    assert store.has_checksums(whole)


@pytest.mark.parametrize(
    "lost", ["loss/c/1/0/0/0", "learning_rate/c/1", "finished/c/1", "epoch/c/1"]
)
def test_a_chunk_that_is_gone_is_said_with_its_row(copy, lost):
    (copy / lost).unlink()
    name = lost.split("/")[0]
    for read in (landscape.open, store.resume):
        said = message(copy, read)
        assert f"{copy} is damaged: {name!r} at iteration 200 is missing;" in said
        assert f"`landscape check {copy}`" in said
    assert [each.rows for each in store.find_damage(copy)] == [range(1, 2)]


def test_a_turned_bit_is_said_with_its_row(copy):
    file = copy / "loss" / "c" / "2" / "0" / "0" / "0"
    raw = bytearray(file.read_bytes())
    raw[7] ^= 4
    file.write_bytes(raw)
    what = "'loss' at iteration 300 is not what was written (its checksum differs)"
    assert what in message(copy)
    assert what in message(copy, store.resume)
    assert [str(each) for each in store.find_damage(copy)] == [what]
    file.write_bytes(raw[:5])
    assert "'loss' at iteration 300 is not what was written" in message(copy)


def test_what_all_rows_share_is_said_without_a_row(copy):
    (copy / "evaluation_set" / "c" / "0").unlink()
    assert f"{copy} is damaged: 'evaluation_set' is missing;" in message(copy)


def test_per_sample_values_are_missed_when_they_are_opened(copy):
    lost = copy / "per_sample" / "validation" / "margin" / "c" / "0" / "0" / "0" / "0"
    lost.unlink()
    assert landscape.open(copy).sizes["checkpoint"] == 3
    landscape.open_samples(copy, "big_batch").load()
    said = message(copy, lambda path: landscape.open_samples(path, "validation"))
    assert "'per_sample/validation/margin' at iteration 100 is missing" in said
    assert "'per_sample/validation/margin' at iteration 100" in message(copy, store.resume)


def test_a_row_that_was_not_finished_is_no_damage(copy):
    writer = store.resume(copy)
    before = landscape.open(copy)
    row = xr.Dataset({"epoch": ("checkpoint", [4.0]), "stop": ("checkpoint", [0.0])})
    with pytest.raises(StoreError, match="has no 'stop'"):  # in the middle of the row
        writer.write(xr.DataTree(row))
    assert not (copy / "epoch" / "c" / "3").exists()  # all of a row is put in place at once
    (copy / "epoch" / "c" / "3").write_bytes(b"cut off between two files of it")
    assert store.progress(copy) == (3, 4)
    assert store.find_damage(copy) == []
    assert landscape.open(copy).identical(before)


def test_stores_without_checksums_are_read_as_before(whole, tmp_path):
    path = tmp_path / "older.zarr"
    dataset = xr.open_zarr(whole, consolidated=False, zarr_format=3, chunks=None).load()
    dataset.attrs.pop("structure")
    for variable in dataset.variables.values():
        variable.encoding.clear()
    dataset.isel(checkpoint=slice(3)).to_zarr(path, consolidated=False, zarr_format=3)
    assert not list((path / "draw").glob("c/*"))  # nothing but fill values
    assert not store.has_checksums(path)
    assert store.find_damage(path) == []
    xr.testing.assert_identical(landscape.open(path), landscape.open(whole))
    (path / "loss" / "c" / "0" / "0" / "0" / "0").write_bytes(b"half")
    assert "'loss' at rows 0 to 2 is not what was written (it cannot be decoded)" in message(path)


def test_marks_of_older_xarray_are_read(whole, tmp_path):
    path = tmp_path / "older.zarr"
    dataset = xr.open_zarr(whole, consolidated=False, zarr_format=3, chunks=None).load()
    dataset.attrs.pop("structure")
    dataset["finished"] = dataset["finished"].astype("int8").assign_attrs(dtype="bool")
    for variable in dataset.variables.values():
        variable.encoding.clear()
    dataset.to_zarr(path, consolidated=False, zarr_format=3)
    assert json.loads((path / "finished" / "zarr.json").read_text())["data_type"] == "int8"
    xr.testing.assert_identical(landscape.open(path), landscape.open(whole))
    assert store.progress(path) == (3, 4)
    store.resume(path).forget(2)
    assert landscape.open(path)["iteration"].values.tolist() == [100, 200]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("loss/c/1/0/0/0", "pipe"), ("zarr.json", "pipe"), ("epoch/zarr.json", "dir")],
)
def test_a_pipe_or_a_folder_in_place_of_a_file_is_no_wait(copy, name, kind):
    (copy / name).unlink()
    (os.mkfifo if kind == "pipe" else os.mkdir)(copy / name)
    assert "is not a file" in message(copy)
    assert "not a file" in message(copy, store.resume)


def test_what_is_no_folder_is_no_store(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    assert "neither a folder nor a file" in message(tmp_path / "pipe")
    assert "cannot read" in message(tmp_path / "text")
    assert "neither a folder" in refused("table", "benchmark", tmp_path / "pipe")


class Bomb:
    def __reduce__(self):
        return (os.mkdir, (os.environ["BOMB"],))


def test_no_other_format_and_no_other_codec_is_opened(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "ran"))
    older = tmp_path / "older.zarr"
    older.mkdir()
    (older / ".zgroup").write_text('{"zarr_format": 2}')
    (older / ".zattrs").write_text('{"schema": 2, "along": "checkpoint"}')
    (older / "finished").mkdir()
    pickled = {"id": "pickle", "protocol": 5}
    (older / "finished" / ".zarray").write_text(
        json.dumps(
            {
                "zarr_format": 2,
                "shape": [1],
                "chunks": [1],
                "dtype": "|O",
                "order": "C",
                "fill_value": None,
                "compressor": None,
                "filters": [pickled],
            }
        )
    )
    (older / "finished" / "0").write_bytes(pickle.dumps([Bomb(), (1,), "|O"]))
    for read in (landscape.open, store.progress, store.resume, store.find_damage):
        assert "not a zarr store: its zarr.json is missing" in message(older, read)

    def foreign(said):
        said["codecs"] = [{"name": "numcodecs.pickle", "configuration": {"protocol": 5}}]

    edited(copy, foreign, "loss")
    assert "'loss' has the codec 'numcodecs.pickle'" in message(copy)
    assert "only ones that are opened are bytes, crc32c, vlen-utf8, zstd" in message(copy)
    # Metadata kept at the root would be taken for those of the arrays.
    inline = edited(copy, lambda said: said.update(consolidated_metadata={"metadata": {}}))
    assert "consolidated metadata" in message(inline)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("node", "change", "said"),
    [
        (
            "",
            lambda j: j["attributes"].update(along="epoch"),
            "it says that it grows along 'epoch'",
        ),
        (
            "",
            lambda j: j["attributes"].update(along=["checkpoint"]),
            "its 'along' is ['checkpoint']",
        ),
        ("", lambda j: j["attributes"].update(digests=3), "its 'digests' is 3"),
        ("", lambda j: j["attributes"]["settings"].update(samples=[]), "its 'settings.samples'"),
        ("", lambda j: j["attributes"].update(schema=True), "not a store of landscape's"),
        ("", lambda j: j["attributes"].update(schema=0), "its schema is 0"),
        ("", lambda j: j.update(zarr_format=2), "zarr.json is not of zarr format 3"),
        ("loss", lambda j: j["shape"].__setitem__(2, 4), "the metadata of 'loss' are not what was"),
        (
            "loss",
            lambda j: j["shape"].__setitem__(0, 9),
            "'loss' has room for 9 rows and 'finished'",
        ),
        ("loss", lambda j: j.update(data_type="float32"), "the metadata of 'loss' are not what"),
        (
            "loss",
            lambda j: j["attributes"].update(scale_factor=2),
            "the metadata of 'loss' are not",
        ),
        ("loss", lambda j: j.update(data_type={"name": "object"}), "has the data type"),
        ("kind", lambda j: j["attributes"].update(long_name=3), "'kind' has the long_name 3"),
    ],
)
def test_metadata_that_nothing_writes_are_said(copy, node, change, said):
    assert said in message(edited(copy, change, node))


def test_words_may_be_changed_by_hand(copy):
    edited(copy, lambda said: said["attributes"].update(task="renamed"))
    edited(copy, lambda said: said["attributes"].update(long_name="the loss"), "loss")
    dataset = landscape.open(copy)
    assert dataset.attrs["task"] == "renamed"
    assert dataset["loss"].attrs == {"long_name": "the loss", "units": "nat"}
    assert "structure" not in dataset.attrs


def test_what_other_programs_leave_is_neither_read_nor_packed(copy, tmp_path):
    before = landscape.open(copy)
    for name in (
        ".DS_Store",
        "._zarr.json",
        "per_sample/.DS_Store",
        "loss/._c",
        "loss/c/.DS_Store",
    ):
        (copy / name).write_bytes(b"Mac")
    (copy / "secret").symlink_to("/etc/passwd")
    assert landscape.open(copy).identical(before)
    assert store.find_damage(copy) == []
    packed = store.pack(copy, tmp_path / "s.zip")
    assert landscape.open(packed).identical(before)
    with zipfile.ZipFile(packed) as archive:
        assert not [
            n for n in archive.namelist() if "." in n.replace("zarr.json", "") or n == "secret"
        ]


def test_a_damaged_store_is_not_packed(copy, tmp_path):
    (copy / "loss" / "c" / "1" / "0" / "0" / "0").unlink()
    with pytest.raises(StoreError, match="'loss' at iteration 200 is missing"):
        store.pack(copy, tmp_path / "s.zip")
    assert not (tmp_path / "s.zip").exists()


def test_a_chunk_that_is_gone_from_a_zip_is_said(whole, tmp_path):
    packed = store.pack(whole, tmp_path / "s.zip")
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(tmp_path / "t.zip", "w") as new:
        for name in old.namelist():
            if name != "loss/c/0/0/0/0":
                new.writestr(name, old.read(name))
    assert "'loss' at iteration 100 is missing" in message(tmp_path / "t.zip")
    assert "cannot be probed again" in run("check", tmp_path / "t.zip", status=2).output
    with pytest.raises(StoreError, match="packed, and no rows can be added"):
        store.resume(packed)


def test_a_damaged_history_is_said(history, tmp_path):
    folder = damage.copied(history.parent, tmp_path / "run")
    chunk = folder / "history.zarr" / "loss" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert "'loss' at rows 0 to 1 is not what was written" in refused("table", "benchmark", folder)
    listed = run("check", folder, status=2).output
    assert "history.zarr: 'loss' at rows 0 to 1" in listed
    assert "put a copy in its place, or train into another folder" in listed


def test_checking_and_probing_the_damaged_rows_again(history, tmp_path):
    folder = damage.copied(history.parent, tmp_path / "run")
    probe = ("probe", "--checkpoint", folder)
    run(*probe, "--big-batch", 100)
    path = folder / "landscape.zarr"
    content = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    assert run("check", folder).output.count(": whole") == 2
    first = path / "per_sample" / "validation" / "loss" / "c" / "0" / "0" / "0" / "0"
    first.write_bytes(first.read_bytes()[::-1])
    for lost in ("iteration/c/1", "finished/c/1", "step_size/c/0"):
        (path / lost).unlink()
    assert "landscape check" in refused(*probe, "--big-batch", 100)
    assert "landscape check" in refused("plot", "widening", folder, "-o", tmp_path / "w.png")
    assert "landscape check" in refused("table", "statistics", folder)
    assert f"probe --checkpoint {folder} --redo" in run("check", folder, status=2).output
    one = min((folder / "checkpoints").iterdir())
    given = ("--out", path, "--task", "digits-mlp", "--big-batch", 100, "--redo")
    assert "was not given; give it too" in refused("probe", "--checkpoint", one, *given)
    assert "2 checkpoints probed" in run(*probe, "--big-batch", 100, "--redo").output
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == content
    assert "0 checkpoints probed" in run(*probe, "--big-batch", 100, "--redo").output


def test_a_store_of_another_kind_is_refused(history, whole, tmp_path):
    run_ = damage.copied(history.parent, tmp_path / "run")
    said = refused("probe", "--checkpoint", run_, "--out", run_ / "history.zarr")
    assert "holds the history of a training, not slices of checkpoints" in said
    assert "these are no slices" in refused("plot", "widening", run_ / "history.zarr")
    assert "is no run's history" in refused("table", "benchmark", whole)
    with pytest.raises(LandscapeError, match="no evaluation sets"):
        landscape.open_samples(run_ / "history.zarr", "validation")


def test_a_packed_collection_that_does_not_say_its_runs(history, tmp_path):
    packed = collection.pack(collection.collect(history.parent), tmp_path / "runs.zip")
    folder = tmp_path / "runs.zarr"
    shutil.unpack_archive(packed, folder)
    edited(folder, lambda said: said["attributes"]["runs"].clear())
    with pytest.raises(StoreError, match="does not say which runs it holds"):
        collection.collect(folder)


def fuzzed(whole, folder, kinds, count, seed, read, show):
    truth, counts = read(whole), Counter()
    generator = np.random.default_rng(seed)
    for _ in range(count):
        path = damage.copied(whole, folder / whole.name)
        kind = damage.pick(generator, kinds)
        did = kind(path, generator)
        found = damage.outcome(read, path, truth)
        assert found in ("right", "refused"), (found, did)
        if kind in (damage.flip, damage.delete):
            assert found == "refused", did
            assert damage.check(path), did
        with suppress(LandscapeError):
            show(path)
        counts[found] += 1
    print(whole.name, {kind.__name__ for kind in kinds}, dict(counts))
    return counts


def test_no_damage_gives_other_numbers(whole, history, tmp_path):
    fuzzed(whole, tmp_path, damage.EVERY, 8, 1, damage.read_slices, damage.show_slices)
    fuzzed(history, tmp_path, damage.EVERY, 8, 2, damage.read_history, damage.show_history)


@pytest.mark.long
def test_no_damage_gives_other_numbers_for_long(whole, history, tmp_path):
    slices = (damage.read_slices, damage.show_slices)
    flips = fuzzed(whole, tmp_path, [damage.flip], 200, 3, *slices)
    deletes = fuzzed(whole, tmp_path, [damage.delete], 50, 4, *slices)
    assert flips == {"refused": 200}
    assert deletes == {"refused": 50}
    fuzzed(whole, tmp_path, damage.EVERY, 500, 5, *slices)
    epochs = (damage.read_history, damage.show_history)
    fuzzed(history, tmp_path, damage.EVERY, 250, 6, *epochs)


def test_a_killed_reader_of_a_pipe_would_have_hung(tmp_path, copy):
    """The same from a process of its own, which is ended if it waits."""
    file = copy / "loss" / "c" / "0" / "0" / "0" / "0"
    file.unlink()
    os.mkfifo(file)
    command = [sys.executable, "-m", "landscape", "info", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'loss' at iteration 100 is not a file" in done.stderr
