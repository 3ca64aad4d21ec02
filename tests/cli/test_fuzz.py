"""Generated command lines: each works, or is refused in one line and leaves nothing behind.

The short run has a fixed seed; ``pytest -m long tests/cli/test_fuzz.py`` tries thousands, and
``FUZZ_SEED`` gives others.
"""

import os
import random
import shutil
import signal
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  before HOME moves, or it finds all fonts anew
import pytest
import torch
import typer
from helpers.commands import run, told
from typer.testing import CliRunner

from landscape_cli.app import app

LIMIT = 30  # seconds of one command, of the processor, as others may use it too
SEED = int(os.environ.get("FUZZ_SEED", "0"))

# Short, and as a user would type them; what is generated starts from one of these.
LINES = [
    "train digits-mlp --epochs 1 --checkpoints 2 --device cpu --out work/new",
    "train digits-mlp --epochs 1 --checkpoints 1 --optimizer sa-sls --set slope_factor=5 --probe"
    " --probe-set other_batches=1 --device cpu --out work/new",
    "train task.py:task --epochs 1 --checkpoints 2 --device cpu --out work/new",
    "train --model mlp --dataset arrays.npz --epochs 1 --device cpu --out work/new",
    "probe --checkpoint run --points 3 --range 0.5 --device cpu --out work/s.zarr",
    "probe --checkpoint state.pt --task digits-mlp --step-sizes 0,0.1 --sets same-batch,validation"
    " --metrics loss,accuracy --draws 1 --device cpu --out work/s.zarr",
    "probe run --origin after-step --direction normalised-gradient --sets same-batch --points 3"
    " --range 1 --batch-norm validation=running --device cpu --out work/s.zarr",
    "probe --checkpoint state.pt --task digits-mlp --origin after-step --lr 0.1 --sets same-batch"
    " --points 3 --device cpu --out work/s.zarr",
    "study pre-study task.py:task --epochs 1 --probe-set draws=0 --device cpu --out work/study",
    "study benchmark digits-mlp --optimizer sgd,adam --seeds 1 --epochs 1 --device cpu --out b",
    "study benchmark digits-mlp --optimizer sgd:momentum=0.5 --seeds 2 --part 1/2 --epochs 1"
    " --status --device cpu --out work/b",
    "plot losses -o work/a.png",
    "plot widening store.zarr --metric smooth-accuracy --slope-factor 1 -o work/a.svg",
    "plot batches store.zarr --checkpoint 0 --scale symlog --style ggplot --width page",
    "plot best-steps store.zarr --tolerance 0.1 --relative --against distance -o work/a.pdf",
    "plot parabola run/landscape.zarr --set validation",
    "plot line-search searched --checkpoint 0",
    "plot compare store.zarr run",
    "plot training run -o work/a.png",
    "plot slope-search run searched",
    "table slice store.zarr --metric loss --set same-batch --draw 0",
    "table statistics run --tolerance 0.1 --absolute --format csv",
    "table benchmark run searched --out work/t.md",
    "table passes searched --format latex",
    "info run",
    "info store.zarr",
    "tasks",
    "tasks new work/mine.py",
    "report store.zarr --out work/r.html --title Mine",
    "--version",
]

# What may stand in the place of any value.
VALUES = [
    *("", " ", "0", "1", "-1", "2", "3", "0.5", "1e39", "1e-400", "-1e308", "nan", "inf", "-inf"),
    *("1000000000", "1000000001", str(2**63), "9" * 5000, "1_0", "٣", "0x10", "1/0", "2/1"),
    *("x" * 300, "y" * 5000, "a b", "ü", "\udcff", "\x1b[31m", "new\nline", "$x^$", "%s", "{0}"),
    *("none", "null", "true", "[", "[" * 3000, '{"a": 1}', "a=1", "=", "a=", "=1", "a=b=c"),
    *("momentum=nan", "betas=[0,1]", "lr=1", "foreach=true", "nesterov=true", "momentum=[1]"),
    *("maximize=1", "weight_decay=-1", "other_batches=100000", "big_batch=100000", "draws=2"),
    *("batch_size=1", "batch_size=0", "sets=[]", "step_sizes=[1e39]", "step_sizes=0", "samples=0"),
    *("cpu", "cpu:7", "cuda", "cuda:99", "mps", "meta", "xla", "auto:1", "vulkan", "lazy", "hpu"),
    *("sgd", "adam", "lbfgs", "sparseadam", "sa-sls", "sa-sls:slope_factor=0", "sgd:lr=1,sgd"),
    *("constant", "milestones", "StepLR", "step_size=0", "step_size=2", "factor=x"),
    *("loss", "margin", "accuracy,loss", ",", "same-batch", "test", "validation=x", "after-step"),
    *("digits-cnn", "digits", "mlp", "resnet20", "mnist-mlp", "os:abort", "task.py:none"),
    *("task.py:", ":task", "task.py:frozen", "task.py:fails", "task.py:single", "nowhere.py:task"),
    *("bfloat16", "tf32", "float64", "column", "seaborn-v0_8", "dark_background", "symlog"),
    *("run", "run/run.json", "store.zarr", "store.zip", "searched", "empty", "begun", "text"),
    *("state.pt", "half.pt", "arrays.npz", "half.npz", "half.zarr", "task.py", "missing", "."),
    *("..", "/", "/dev/null", "/proc/x", "~", "~nobody/x", "s3://a/b", "text/below", "work/sub/x"),
    *("missing/a.png", "work/a.png", "work/a.bmp", "work/a", "work", "work/x.zarr", "locked/x"),
]
HUGE = ["0", "-1", "1", "1000000000", str(2**63), "9" * 5000, "1.5", "nan", ""]
PLACES = ["text/below", "missing/a/b", "/dev/null", "/proc/x", "~/x", "~nobody/x", "s3://a/b", ".",
          "text", "run", "store.zarr", "x" * 300, "work/\udcff", "", "work", "task.py"]  # fmt: skip
# What an option is likelier to be given, wrong in a way of its own.
OWN = {
    "--device": ["cpu:7", "cuda", "mps", "meta", "xla", "vulkan", "lazy", "hpu", "ipu", "a:b", ""],
    "--lr": ["-1", "0", "nan", "inf", "1e39", "1e-400", "-0.0", "1e308"],
    "--step-sizes": ["0,1e39", "1,1", "0,x", ",", "-1e308,1e308", "nan", "0", "1e-320", "9" * 400],
    "--slope-factors": ["0", "1e39", "-1", "nan", "1,1", ","],
    "--range": ["0", "-1", "1e39", "1e308", "nan", "1e-320"],
    "--points": ["1", "2", "1000000001", *HUGE],
    **{
        flag: [each for each in HUGE if each != "1"]
        for flag in (
            "--epochs", "--batch-size", "--seed", "--checkpoints", "--search-batch", "--draws",
            "--train-samples", "--other-batches", "--big-batch", "--validation-samples", "--draw",
            "--eval-batch-size", "--seeds",
        )
    },
    "--probe-set": [
        "big_batch=100000", "batch_size=1", "batch_size=100000", "draws=2", "draws=1e3", "sets=[]",
        "step_sizes=[1e39]", "step_sizes=[[1]]", "other_batches=100000", "other_batches=-1",
        "validation_samples=9999", "precision=tf32", "dropout=1", "batch_norm=1", "seed=-1",
        "recalibration_batches=1000000000", "direction=random", "origin=after-step", "x=1",
        'batch_norm={"validation": "recalibrated"}', "metrics=[1]", "slope_factors=[0]", "=",
    ],
    "--set": [
        "momentum=nan", "momentum=[1]", "momentum=-1", "betas=[0,1]", "betas=1", "lr=1", "x=1",
        "weight_decay=x", "nesterov=true", "foreach=1", "params=1", "slope_factor=0", "c=2",
        "beta=1", "max_trials=1000000000", "search_every=0", "=", "momentum=" + "[" * 3000,
    ],
    "--schedule": ["StepLR", "LambdaLR", "OneCycleLR", "ReduceLROnPlateau", "CyclicLR", "x", ""],
    "--schedule-set": ["step_size=0", "factor=x", "fractions=[2]", "gamma=nan", "x=1", "T_max=0"],
    "--optimizer": [
        "lbfgs", "sparseadam", "muon", "adafactor", "rprop", "sgdd", "", ",", "sgd:", "sgd:lr=-1",
        "sgd,sgd", "sgd:epochs=0", "sgd:x=1", "sgd:epochs=1000000000", "torch.", "optimizer",
        "Optimizer", "sa-sls", "asgd", "sgd:batch_size=1", "sgd:schedule=x",
    ],
    "--out": PLACES, "-o": [*PLACES, "a.bmp", "text/a.png", "locked.png/a.png"],
    "--style": ["dark_background", "text", "run", "missing.mplstyle", "\udcff", "ggplot", ""],
    "--checkpoint": ["half.pt", "text", "empty", "begun", "store.zarr", "arrays.npz", "missing"],
    "--task": ["task.py:none", "task.py:frozen", "os:abort", "a:b:c", ":", "digits-mlp:x", "text"],
    "--dataset": ["half.npz", "missing.npz", "run", "digits", "x", "text"],
    "--data": ["half.npz", "missing", "text", "~nobody/x"],
}  # fmt: skip
LEFT_OUT = ("--download", "--compile", "--install-completion", "--show-completion")

TASKS = """
import torch
from torch import nn
x = torch.arange(600.).reshape(120, 5) / 600
y = (x[:, 0] > 0.5).long()

def linear():
    return nn.Linear(5, 2)

class Frozen(nn.Linear):
    def __init__(self):
        super().__init__(5, 2)
        self.requires_grad_(False)

class Fails(nn.Linear):
    def forward(self, x):
        if self.training:
            raise RuntimeError("two\\nlines")
        return super().forward(x)

class task:
    model, train, validation, batch_size = linear, (x, y), (x, y), 20
class frozen(task):
    model = Frozen
class fails(task):
    model = lambda: Fails(5, 2)
class single(task):
    model = lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
"""


def options(command=None, path=()):
    """Path of each command -> the options that it has."""
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        return {
            k: v for n, c in command.commands.items() for k, v in options(c, (*path, n)).items()
        }
    flags = {flag: getattr(each, "is_flag", False) for each in command.params
             for flag in (*each.opts, *each.secondary_opts) if flag.startswith("-")}  # fmt: skip
    return {path: {flag: own for flag, own in flags.items() if flag not in LEFT_OUT}}


OPTIONS = options()


def value(random, flag):
    """A value for an option, or for an argument."""
    own = OWN.get(flag)
    return random.choice(own if own and random.random() < 0.7 else VALUES)


def generated(random):
    """A command line: one of ``LINES`` after one to three changes."""
    words = random.choice(LINES).split()
    of = next((flags for path, flags in OPTIONS.items() if tuple(words[: len(path)]) == path), {})
    for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3])):
        at = random.randrange(len(words)) if words else 0
        change = random.random()
        if change < 0.45 and words:
            values = [i for i, word in enumerate(words) if i and not word.startswith("-")] or [at]
            place = random.choice(values)
            words[place] = value(random, words[place - 1])
        elif change < 0.8 and of:
            flag = random.choice([*of])
            new = [flag] if of[flag] else [flag, value(random, flag)]
            if not of[flag] and random.random() < 0.2:
                new = [f"{flag}={new[1]}"]
            words += new
        elif change < 0.88 and words:
            del words[at]
        elif change < 0.94 and words:
            word = words[at]
            cut = random.randrange(len(word) + 1)
            words[at] = word[:cut] + random.choice(["", "x", "-", word[cut:]]) + word[cut + 1 :]
        else:
            words.insert(at, random.choice(VALUES))
    return words


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Runs, stores and files, whole and damaged."""
    place = tmp_path_factory.mktemp("fuzz")
    before = Path.cwd()
    os.chdir(place)
    try:
        quick = ["--epochs", 1, "--checkpoints", 2, "--device", "cpu"]
        run("train", "digits-mlp", *quick, "--out", "run")
        run("train", "digits-mlp", *quick, "--optimizer", "sa-sls", "--probe", "--out", "searched")
        run("probe", "run", "--points", 3, "--draws", 2, "--device", "cpu")
        shutil.copytree("run/landscape.zarr", "store.zarr")
        shutil.make_archive("store", "zip", "store.zarr")
        shutil.copytree("store.zarr", "half.zarr")
        shutil.rmtree("half.zarr/loss")
        Path("empty").mkdir()
        Path("begun").mkdir()
        shutil.copy("run/run.json", "begun")
        Path("text").write_text("some text\n")
        Path("task.py").write_text(TASKS)
        whole = sorted(Path("run/checkpoints").iterdir())[0]
        Path("half.pt").write_bytes(whole.read_bytes()[:3000])
        torch.save(torch.load(whole, weights_only=True)["model"], "state.pt")
        arrays = torch.rand(60, 1, 8, 8).numpy(), (torch.arange(60) % 3).numpy()
        names = "x_train", "y_train", "x_test", "y_test"
        import numpy as np

        np.savez("arrays.npz", **dict(zip(names, arrays * 2, strict=True)))
        Path("half.npz").write_bytes(Path("arrays.npz").read_bytes()[:500])
    finally:
        os.chdir(before)
    return place


def content(place):
    found = {}
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found |= dict.fromkeys((f"{folder}/{name}" for name in folders), None)
        for path in (Path(folder, name) for name in files):
            about = path.stat()
            found[str(path)] = about.st_size, about.st_mtime_ns
    return found


@contextmanager
def limited():
    """An end to what hangs."""

    def stop(*_):
        raise TimeoutError(f"more than {LIMIT} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fault(words, place, before):
    """What is wrong with how a command line ends; None if nothing is."""
    with limited():
        result = CliRunner().invoke(app, words)
    said = told(result.stderr).strip().splitlines()
    if "more than 30 s" in result.stderr:
        return "hangs"
    if result.exit_code == 0:
        return f"says {said[:1]}" if said and "failed" not in result.stderr else None
    if result.exit_code != 2:
        return f"exit status {result.exit_code}: {result.stderr.strip()[:300]}"
    if result.stdout.startswith("Usage") or (said and said[0].startswith("Usage")):
        return None  # a group of commands alone: its help
    refusals = [line for line in said if not line.startswith("failed: ")]
    if len(refusals) != 1 or not refusals[0].startswith("error: "):
        return f"no single line: {said}"
    if len(refusals[0]) > 2000:
        return f"a line of {len(refusals[0])} characters"
    now = content(place)
    if now != before and not any(line.startswith("failed: ") for line in said):
        return f"left {[*now.keys() ^ before.keys()][:5] or 'another content'}: {refusals[0]}"
    return None


def tried(count, seed, pristine, tmp_path, monkeypatch):
    """Run that many lines; those that end badly, and how many ended how."""
    place = tmp_path / "place"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    shutil.copytree(pristine, place)
    (place / "work").mkdir()
    monkeypatch.chdir(place)
    fresh = content(place)
    generator, bad = random.Random(seed), []
    for _ in range(count):
        words = generated(generator)
        if found := fault(words, place, fresh):
            bad.append((words, found))
        if content(place) != fresh:
            os.chdir(tmp_path)
            shutil.rmtree(place)
            shutil.copytree(pristine, place)
            (place / "work").mkdir()
            os.chdir(place)
            fresh = content(place)
    return bad


def shown(bad):
    kinds = Counter(found for _, found in bad)
    lines = [f"{' '.join(word[:60] for word in words)!r}\n    {found}" for words, found in bad]
    return f"{len(bad)} end badly, in {len(kinds)} ways:\n" + "\n".join(lines)


def test_command_lines(pristine, tmp_path, monkeypatch):
    bad = tried(40, 1, pristine, tmp_path, monkeypatch)
    assert not bad, shown(bad)


@pytest.mark.long
def test_thousands_of_command_lines(pristine, tmp_path, monkeypatch):
    count = int(os.environ.get("FUZZ_LINES", "3000"))
    bad = tried(count, SEED, pristine, tmp_path, monkeypatch)
    assert not bad, shown(bad)
