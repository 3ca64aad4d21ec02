import pytest
import torch
from torch import nn

from landscape.optimizers import named, schedules
from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS
from landscape.optimizers.recipes import RECIPES
from landscape.tasks import load_task
from landscape.training import TrainingSettings

# Name -> class, learning rate, preset or other options, schedule: section "Training protocol".
PUBLISHED = {
    "sgd": (torch.optim.SGD, 0.1, {}, "constant"),
    "sgd-schedule": (torch.optim.SGD, 0.1, {}, "milestones"),
    "adam": (torch.optim.AdamW, 4e-3, {"weight_decay": 1e-4}, "ramp-cosine"),
    "sgd-armijo": (SGDArmijo, 1.0, {"preset": "thesis"}, "constant"),
    "l-sls": (LossSLS, 1.0, {"preset": "thesis"}, "constant"),
    "a-sls": (AccuracySLS, 1.0, {"preset": "thesis"}, "constant"),
    "sa-sls": (SmoothAccuracySLS, 1.0, {}, "constant"),
    "sa-sls-thesis": (SmoothAccuracySLS, 1.0, {"preset": "thesis"}, "constant"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_recipe_is_the_published_one(name):
    kind, learning_rate, options, schedule = PUBLISHED[name]
    settings = TrainingSettings.for_task(load_task("digits-mlp"), optimizer=name)
    assert (settings.learning_rate, settings.options) == (learning_rate, options)
    assert settings.schedule == schedule
    optimizer = named.build(
        name,
        nn.Linear(2, 2).parameters(),
        settings.learning_rate,
        settings.options,
        steps_per_epoch=22,
    )
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert group["lr"] == learning_rate
    if name in ("sgd", "sgd-schedule"):
        assert (group["momentum"], group["weight_decay"]) == (0, 0)
    if "sls" in name or "armijo" in name:
        published = {"c": 0.1, "beta": 0.9, "gamma": 2, "eps": 1e-4, "max_trials": 100}
        assert {key: group[key] for key in published} == published
        assert group["n"] == (22 if name == "sgd-armijo" else 500)
        assert (group["slope_factor"], group["max_step_size"]) == (1, None)


def test_there_are_no_others_and_all_schedules_exist():
    assert set(RECIPES) == set(PUBLISHED)
    assert {recipe.schedule for recipe in RECIPES.values()} <= set(schedules.names())


def test_what_is_given_counts_more_than_the_recipe():
    task = load_task("digits-mlp")
    settings = TrainingSettings.for_task(
        task, optimizer="adam", learning_rate=0.5, schedule="steplr", options={"amsgrad": True}
    )
    assert (settings.learning_rate, settings.schedule) == (0.5, "steplr")
    assert settings.options == {"weight_decay": 1e-4, "amsgrad": True}
    robust = TrainingSettings(optimizer="l-sls", options={"preset": "robust"})
    assert robust.options == {"preset": "robust"}
    assert TrainingSettings(optimizer="adamw").learning_rate == 0.1


def test_torchs_own_under_a_recipes_name():
    assert named.find("torch.adam") is torch.optim.Adam
    assert named.find("Adam") is torch.optim.AdamW
