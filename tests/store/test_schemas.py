"""Stores of schema 1, which left norm, slope and symbol to the name of their direction."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from helpers.commands import refused, run
from helpers.slices import slices

import landscape
from landscape import plots, statistics, store
from landscape.errors import StoreError
from landscape.slices.schema import upgraded

KEPT = Path(__file__).parents[2] / "figures" / "mnist-mlp.zarr.zip"


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


def test_it_is_read_and_not_continued(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "digits-mlp", "--epochs", 3, "--checkpoints", 3, "--out", "run")
    files = sorted((tmp_path / "run" / "checkpoints").iterdir())
    small = ("--points", 3, "--big-batch", 50, "--out", "s.zarr")
    run("probe", *files[:2], *small)
    fresh = landscape.open("s.zarr")
    aged(tmp_path / "s.zarr")
    opened = landscape.open("s.zarr")
    for name in ("direction_norm", "direction_slope", "loss"):
        np.testing.assert_array_equal(opened[name], fresh[name])
    assert "0 checkpoints probed, 2 in the store" in run("probe", *files[:2], *small).stdout
    line = refused("probe", *files, *small)
    assert "schema 1" in line
    assert "use another store" in line
    assert landscape.open("s.zarr").sizes["checkpoint"] == 2
    with pytest.raises(StoreError, match="it can be read, not continued"):
        store.require_schema(store.resume(tmp_path / "s.zarr"))
    assert zarr.open_group(tmp_path / "s.zarr", mode="r").attrs["schema"] == 1
