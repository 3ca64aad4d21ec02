"""Commands that are killed at a file operation: the same command ends at the same bits.

``pytest -m long tests/cli/test_kills.py`` kills a hundred times.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from helpers.commands import told

from landscape.training import checkpoints

COMMANDS = {
    "train": "train digits-mlp --epochs 3 --checkpoints 3 --batch-size 256 --optimizer sa-sls"
    " --probe --probe-set other_batches=1 --device cpu --out out/run",
    "probe": "probe run --points 3 --range 0.5 --draws 2 --device cpu --out out/s.zarr",
    "pre-study": "study pre-study digits-mlp --epochs 2 --batch-size 256 --device cpu --out out/all"
    " --probe-set step_sizes=[0,0.1]",
    "benchmark": "study benchmark digits-mlp --optimizer sgd,adam --seeds 1 --epochs 2"
    " --batch-size 256 --device cpu --out out/runs",
    "report": "report run --out out/r.html",
}
SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
STATUS = {"KILL": -signal.SIGKILL, "TERM": 143, "INT": 130}

# Has loaded all modules, forks for each command, and says how it ended. The command counts what
# changes files below out/, and gets a signal before one of these operations.
SERVER = """
import json, os, sys
import landscape_cli.app, landscape.plots, landscape.report, landscape.store, landscape.tables
import landscape.study.benchmark, landscape.study.pipelines, landscape.tasks.datasets.digits
import landscape_cli.bars, landscape.optimizers.line_search.sls, sklearn.datasets
import matplotlib.backends.backend_agg, torch
from landscape_cli.__main__ import main

torch.set_num_threads(1)

def changes(event, arguments):
    if event == "open":
        return isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    return event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate")

def command(place, at, signal, words):
    os.chdir(place)
    where, count = os.path.abspath("out"), 0

    def hook(event, arguments):
        nonlocal count
        if changes(event, arguments) and isinstance(arguments[0], (str, bytes)):
            if os.path.abspath(os.fsdecode(arguments[0])).startswith(where):
                count += 1
                if count == at:
                    os.kill(os.getpid(), signal)

    sys.addaudithook(hook)
    sys.argv, status = ["landscape", *words], 0
    for handle, name in (1, "stdout"), (2, "stderr"):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), handle)
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    with open("operations", "w") as file:
        file.write(str(count))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

answers = os.dup(1)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            command(*json.loads(line))
        finally:
            os._exit(1)
    _, ended = os.waitpid(child, 0)
    os.write(answers, f"{os.waitstatus_to_exitcode(ended)}\\n".encode())
"""


class Server:
    """Runs commands, each in a process of its own."""

    def __init__(self):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SERVER], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, text, place, at=0, number=0):
        """Exit status and standard error, to the end or to the ``at``-th change of a file."""
        request = [str(place), at, int(number), text.split()]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, told((place / "stderr").read_text())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def values(variable):
    found = np.asarray(variable.values)
    return found.tolist() if found.dtype == object else (found.dtype.str, found.tobytes())


def bits(place):
    """Every result below ``place``, but for the time it took."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.suffix == ".zarr":
            tree = xr.open_datatree(path, engine="zarr", consolidated=False, chunks=None)
            found[name] = json.dumps(tree.attrs, sort_keys=True)
            for node in tree.subtree:
                own = node.to_dataset(inherit=False).drop_vars("seconds", errors="ignore")
                found |= {f"{name}{node.path}:{n}": values(v) for n, v in own.variables.items()}
            tree.close()
        elif path.suffix == ".pt":
            read = checkpoints.read(path)
            record = {**(read.training["record"] or {}), "seconds": 0}
            state = {**read.training, "seconds": 0, "record": record}
            found[name] = read.digest, read.iteration, read.run, repr(state)
        elif path.is_file() and not any(p.suffix == ".zarr" for p in path.parents):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Whole:
    """What each command leaves when nothing disturbs it, made once."""

    def __init__(self, folder):
        self.command = Server()
        self._folder = folder
        self._known = {}
        (folder / "run-of-others").mkdir()
        for text in (
            "train digits-mlp --epochs 2 --checkpoints 3 --device cpu --out run",
            "probe run --points 3 --device cpu",
        ):
            status, said = self.command(text, folder / "run-of-others")
            assert status == 0, said

    def prepared(self, place):
        """Lay out a folder for a command."""
        (place / "out").mkdir(parents=True)
        shutil.copytree(self._folder / "run-of-others" / "run", place / "run")
        return place

    def __call__(self, name):
        """How many operations it has, and its results."""
        if name not in self._known:
            place = self.prepared(self._folder / name)
            status, said = self.command(COMMANDS[name], place)
            assert (status, said) == (0, "")
            self._known[name] = int((place / "operations").read_text()), bits(place / "out")
        return self._known[name]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = Whole(tmp_path_factory.mktemp("kills"))
    yield made
    made.command.close()


def fault(name, kind, share, whole, place):
    """What is wrong after a signal at a share of the operations; None if nothing is."""
    operations, expected = whole(name)
    whole.prepared(place)
    at = 1 + int(share * operations)
    where = f"{name}, {kind} at operation {at} of {operations}: "
    status, said = whole.command(COMMANDS[name], place, at, SIGNALS[kind])
    # A signal at the very end may come when nothing is left to be stopped.
    if status not in (STATUS[kind], 0):
        return f"{where}exit status {status}: {said[-500:]}"
    if kind != "KILL":
        if len(said.splitlines()) > 1 or (status and not said.startswith("stopped")):
            return where + said[-500:]
        if left := [*(place / "out").rglob(".*.tmp")]:
            return f"{where}left {left}"
    status, said = whole.command(COMMANDS[name], place)
    if status != 0:
        return f"{where}then {said[-500:]}"
    found = bits(place / "out")
    differing = {key for key in found | expected if found.get(key) != expected.get(key)}
    return f"{where}differs in {sorted(differing)[:5]}" if differing else None


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [("train", "KILL", 0.6), ("train", "TERM", 0.4), ("benchmark", "INT", 0.8)],
)
def test_a_killed_command_ends_at_the_same_bits(name, kind, share, whole, tmp_path):
    assert fault(name, kind, share, whole, tmp_path / name) is None


@pytest.mark.long
def test_a_hundred_kills(whole, tmp_path):
    generator = random.Random(int(os.environ.get("FUZZ_SEED", "0")))
    count = int(os.environ.get("FUZZ_KILLS", "100"))
    bad = []
    for i in range(count):
        place = tmp_path / str(i)
        name, kind = [*COMMANDS][i % len(COMMANDS)], [*SIGNALS][i // len(COMMANDS) % 3]
        if found := fault(name, kind, generator.random(), whole, place):
            bad.append(found)
            print(found)
        shutil.rmtree(place)
    assert not bad, f"{len(bad)} of {count}:\n" + "\n".join(bad)
