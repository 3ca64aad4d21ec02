import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import landscape
from landscape import study
from landscape.errors import CheckpointError, InvalidValueError, StoreError
from landscape.histories.layout import Run
from landscape.probing.settings import ProbeSettings
from landscape.runtime.locks import exclusive
from landscape.study.runs import train
from landscape.tasks import load_task
from landscape.training import TrainingSettings, checkpoints
from landscape.training.checkpoints import Checkpoint

TASK = load_task("digits-mlp")
SETTINGS = ProbeSettings(step_sizes=(-0.1, 0, 0.1), batch_size=64, big_batch=100)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "run"
    train(
        TASK,
        TrainingSettings.for_task(
            TASK, epochs=4, checkpoints=5, optimizer="adamw", learning_rate=0.01
        ),
        folder,
        source={"task": TASK.name},
    )
    return folder


def content(path):
    return {p.relative_to(path): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_a_run_is_probed_at_its_checkpoints(tmp_path, run):
    out = tmp_path / "s.zarr"
    assert study.probe(TASK, [run], out, SETTINGS) == 5
    slices = landscape.open(out)
    expected = [checkpoints.read(p) for p in sorted((run / "checkpoints").iterdir())]
    assert slices.iteration.values.tolist() == [c.iteration for c in expected]
    assert slices.epoch.values.tolist() == [c.epoch for c in expected]
    assert (slices.learning_rate == 0.01).all()
    assert slices.attrs["task"] == "digits-mlp"
    assert slices.attrs["optimizer"] == "adamw"
    assert slices.attrs["digests"] == {str(c.iteration): c.digest for c in expected}
    assert {"device", "dtype", "torch", "landscape", "run"} <= slices.attrs.keys()

    model = TASK.model()
    checkpoints.load_into(model, expected[2], "")
    at_zero = slices.accuracy.sel(evaluation_set="validation", step_size=0).values[2, 0]
    inputs, labels = TASK.validation.take(torch.arange(360))
    assert at_zero == (model(inputs).argmax(1) == labels).double().mean().item()


def test_probing_again_adds_nothing_and_more_checkpoints_are_appended(tmp_path, run):
    whole, parts = tmp_path / "whole.zarr", tmp_path / "parts.zarr"
    files = sorted((run / "checkpoints").iterdir())
    study.probe(TASK, [run], whole, SETTINGS)
    assert study.probe(TASK, [run], whole, SETTINGS) == 0
    assert study.probe(TASK, files[3:], parts, SETTINGS) == 2
    assert study.probe(TASK, [run], parts, SETTINGS) == 3
    assert landscape.open(parts).drop_attrs().identical(landscape.open(whole).drop_attrs())


def test_other_settings_and_other_checkpoints_are_refused(tmp_path, run):
    out = tmp_path / "s.zarr"
    study.probe(TASK, [run], out, SETTINGS)
    before = content(out)
    other = ProbeSettings(step_sizes=(-0.1, 0, 0.1), batch_size=64, big_batch=100, seed=1)
    with pytest.raises(StoreError, match="made with seed 0, and now it is 1"):
        study.probe(TASK, [run], out, other)
    file = sorted((run / "checkpoints").iterdir())[0]
    checkpoint = checkpoints.read(file)
    for tensor in checkpoint.model.values():
        tensor.add_(1)
    checkpoints.write(tmp_path / file.name, checkpoint)
    with pytest.raises(InvalidValueError, match="differs from the checkpoint at iteration"):
        study.probe(TASK, [tmp_path / file.name], out, SETTINGS)
    assert content(out) == before


def test_all_files_are_looked_at_before_any_is_probed(tmp_path, run):
    files = [*sorted((run / "checkpoints").iterdir()), tmp_path / "other-999.pt"]
    torch.save(torch.nn.Linear(3, 3).state_dict(), files[-1])
    with pytest.raises(CheckpointError, match=r"does not fit the model: missing: .* and"):
        study.probe(TASK, files, tmp_path / "s.zarr", SETTINGS)
    assert not (tmp_path / "s.zarr").exists()


def test_two_files_at_one_iteration(tmp_path):
    for name in ("a-7.pt", "b-7.pt"):
        torch.save(TASK.model().state_dict(), tmp_path / name)
    with pytest.raises(InvalidValueError, match=r"a-7.pt and .*b-7.pt are both at iteration 7"):
        study.probe(TASK, [tmp_path], tmp_path / "s.zarr", SETTINGS)


def test_after_step_takes_the_runs_own_optimizer(tmp_path, run):
    settings = ProbeSettings(
        step_sizes=(0,), batch_size=64, big_batch=100, origin="after-step", sets=["same_batch"]
    )
    file = sorted((run / "checkpoints").iterdir())[2]
    study.probe(TASK, [file], tmp_path / "s.zarr", settings)
    batch = landscape.open_samples(tmp_path / "s.zarr", "same_batch")["index"].values[0, 0]
    inputs, labels = TASK.train.take(torch.tensor(batch))
    model, checkpoint = TASK.model(), checkpoints.read(file)
    checkpoints.load_into(model, checkpoint, file)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    optimizer.load_state_dict(checkpoint.training["optimizer"])
    torch.nn.functional.cross_entropy(model(inputs), labels).backward()
    optimizer.step()
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(model(inputs), labels).item()
    assert landscape.open(tmp_path / "s.zarr").loss.item() == pytest.approx(expected, rel=1e-5)


def test_after_step_of_a_bare_state_dict_needs_a_learning_rate(tmp_path):
    torch.save(TASK.model().state_dict(), tmp_path / "model-7.pt")
    settings = ProbeSettings(step_sizes=(0,), batch_size=64, big_batch=100, origin="after-step")
    with pytest.raises(InvalidValueError, match="give the learning rate of plain SGD"):
        study.probe(TASK, [tmp_path], tmp_path / "s.zarr", settings)
    study.probe(TASK, [tmp_path], tmp_path / "s.zarr", settings, learning_rate=0.1)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [7]


def test_the_task_of_checkpoints(tmp_path, run):
    task, batch_size = study.task_of([run], None)
    assert (task.name, batch_size) == ("digits-mlp", 64)
    assert study.task_of([run], "digits-cnn")[0].name == "digits-cnn"
    checkpoints.write(tmp_path / "bare.pt", Checkpoint(3, TASK.model().state_dict()))
    with pytest.raises(InvalidValueError, match="does not say which task"):
        study.task_of([tmp_path / "bare.pt"], None)


def test_the_runs_training_samples_hold_where_the_task_is_its_own(tmp_path):
    few = load_task("digits-mlp", train_samples=300)
    train(few, TrainingSettings.for_task(few, epochs=1, checkpoints=1), tmp_path / "run",
          source={"task": few.name, "train_samples": 300})  # fmt: skip
    for spec in (None, "digits-mlp"):
        assert len(study.task_of([tmp_path / "run"], spec)[0].train) == 300
    assert len(study.task_of([tmp_path / "run"], "digits-cnn")[0].train) == 1437


def test_a_probe_that_cannot_be_is_refused_before_the_training(tmp_path):
    settings = TrainingSettings.for_task(TASK, epochs=1)
    with pytest.raises(InvalidValueError, match="big_batch is 5000, larger than"):
        study.pre_study(TASK, tmp_path / "out", settings, ProbeSettings(big_batch=5000))
    assert not (tmp_path / "out").exists()


def test_another_process_in_the_store_is_refused(tmp_path, run):
    out = tmp_path / "s.zarr"
    study.probe(TASK, [run], out, SETTINGS)
    with exclusive(out), pytest.raises(StoreError, match="another process is writing into"):
        study.probe(TASK, [run], out, SETTINGS)


def test_where_slices_go(tmp_path, run):
    assert study.default_store([run]) == run / "landscape.zarr"
    assert str(study.default_store([run / "checkpoints"])) == "landscape.zarr"


def test_killed_in_the_middle_it_resumes_to_the_same_bits(tmp_path, run):
    """kill −9 on the real command, at a moment when some checkpoints are finished."""
    command = [sys.executable, "-m", "landscape_cli", "probe", "--checkpoint", str(run)]
    command += ["--device", "cpu", "--draws", "20", "--store"]
    whole, killed = tmp_path / "whole.zarr", tmp_path / "killed.zarr"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, whole], check=True, env=environment, capture_output=True)
    process = subprocess.Popen(
        [*command, killed], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(killed.glob("finished/c/*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished, rows = landscape.store.progress(killed)
    assert rows == 5
    if finished == 5:
        pytest.skip("the probe was done before it could be killed")
    subprocess.run([*command, killed], check=True, env=environment, capture_output=True)
    assert content(killed) == content(whole)


def test_the_demos_peak_widens(tmp_path):
    demo = study.demo(tmp_path)
    widths = landscape.statistics.peak_widths(landscape.open(demo.store), relative=True).width
    widths = widths.sel(evaluation_set="same_batch").mean("draw").values
    assert len(widths) == 10
    assert widths[-1] > 1.5 * widths[0]
    assert f"{widths[0]:.2f} wide" in demo.summary
    assert demo.accuracy > 0.95
    assert np.isfinite(landscape.open(Run(demo.run).history).loss).all()
