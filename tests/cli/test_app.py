"""The command line as a user meets it: exit status, one line an error, files where it says."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.commands import refused, run, told

import landscape
from landscape.plots.registry import FIGURES
from landscape.tasks.registry import BUILTIN


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    result = run("train", "digits-mlp", "--epochs", 3, "--checkpoints", 3, "--out", folder)
    assert f"next: landscape probe --checkpoint {folder}" in result.stdout
    assert [line.partition(",")[0] for line in result.stderr.splitlines()] == [
        f"training digits-mlp: epoch {i} of 3" for i in (1, 2, 3)
    ]
    return folder


@pytest.fixture(scope="module")
def store(trained):
    result = run("probe", "--checkpoint", trained, "--points", 5, "--range", 0.5)
    assert "3 checkpoints probed, 3 in the store" in result.stdout
    return trained / "landscape.zarr"


def test_probe_takes_its_settings(store):
    slices = landscape.open(store)
    assert slices.step_size.values.tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    assert slices.samples.values.tolist() == [64, 64, 64, 1000, 360]


def test_probe_all_options(trained, tmp_path):
    files = sorted((trained / "checkpoints").iterdir())
    run(
        "probe", "--checkpoint", files[0], files[1],
        "--store", "out.zarr",
        "--step-sizes", "-0.1,0,0.1",
        "--sets", "same-batch,validation",
        "--metrics", "loss,smooth-accuracy",
        "--slope-factors", "0.5,1",
        "--batch-norm", "validation=recalibrated",
        "--batch-size", 32, "--draws", 2, "--validation-samples", 50, "--no-samples",
        "--origin", "after-step", "--direction", "normalised-gradient", "--seed", 3,
        "--device", "cpu",
    )  # fmt: skip
    slices = landscape.open("out.zarr")
    assert dict(slices.sizes) == {
        "checkpoint": 2, "draw": 2, "evaluation_set": 2, "step_size": 3, "slope_factor": 2
    }  # fmt: skip
    assert set(slices.data_vars) == {"loss", "smooth_accuracy"}
    assert slices.attrs["origin"] == "after-step"
    assert slices.attrs["direction"] == "normalised-gradient"
    assert slices.batch_norm.values.tolist() == ["batch", "recalibrated"]
    assert not (Path("out.zarr") / "per_sample").exists()


@pytest.mark.parametrize("name", [f.name for f in FIGURES.values() if f.source == "slices"])
def test_every_figure_of_slices_is_a_command(store, name):
    run("plot", name, store)
    assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    run("plot", name, store, "-o", "drawn.pdf")
    assert Path("drawn.pdf").read_bytes().startswith(b"%PDF")
    assert FIGURES[name].summary in run("plot", name, "--help").stdout.replace("\n", " ")


def test_plot_options(store):
    iterations = landscape.open(store).iteration.values
    run("plot", "batches", store, "--metric", "smooth-accuracy", "--checkpoint", iterations[0],
        "--scale", "symlog", "-o", "a.svg")  # fmt: skip
    assert f"iteration {iterations[0]}" in Path("a.svg").read_text()
    run("plot", "widening", store, "--against", "distance", "--set", "big-batch", "-o", "b.svg")
    assert "distance" in Path("b.svg").read_text()


@pytest.mark.parametrize(("optimizer", "figure"), [("sgd", "widening"), ("sa-sls", "line-search")])
def test_what_to_draw_after_probing_on_the_way(optimizer, figure):
    arguments = ["--epochs", 1, "--checkpoints", 2, "--optimizer", optimizer, "--probe"]
    result = run("train", "digits-mlp", "--out", "r", *arguments)
    command = re.search(r"next: landscape (.*)", result.stdout)[1].split()
    assert command[:2] == ["plot", figure]
    run(*command)
    assert Path(f"{figure}.png").exists()


def test_the_folder_of_a_run_probed_on_the_way_is_as_good_as_its_store():
    run("train", "digits-mlp", "--out", "r", "--epochs", 1, "--checkpoints", 2, "--probe")
    store = "r/mid-training.zarr"
    assert run("table", "statistics", "r").stdout == run("table", "statistics", store).stdout
    for words in (["plot", "classes"], ["plot", "overlay"], ["report"]):
        run(*words, "r", "-o", "a.svg" if words[0] == "plot" else "a.html")


def test_a_run_without_a_recording_says_how_one_is_made(trained):
    line = refused("plot", "line-search", trained)
    assert line == (
        f"error: {trained} has no recording of its line searches; train with --probe into another "
        "folder"
    )


def test_info(store, trained):
    text = run("info", store).stdout
    for part in ["digits-mlp", "SGD", "step sizes: 5", "big batch", "schema 2", "per-sample"]:
        assert part in text
    assert run("info", trained).stdout.startswith(f"{trained / 'history.zarr'}: history, schema 2")


def test_tasks_lists_all_and_new_writes_one_that_runs():
    listed = run("tasks").stdout
    assert all(name in listed for name in BUILTIN)
    result = run("tasks", "new", "mine.py")
    command = re.search(r"next: landscape (.*)", result.stdout)[1].split()
    trained = run(*command, "--epochs", 2, "--checkpoints", 2)
    following = re.search(r"next: landscape (.*)", trained.stdout)[1].split()
    assert following == ["probe", "--checkpoint", command[-1], "--task", "mine.py:task"]
    line = refused(*following[:3], "--points", 3)
    assert re.search(r"if you trust it, give it yourself: --task \S*/mine.py:task$", line.strip())
    assert not (Path(command[-1]) / "landscape.zarr").exists()
    run(*following, "--points", 3)
    assert landscape.open(Path(command[-1]) / "landscape.zarr").sizes["checkpoint"] == 2
    assert "mine.py exists already" in refused("tasks", "new", "mine.py")


def test_own_model_and_data_in_a_module(monkeypatch):
    Path("my_module.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "x = torch.randn(300, 5)\n"
        "class my_task:\n"
        "    model = lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))\n"
        "    train = (x, (x[:, 0] > 0).long())\n"
        "    validation = torch.utils.data.TensorDataset(x[:50], (x[:50, 0] > 0).long())\n"
        "    loss = nn.CrossEntropyLoss(label_smoothing=0.1)\n"
    )
    monkeypatch.syspath_prepend(".")
    state = importlib.import_module("my_module").my_task.model().state_dict()
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": wrapped, "epoch": 4, "global_step": 70}, "mine.ckpt")
    run("probe", "--checkpoint", "mine.ckpt", "--task", "my_module:my_task", "--batch-size", 50)
    slices = landscape.open("landscape.zarr")
    assert (slices.iteration.item(), slices.epoch.item()) == (70, 4)
    assert slices.samples.values.tolist() == [50, 50, 50, 250, 50]


class Malicious:
    def __reduce__(self):
        return os.system, ("touch owned",)


def bad_checkpoint(kind, trained):
    path = Path(f"{kind}.pt")
    if kind == "malicious":
        torch.save({"state_dict": Malicious()}, path)
    elif kind == "truncated":
        whole = sorted((trained / "checkpoints").iterdir())[0].read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "text":
        path.write_text("no checkpoint")
    elif kind == "empty":
        path.touch()
    elif kind == "other":
        torch.save(torch.nn.Linear(64, 10).state_dict(), path)
    return path


def test_a_file_cannot_make_the_command_run_code(tmp_path):
    Path("thing.py").write_text("open('owned', 'w')")
    for task in ("thing:task", "thing.py:task", "os:abort"):
        content = {"format": "landscape checkpoint", "version": 1, "iteration": 1, "training": None}
        content |= {"model": {"weight": torch.zeros(2, 2)}, "epoch": 0.0, "learning_rate": 0.1}
        torch.save(content | {"run": {"task": task, "folder": str(tmp_path)}}, "a.pt")
        assert (
            f"code that a file names is not run; if you trust it, give it yourself: --task {task}"
            in (refused("probe", "--checkpoint", "a.pt"))
        )
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no checkpoint at missing.pt"),
        ("malicious", "could run code"),
        ("truncated", "damaged or cut off"),
        ("text", "is no checkpoint"),
        ("empty", "is empty"),
        ("other", "missing: .*unexpected: weight, bias"),
    ],
)
def test_bad_checkpoints(kind, message, trained):
    path = bad_checkpoint(kind, trained)
    line = refused("probe", "--checkpoint", path, "--task", "digits-mlp", "--store", "s.zarr")
    assert re.search(message, line), line
    assert not Path("s.zarr").exists()
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["probe"], "no checkpoint was given"),
        (["probe", "--checkpoint", "RUN", "--task", "digits-cm"], "unknown task 'digits-cm'"),
        (["probe", "--checkpoint", "RUN", "--step-sizes", ""], "give at least one"),
        (["probe", "--checkpoint", "RUN", "--step-sizes", "0,nan"], "must be finite"),
        (["probe", "--checkpoint", "RUN", "--step-sizes", "0,a"], "numbers with commas"),
        (
            ["probe", "--checkpoint", "RUN", "--step-sizes", "0", "--points", "3"],
            "give one or the other",
        ),
        (["probe", "--checkpoint", "RUN", "--points", "4"], "odd number"),
        (["probe", "--checkpoint", "RUN", "--sets", "test"], "unknown evaluation set 'test'"),
        (["probe", "--checkpoint", "RUN", "--metrics", "f1"], "unknown metric 'f1'"),
        (["probe", "--checkpoint", "RUN", "--big-batch", "1374"], "choose at most 1373"),
        (["probe", "--checkpoint", "RUN", "--batch-size", "2000"], "only 1437 training samples"),
        (["probe", "--checkpoint", "RUN", "--validation-samples", "361"], "only 360"),
        (["probe", "--checkpoint", "RUN", "--batch-norm", "validation"], "name=value"),
        (["probe", "--checkpoint", "RUN", "--batch-norm", "validation=x"], "policy 'x'"),
        (["probe", "--checkpoint", "RUN", "--device", "cuda:99"], "device 'cuda:99' is not there"),
        (["train", "digits-mlp", "--out", "r", "--optimizer", "sgdd"], "did you mean 'sgd'"),
        (["train", "digits-mlp", "--out", "r", "--set", "momentun=1"], "did you mean 'momentum'"),
        (["train", "digits-mlp", "--out", "r", "--set", "momentum"], "name=value"),
        (["train", "digits-mlp", "--out", "r", "--lr", "-1"], "--lr is -1.0"),
        (["train", "digits-mlp", "--out", "r", "--epochs", "0"], "--epochs is 0"),
        (["train", "digits-mlp", "--out", "r", "--batch-size", "5000"], "1437 training samples"),
        (["train", "mnist-mlp", "--out", "r"], "MNIST"),
        (["train", "nowhere:task", "--out", "r"], "nowhere"),
        (["info", "none.zarr"], "no store at none.zarr"),
        (["plot", "widening", "none.zarr"], "no store at none.zarr"),
        (["plot", "widening", "STORE", "--metric", "f1"], "unknown metric 'f1'"),
        (["plot", "widening", "STORE", "--set", "test"], "unknown evaluation set 'test'"),
        (["plot", "batches", "STORE", "--checkpoint", "7"], "unknown checkpoint 7; choose from"),
        (["plot", "widening", "STORE", "-o", "a.bmp"], "unknown suffix"),
        (["plot", "widening", "STORE", "-o", "no/a.png"], "no folder 'no'"),
        (
            [
                "probe",
                "--checkpoint",
                "RUN",
                "--store",
                "s",
                "--device",
                "cpu",
                "--precision",
                "tf32",
            ],
            "precision is 'tf32', which device 'cpu' lacks; choose from float32, bfloat16",
        ),
        (
            ["train", "digits-mlp", "--out", "r", "--device", "cpu", "--precision", "tf32"],
            "which device 'cpu' lacks",
        ),
        (
            ["train", "digits-mlp", "--out", "r", "--probe", "--probe-set", "dropout=1"],
            "dropout is 1; give true or false",
        ),
        (  # before the training
            [
                "study",
                "pre-study",
                "digits-mlp",
                "--out",
                "r",
                "--device",
                "cpu",
                "--probe-set",
                "precision=tf32",
            ],
            "which device 'cpu' lacks",
        ),
    ],
)
def test_bad_input(arguments, message, trained, store):
    known = {"RUN": trained, "STORE": store}
    before = {p: p.stat().st_mtime_ns for p in trained.rglob("*")}
    assert message in refused(*(known.get(a, a) for a in arguments))
    assert before == {p: p.stat().st_mtime_ns for p in trained.rglob("*")}
    assert not list(Path().iterdir())


def test_precision(trained):
    run("train", "digits-mlp", "--epochs", 1, "--precision", "bfloat16", "--out", "narrow")
    assert landscape.open("narrow/history.zarr").attrs["precision"] == "bfloat16"
    line = refused("train", "digits-mlp", "--epochs", 1, "--out", "narrow")
    assert "holds a run with precision 'bfloat16', and now it is 'float32'" in line
    probe = ["probe", "--checkpoint", trained, "--store", "s.zarr", "--sets", "same-batch"]
    run(*probe, "--precision", "bfloat16", "--eval-batch-size", 100)
    assert landscape.open("s.zarr").attrs["settings"]["precision"] == "bfloat16"
    run(*probe, "--precision", "bfloat16")  # the chunk changes rounding alone
    assert "made with precision 'bfloat16', and now it is 'float32'" in refused(*probe)


def test_unknown_figure_is_clicks_own_line():
    assert "No such command 'widenin'" in run("plot", "widenin", "s.zarr", status=2).output


def test_other_settings_into_an_existing_store(trained, store):
    line = refused("probe", "--checkpoint", trained, "--draws", 2, "--points", 5, "--range", 0.5)
    assert "was made with draws 1, and now it is 2" in line


def test_a_disk_that_is_read_only(trained, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system", "s.zarr")

    monkeypatch.setattr(Path, "rename", refuse)
    assert "Read-only file system" in refused("probe", "--checkpoint", trained, "--store", "s.zarr")
    assert not list(Path().iterdir())


def test_labels_out_of_range_and_outputs_of_the_wrong_shape():
    Path("bad.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "data = torch.randn(300, 5), torch.arange(300) % 3\n"
        "class labels:\n"
        "    model = nn.Linear(5, 2)\n"
        "    train = validation = data\n"
        "class shape:\n"
        "    model = nn.Sequential(nn.Linear(5, 3), nn.Unflatten(1, (1, 3)))\n"
        "    train = validation = data\n"
    )
    for name, message in {"labels": "run from 0 to 2", "shape": "output has shape"}.items():
        spec = importlib.util.spec_from_file_location("bad", "bad.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        torch.save(getattr(module, name).model.state_dict(), f"{name}.pt")
        line = refused(
            "probe", "--checkpoint", f"{name}.pt", "--task", f"bad.py:{name}", "--batch-size", 20
        )
        assert message in line


@pytest.mark.parametrize("arguments", [["--help"], ["plot", "--help"], ["tasks"], ["--version"]])
def test_help_and_completion_load_nothing_heavy(arguments):
    code = (
        "import sys\n"
        f"sys.argv = ['landscape', *{arguments!r}]\n"
        "from landscape_cli.__main__ import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'xarray', 'matplotlib', 'zarr', 'sklearn', 'pandas'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_ctrl_c_while_modules_are_loaded_is_one_line():
    """By a module of the command line that takes its time."""
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from landscape_cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_shell_completion_offers_the_commands_without_loading_torch():
    environment = {**os.environ, "_LANDSCAPE_COMPLETE": "complete_bash",
                   "COMP_WORDS": "landscape pr", "COMP_CWORD": "1"}  # fmt: skip
    code = (
        "import sys\n"
        "sys.argv = ['landscape']\n"
        "from landscape_cli.app import app\n"
        "try:\n"
        "    app(prog_name='landscape')\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "probe", done.stderr


THROUGH = """
import torch
from torch import nn
class Through(torch.autograd.Function):
    @staticmethod
    def forward(_, x): return x.clone()
    @staticmethod
    def backward(_, gradient): return 3 * gradient
class Net(nn.Linear):
    def forward(self, x): return Through.apply(super().forward(x))
x, y = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
task = dict(model=lambda: Net(4, 2), train=(x, y), validation=(x, y), batch_size=20, epochs=1)
"""


@pytest.mark.filterwarnings("always::landscape.errors.SlopeWarning")
def test_a_warning_is_one_line():
    Path("mine.py").write_text(THROUGH)
    run("train", "mine.py:task", "--checkpoints", 1, "--out", "run")
    probe = "probe --checkpoint run --task mine.py:task --step-sizes 0,0.1 --big-batch 30"
    result = run(*probe.split())
    line, note = told(result.stderr).splitlines()
    assert note.startswith("note: on the same batch, from 0 to 0.1, the peaks of 1 of 1")
    assert line.startswith("warning: by the gradient the loss changes by -")
    assert "1 checkpoint probed, 1 in the store" in result.stdout
