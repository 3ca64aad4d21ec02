"""``landscape study benchmark``: optimizers x seeds, as a user meets it."""

from pathlib import Path

import pytest
from helpers.commands import told
from typer.testing import CliRunner

from landscape_cli.app import app


def run(*arguments, status=0):
    every = "study", "benchmark", *arguments, "--out", "runs", "--epochs", 1
    result = CliRunner().invoke(app, [str(a) for a in every])
    assert result.exit_code == status, result.output
    return result


def digits(*arguments, seeds=2, status=0):
    return run("digits-mlp", *arguments, "--seeds", seeds, status=status)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(result):
    """The table at the end: each run's name, and the rest."""
    lines = result.stdout.splitlines()
    (head,) = (i for i, line in enumerate(lines) if line.startswith("run "))
    return [line.split(maxsplit=1) for line in lines[head + 1 : -1]]


def test_optimizers_and_seeds():
    optimizers = "sgd,adam:betas=[0.9,0.99]"
    result = digits("--optimizer", optimizers, "--optimizer", "sa-sls:slope_factor=10")
    names = [f"{name}-{seed}" for seed in range(2)
             for name in ("sgd", "adam,betas=[0.9,0.99]", "sa-sls,slope_factor=10")]  # fmt: skip
    assert [name for name, _ in rows(result)] == names
    assert all(rest.startswith("1 of 1     0.") for _, rest in rows(result))
    assert result.stdout.endswith("next: landscape table benchmark runs\n")
    assert not told(result.stderr)
    assert {p.name for p in Path("runs/digits-mlp").iterdir()} == set(names)


def test_parts():
    first = digits("--optimizer", "sgd,adam", "--part", "1/2")
    assert [rest[0] for _, rest in rows(first)] == ["1", "1", "0", "0"]
    second = digits("--optimizer", "sgd,adam", "--part", "2/2")
    assert [rest[0] for _, rest in rows(second)] == ["1", "1", "1", "1"]


def test_status_needs_no_device():
    digits("--optimizer", "sgd", seeds=1)
    result = digits("--optimizer", "sgd", "--status", "--device", "cuda:99")
    assert [name for name, _ in rows(result)] == ["sgd-0", "sgd-1"]
    assert rows(result)[1][1] == "0 of 1     nan"
    assert not Path("runs/digits-mlp/sgd-1").exists()
    line = digits("--optimizer", "sgd", "--device", "cuda:99", status=2).stderr
    assert "device 'cuda:99' is not there" in line


@pytest.mark.parametrize("status", [(), ("--status",)])
def test_what_is_damaged_is_marked_and_the_others_are_listed(status):
    digits("--optimizer", "sgd,adam", seeds=1)
    for file in Path("runs/digits-mlp/sgd-0/history.zarr/validation_accuracy").rglob("*.json"):
        file.unlink()
    result = digits("--optimizer", "sgd,adam", *status, status=2)
    marked = {name: rest.endswith("failed") for name, rest in rows(result)}
    assert marked == {"sgd-0": True, "adam-0": False, "sgd-1": False, "adam-1": False}
    done = {name: rest[0] for name, rest in rows(result)}
    assert done == {
        "sgd-0": "?",
        "adam-0": "1",
        **dict.fromkeys(["sgd-1", "adam-1"], done["sgd-1"]),
    }
    assert done["sgd-1"] == ("0" if status else "1")
    reason, last = told(result.stderr).splitlines()
    assert reason.startswith("failed: sgd-0: ")
    assert "runs/digits-mlp/sgd-0/history.zarr" in reason
    assert last == "error: 1 of 4 runs failed, for the reasons above"


def test_a_run_of_other_settings_is_marked_too():
    digits("--optimizer", "sgd", seeds=1)
    result = digits("--optimizer", "sgd,adam", "--batch-size", 32, "--status", seeds=1, status=2)
    assert [(name, rest[0]) for name, rest in rows(result)] == [("sgd-0", "?"), ("adam-0", "0")]
    assert "a run with batch size 64, and now it is 32" in result.stderr


# The network of the second run fails at its second batch: at the first it would be refused. The
# first network that is made is that of the check.
FRAIL = """
import torch
from torch import nn
x = torch.arange(500.).reshape(100, 5) / 500
made = []
class Frail(nn.Linear):
    def forward(self, x):
        self.batches = getattr(self, "batches", 0) + self.training
        if self.batches > 1 and made[2:3] == [self]:
            raise RuntimeError("broken")
        return super().forward(x)
class task:
    def model():
        made.append(Frail(5, 2))
        return made[-1]
    train = validation = (x, (x[:, 0] > 0.5).long())
    batch_size = 50
"""


def test_a_run_that_fails_in_training_stops_no_other():
    Path("frail.py").write_text(FRAIL)
    result = run("frail.py:task", "--optimizer", "sgd", "--seeds", 3, status=2)
    assert [rest.endswith("failed") for _, rest in rows(result)] == [False, True, False]
    assert "failed: sgd-1: training fails: RuntimeError: broken" in result.stderr
    assert (Path("runs/frail,task") / "sgd-2").is_dir()


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("sgd:optimizer=5", "sets 'optimizer', which a variant cannot"),
        ("sgd:seed=7", "sets 'seed', which a variant cannot"),
        ("sgd:options=5", "sets 'options', which a variant cannot"),
        ("sgd:schedule_options=5", "schedule_options is 5; give a mapping"),
        ("sgd:schedule=5", "unknown schedule 5; choose from constant"),
        ("sgd:learning_rate=abc", "learning_rate is 'abc'; give a number above 0"),
        ("adam:betas=[0.9,sgd", "adam does not take"),
        ("sgd,SGD", "'SGD' was given twice"),
        ("sgd,", "unknown optimizer ''"),
        ("", "unknown optimizer ''"),
        ("adam,sgd:momentun=0.9", "did you mean 'momentum'"),
    ],
)
def test_bad_input(optimizer, message):
    (line,) = digits("--optimizer", optimizer, status=2).stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(Path().iterdir())
