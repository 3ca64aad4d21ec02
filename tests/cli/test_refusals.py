"""What is refused is refused in one line, before anything is written; ~ is one place everywhere."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import refused, run

from landscape import histories, plots, study
from landscape.histories.layout import Run
from landscape.tasks import load_task
from landscape.training import TrainingSettings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals") / "run"
    run("train", "digits-mlp", "--epochs", 1, "--checkpoints", 2, "--device", "cpu", "-o", folder)
    run("probe", folder, "--points", 3, "--device", "cpu")
    return folder


# A path with ~


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "train digits-mlp --epochs 1 --checkpoints 1 --device cpu --out=~/new",
        "probe ~/run --points 3 --device cpu --out=~/new",
        "study benchmark digits-mlp --optimizer sgd --seeds 1 --epochs 1 --device cpu --out=~/new",
        "plot widening ~/run --style ~/mine.mplstyle -o ~/new.png",
        "table statistics ~/run --out=~/new.csv",
        "report ~/run/landscape.zarr --out=~/new.html",
        "info ~/run",
        "tasks new ~/new.py",
    ],
)
def test_a_tilde_means_home_in_every_option_and_argument(line, home, trained):
    shutil.copytree(trained, home / "run")
    (home / "mine.mplstyle").write_text("lines.linewidth: 3\n")
    run(*line.split())
    names = {p.name.partition(".")[0] for p in home.iterdir()}
    assert names <= {"run", "mine", "new", ""}  # the last is matplotlib's own
    assert [p.name for p in Path().iterdir()] == ["home"]
    if "train" in line:
        files = Run(home / "new")
        assert len(histories.open_(files.history).epoch) == 1
        assert files.latest.is_file()
        assert files.record.is_file()
        run(*line.split())  # goes on in the same place


def test_a_tilde_means_home_in_functions_too(home, trained):
    task = load_task("digits-mlp")
    one = TrainingSettings.for_task(task, epochs=1, checkpoints=0)
    found = study.benchmark.benchmark_runs(task, ["sgd"], [0], Path("~/b"), epochs=1)
    assert list(study.benchmark.benchmark(found)) == [(found[0], None)]
    assert found[0].state()[0] == 1
    study.train(task, one, "~/run")
    collected = histories.collect("~/run")
    assert histories.pack(collected, "~/runs.zip") == home / "runs.zip"
    assert plots.save(plots.plot_losses(), "~/losses.png") == home / "losses.png"
    assert sorted(p.name for p in home.iterdir()) == ["b", "losses.png", "run", "runs.zip"]
    assert [p.name for p in Path().iterdir()] == ["home"]


def test_the_home_of_nobody():
    line = refused("info", "~nobody-of-that-name/x")
    assert "the path is '~nobody-of-that-name/x', of a user who has no home here" in line


# What can be foreseen

TASKS = """
import torch
from torch import nn
from landscape.data import TensorData
x = torch.arange(600.).reshape(120, 5) / 600
y = (x[:, 0] > 0.5).long()

class Frozen(nn.Linear):
    def __init__(self):
        super().__init__(5, 2)
        self.requires_grad_(False)

class Fails(nn.Linear):
    def forward(self, x):
        if self.training:
            raise RuntimeError("only in training")
        return super().forward(x)

def broken(inputs, generator):
    raise ValueError("no such colour")

class task:
    model, train, validation, batch_size = lambda: nn.Linear(5, 2), (x, y), (x, y), 20
class frozen(task):
    model = Frozen
class fails(task):
    model = lambda: Fails(5, 2)
class normed(task):
    model = lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
class augmented(task):
    train = TensorData(x, y, augment=broken)
"""


@pytest.mark.parametrize("command", ["train", "study pre-study", "study benchmark"])
@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("frozen", "no parameter that is trained"),
        ("fails", "fails: RuntimeError: only in"),
        ("augmented", "fails: ValueError: no such colour"),
        ("normed --batch-size 1", "fails: ValueError: Expected more than 1 value"),
    ],
)
def test_a_model_that_cannot_be_trained(command, task, message):
    Path("mine.py").write_text(TASKS)
    more = ["--optimizer", "sgd"] if "benchmark" in command else []
    words = f"{command} mine.py:{task} --epochs 1 --device cpu --out a/b".split()
    assert message in refused(*words, *more)
    assert {p.name for p in Path().iterdir()} - {"__pycache__"} == {"mine.py"}


PROBE = "probe RUN --device cpu"
TRAIN = "train digits-mlp --epochs 1 --device cpu"
STUDY = "study pre-study digits-mlp --epochs 1 --device cpu"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            f"{TRAIN} -o a/b --probe --probe-set big_batch=100000",
            "--probe-set big_batch is 100000, larger",
        ),
        (
            f"{STUDY} -o a/b --probe-set big_batch=100000",
            "--probe-set big_batch is 100000, larger",
        ),
        (f"{PROBE} -o a/b --big-batch 100000", "--big-batch is 100000, larger"),
        (f"{TRAIN} -o text/b", "text/b is, or lies in, a file"),
        (f"{PROBE} -o text/b", "text/b is, or lies in, a file"),
        (f"{STUDY} -o text", "text/run is, or lies in, a file"),
        ("tasks new folder.py", "folder.py exists already"),
        ("tasks new missing/mine.py", "there is no folder 'missing'"),
        ("tasks new text/mine.py", "there is no folder 'text'"),
        ("plot losses -o text/a.png", "there is no folder 'text'"),
        ("plot losses -o folder.py", "folder.py is a folder"),
        (f"{PROBE} -o a --step-sizes 0,1e39", "the step sizes go up to 1e+39; the model's"),
        (f"{PROBE} -o a --points 1000000001 --range 1", "points is 1000000001; give an integer"),
        (f"{PROBE} -o a --origin after-step --lr=-1", "lr is -1.0; give a number above 0"),
        (f"{PROBE} -o a --origin after-step --lr nan", "lr is nan; give a number above 0"),
        (f"{TRAIN} -o a --seed {2**63}", f"seed is {2**63}; give an integer of at least 0 and"),
        (f"{TRAIN} -o a --epochs 1000000000", "epochs is 1000000000; give an integer of at least"),
        (f"{TRAIN} -o a --epochs x", "'--epochs'"),
        (f"{TRAIN} -o a --epochs x", "'x'"),
        (f"{TRAIN} -o a --epohcs 1", "Did you mean --epochs?"),
        (f"{TRAIN}", "Missing option '--out'"),
        ("plot losses -o \udcff.png", "'\\udcff.png' is no text; give it in UTF-8"),
        ("--verison", "Did you mean --version?"),
        ("plto losses", "Did you mean 'plot'?"),
        *((f"{TRAIN[:-4]} {device} -o a", f"device {device!r} is not there; choose from auto, cpu")
          for device in ("cpu:7x", "xla", "meta", "vulkan", "lazy", "nonsense", "privateuseone")),
    ],
)  # fmt: skip
def test_one_line_and_nothing_left(line, message, trained):
    Path("text").write_text("some text")
    Path("folder.py").mkdir()
    before = {p: p.stat().st_mtime_ns for p in [*trained.rglob("*")]}
    assert message in refused(*(trained if word == "RUN" else word for word in line.split()))
    assert before == {p: p.stat().st_mtime_ns for p in [*trained.rglob("*")]}
    assert sorted(p.name for p in Path().iterdir()) == ["folder.py", "text"]


def test_a_billion_checkpoints_are_all_iterations():
    run(*f"{TRAIN} --checkpoints 1000000000 --batch-size 700 -o a".split())
    assert len(list(Path("a/checkpoints").iterdir())) == 2


def test_values_without_end_are_cut_in_messages():
    assert len(refused("x" * 5000)) < 400
    assert len(refused(*TRAIN.split(), "-o", "a", "--seed", "9" * 5000)) < 400
    assert len(refused("info", "y" * 5000)) < 400
    assert "\\x1b[31m" in refused("info", "\x1b[31m")


def test_a_full_disk_is_said_with_the_file_and_leaves_nothing(monkeypatch):
    def full(path, *_, **__):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert (
        refused("tasks", "new", "mine.py")
        == "error: cannot write mine.py: No space left on device; nothing was written"
    )
    line = refused(*TRAIN.split(), "--out", "a/b")
    assert line == "error: cannot write a/b/run.json: No space left on device; nothing was written"
    assert not list(Path().iterdir())


def test_info_of_a_run_that_was_killed_before_its_first_epoch(trained):
    Path("begun").mkdir()
    shutil.copy(trained / "run.json", "begun")
    assert run("info", "begun").stdout == "begun: a run of digits-mlp, without a finished epoch\n"


# What the machine does


@pytest.mark.parametrize(
    "line",
    [
        "tasks", "info STORE", "check STORE", "table statistics STORE", "plot batches STORE",
        "report STORE -o r.html", "train digits-mlp --epochs 1 --checkpoints 1 -o run",
        "probe run --points 3 -o s.zarr",
        "study benchmark digits-mlp --optimizer sgd --seeds 1 --epochs 1 -o b",
    ],
)  # fmt: skip
def test_a_backend_that_does_not_load_breaks_no_command(line, trained):
    """In one process each, whose first command this is."""
    words = line.replace(" run ", f" {trained} " if line.startswith("probe") else " run ")
    store = Path(__file__).parents[2] / "figures" / "mnist-mlp.zarr.zip"
    done = subprocess.run(
        [sys.executable, "-m", "landscape", *words.replace("STORE", str(store)).split()],
        env={**os.environ, "MPLBACKEND": "module://nowhere"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_the_backend_of_a_notebook_does_not_matter(backend):
    done = subprocess.run(
        [sys.executable, "-m", "landscape", "plot", "losses", "-o", "a.png"],
        env={**os.environ, "MPLBACKEND": backend}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "figure: a.png\n", "")


# A module that takes its time, and one that takes a signal for a fault of its own.
SIGNALLED = """
import os, signal, sys
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            try:
                os.kill(os.getpid(), signal.{signal})
            except BaseException:
                {then}
sys.meta_path.insert(0, Slow())
sys.argv = ["landscape", "tasks", "new", "mine.py"]
from landscape_cli.__main__ import main
main()
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize(
    ("module", "then", "said"),
    [
        ("typer", "raise", "stopped\n"),
        ("importlib.resources", "raise", "stopped; the same command resumes from here\n"),
        ("importlib.resources", "raise RecursionError", "stopped; the same command resumes from"),
    ],
)
def test_a_signal_while_modules_load_is_one_line(name, status, module, then, said):
    code = SIGNALLED.format(module=module, signal=name, then=then)
    if module != "typer":  # which has loaded it
        code = code.replace("from landscape_cli", "import landscape_cli.app\nsys.modules.pop('"
                            f"{module}', None)\nfrom landscape_cli")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert not Path("mine.py").exists()


def test_a_signal_that_the_caller_ignores_stays_ignored():
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SIGNALLED.format(
        module="typer", signal="SIGTERM", then="raise"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_should_not_happen_is_one_line_too(monkeypatch):
    monkeypatch.setattr("landscape.tables.summary.describe_store", lambda *given: 1 / 0)
    result = run("info", "a", status=1)
    assert result.stderr == (
        "error: this should not happen: ZeroDivisionError: division by zero "
        "(see it with python -X dev)\n"
    )
