import math
import shutil
from contextlib import suppress
from dataclasses import replace
from weakref import ref

import pytest
from helpers.training import every

from landscape import store
from landscape.errors import InvalidValueError, StoreError
from landscape.histories.layout import Run
from landscape.study import benchmark, runs
from landscape.tasks import load_task
from landscape.training import Training, checkpoints

TASK = load_task("digits-mlp")


def benchmark_runs(out, *variants, seeds=1, task=TASK, **changes):
    return benchmark.benchmark_runs(
        task, variants, range(seeds), out, **{"epochs": 1, "checkpoints": 0, **changes}
    )


def three(out):
    variants = "sgd", "sa-sls:slope_factor=10:search_batch=64", "adam:learning_rate=0.001"
    return benchmark_runs(out, *variants, seeds=2, epochs=2)


# What the user says


def test_a_variant_is_a_name_and_changes():
    name, changes = benchmark.variant("sa-sls:slope_factor=10:search_batch=64:preset=thesis")
    assert name == "sa-sls,slope_factor=10,search_batch=64,preset=thesis"
    options = {"slope_factor": 10, "preset": "thesis"}
    assert changes == {"optimizer": "sa-sls", "search_batch": 64, "options": options}


def test_values_may_hold_commas_and_colons():
    fractions = 'SGD:schedule=milestones:schedule_options={"fractions": [0.5, 0.9], "factor": 1}'
    betas, *others = benchmark.split(f"adam:betas=[0.9,0.99],{fractions},sa-sls")
    assert others == [fractions, "sa-sls"]
    assert benchmark.variant(betas) == (
        "adam,betas=[0.9,0.99]",
        {"optimizer": "adam", "options": {"betas": [0.9, 0.99]}},
    )
    name, changes = benchmark.variant(fractions)
    assert name == "sgd,schedule=milestones,schedule_options={fractions,[0.5,0.9],factor,1}"
    assert changes["schedule_options"] == {"fractions": [0.5, 0.9], "factor": 1}
    assert benchmark.split("a]b,c") == ["a]b,c"]  # refused by its name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sgd:fast", "'sgd:fast' has 'fast'; give name:setting=value"),
        ("sgd:seed=7", "sets 'seed', which a variant cannot; give an option .* or learning_rate"),
        ("sgd:checkpoints=3", "sets 'checkpoints'"),
        ("sgd:optimizer=5", "sets 'optimizer'"),
        ("sgd:options=5", "sets 'options'"),
        ("sgd:momentum=0.5:momentum=0.9", "sets 'momentum' twice; give it once"),
        ("sgd:epochs=1:epochs=2", "sets 'epochs' twice"),
    ],
)
def test_variants_that_say_nothing(text, message):
    with pytest.raises(InvalidValueError, match=message):
        benchmark.variant(text)


def test_pieces_go_seed_by_seed_with_their_settings(tmp_path):
    found = three(tmp_path)
    assert [p.folder.relative_to(tmp_path).as_posix() for p in found[:3]] == [
        "digits-mlp/sgd-0",
        "digits-mlp/sa-sls,slope_factor=10,search_batch=64-0",
        "digits-mlp/adam,learning_rate=0.001-0",
    ]
    assert [p.settings.seed for p in found] == [0, 0, 0, 1, 1, 1]
    assert found[4].settings.search_batch == 64
    assert found[4].settings.options == {"slope_factor": 10}
    assert found[2].settings.learning_rate == 0.001
    assert found[2].settings.options == {"weight_decay": 1e-4}


def test_a_variant_goes_before_what_holds_for_all(tmp_path):
    found = benchmark_runs(tmp_path, "sgd:epochs=3:batch_size=32", "adam", batch_size=16)
    assert [(p.settings.epochs, p.settings.batch_size) for p in found] == [(3, 32), (1, 16)]


@pytest.mark.parametrize(
    "again", ["sgd", " SGD", "torch.sgd", "sgd:learning_rate=0.1", "sgd:schedule=constant"]
)
def test_no_run_twice(tmp_path, again):
    with pytest.raises(InvalidValueError, match=f"{again.strip()!r} was given twice, first as 'sg"):
        benchmark_runs(tmp_path, "sgd", again)


def test_the_same_class_with_other_settings_is_another_optimizer(tmp_path):
    assert (
        len(benchmark_runs(tmp_path, "sgd", "sgd-schedule", "sgd:momentum=0.9", "sgd:epochs=2"))
        == 4
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my_file.py:my_task", "my_file,my_task"),
        ("../there/my_file.py:my_task", "my_file,my_task"),
        ("/abs/path/my_file.py:my_task", "my_file,my_task"),
        ("my_module:my_task", "my_module,my_task"),
        ("package.module:tasks.mine", "package.module,tasks.mine"),
        ("digits/mlp", "digits_mlp"),
    ],
)
def test_the_folder_of_a_task_of_ones_own(tmp_path, name, folder):
    (one,) = benchmark_runs(tmp_path, "sgd", task=replace(TASK, name=name))
    assert one.folder == tmp_path / folder / "sgd-0"


def test_parts_are_disjoint_and_whole(tmp_path):
    found = three(tmp_path)
    for n in (1, 2, 3, 4, 6, 7):
        parts = [benchmark.shard(found, f"{i}/{n}") for i in range(1, n + 1)]
        assert [p for part in parts for p in part] == found
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for share in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(InvalidValueError, match="give i/n"):
            benchmark.shard(found, share)


def test_a_part_covers_all_optimizers(tmp_path):
    found = benchmark_runs(tmp_path, "sgd", "adam", "sa-sls", seeds=3)
    for i in range(3):
        part = benchmark.shard(found, f"{i + 1}/3")
        assert [p.settings.optimizer for p in part] == ["sgd", "adam", "sa-sls"]
        assert {p.settings.seed for p in part} == {i}


# Training


def test_unfinished_runs_go_on_and_finished_ones_are_left(tmp_path, monkeypatch):
    found = three(tmp_path)[:2]
    assert [p.state()[0] for p in found] == [0, 0]
    assert math.isnan(found[0].state()[1])
    for one, failure in benchmark.benchmark(found):
        assert (one, failure) == (found[0], None)
        assert one.state()[0] == 2
        break
    monkeypatch.setattr(runs, "train", lambda *a, **k: pytest.fail("trained again"))
    assert next(benchmark.benchmark(found))[0] is found[0]
    monkeypatch.undo()
    assert list(benchmark.benchmark(found)) == [(one, None) for one in found]
    alone = Training(TASK, every(TASK, epochs=2, batch_size=64, checkpoints=0))
    best = max(event.validation_accuracy for event in alone.run())
    assert found[0].state() == (2, best)


def test_runs_with_other_settings_are_no_result(tmp_path):
    list(benchmark.benchmark(benchmark_runs(tmp_path, "sgd")))
    changed = benchmark_runs(tmp_path, "adam", "sgd", batch_size=32)
    with pytest.raises(InvalidValueError, match="a run with batch size 64, and now it is 32"):
        changed[1].state()
    with pytest.raises(InvalidValueError, match="a run with batch size 64, and now it is 32"):
        next(benchmark.benchmark(changed))
    assert not changed[0].folder.exists()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("adam:momentum=0.9", "unknown option of adam 'momentum'"),
        ("sgd:schedule=cosine", "unknown schedule 'cosine'"),
        ('sgd:schedule_options={"fractions":[0.5]}', "schedule constant 'fractions'"),
        ("sgd:batch_size=5000", "1437 training samples"),
    ],
)
def test_settings_are_refused_before_anything_is_trained(tmp_path, bad, message):
    found = benchmark_runs(tmp_path, "sgd", bad, seeds=2)
    with pytest.raises(InvalidValueError, match=message):
        next(benchmark.benchmark(found))
    assert not list(tmp_path.iterdir())


class Data:
    """Data that notes what of it was moved to a device."""

    def __init__(self, data, moved):
        self.data, self.moved = data, moved

    def __len__(self):
        return len(self.data)

    def take(self, indices, generator=None):
        return self.data.take(indices, generator)

    def to(self, device):
        there = Data(self.data, self.moved)
        self.moved.append(ref(there))
        return there


def test_one_seed_of_each_variant_is_checked_and_leaves_no_data_on_the_device(tmp_path):
    moved = []
    task = replace(TASK, train=Data(TASK.train, moved), validation=Data(TASK.validation, moved))
    found = benchmark_runs(tmp_path, "sgd", "sa-sls", "adam", task=task, seeds=4)
    benchmark.check(found)
    assert len(moved) == 2 * 3
    assert not any(data() for data in moved)
    list(benchmark.benchmark(found[:1]))
    moved.clear()
    benchmark.check(found[:1])
    assert not moved  # it is finished


# What fails


def damage(one, what):
    run = Run(one.folder)
    if what == "record":
        run.record.write_text("{")
    elif what == "no record":
        run.record.unlink()
    elif what == "latest":
        run.latest.write_text("no checkpoint")
        shutil.rmtree(run.history)
    elif what == "history":
        (run.history / "zarr.json").unlink()
    else:
        for file in (run.history / what).rglob("*"):
            if file.is_file():
                file.unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("record", "run.json is damaged"),
        ("no record", "is not a run's folder"),
        ("history", "history.zarr"),
        ("finished", "history.zarr.*finished"),
        ("validation_accuracy", "history.zarr.*validation_accuracy"),
    ],
)
def test_a_damaged_run_is_named_and_the_others_go_on(tmp_path, what, message):
    found = benchmark_runs(tmp_path, "sgd", "adam", seeds=2)
    list(benchmark.benchmark(found[:1]))
    damage(found[0], what)
    with pytest.raises((StoreError, ValueError, FileNotFoundError), match=message) as caught:
        found[0].state()
    assert str(found[0].folder) in str(caught.value)
    done = list(benchmark.benchmark(found[:2]))
    assert done == [(found[0], str(caught.value)), (found[1], None)]
    assert found[1].state()[0] == 1


def test_a_run_that_cannot_go_on_fails_in_its_turn(tmp_path):
    found = benchmark_runs(tmp_path, "sgd", "adam", epochs=2)
    training = benchmark.benchmark(found)
    next(training)
    found[1].folder.mkdir()
    (found[1].folder / "notes.txt").write_text("mine")
    assert "is not a run's folder" in next(training)[1]
    assert not list(training)
    damage(found[0], "latest")
    assert "is no checkpoint" in next(benchmark.benchmark(found))[1]


class Killed(BaseException):
    """Nothing after it is done, as after a kill."""


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_kill_between_the_writing_of_two_files_leaves_no_epoch_out(
    tmp_path, monkeypatch, at, epochs
):
    whole, cut = (benchmark_runs(tmp_path / each, "adam", epochs=epochs) for each in "ab")
    list(benchmark.benchmark(whole))
    written = []

    def killed(write):
        def instead(*arguments, **named):
            if len(written) == at:
                raise Killed
            written.append(write)
            return write(*arguments, **named)

        return instead

    with monkeypatch.context() as patched:
        patched.setattr(store.Writer, "write", killed(store.Writer.write))
        patched.setattr(checkpoints, "write", killed(checkpoints.write))
        with suppress(Killed):
            list(benchmark.benchmark(cut))
    assert len(written) == min(at, 2 * epochs)
    assert (cut[0].state()[0] == epochs) == (at >= 2 * epochs)
    assert list(benchmark.benchmark(cut)) == [(cut[0], None)]
    a, b = (Run(one[0].folder) for one in (whole, cut))
    assert checkpoints.read(b.latest).digest == checkpoints.read(a.latest).digest
    first, second = (store.open_(run.history).drop_vars("seconds") for run in (a, b))
    assert second.identical(first)


def test_ctrl_c_is_passed_on(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        next(benchmark.benchmark(benchmark_runs(tmp_path, "sgd", "adam")))
