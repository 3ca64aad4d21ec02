import json
import shutil
import signal
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import landscape
from landscape import store
from landscape.errors import CheckpointError, InvalidValueError, MissingFileError, StoreError
from landscape.histories.layout import Run
from landscape.probing.settings import ProbeSettings
from landscape.runtime.locks import exclusive
from landscape.study import runs
from landscape.study.checkpoint_probe import probe
from landscape.study.runs import train
from landscape.tasks import load_task
from landscape.training import TrainingSettings, checkpoints

TASK = load_task("digits-cnn")


def settings(**changes):
    return TrainingSettings.for_task(TASK, **{"epochs": 3, "checkpoints": 4, **changes})


def same(first, second):
    """Two runs' folders hold the same bits, but for the time that they took."""
    ours, theirs = ({p.relative_to(f): p for p in sorted(f.rglob("*.pt"))} for f in (first, second))
    assert ours.keys() == theirs.keys()
    for name in ours:
        a, b = checkpoints.read(ours[name]), checkpoints.read(theirs[name])
        assert a.digest == b.digest
        assert torch.equal(a.training["random"]["torch"], b.training["random"]["torch"])
    one, two = (store.open_(Run(f).history).drop_vars("seconds") for f in (first, second))
    assert one.identical(two)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(TASK, settings(), folder, source={"task": TASK.name})
    return folder


def test_what_a_run_leaves(whole):
    names = [p.name for p in sorted((whole / "checkpoints").iterdir())]
    iterations = landscape.training.checkpoint_iterations(1437, 64, 3, 4)
    assert names == [f"iteration-{i:07d}.pt" for i in iterations]
    record = Run(whole).read()
    assert (record["task"], record["optimizer"], record["epochs"]) == ("digits-cnn", "sgd", 3)
    history = landscape.open(Run(whole).history)
    assert history.epoch.values.tolist() == [1, 2, 3]
    assert (np.diff(history.loss) < 0).all()
    assert history.forward_passes.values.tolist() == [22, 22, 22]
    assert (history.step_size == np.float64(0.1)).all()
    assert history.validation_accuracy.attrs == {"long_name": "validation accuracy", "units": "1"}
    assert checkpoints.read(Run(whole).latest).run == record


class Stop(BaseException):
    """Stands for a process that is killed."""


@pytest.mark.parametrize("writes", [0, 1, 2, 4, 6])
def test_killed_at_any_file_it_resumes_to_the_same_bits(tmp_path, whole, monkeypatch, writes):
    real, left = checkpoints.write, [writes]

    def stopping(path, checkpoint):
        if left[0] == 0:
            raise Stop
        left[0] -= 1
        real(path, checkpoint)

    monkeypatch.setattr(checkpoints, "write", stopping)
    with pytest.raises(Stop):
        train(TASK, settings(), tmp_path / "run", source={"task": TASK.name})
    monkeypatch.undo()
    torch.manual_seed(writes)  # another process
    train(TASK, settings(), tmp_path / "run", source={"task": TASK.name})
    same(tmp_path / "run", whole)


def test_ctrl_c_keeps_the_updates_made_and_the_same_command_goes_on(tmp_path, whole):
    @contextmanager
    def interrupting(what, total):
        made = [0]

        def advance(units=1, *_):
            made[0] += units
            if made[0] == 30:
                signal.raise_signal(signal.SIGINT)

        yield advance

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(TASK, settings(), folder, source={"task": TASK.name}, progress=interrupting)
    assert checkpoints.read(Run(folder).latest).iteration == 30
    train(TASK, settings(), folder, source={"task": TASK.name})
    same(folder, whole)


def test_a_finished_run_is_left_as_it_is(whole):
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.is_file()}
    train(TASK, settings(), whole, source={"task": TASK.name})
    after = {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.is_file()}
    assert before == after


def test_other_settings_are_refused_by_name(whole):
    with pytest.raises(InvalidValueError, match=r"learning rate 0.1, and now it is 0.2"):
        train(TASK, settings(learning_rate=0.2), whole, source={"task": TASK.name})


def test_other_data_is_refused_also_under_the_same_name(tmp_path, whole):
    """Of a finished run too, whose result would be taken for that of the data now given."""
    fewer = load_task("digits-cnn", train_samples=1400)
    with pytest.raises(InvalidValueError, match="train samples None, and now it is 1400"):
        train(fewer, settings(), whole, source={"task": TASK.name, "train_samples": 1400})
    changed = replace(TASK, validation=replace(TASK.validation, inputs=TASK.validation.inputs + 1))
    with pytest.raises(
        InvalidValueError, match=r"made with other validation data \(digest '.*', now"
    ):
        train(changed, settings(), whole, source={"task": TASK.name})


def test_a_run_goes_on_where_its_data_lie_elsewhere(tmp_path):
    folder = tmp_path / "run"
    there = {"task": TASK.name, "data": "/there"}
    train(TASK, settings(epochs=1, checkpoints=2), folder, source=there)
    Run(folder).latest.unlink()  # as if it had been stopped
    train(TASK, settings(epochs=1, checkpoints=2), folder, source=there | {"data": "/here"})
    records = {Run(folder).read()["data"], *(c.run["data"] for c in files(folder))}
    assert records == {"/there"}  # one run's files all say the same


def files(folder):
    return [checkpoints.read(path) for path in sorted(folder.rglob("*.pt"))]


def test_settings_that_were_not_recorded_yet_have_their_defaults(tmp_path, whole):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    record = Run(folder).read()
    for name in ("data_digest", "search_batch", "channels_last"):
        del record[name]
    Run(folder).record.write_text(json.dumps(record))
    train(TASK, settings(), folder, source={"task": TASK.name})
    with pytest.raises(InvalidValueError, match="channels last None, and now it is True"):
        train(TASK, settings(channels_last=True), folder, source={"task": TASK.name})


def test_a_command_that_trained_nothing_does_not_bind_the_folder(tmp_path, monkeypatch):
    def stop(*_):
        raise Stop

    monkeypatch.setattr(runs, "_go_on", stop)
    with pytest.raises(Stop):
        train(TASK, settings(learning_rate=0.5), tmp_path / "run", source={"task": TASK.name})
    monkeypatch.undo()
    assert Run(tmp_path / "run").read()["learning_rate"] == 0.5
    train(TASK, settings(epochs=1), tmp_path / "run", source={"task": TASK.name})
    assert Run(tmp_path / "run").read()["learning_rate"] == 0.1


def test_a_damaged_latest_checkpoint_says_what_to_do(tmp_path, whole):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    Run(folder).latest.write_bytes(Run(folder).latest.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"latest.pt is damaged .*; or put the last of"):
        train(TASK, settings(), folder, source={"task": TASK.name})
    last = sorted(Run(folder).checkpoints.iterdir())[-1]
    shutil.copy(last, Run(folder).latest)
    train(TASK, settings(), folder, source={"task": TASK.name})
    same(folder, whole)


def test_a_process_that_is_refused_leaves_the_folder_to_the_other(tmp_path):
    """Also before the other has finished anything."""
    folder = tmp_path / "run"

    @contextmanager
    def meanwhile(what, total):
        with pytest.raises(StoreError, match="another process is writing into"):
            train(TASK, settings(seed=7), folder, source={"task": TASK.name})
        yield lambda *_: None

    train(TASK, settings(epochs=1), folder, source={"task": TASK.name}, progress=meanwhile)
    assert Run(folder).read()["seed"] == 0


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    for folder in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(InvalidValueError, match=f"{folder} is, or lies in, a file"):
            train(TASK, settings(), folder)


def test_another_process_in_the_folder_is_refused(tmp_path, whole):
    with exclusive(whole), pytest.raises(StoreError, match="another process is writing into"):
        train(TASK, settings(), whole, source={"task": TASK.name})


def test_a_row_that_is_written_twice_is_one_row(tmp_path, monkeypatch):
    """Where no lock holds: two processes train the same, and write the same."""
    monkeypatch.setattr(runs, "exclusive", lambda _: nullcontext())
    again = partial(train, TASK, settings(epochs=2), tmp_path, source={"task": TASK.name})
    again()

    @contextmanager
    def meanwhile(what, total):
        again()
        yield lambda *_: None

    Run(tmp_path).latest.unlink()
    again(progress=meanwhile)
    assert store.open_(Run(tmp_path).history).epoch.values.tolist() == [1, 2]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(MissingFileError, match="not a run's folder"):
        train(TASK, settings(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_record(tmp_path):
    for text in ("{", "[]"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match="damaged"):
            Run(tmp_path).read()


def test_a_finished_run_goes_on_for_more_epochs_to_the_bits_of_a_longer_one(tmp_path, whole):
    folder = tmp_path / "run"
    train(TASK, settings(epochs=1, checkpoints=2), folder, source={"task": TASK.name})
    before = sorted(p.name for p in Run(folder).checkpoints.iterdir())
    small = ProbeSettings(step_sizes=[0, 0.1], sets="same_batch", samples=False)
    probe(TASK, [folder], tmp_path / "s.zarr", small)
    train(TASK, settings(), folder, source={"task": TASK.name})
    assert checkpoints.read(Run(folder).latest).digest == checkpoints.read(Run(whole).latest).digest
    one, two = (store.open_(Run(f).history).drop_vars("seconds") for f in (folder, whole))
    assert one.identical(two)
    assert Run(folder).read() == Run(whole).read()
    # Those of the shorter run stay; of the longer one's, those after its end are added.
    after = sorted(p.name for p in Run(folder).checkpoints.iterdir())
    late = [p.name for p in Run(whole).checkpoints.iterdir() if int(p.stem[-7:]) > 22]
    assert after == sorted({*before, *late})
    # All of them are of one run, and so is the store that was made before.
    assert probe(TASK, [folder], tmp_path / "s.zarr", small) == len(after) - len(before)
    train(TASK, settings(), folder, source={"task": TASK.name})  # which takes no time


@pytest.mark.parametrize("schedule", ["milestones", "ramp-cosine"])
def test_a_schedule_is_made_for_its_epochs(tmp_path, schedule):
    train(TASK, settings(epochs=1, schedule=schedule), tmp_path / "run")
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    message = f"holds a run of 1 epochs, and its schedule, {schedule}, was made for as many; train"
    with pytest.raises(InvalidValueError, match=f"{message} for 2 epochs into another folder"):
        train(TASK, settings(epochs=2, schedule=schedule), tmp_path / "run")
    assert files == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_a_run_that_was_probed_as_it_trained_has_its_length(tmp_path):
    few = {"step_sizes": [0], "sets": "same_batch", "samples": False}
    one = settings(epochs=1, checkpoints=2)
    train(TASK, one, tmp_path / "run", probe=few)
    with pytest.raises(
        InvalidValueError, match="it was probed as it trained, at iterations chosen"
    ):
        train(TASK, settings(epochs=2), tmp_path / "run", probe=few)


def test_fewer_epochs_and_other_settings_are_another_run(tmp_path, whole):
    for other, message in (
        (settings(epochs=2), "holds a run of 3 epochs already; at least 3 are allowed"),
        (settings(epochs=4, seed=1), "holds a run with seed "),
        (settings(checkpoints=2), "holds a run with checkpoints "),
    ):
        with pytest.raises(InvalidValueError, match=message):
            train(TASK, other, whole, source={"task": TASK.name})
