"""What every command has: help in panels, errors that name its options, completion of names."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from helpers.commands import refused, run

from landscape_cli.app import app
from landscape_cli.commands import PANELS, with_options


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def every(command, words=()):
    """Each command's words, and the command."""
    for name, one in getattr(command, "commands", {}).items():
        yield from every(one, (*words, name))
    if words:
        yield words, command


COMMANDS = dict(every(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_words_for_types_and_panels(words):
    text = run(*words, "--help").stdout
    usage = text.partition("\n\n")[0]
    assert not re.search(r"<\w|\{|\.\.\..*\.\.\.|\[\[", usage)
    assert not re.search(r"<(str|int|float|path|list|bool)", text)
    if not hasattr(COMMANDS[words], "commands"):
        headings = re.findall(r"^(\w+):$", text, flags=re.M)
        assert headings == [each for each in ("Arguments", *PANELS) if each in headings]
        assert headings[-1] == "Help"


@pytest.mark.parametrize(
    "words", [(), *(w for w, each in COMMANDS.items() if hasattr(each, "commands"))], ids=" ".join
)
def test_no_summary_is_cut(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = run(*words, "--help").stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed
    assert "…" not in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_choices_stand_beside_their_option():
    text = run("plot", "overlay", "--help").stdout
    for option in (
        "--against step-size|distance ", "--scale linear|symlog|auto ",
        "--value-scale auto|linear|log ", "--width column|page ",
    ):  # fmt: skip
        assert option in text


@pytest.mark.parametrize(
    ("words", "default"),
    [
        (("plot", "parabola"), "loss"),
        (("plot", "batch-bias"), "loss"),
        (("plot", "widening"), "accuracy, or else loss"),
        (("plot", "best-steps"), "loss, accuracy and smooth accuracy"),
        (("table", "statistics"), "accuracy, or else loss"),
        (("table", "shape"), "loss"),
    ],
)
def test_the_default_metric_is_that_of_the_command(words, default):
    text = " ".join(run(*words, "--help").stdout.split())
    assert f"another in the store. [default: ({default})]" in text


def test_every_option_that_a_panel_lists_is_one():
    names = {p.name for command in COMMANDS.values() for p in command.params}
    assert {each for panel in PANELS.values() for each in panel} <= names | {"help"}


def test_panels_of_the_probe():
    text = run("probe", "--help").stdout
    panels = dict(re.findall(r"^(\w+):\n((?:  .*\n|\n(?=  ))+)", text, flags=re.M))
    # Older versions of typer put brackets here and no dots there.
    assert re.search(r"^  \[?PATH\]?  More checkpoints", panels["Arguments"])
    assert "[OPTIONS] [PATH]" in text
    assert "--direction DIRECTION" in panels["What"]
    assert "-o, --out STORE" in panels["Where"]
    assert re.search(r"--draws INTEGER .*", panels["How"])
    assert "--rise NUMBER" in panels["How"]
    assert "--precision" in panels["Precision"]


PARAMS = [
    SimpleNamespace(name=name, opts=opts, param_type_name="option")
    for name, opts in {
        "batch_size": ["--batch-size"], "draws": ["--draws"], "lr": ["--lr"], "and_": ["--and"],
        "out": ["-o", "--out"],
    }.items()
]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("batch_size is 9; choose a smaller batch_size", "--batch-size is 9; choose a smaller "
         "--batch-size"),
        ("draws is 0; give more draws", "--draws is 0; give more draws"),
        ("learning_rate is -1", "--lr is -1"),
        ("draws are few", "--draws are few"),
        ("two draws is", "two draws is"),
        ("unknown metric 'batch_size'; a/batch_size, batch_size.pt, batch_size=3", None),
        ("(--and, direction_2=)", None),
        ("big_batch is 7", None),
    ],
)  # fmt: skip
def test_arguments_become_options(message, expected):
    assert with_options(message, PARAMS) == (expected or message)


def test_settings_of_the_probe_become_what_sets_them():
    params = [SimpleNamespace(name="probe_set", opts=["--probe-set"], param_type_name="option")]
    assert with_options("big_batch is 7", params) == "--probe-set big_batch is 7"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train digits-mlp -o r --batch-size 5000", "error: --batch-size is 5000; the task has"),
        ("train digits-mlp -o r --epochs 0", "error: --epochs is 0; give an integer"),
        ("train digits-mlp -o r --search-batch 4", "error: --search-batch is 4, but sgd is no"),
        ("study pre-study digits-mlp -o r --batch-size 0", "error: --batch-size is 0; give an"),
        ("probe x --lr=-1", "error: --lr is -1.0; give a number above 0"),
        ("probe x --eval-batch-size 0", "error: --eval-batch-size is 0; give an integer"),
    ],
)
def test_errors_name_the_option(line, message):
    assert refused(*line.split()).startswith(message)


def completed(words):
    """What the shell offers for the last of ``words``."""
    environment = {**os.environ, "_LANDSCAPE_COMPLETE": "complete_bash",
                   "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}  # fmt: skip
    code = (
        "import sys\n"
        "sys.argv = ['landscape']\n"
        "from landscape_cli.app import app\n"
        "try:\n"
        "    app(prog_name='landscape')\n"
        "finally:\n"
        "    heavy = {'torch', 'xarray', 'matplotlib', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("landscape train digits-m", ["digits-mlp"]),
        ("landscape train --dataset cifar100", ["cifar100"]),
        ("landscape train --model mlp", ["mlp"]),
        ("landscape train --optimizer sa-", ["sa-sls", "sa-sls-thesis"]),
        ("landscape study benchmark t --optimizer sgd,ad", ["sgd,adam"]),
        ("landscape probe --direction norm", ["normalised-gradient"]),
        ("landscape probe --and hess", ["hessian-1"]),
        ("landscape probe --metrics loss,smo", ["loss,smooth-accuracy"]),
        ("landscape probe --sets same-batch,v", ["same-batch,validation"]),
        ("landscape plot batches s --metric foc", ["focal-loss"]),
        ("landscape table slice s --set other", ["other-batch-1", "other-batch-2"]),
    ],
)
def test_completion(words, offered):
    assert completed(words) == offered
