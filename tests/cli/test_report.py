"""Commands about one store's slices: ``landscape report``, ``table slice`` and ``statistics``."""

import shutil
from pathlib import Path

import pytest
from helpers.commands import run

import landscape
from landscape import report, tables
from landscape.tables.formats import FORMATS, text

STORE = Path(__file__).parents[2] / "figures" / "mnist-mlp.zarr.zip"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_report():
    assert run("report", STORE).stdout == "report: report.html\n"
    assert Path("report.html").read_text() == report.page(landscape.open(STORE))
    assert run("report", STORE, "-o", "a.html", "--title", "Mine").stdout == "report: a.html\n"
    assert "<h1>Mine</h1>" in Path("a.html").read_text()
    both = [STORE, STORE.with_name("mnist-mlp-plane-sgd.zarr.zip")]
    run("report", *both, "-o", "both.html")
    assert Path("both.html").read_text() == report.page([*map(landscape.open, both)])


def test_a_runs_folder_is_as_good_as_the_store_in_it():
    shutil.unpack_archive(STORE, "run/landscape.zarr", "zip")
    Path("run/run.json").write_text("{}")
    run("report", "run", "-o", "a.html")
    run("report", STORE, "-o", "b.html")
    assert Path("a.html").read_text() == Path("b.html").read_text()
    assert run("table", "slice", "run").stdout == run("table", "slice", STORE).stdout


@pytest.mark.parametrize("name", FORMATS)
def test_tables_in_every_format(name):
    dataset = landscape.open(STORE)
    options = ["--checkpoint", 100, "--set", "same-batch", "--set", "validation"]
    chosen = {"checkpoint": 100, "evaluation_set": ["same_batch", "validation"]}
    wanted = tables.slice_values(dataset, metric=["loss", "smooth_accuracy"], **chosen)
    metrics = ["--metric", "loss", "--metric", "smooth-accuracy"]
    found = run("table", "slice", STORE, *options, *metrics, "--format", name)
    assert found.stdout == text(wanted, name)
    wanted = tables.slice_statistics(dataset, metric="loss", against="distance", **chosen)
    more = ["--metric", "loss", "--against", "distance", "-o", "a.txt", "--format", name]
    assert run("table", "statistics", STORE, *options, *more).stdout == "table: a.txt\n"
    assert Path("a.txt").read_text() == text(wanted, name)


def test_tables_in_the_terminal():
    lines = run("table", "slice", STORE).stdout.splitlines()
    assert lines[0].lstrip().startswith("step size  ")
    assert "0.984375" in next(line for line in lines if line.lstrip().startswith("0 "))
    assert lines[-1] == "MLP on MNIST, SGD, iteration 1875 (epoch 4), accuracy."
    lines = run("table", "statistics", STORE).stdout.splitlines()
    assert "best step size" in lines[0]
    assert sum("validation" in line and "16875" in line for line in lines) == 1
    assert "≥ 2" in "\n".join(lines)
    assert "within 10 % of the best" in " ".join(" ".join(lines).split())
    absolute = run("table", "statistics", STORE, "--absolute", "--tolerance", "0.05")
    assert "within 0.05 of the best" in " ".join(absolute.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nowhere"], "there is no store at nowhere"),
        (["report", STORE, "-o", "a.pdf"], "unknown suffix of a report '.pdf'"),
        (["report", STORE.with_name("mnist-mlp-benchmark.zarr.zip")], "no slices"),
        (["table", "slice", STORE, "--set", "valid"], "unknown evaluation set 'valid'"),
        (["table", "slice", STORE, "--draw", "1"], "unknown draw 1; choose from 0"),
        (["table", "slice", STORE, "--checkpoint", "1"], "unknown checkpoint 1"),
        (["table", "statistics", STORE, "--metric", "speed"], "unknown metric 'speed'"),
        (["table", "statistics", STORE, "-o", "a.doc"], "unknown suffix of a table"),
    ],
)
def test_bad_input(arguments, message):
    (line,) = run(*arguments, status=2).stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(Path().iterdir())


@pytest.mark.parametrize("command", [["report"], ["table", "slice"], ["table", "statistics"]])
def test_help(command):
    assert "STORE" in run(*command, "--help").stdout
