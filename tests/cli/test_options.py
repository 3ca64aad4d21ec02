"""What all commands share: where results go, which paths are taken, which defaults hold."""

import re

import pytest
from helpers.commands import refused, run

import landscape
from landscape.probing import ProbeSettings
from landscape.training import TrainingSettings
from landscape_cli import options


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options") / "run"
    run("train", "digits-mlp", "--epochs", 2, "--checkpoints", 2, "--out", folder)
    return folder


COMMANDS = [
    ["demo"],
    ["train"],
    ["probe"],
    ["report"],
    ["study", "pre-study"],
    ["study", "benchmark"],
    ["plot", "widening"],
    ["plot", "training"],
    ["table", "benchmark"],
    ["table", "slice"],
    ["table", "statistics"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_results_go_is_spelled_alike(command):
    text = run(*command, "--help").stdout
    assert re.search(r"-o, --out ", text)
    assert not re.search(r"--store|--output|--chunk", text)


def test_older_spellings_are_understood(trained, tmp_path):
    small = ("--points", 3, "--batch-size", 32, "--big-batch", 50)
    run("probe", trained, "--store", "older.zarr", "--chunk", 100, *small)
    settings = landscape.open("older.zarr").attrs["settings"]
    assert settings["eval_batch_size"] == 100
    run("plot", "batches", "older.zarr", "--output", "older.png")
    assert (tmp_path / "older.png").is_file()


ADDRESSES = [
    ["probe", "RUN", "--out", "s3://bucket/x.zarr"],
    ["probe", "gs://bucket/run"],
    ["probe", "--checkpoint", "https://host/run"],
    ["train", "digits-mlp", "--out", "s3://bucket/run"],
    ["train", "digits-mlp", "--out", "run", "--data", "s3://bucket/data"],
    ["train", "--model", "mlp", "--dataset", "s3://bucket/x.npz", "--out", "run"],
    ["train", "s3://bucket/my.py:task", "--out", "run"],
    ["tasks", "new", "s3://bucket/my.py"],
    ["info", "s3://bucket/x.zarr"],
    ["report", "s3://bucket/x.zarr"],
    ["plot", "compare", "s3://bucket/x.zarr"],
    ["table", "benchmark", "s3://bucket/runs"],
    ["study", "benchmark", "digits-mlp", "--optimizer", "sgd", "--out", "s3://bucket/b"],
]


@pytest.mark.parametrize("command", ADDRESSES, ids=lambda c: " ".join(c))
def test_addresses_are_refused_before_anything_is_written(command, trained, tmp_path):
    line = refused(*[trained if each == "RUN" else each for each in command])
    address = next(each for each in command if "://" in each).removesuffix(":task")
    assert f"'{address}'" in line
    assert "addresses are not supported yet" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["s3://bucket/x.zarr", "gs://b/x"])
def test_addresses_are_refused_by_the_library_too(given, tmp_path):
    for read in (landscape.open, lambda p: landscape.open_samples(p, "validation")):
        with pytest.raises(landscape.LandscapeError, match="addresses are not supported yet"):
            read(given)
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    run("probe", trained, "--out=~/x.zarr", "--points", 3, "--big-batch", 50)
    assert (tmp_path / "home" / "x.zarr" / "zarr.json").is_file()


def test_defaults_are_those_of_the_settings():
    # The direction chooses these, and a setting that depends on it.
    chosen = {"step_sizes", "orthogonal"}
    for name, default in vars(options.PROBE).items():
        assert getattr(ProbeSettings(), name) == default or name in chosen
    # An optimizer brings what is left open.
    own = vars(options.TRAINING)
    settings = vars(TrainingSettings())
    assert {n for n in own if own[n] != settings[n]} == {"learning_rate", "schedule"}
