import json
import shutil

import numpy as np
import pytest
import xarray as xr
from helpers.runs import write

import landscape
from landscape import store
from landscape.errors import CheckpointError, InvalidValueError, MissingFileError, StoreError
from landscape.histories import collection as histories
from landscape.histories.collection import collect, groups, pack
from landscape.study import runs
from landscape.tasks import load_task
from landscape.training import TrainingSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three finished runs, one cut off, and one that has just begun."""
    tmp_path = tmp_path_factory.mktemp("runs")
    write(tmp_path / "all" / "sgd" / "0", [0.5, 0.7, 0.6], seed=0)
    write(tmp_path / "all" / "sgd" / "1", [0.4, 0.6, 0.8], seed=1)
    write(tmp_path / "all" / "adam-0", [0.9, 0.7], optimizer="adam", asked=3)
    write(tmp_path / "all" / "adam-1", [], optimizer="adam", asked=3, seed=1)
    sls = {"searches": [19, 20], "trials": [30, 40]}
    write(tmp_path / "all" / "sls", [0.2, 0.3], optimizer="sa-sls", counts=sls)
    return tmp_path / "all"


@pytest.fixture
def own(folder, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(folder, tmp_path / "all")


@pytest.fixture(scope="module")
def dataset(folder):
    return collect(folder)


def test_a_real_run_is_collected_as_it_is(tmp_path):
    task = load_task("digits-mlp")
    settings = TrainingSettings.for_task(task, epochs=2, checkpoints=1, seed=3)
    runs.train(task, settings, tmp_path / "mine", source={"task": task.name})
    dataset = collect(tmp_path / "mine")
    history = landscape.open(tmp_path / "mine" / "history.zarr")
    assert dict(dataset.sizes) == {"run": 1, "epoch": 2}
    assert set(dataset.data_vars) == set(history.data_vars)
    for name, values in history.data_vars.items():
        np.testing.assert_array_equal(dataset[name][0], values)
        assert dataset[name].attrs == values.attrs
    one = dataset.isel(run=0)
    assert one["run"].item() == "mine"
    assert (one["task"].item(), one["optimizer"].item()) == ("digits-mlp", "sgd")
    assert (one["seed"].item(), one["learning_rate"].item()) == (3, 0.1)
    assert json.loads(one["options"].item()) == {}
    assert (one["epochs_done"].item(), one["epochs_asked"].item()) == (2, 2)
    assert json.loads(one["record"].item())["batch_size"] == settings.batch_size


def test_a_folder_is_searched_at_any_depth(own):
    (own / "notes.txt").write_text("mine")
    (own / "slices.zarr").mkdir()
    (own / "slices.zarr" / "zarr.json").write_text("{}")
    (own / "sgd" / "0" / "checkpoints").mkdir()
    dataset = collect(own)
    assert dataset["run"].values.tolist() == ["adam-0", "adam-1", "0", "1", "sls"]
    assert dataset["epoch"].values.tolist() == [1, 2, 3]


def test_what_is_not_done_is_nan_and_told(dataset):
    assert dataset["epochs_done"].values.tolist() == [2, 0, 3, 3, 2]
    assert dataset["epochs_asked"].values.tolist() == [3, 3, 3, 3, 2]
    assert histories.unfinished(dataset).tolist() == [True, True, False, False, False]
    accuracy = dataset["validation_accuracy"]
    np.testing.assert_array_equal(accuracy.sel(run="adam-0"), [0.9, 0.7, np.nan])
    assert accuracy.sel(run="adam-1").isnull().all()
    np.testing.assert_array_equal(dataset["searches"].sel(run="sls"), [19, 20, np.nan])
    assert dataset["searches"].sel(run="0").isnull().all()


def test_best_and_final_accuracy_take_no_padding(dataset):
    np.testing.assert_array_equal(
        histories.best_accuracy(dataset).values, [0.9, np.nan, 0.7, 0.8, 0.3]
    )
    np.testing.assert_array_equal(
        histories.final_accuracy(dataset).values, [0.7, np.nan, 0.6, 0.8, 0.3]
    )
    assert histories.best_accuracy(dataset).sel(run="sls").item() == 0.3


def test_a_packed_collection_is_the_collection(dataset, tmp_path):
    packed = pack(dataset, tmp_path / "runs.zarr.zip")
    assert collect(packed).identical(dataset)
    assert packed.stat().st_size < 20_000
    assert [p.name for p in tmp_path.iterdir()] == ["runs.zarr.zip"]
    some = collect(packed).isel(run=[0, 2])
    pack(some, packed)
    assert collect(packed)["run"].values.tolist() == ["adam-0", "0"]


def test_where_files_lay_is_not_passed_on(dataset):
    record = json.loads(dataset["record"].values[0])
    assert record.keys() & {"data", "folder", "schema", "along"} == set()


def test_each_run_is_taken_once(folder, tmp_path):
    paths = [folder, folder / "sls", str(folder / "sls" / "history.zarr"), folder / "sgd"]
    assert collect(paths).sizes["run"] == 5
    assert collect(folder / "sls" / "history.zarr")["run"].values.tolist() == ["sls"]
    shutil.copytree(folder / "sls", tmp_path / "other" / "sls")
    names = collect([folder / "sls", tmp_path / "other"])["run"].values.tolist()
    assert names == ["all/sls", "other/sls"]
    packed = pack(collect([folder / "sls", tmp_path / "other"]), tmp_path / "a.zip")
    assert collect(packed)["run"].values.tolist() == names


def test_a_task_of_ones_own_is_named_without_its_folder_unless_two_would_be_one(tmp_path):
    one = write(tmp_path / "1", [0.5], task="/home/a/mine.py:task")
    two = write(tmp_path / "2", [0.5], task="/home/b/mine.py:task")
    assert collect(one)["task"].values.tolist() == ["mine.py:task"]
    assert collect([one, two])["task"].values.tolist() == ["a/mine.py:task", "b/mine.py:task"]
    assert "home" not in str(collect(one)["record"].values)


def test_groups_are_alike_but_for_the_seed(dataset):
    found = groups(dataset)
    assert [(g.task, g.label) for g in found] == [
        ("digits-mlp", "adam"),
        ("digits-mlp", "sgd"),
        ("digits-mlp", "sa-sls"),
    ]
    assert found[1].runs["seed"].values.tolist() == [0, 1]
    assert [values.tolist() for values in found[0].series("validation_accuracy")] == [
        [0.9, 0.7],
        [],
    ]


def test_settings_are_in_order_of_their_number(tmp_path):
    for factor in (10, 2, 0.5):
        write(tmp_path / str(factor), [0.5], optimizer="sa-sls", options={"slope_factor": factor})
    assert [group.label for group in groups(collect(tmp_path))] == [
        f"sa-sls, slope factor {factor}" for factor in ("0.5", "2", "10")
    ]


def test_an_optimizer_is_the_same_in_any_case(tmp_path):
    for name in ("SGD", "sgd"):
        write(tmp_path / name, [0.5], optimizer=name)
    assert len(groups(collect(tmp_path))) == 1


def test_labels_may_be_assigned(dataset):
    mine = dataset.isel(run=[2, 3]).assign_coords(label=("run", ["a", "b"]))
    assert [group.label for group in groups(mine)] == ["a", "b"]


def test_a_slice_is_no_collection(folder):
    for other in (xr.Dataset(), landscape.open(folder / "sls" / "history.zarr")):
        with pytest.raises(InvalidValueError, match="give a collection of runs"):
            groups(other)


def slices(path):
    tree = xr.DataTree(xr.Dataset({"iteration": ("checkpoint", [1])}))
    store.create(path, tree, rows=1, attributes={})


def test_errors(own, tmp_path):
    with pytest.raises(MissingFileError, match=r"no run at .*nowhere"):
        collect(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match=r"no run in .*empty"):
        collect([own, tmp_path / "empty"])
    with pytest.raises(MissingFileError, match="no run was given"):
        collect([])
    slices(tmp_path / "landscape.zarr")
    with pytest.raises(InvalidValueError, match=r"landscape\.zarr is no run's history"):
        collect(tmp_path / "landscape.zarr")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.txt"):
        collect(tmp_path / "notes.txt")
    for text in ("{", "[]", "{}"):
        (own / "adam-1" / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match="damaged"):
            collect(own)
    (own / "adam-1" / "run.json").unlink()
    shutil.rmtree(own / "sgd" / "0" / "history.zarr" / "validation_accuracy")
    with pytest.raises(StoreError, match=r"history.zarr is damaged: it has no validation_accuracy"):
        collect(own)


def test_pack_refuses_other_names_and_keeps_the_old_file(dataset, tmp_path, monkeypatch):
    with pytest.raises(InvalidValueError, match=r"ends in \.zip"):
        pack(dataset, tmp_path / "runs.zarr")
    with pytest.raises(MissingFileError, match="no folder"):
        pack(dataset, tmp_path / "nowhere" / "a.zip")
    with pytest.raises(InvalidValueError, match="collection"):
        pack(xr.Dataset(), tmp_path / "a.zip")
    with pytest.raises(InvalidValueError, match="no epoch of any run"):
        pack(dataset.isel(run=[1]), tmp_path / "a.zip")
    (tmp_path / "a.zip").write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "make_archive", full)
    with pytest.raises(OSError, match="No space"):
        pack(dataset, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip"}
