import json
from dataclasses import asdict

import numpy as np
import pytest

from landscape.errors import InvalidValueError
from landscape.tasks import load_task
from landscape.training import TrainingSettings, checkpoint_iterations

# Which iterations are probed


@pytest.mark.parametrize(
    ("samples", "epochs", "distance"),
    [(60_000, 40, 1875), (50_000, 50, 1953), (50_000, 100, 3906)],
)
def test_the_published_iterations(samples, epochs, distance):
    found = checkpoint_iterations(samples, 128, epochs)
    assert found == [100, *(distance * i for i in range(1, 10))]


@pytest.mark.parametrize(
    ("samples", "batch_size", "epochs", "count", "expected"),
    [
        (1000, 100, 3, 3, [1, 10, 20]),
        (1000, 100, 50, 5, [10, 100, 200, 300, 400]),
        (1000, 100, 1, 10, list(range(1, 11))),
        (1000, 100, 1, 100, list(range(1, 11))),
        (100, 100, 1, 2, [1]),
        (199, 100, 10, 10, list(range(1, 11))),
        # Half of each epoch is dropped: 40 updates, not 79.
        (199, 100, 40, 10, [1, 4, 8, 12, 16, 20, 24, 28, 32, 36]),
        (1000, 100, 3, 1, [30]),
        (1000, 100, 3, 0, []),
    ],
)
def test_iterations_of_short_and_odd_runs(samples, batch_size, epochs, count, expected):
    assert checkpoint_iterations(samples, batch_size, epochs, count) == expected


def test_iterations_are_distinct_ascending_within_the_run_and_as_many_as_can_be():
    for samples in (64, 100, 999, 1437):
        for epochs in (1, 2, 7, 30):
            for count in (2, 3, 10, 11, 50):
                total = epochs * (samples // 64)
                found = checkpoint_iterations(samples, 64, epochs, count)
                assert found == sorted(set(found))
                assert found[0] >= 1
                assert found[-1] <= total
                # Of a run with hardly more updates than that, one or the other may coincide.
                assert min(count, total) - 1 <= len(found) <= count


# Settings


def test_settings_of_a_task_are_its_defaults_but_for_changes():
    settings = TrainingSettings.for_task(load_task("digits-mlp"), epochs=2)
    assert (settings.batch_size, settings.learning_rate, settings.epochs) == (64, 0.1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0; give an integer of at least 1"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1; give a number above 0"),
        ({"seed": -1}, "seed is -1; give an integer of at least 0"),
        ({"checkpoints": True}, "checkpoints is True"),
        ({"epochs": True}, "epochs is True; give an integer of at least 1"),
        ({"learning_rate": "x"}, "learning_rate is 'x'; give a number above 0"),
        ({"optimizer": 5}, "unknown optimizer 5; choose from a-sls, .*, sgd,"),
        ({"optimizer": None}, "unknown optimizer None; choose from"),
        ({"schedule": 5}, "unknown schedule 5; choose from constant, .*, milestones,"),
        ({"options": 5}, "options is 5; give a mapping of names to values"),
        ({"options": None}, "options is None; give a mapping"),
        ({"schedule_options": [0.5]}, r"schedule_options is \[0.5\]; give a mapping"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        TrainingSettings(**changes)


def test_what_is_recorded_is_pythons_own_whatever_was_given():
    arrays = TrainingSettings(
        precision=np.array("float32"),
        compile=np.False_,
        channels_last=np.True_,
        seed=np.int64(3),
        learning_rate=np.float64(0.5),
    )
    assert json.loads(json.dumps(asdict(arrays))) == asdict(
        TrainingSettings(compile=False, channels_last=True, seed=3, learning_rate=0.5)
    )
