import json
import re

import pytest

from landscape.errors import CheckpointError, InvalidValueError, MissingFileError
from landscape.histories.layout import PLACES, Run, store_at

RECORD = {"task": "digits-mlp", "optimizer": "sgd", "options": {"betas": [0.9, 0.99]}, "seed": 0}


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def write(run, record):
    text = record if isinstance(record, str) else json.dumps(record)
    run.record.write_text(text, encoding="utf-8")


def test_the_files_of_a_run(run):
    names = {
        "run.json": run.record,
        "checkpoints": run.checkpoints,
        "checkpoints/iteration-0000042.pt": run.checkpoint(42),
        "checkpoints/iteration-12345678.pt": run.checkpoint(12345678),
        "latest.pt": run.latest,
        "history.zarr": run.history,
        "landscape.zarr": run.slices,
        "mid-training.zarr": run.recording,
    }
    assert names == {path.relative_to(run.folder).as_posix(): path for path in names.values()}


def test_checkpoints_sort_by_iteration(run):
    paths = [run.checkpoint(i) for i in (9, 10, 100, 1999, 20000)]
    assert sorted(paths) == paths


def test_stores_are_those_that_are_there_by_name(run):
    assert run.stores == []
    for folder in ("mid-training.zarr", "checkpoints", "history.zarr", "draws.zarr"):
        (run.folder / folder).mkdir()
    assert [p.name for p in run.stores] == ["draws.zarr", "history.zarr", "mid-training.zarr"]


def test_a_record_makes_a_folder_a_runs(run):
    assert run.exists is False
    run.record.mkdir()
    assert run.exists is False
    run.record.rmdir()
    write(run, RECORD)
    assert run.exists is True
    assert run.read() == RECORD


@pytest.mark.parametrize("name", ["latest.pt", "history.zarr", "checkpoints"])
def test_training_has_begun_once_anything_of_it_is_there(run, name):
    write(run, RECORD)
    (run.folder / "landscape.zarr").mkdir()
    assert run.begun is False
    (run.folder / name).mkdir()
    assert run.begun is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged: Expecting property name"),
        ("", "is damaged: Expecting value"),
        ("[1]", "is damaged: it holds no JSON object"),
        ("null", "is damaged: it holds no JSON object"),
        ('{"task": "digits-mlp"}', "is damaged: it names no optimizer"),
    ],
)
def test_a_damaged_record(run, text, message):
    write(run, text)
    with pytest.raises(CheckpointError, match=f"^{re.escape(f'{run.record} {message}')}") as error:
        run.read()
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(run):
    run.record.write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match=r"run\.json is damaged: 'utf-8' codec"):
        run.read()


def test_no_runs_folder(run):
    message = f"{run.folder} is not a run's folder: it has no run.json"
    with pytest.raises(MissingFileError, match=f"^{re.escape(message)}$"):
        run.read()
    with pytest.raises(MissingFileError, match="is not a run's folder"):
        run.require(RECORD, {})


def test_the_same_run_is_let_in_wherever_its_data_lie(run):
    write(run, RECORD | {name: f"/there/{name}" for name in PLACES})
    run.require(RECORD, {})
    run.require(RECORD | {name: f"/here/{name}" for name in PLACES}, {})
    # As JSON, a tuple is a list.
    run.require(RECORD | {"options": {"betas": (0.9, 0.99)}}, {})
    # What is asked for besides is no other run.
    run.require(RECORD | {"new": 1}, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "with seed 0, and now it is 1; use the same settings and data, or another"),
        ({"optimizer": "adam"}, "with optimizer 'sgd', and now it is 'adam'"),
        ({"options": {}}, "with options {'betas': [0.9, 0.99]}, and now it is {}"),
        ({"task": None}, "with task 'digits-mlp', and now it is None"),
    ],
)
def test_another_run_is_refused(run, changes, message):
    write(run, RECORD)
    with pytest.raises(InvalidValueError, match=re.escape(f"{run.folder} holds a run {message}")):
        run.require(RECORD | changes, {})


def test_a_shorter_run_is_refused_with_the_number_that_is_allowed(run):
    write(run, RECORD | {"epochs": 5})
    message = f"epochs is 2, but {run.folder} holds a run of 5 epochs already; at least 5 are"
    with pytest.raises(InvalidValueError, match=f"^{re.escape(message)} allowed there"):
        run.require(RECORD | {"epochs": 2}, {})
    run.recording.mkdir()  # at iterations that were chosen for 5 epochs
    with pytest.raises(InvalidValueError, match="already; only 5 are allowed there"):
        run.require(RECORD | {"epochs": 2}, {})


def test_what_an_older_record_does_not_mention_is_the_default(run):
    write(run, RECORD)
    defaults = {"batch_size": 64, "seed": 7}  # the record has a seed, which goes first
    run.require(RECORD | {"batch_size": 64}, defaults)
    with pytest.raises(InvalidValueError, match="with batch size 64, and now it is 32"):
        run.require(RECORD | {"batch_size": 32}, defaults)


def test_the_store_of_a_run_or_the_path_itself(run):
    assert store_at(run.folder) == run.folder
    write(run, RECORD)
    assert store_at(run.folder) == run.slices
    assert store_at(run.folder, "history.zarr") == run.history
    assert store_at(run.history) == run.history


def test_a_run_probed_only_while_it_trained_has_that_store(run):
    write(run, RECORD)
    run.recording.mkdir()
    assert store_at(run.folder) == run.recording
    run.slices.mkdir()
    assert store_at(run.folder) == run.slices


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        ("a-b", "a-b", None),
        ("a-b", "c-b", "training"),
        ("a-b", "a-c", "validation"),
        ("a-b", "c-d", "training and validation"),
        (None, "c-d", None),  # an older record, of data that was not in memory
        ("a-b", None, None),
        ("unknown-b", "a-b", None),
        ("a-unknown", "c-b", "training"),
    ],
)
def test_other_data_is_refused_where_both_are_known(run, before, now, names):
    write(run, {**RECORD, "data_digest": before})
    if names is None:
        run.require({**RECORD, "data_digest": now}, {})
    else:
        message = (
            f"holds a run made with other {names} data .digest '[abc]', now '[bcd]'.; give the"
        )
        with pytest.raises(InvalidValueError, match=message):
            run.require({**RECORD, "data_digest": now}, {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"task": ["a"]}, r"its 'task' is \['a'\], which no version"),
        ({"learning_rate": "fast"}, "its 'learning_rate' is 'fast', which"),
        ({"options": [1]}, r"its 'options' is \[1\], which"),
        ({"batch_size": 0.5}, "its 'batch_size' is 0.5, which"),
    ],
)
def test_a_record_with_values_of_another_type(run, value, message):
    write(run, {**RECORD, **value})
    with pytest.raises(CheckpointError, match=rf"run\.json is damaged: {message}"):
        run.read()
