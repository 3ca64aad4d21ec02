"""Commands that compare runs: ``landscape table``, and the figures that take several runs."""

from pathlib import Path

import pytest
from helpers.commands import run
from helpers.runs import write

from landscape.histories.collection import collect, pack
from landscape.tables import benchmark, passes
from landscape.tables.formats import FORMATS, text

SLICES = Path(__file__).parents[2] / "figures" / "mnist-mlp.zarr.zip"
BENCHMARK = SLICES.with_name("mnist-mlp-benchmark.zarr.zip")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        write(folder / f"sgd-{seed}", [0.5, 0.9 + seed / 100], seed=seed)
        write(folder / f"sls-{seed}", [0.5, 0.8], seed=seed, optimizer="sa-sls")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_table_in_the_terminal(folder):
    output = run("table", "benchmark", folder).stdout
    for part in (
        "SGD",
        "90.50 ± 0.50",
        "sa-SLS",
        "80.00 ± 0.00",
        "(digits-mlp). Best",
        "population",
    ):
        assert part in output
    lines = run("table", "passes", folder / "sgd-0", folder / "sls-1").stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:5] for line in lines if " 1.00 " in line}
    assert rows == {"SGD": ["1", "40", "3.00", "1.00"], "sa-SLS": ["1", "40", "3.00", "1.00"]}
    assert not list(Path().iterdir())


def test_a_pipe_is_not_folded(folder):
    lines = run("table", "passes", folder).stdout.splitlines()
    assert "exhausted per 1000" in lines[0]


@pytest.mark.parametrize("command", ["passes", "benchmark"])
def test_no_line_is_wider_than_asked_for(folder, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    output = run("table", command, folder).stdout
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize("name", FORMATS)
def test_formats(folder, name):
    frame = benchmark(collect(folder))
    assert run("table", "benchmark", folder, "--format", name).stdout == text(frame, name)
    run("table", "passes", folder, "--format", name, "-o", "table.txt")
    assert Path("table.txt").read_text() == text(passes(collect(folder)), name)


def test_the_suffix_says_the_format(folder):
    assert run("table", "benchmark", folder, "-o", "a.md").stdout == "table: a.md\n"
    assert Path("a.md").read_text().startswith("| optimizer |")


@pytest.mark.parametrize("name", ["training", "slope-search", "schedules"])
def test_figures_of_runs_are_commands(folder, name):
    run("plot", name, folder)
    assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    run("plot", name, folder / "sls-0", folder / "sls-1", "-o", "a.pdf")
    assert Path("a.pdf").read_bytes().startswith(b"%PDF")


def test_a_packed_collection_is_as_good_as_the_folders(folder):
    packed = pack(collect(folder), "runs.zarr.zip")
    assert run("table", "benchmark", packed).stdout == run("table", "benchmark", folder).stdout
    run("plot", "training", packed, "--accuracy-from", "auto", "-o", "a.png")
    run("plot", "training", folder, "--accuracy-from", "auto", "-o", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    info = run("info", packed).stdout
    assert "runs.zarr.zip: runs" in info
    assert "MLP on digits (digits-mlp), SGD: best validation accuracy 0.9000, 0.9100" in info


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "benchmark", "nowhere"], "no run at"),
        (["table", "benchmark", "RUNS", "-o", "a.doc"], "unknown suffix of a table '.doc'"),
        (["table", "benchmark", "RUNS", "--format", "html"], "unknown format 'html'"),
        (["table", "passes", "RUNS", "-o", "no/a.csv"], "no folder 'no'"),
        (["table", "benchmark", "TWICE"], "have the same task, settings and seed 0"),
        (["plot", "training", "nowhere"], "no run at"),
        (["plot", "training", SLICES], "is no run's history"),
        (["plot", "stepwise", BENCHMARK], "no slices: the dimensions run, epoch lack checkpoint"),
        (["plot", "compare", SLICES, BENCHMARK], "no slices"),
        (["plot", "line-search", BENCHMARK], "no slices"),
        (["plot", "training", "RUNS", "--accuracy-from", "2"], "from 0 to below 1, or auto"),
        (["plot", "slope-search", "SGD"], "which have no slope factor"),
    ],
)
def test_bad_input(arguments, message, folder, tmp_path):
    known = {"RUNS": folder, "SGD": folder / "sgd-0", "TWICE": tmp_path.parent / "twice"}
    if "TWICE" in arguments and not known["TWICE"].exists():
        for name in "ab":
            write(known["TWICE"] / name, [0.5])
    result = run(*(known.get(a, a) for a in arguments), status=2)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(Path().iterdir())


@pytest.mark.parametrize("command", [["table"], ["table", "benchmark"], ["plot", "training"]])
def test_help(command):
    assert "RUN" in run(*command, "--help").stdout or command == ["table"]
