"""Runs that are probed while they train."""

from contextlib import contextmanager

import pytest
import xarray as xr
from helpers.training import dropout, every, same, weights

from landscape import store
from landscape.errors import InvalidValueError
from landscape.histories.layout import Run
from landscape.study import runs
from landscape.tasks import load_task
from landscape.training import Training, checkpoints


def small_probe():
    return {"step_sizes": [0, 0.1], "other_batches": 1, "big_batch": 20, "validation_samples": 30}


@pytest.mark.parametrize("optimizer", ["adam", "sa-sls"])
def test_probing_on_the_way_changes_no_bit_of_the_run(optimizer, tmp_path):
    task = dropout()
    settings = every(task, optimizer=optimizer)
    plain_run = runs.train(task, settings, tmp_path / "plain")
    probed = runs.train(task, settings, tmp_path / "probed", probe=small_probe())
    assert same(weights(plain_run), weights(probed))
    for name in ("latest.pt", "checkpoints/iteration-0000004.pt"):
        one, other = (
            checkpoints.read(tmp_path / folder / name).training for folder in ("plain", "probed")
        )
        for each in (one, other):
            each["seconds"] = 0
            if each["record"] is not None:
                each["record"]["seconds"] = 0
        assert repr(one) == repr(other)
    recorded = store.open_(Run(tmp_path / "probed").recording)
    assert recorded.iteration.values.tolist() == [1, 4, 8, 12]
    assert recorded.epoch.values.tolist() == [1 / 5, 4 / 5, 8 / 5, 12 / 5]
    assert recorded.attrs["run"]["optimizer"] == optimizer
    outcomes = set(recorded.search_outcome.values.tolist())
    assert outcomes == {"none"} if optimizer == "adam" else outcomes <= {"accepted", "skipped"}


def test_a_batch_larger_than_the_trainings_cannot_be_probed(tmp_path):
    task = load_task("digits-mlp")
    message = "the probe's batch_size is 512, and the training's 256; a batch of the training is"
    with pytest.raises(InvalidValueError, match=message):
        runs.train(task, every(task), tmp_path / "run", probe={"batch_size": 512})
    assert not (tmp_path / "run").exists()


def test_what_was_probed_is_the_updates_own_batch(tmp_path):
    task = load_task("digits-mlp")
    settings = every(task, optimizer="l-sls")
    training = runs.train(task, settings, tmp_path, probe={**small_probe(), "step_sizes": [0]})
    recorded = store.open_(Run(tmp_path).recording)
    alone = Training(task, settings)
    losses = []

    class Spy:
        def __enter__(self):
            losses.append(None)

        def __exit__(self, *_):
            losses[-1] = alone.optimizer.last_search.value

    list(alone.run(around=lambda *_: Spy()))
    ours = recorded.loss.sel(evaluation_set="same_batch", step_size=0).squeeze().values
    assert ours == pytest.approx([losses[i] for i in (1, 4, 8, 12)], rel=1e-5)
    assert recorded.search_value.values == pytest.approx(ours, rel=1e-5)
    assert training.iteration == 15


def test_a_run_that_goes_on_is_not_probed_twice(tmp_path):
    task = load_task("digits-mlp")
    settings = every(task, optimizer="sa-sls")
    whole = runs.train(task, settings, tmp_path / "whole", probe=small_probe())
    updates = iter(range(9))

    @contextmanager
    def cut(*_):
        def advance(units=1, *_):
            if units and next(updates, None) is None:
                raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        runs.train(task, settings, tmp_path / "cut", probe=small_probe(), progress=cut)
    again = runs.train(task, settings, tmp_path / "cut", probe=small_probe())
    assert same(weights(whole), weights(again))
    one, other = (store.open_(Run(tmp_path / f).recording) for f in ("whole", "cut"))
    xr.testing.assert_identical(one, other)


def test_an_unknown_setting_of_the_probe(tmp_path):
    task = load_task("digits-mlp")
    with pytest.raises(InvalidValueError, match="unknown setting of a probe 'steps'"):
        runs.train(task, every(task), tmp_path / "run", probe={"steps": [1]})
    assert not (tmp_path / "run").exists()
