import pytest

from landscape.histories.labels import head, natural, number, run_labels, settings, short


def record(optimizer="sgd", task="a", **more):
    return {"task": task, "optimizer": optimizer, "learning_rate": 0.1, "options": {}, **more}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record()], ["sgd"]),
        ([record(seed=0), record(seed=1)], ["sgd", "sgd"]),
        ([record(device_name="CPU", torch="2", checkpoints=3), record()], ["sgd", "sgd"]),
        # Between optimizers a learning rate is part of what they are.
        ([record(), record("adam", learning_rate=1e-3)], ["sgd", "adam"]),
        (
            [record(), record(learning_rate=1e-3)],
            ["sgd, learning rate 0.1", "sgd, learning rate 0.001"],
        ),
        ([record(epochs=1), record(epochs=2)], ["sgd, epochs 1", "sgd, epochs 2"]),
        ([record(), record(options={"nesterov": True})], ["sgd", "sgd, nesterov true"]),
        (
            [record(options={"momentum": 0.9, "dampening": 0}), record(options={"dampening": 0.0})],
            ["sgd, momentum 0.9", "sgd"],
        ),
        (
            [record("sa-sls", options={"slope_factor": 2}), record("sa-sls")],
            ["sa-sls, slope factor 2", "sa-sls, slope factor 1"],
        ),
        ([record("sa-sls", options={"slope_factor": 1.0}), record("sa-sls")], ["sa-sls"] * 2),
        (
            [record("l-sls", search_batch=1024), record("l-sls", search_batch=None)],
            ["l-sls, search batch 1024", "l-sls, search batch same"],
        ),
        (
            [
                record(schedule="milestones", schedule_options={"factor": 0.1}),
                record(schedule="milestones", schedule_options={"factor": 0.5}),
                record(schedule="constant"),
            ],
            [
                "sgd, schedule milestones, schedule factor 0.1",
                "sgd, schedule milestones, schedule factor 0.5",
                "sgd, schedule constant",
            ],
        ),
        # On another task, other settings are no difference.
        ([record(), record(task="b", learning_rate=1)], ["sgd", "sgd"]),
    ],
)  # fmt: skip
def test_labels_say_what_differs(records, expected):
    assert run_labels(records) == expected


def test_settings_are_flat_and_without_place_and_seed():
    told = settings(
        record(
            options={"max_trials": 3},
            schedule_options={"a": 1},
            search_batch=None,
            seed=1,
            data="/data",
            device_name="CPU",
        )
    )
    assert told == {"learning rate": 0.1, "max trials": 3, "schedule a": 1}


def test_an_optimizer_that_all_share_need_not_be_repeated():
    factors = ["sa-sls, slope factor 1", "sa-sls, slope factor 2"]
    assert short(factors) == (["slope factor 1", "slope factor 2"], "sa-sls")
    for names in (
        ["sgd", "sgd, momentum 0.9"],
        ["sgd, lr 1", "adam, lr 1"],
        ["sgd, lr 1"],
        ["sgd"],
    ):
        assert short(names) == (names, "")
    assert head(factors[0]) == "sa-sls"


def test_numbers_in_labels():
    assert number("slope factor 0.5") == 0.5
    assert number("search batch same") is None
    assert number("") is None
    names = ["a, f 10", "a, f 2", "a, f 0.5, g 1", "a"]
    assert sorted(names, key=natural) == ["a", "a, f 0.5, g 1", "a, f 2", "a, f 10"]
