"""What a person sees who waits: a bar on a terminal, lines in a log."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import run

from landscape.histories import Run, open_
from landscape_cli import bars

TRAIN = ["train", "digits-mlp", "--epochs", "3", "--checkpoints", "2", "--device", "cpu"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def on_a_terminal(*arguments, columns=80):
    """All that a command shows on a terminal."""
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "landscape", *arguments],
        stdin=side, stdout=side, stderr=side, env=environment,
    ) as process:  # fmt: skip
        os.close(side)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # Linux's end of file
                part = b""
            if not part:
                break
            shown += part
    os.close(main)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


def plain(shown):
    """What stands on the terminal at the end of each line: the words without what steers."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", lambda m: "\n" if m[0][-1] in "AK" else "", shown)
    return [line.rstrip() for line in re.split(r"[\r\n]+", shown) if line.strip()]


def test_a_terminal_shows_something_at_once_and_then_loss_and_accuracy_beside_the_bar():
    shown = on_a_terminal(*TRAIN, "--out", "run")
    starting = "starting (PyTorch takes a moment to load)"
    assert shown.startswith(f"{starting}\r\x1b[K")  # which the bar then replaces
    last = [line for line in plain(shown) if line.startswith("training digits-mlp")][-1]
    history = open_(Run(Path("run")).history)
    loss, accuracy = history.validation_loss[-1], history.validation_accuracy[-1]
    assert last.endswith(f"validation loss {loss:.4g}, accuracy {accuracy:.4g}")
    assert "66/66" in last
    assert len(last) <= 80
    shown = on_a_terminal("probe", "run", "--points", "3", "--big-batch", "50")
    last = [line for line in plain(shown) if line.startswith("probing digits-mlp")][-1]
    assert re.search(r"validation loss [0-9.]+, accuracy [0-9.]+$", last)


@pytest.mark.parametrize(
    "command", [TRAIN, ["probe", "nothing"], ["demo"], ["study", "pre-study", "digits-mlp"],
                ["study", "benchmark", "digits-mlp", "--optimizer", "sgd"]]
)  # fmt: skip
def test_what_is_shown_at_once_comes_before_anything_heavy(command):
    code = (
        "import sys\n"
        f"sys.argv = ['landscape', *{command!r}, '--out', 'out']\n"
        "from landscape_cli import bars\n"
        "def shown():\n"
        "    sys.exit(7 if {'torch', 'xarray', 'sklearn', 'pandas'} & set(sys.modules) else 5)\n"
        "bars.starting = shown\n"
        "from landscape_cli.__main__ import main\n"
        "main()\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 5


def test_a_table_on_a_terminal_of_80_columns_has_all_numbers_whole():
    store = Path(__file__).parents[2] / "figures" / "mnist-mlp.zarr.zip"
    shown = on_a_terminal("table", "statistics", str(store)).replace("\r\n", "\n")
    assert shown == run("table", "statistics", store, "--format", "narrow").stdout
    assert max(map(len, shown.splitlines())) <= 80


def test_an_error_replaces_what_was_shown_at_once():
    main, side = pty.openpty()
    command = [sys.executable, "-m", "landscape", "train", "nowhere", "--out", "run"]
    done = subprocess.run(command, stdin=side, stdout=side, stderr=side, check=False)
    os.close(side)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 2
    assert "load)\r\x1b[Kerror: " in shown


def test_a_pipe_gets_a_line_for_each_epoch_and_checkpoint():
    command = [sys.executable, "-m", "landscape"]
    done = subprocess.run([*command, *TRAIN, "--out", "run"], capture_output=True, text=True)
    assert done.returncode == 0
    history = open_(Run(Path("run")).history)
    assert [line.partition(", 0:00:")[0] for line in done.stderr.splitlines()] == [
        f"training digits-mlp: epoch {i + 1} of 3, "
        f"validation loss {history.validation_loss[i]:.4g}, "
        f"accuracy {history.validation_accuracy[i]:.4g}"
        for i in range(3)
    ]
    assert not re.search("[\r\x1b]", done.stderr)
    lines = run("probe", "run", "--points", 3, "--big-batch", 50).stderr.splitlines()
    told = [line for line in lines if line.startswith("probing")]
    at = [
        int(path.stem.partition("-")[2]) for path in sorted(Run(Path("run")).checkpoints.iterdir())
    ]
    assert len(at) == len(told) == 2
    for i, line in enumerate(told):
        assert line.startswith(f"probing digits-mlp: checkpoint {i + 1} of 2, iteration {at[i]}, ")
        assert re.search(r", validation loss \S+, accuracy \S+, 0:00:\d\d taken, ", line)


def test_the_time_left_counts_what_is_done_now(capsys):
    now = iter([0.0, 10.0, 3700.0])
    with bars._lines("training", 10, clock=lambda: next(now)) as advance:
        advance(4)  # of an earlier call
        advance()
        advance(1, "epoch 1 of 2", {"loss": float("nan")})
        for _ in range(4):
            advance()
        advance(0, "epoch 2 of 2")
    assert capsys.readouterr().err.splitlines() == [
        "training: epoch 1 of 2, loss nan, 0:00:10 taken, 0:00:20 left",
        "training: epoch 2 of 2, 1:01:40 taken, 0:00:00 left",
    ]


def test_runs_of_a_benchmark_are_told_apart():
    runs = run("study", "benchmark", "digits-mlp", "--optimizer", "sgd", "--seeds", 2,
               "--epochs", 1, "--out", "b")  # fmt: skip
    lines = runs.stderr.splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert names == [f"sgd-{seed}, training digits-mlp" for seed in (0, 1)]
