import math

import pytest
from training_cases import every

from landscape import benchmark, runs
from landscape.errors import InvalidValueError
from landscape.tasks import load_task
from landscape.training import Training


def three(tmp_path):
    return benchmark.pieces(
        load_task("digits-mlp"),
        ["sgd", "sa-sls:slope_factor=10:search_batch=64", "adam:learning_rate=0.001"],
        range(2),
        tmp_path,
        epochs=2,
        checkpoints=0,
    )


def test_a_variant_is_a_name_and_changes():
    name, changes = benchmark.variant("sa-sls:slope_factor=10:search_batch=64:preset=thesis")
    assert name == "sa-sls,slope_factor=10,search_batch=64,preset=thesis"
    options = {"slope_factor": 10, "preset": "thesis"}
    assert changes == {"optimizer": "sa-sls", "search_batch": 64, "options": options}
    with pytest.raises(InvalidValueError, match="'sgd:fast' has 'fast'; give name:setting=value"):
        benchmark.variant("sgd:fast")


def test_pieces_go_seed_by_seed_with_their_settings(tmp_path):
    pieces = three(tmp_path)
    assert [p.folder.relative_to(tmp_path).as_posix() for p in pieces[:3]] == [
        "digits-mlp/sgd-0",
        "digits-mlp/sa-sls,slope_factor=10,search_batch=64-0",
        "digits-mlp/adam,learning_rate=0.001-0",
    ]
    assert [p.settings.seed for p in pieces] == [0, 0, 0, 1, 1, 1]
    assert pieces[4].settings.search_batch == 64
    assert pieces[4].settings.options == {"slope_factor": 10}
    assert pieces[2].settings.learning_rate == 0.001
    assert pieces[2].settings.options == {"weight_decay": 1e-4}


def test_parts_are_disjoint_and_whole(tmp_path):
    pieces = three(tmp_path)
    parts = [benchmark.part(pieces, f"{i}/4") for i in range(1, 5)]
    assert sorted(p.folder for part in parts for p in part) == sorted(p.folder for p in pieces)
    for share in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(InvalidValueError, match="give i/n"):
            benchmark.part(pieces, share)


def test_unfinished_runs_go_on_and_finished_ones_are_left(tmp_path, monkeypatch):
    task, pieces = load_task("digits-mlp"), three(tmp_path)[:2]
    assert [p.state()[0] for p in pieces] == [0, 0]
    assert math.isnan(pieces[0].state()[1])
    finished = []
    for piece in benchmark.benchmark(task, pieces):
        finished.append(piece.folder)
        assert piece.state()[0] == 2
        break
    monkeypatch.setattr(runs, "train", lambda *a, **k: pytest.fail("trained again"))
    assert next(benchmark.benchmark(task, pieces)) is pieces[0]
    monkeypatch.undo()
    assert list(benchmark.benchmark(task, pieces)) == pieces
    alone = Training(task, every(task, epochs=2, batch_size=64, checkpoints=0))
    best = max(event.validation_accuracy for event in alone.run())
    assert pieces[0].state() == (2, best)


def test_runs_with_other_settings_are_no_result(tmp_path):
    task = load_task("digits-mlp")
    (piece,) = benchmark.pieces(task, ["sgd"], [0], tmp_path, epochs=1, checkpoints=0)
    list(benchmark.benchmark(task, [piece]))
    (other,) = benchmark.pieces(
        task, ["sgd"], [0], tmp_path, epochs=1, checkpoints=0, batch_size=32
    )
    with pytest.raises(InvalidValueError, match="a run with batch size 64, and now it is 32"):
        next(benchmark.benchmark(task, [other]))
    with pytest.raises(InvalidValueError, match="'sgd' was given twice"):
        benchmark.pieces(task, ["sgd", " sgd"], [0], tmp_path)
