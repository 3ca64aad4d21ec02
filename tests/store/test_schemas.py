"""Stores of schema 1, which left norm, slope and symbol to the name of their direction."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import cases
from helpers.commands import run
from helpers.slices import slices

import landscape
from landscape import plots, statistics, store
from landscape.optimizers import SmoothAccuracySLS
from landscape.slices.schema import upgraded

KEPT = Path(__file__).parents[2] / "figures" / "cifar10-resnet20-full-size.zarr.zip"


def test_a_kept_store_is_read_as_before():
    dataset = landscape.open(KEPT)
    assert dataset.attrs["schema"] == 1
    assert dataset.attrs["direction_symbol"] == "−∇L"
    norm = dataset["gradient_norm"].values
    np.testing.assert_array_equal(dataset["direction_norm"], norm)
    np.testing.assert_array_equal(dataset["direction_slope"], -norm * norm)
    assert dataset["direction_norm"].attrs == {"long_name": "norm of the direction", "units": "1"}
    along = statistics.distance(dataset).values
    np.testing.assert_array_equal(along, norm[..., None] * dataset["step_size"].values)
    assert plots.plot_batches(dataset).get_xlabel() == "step size along −∇L"
    plots.plot_batches(dataset).figure.clear()


def test_along_the_normalised_gradient_the_norm_is_1():
    dataset = upgraded(slices().assign_attrs(direction="normalised-gradient"))
    assert (dataset["direction_norm"] == 1).all()
    np.testing.assert_array_equal(dataset["direction_slope"], -dataset["gradient_norm"])
    assert dataset.attrs["direction_symbol"] == "−∇L/‖∇L‖"


def test_of_an_unknown_direction_nothing_is_made_up():
    dataset = upgraded(slices().assign_attrs(direction="sideways"))
    assert "direction_norm" not in dataset.coords
    with pytest.raises(landscape.LandscapeError, match="along 'sideways' have no direction_norm"):
        statistics.distance(dataset)


def test_a_search_says_its_mode():
    older = {"metric": "accuracy", "better": "higher", "direction": "normalised-gradient", "c": 0.1}
    search = upgraded(slices().assign_attrs(search=older)).attrs["search"]
    assert search["mode"] == "max"
    assert search["normalised"] is True
    assert search["symbol"] == "−∇L/‖∇L‖"
    assert "better" not in search
    assert older["better"] == "higher"  # what was given is left as it is


def aged(path):
    """Make a store of today into one of schema 1."""
    for name in ("direction_norm", "direction_slope"):
        shutil.rmtree(path / name)
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["schema"] = 1
    del metadata["attributes"]["direction_symbol"]
    (path / "zarr.json").write_text(json.dumps(metadata))


def test_it_is_read_and_continued(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "digits-mlp", "--epochs", 3, "--checkpoints", 3, "--out", "run")
    files = sorted((tmp_path / "run" / "checkpoints").iterdir())
    small = ("--points", 3, "--big-batch", 50)
    run("probe", *files, *small, "--out", "whole.zarr")
    run("probe", *files[:2], *small, "--out", "s.zarr")
    aged(tmp_path / "s.zarr")
    older = landscape.open("s.zarr")
    assert "0 checkpoints probed, 2" in run("probe", *files[:2], *small, "--out", "s.zarr").stdout
    assert zarr.open_group("s.zarr", mode="r").attrs["schema"] == 1  # nothing was written
    assert "1 checkpoint probed, 3" in run("probe", *files, *small, "--out", "s.zarr").stdout
    assert zarr.open_group("s.zarr", mode="r").attrs["schema"] == store.SCHEMA
    whole, found = landscape.open("whole.zarr"), landscape.open("s.zarr")
    assert sorted(found.coords) == sorted(whole.coords)
    assert found.attrs["direction_symbol"] == "−∇L"
    for name in (*whole.data_vars, *whole.coords):
        np.testing.assert_array_equal(found[name], whole[name], err_msg=str(name))
        assert found[name].attrs == whole[name].attrs
        if "checkpoint" in found[name].dims:
            np.testing.assert_array_equal(found[name][:2], older[name])


def test_an_interrupted_recording_goes_on_as_well(tmp_path):
    def recorded(path, steps, first=0):
        model = cases.fresh("mlp")
        optimizer = SmoothAccuracySLS(model.parameters(), n=10)
        recorder = landscape.Recorder(
            path, model, optimizer, cases.digits()[0], every=1, big_batch=50, step_sizes=[0, 0.1]
        )
        for i in range(steps):
            batch = [part[32 * i : 32 * (i + 1)] for part in cases.digits()[0]]
            with recorder(*batch) if i >= first else nullcontext():
                optimizer.step(lambda batch=batch: (model(batch[0]), batch[1]))
            recorder.iteration = i + 1
        return landscape.open(path)

    whole = recorded(tmp_path / "whole.zarr", 3)
    recorded(tmp_path / "s.zarr", 2)
    aged(tmp_path / "s.zarr")
    metadata = json.loads((tmp_path / "s.zarr" / "zarr.json").read_text())
    search = metadata["attributes"]["search"]
    search["better"] = {"min": "lower", "max": "higher"}[search.pop("mode")]
    del search["symbol"], search["normalised"]
    (tmp_path / "s.zarr" / "zarr.json").write_text(json.dumps(metadata))
    found = recorded(tmp_path / "s.zarr", 3, first=2)
    assert found.attrs["search"] == whole.attrs["search"]
    for name in ("loss", "direction_norm", "search_step_size", "trial_value"):
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


def test_an_upgrade_that_was_cut_off_is_done_again(tmp_path):
    path = tmp_path / "s.zarr"
    row = slices().isel(checkpoint=[0])
    row = row.assign_attrs(settings={"samples": False})
    store.create(path, xr.DataTree(row), rows=1, attributes={}).write(xr.DataTree(row))
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["schema"] = 1
    (path / "zarr.json").write_text(json.dumps(metadata))
    writer = store.resume(path)
    writer.add([upgraded(row)["direction_norm"] * 0])  # and then the power was gone
    store.upgrade(writer)
    np.testing.assert_array_equal(landscape.open(path)["direction_norm"], row["gradient_norm"])
    assert writer.attributes["schema"] == store.SCHEMA
