"""Which task, which checkpoints and which data a probe takes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Subset, TensorDataset

import landscape
from landscape import study
from landscape.errors import InvalidValueError
from landscape.probing.settings import ProbeSettings
from landscape.study.runs import train
from landscape.tasks import as_task, load_task
from landscape.training import TrainingSettings, checkpoints
from landscape.training.checkpoints import Checkpoint

TASK = load_task("digits-mlp")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "run"
    settings = TrainingSettings.for_task(TASK, epochs=1, checkpoints=2)
    train(TASK, settings, folder, source={"task": TASK.name})
    return folder


def content(path):
    return {p.relative_to(path): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("record", "command"),
    [
        ({"task": "thing:task", "folder": "foreign"}, "--task thing:task"),
        ({"task": "foreign/thing.py:task"}, "--task foreign/thing.py:task"),
        ({"task": "os:abort"}, "--task os:abort"),
        ({"task": "thing:a b", "folder": "a.pt"}, "--task 'thing:a b'"),
        ({"task": "thing:a\nb"}, r"--task 'thing:a\\nb'"),
    ],
)
def test_code_that_a_file_names_is_not_run(tmp_path, monkeypatch, record, command):
    monkeypatch.chdir(tmp_path)
    Path("foreign").mkdir()
    for name in ("thing.py", "foreign/thing.py"):
        Path(name).write_text("open('run', 'w')\n")
    checkpoints.write(Path("a.pt"), Checkpoint(1, TASK.model().state_dict(), run=record))
    before = sys.path.copy()
    with pytest.raises(
        InvalidValueError, match=r"a\.pt belongs to task '.* is not run; if"
    ) as error:
        study.task_of([Path("a.pt")], None)
    assert str(error.value).endswith(command.replace(r"\\n", r"\n"))
    assert str(error.value).isprintable()
    assert sys.path == before
    assert not Path("run").exists()


def test_a_task_that_is_given_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("given_here.py").write_text(
        "from landscape import load_task\ntask = load_task('digits-mlp')"
    )
    record = {"task": "given_here:task", "batch_size": 20, "optimizer": "sgd"}
    checkpoints.write(Path("a.pt"), Checkpoint(1, TASK.model().state_dict(), run=record))
    task, batch_size = study.task_of([Path("a.pt")], "given_here:task")
    assert (len(task.train), batch_size) == (1437, 20)


def test_nothing_is_fetched_into_a_folder_that_a_file_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = {"task": "mnist-mlp", "data": str(tmp_path / "named")}
    checkpoints.write(Path("a.pt"), Checkpoint(1, TASK.model().state_dict(), run=record))
    asked = []
    monkeypatch.setattr(
        "landscape.study.checkpoint_probe.load_task",
        lambda name, data, **rest: asked.append((name, data)) or TASK,
    )
    study.task_of([Path("a.pt")], None)
    study.task_of([Path("a.pt")], None, download=True)
    study.task_of([Path("a.pt")], None, data=Path("mine"), download=True)
    assert [data for _, data in asked] == [tmp_path / "named", None, Path("mine")]


# Which checkpoint, and on which data

FEW = ProbeSettings(step_sizes=(0,), batch_size=64, sets=["same_batch"], samples=False)


def test_links_and_copies_count_once(tmp_path):
    models = [TASK.model() for _ in range(2)]
    for model, name in zip(models, ("step-10.pt", "step-20.pt"), strict=True):
        torch.save(model.state_dict(), tmp_path / name)
    (tmp_path / "latest.pt").symlink_to("step-20.pt")
    torch.save(models[0].state_dict(), tmp_path / "best.pt")
    torch.save({"model": models[1].state_dict(), "step": 20}, tmp_path / "again.pt")
    assert study.probe(TASK, [tmp_path], tmp_path / "s.zarr", FEW) == 2
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [10, 20]


def test_a_file_beside_others_has_to_say_its_iteration(tmp_path):
    for name in ("step-10.pt", "best.pt"):
        torch.save(TASK.model().state_dict(), tmp_path / name)
    with pytest.raises(
        InvalidValueError, match=r"best.pt does not say its iteration, and nor does"
    ):
        study.probe(TASK, [tmp_path], tmp_path / "s.zarr", FEW)
    assert study.probe(TASK, [tmp_path / "best.pt"], tmp_path / "s.zarr", FEW) == 1
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0]


def on_other(part):
    """The same task on other data, of the same sizes."""
    data = getattr(TASK, part)
    return replace(TASK, **{part: replace(data, inputs=data.inputs.flip(0))})


@pytest.mark.parametrize(("part", "name"), [("train", "training"), ("validation", "validation")])
def test_a_run_is_not_probed_on_other_data(tmp_path, run, part, name):
    with pytest.raises(
        InvalidValueError, match=f"pt is of a run made with other {name} data .diges"
    ):
        study.probe(on_other(part), [run], tmp_path / "s.zarr", FEW)
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize("kind", ["tensors", "Dataset"])
def test_a_store_is_not_continued_on_other_data(tmp_path, kind):
    def task(inputs):
        data = TensorDataset(inputs, TASK.train.targets)
        return as_task(
            {
                "model": TASK.model,
                "train": Subset(data, range(1437)) if kind == "Dataset" else data,
                "validation": (TASK.validation.inputs, TASK.validation.targets),
            },
            "mine",
        )

    out, inputs = tmp_path / "s.zarr", TASK.train.inputs
    for iteration in (1, 2):
        torch.save(TASK.model().state_dict(), tmp_path / f"a-{iteration}.pt")
    study.probe(task(inputs), [tmp_path / "a-1.pt"], out, FEW)
    before = content(out)
    with pytest.raises(
        InvalidValueError, match=r"s.zarr was made with other training data .digest"
    ):
        study.probe(task(inputs.flip(0)), [tmp_path], out, FEW)
    assert content(out) == before
    assert study.probe(task(inputs), [tmp_path], out, FEW) == 1


def test_a_store_that_does_not_say_its_data_is_continued(tmp_path, run):
    out, files = tmp_path / "s.zarr", sorted((run / "checkpoints").iterdir())
    study.probe(TASK, files[:1], out, FEW)
    attributes = json.loads((out / "zarr.json").read_text())
    del attributes["attributes"]["data_digest"]
    (out / "zarr.json").write_text(json.dumps(attributes))
    assert study.probe(TASK, files[:2], out, FEW) == 1


def test_the_batch_size_is_the_tasks_own(run, tmp_path):
    small = ProbeSettings(step_sizes=[0], big_batch=50, samples=False)
    study.probe(replace(TASK, batch_size=40), [run], tmp_path / "s.zarr", small)
    slices = landscape.open(tmp_path / "s.zarr")
    assert slices.samples.sel(evaluation_set="same_batch") == 40
    assert slices.attrs["settings"]["batch_size"] == 40
