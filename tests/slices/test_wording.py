import pytest
import xarray as xr

from landscape.optimizers.recipes import RECIPES
from landscape.slices import wording
from landscape.tasks.registry import DATASETS, MODELS


def test_every_registered_name_is_worded():
    assert wording.DATASETS.keys() == DATASETS.keys()
    assert wording.MODELS.keys() == MODELS.keys()
    for recipe in RECIPES.values():
        assert recipe.name in wording.OPTIMIZERS
        assert recipe.optimizer.partition(":")[2].lower() in wording.OPTIMIZERS


@pytest.mark.parametrize(
    ("task", "label"),
    [
        ("mnist-mlp", "MLP on MNIST"),
        ("cifar10.npz-resnet20", "ResNet20 on cifar10.npz"),
        ("/data/photos.npz-cnn", "CNN on photos.npz"),
        ("mytask.py:task", "mytask"),
        ("/home/me/mytask.py:small_net", "mytask: small net"),
        ("my-mlp", "my-mlp"),  # a name of the user's
        ("a-task", "a-task"),
        ("unknown", ""),
    ],
)
def test_tasks(task, label):
    assert wording.task_label(task) == label


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("sgd, learning rate 0.1", "SGD, learning rate 0.1"),
        ("l-sls, search every 100, gamma 1", "l-SLS, searched every 100 steps, growth factor 1"),
        ("search every 1", "searched every step"),
        ("SmoothAccuracySLS, c 0.1", "sa-SLS, c = 0.1"),
        (
            "origin before-step, batch norm batch",
            "before the step, batch norm with batch statistics",
        ),
        ("search batch same", "searched on the same batch"),
        ("nesterov true, compile false", "nesterov, no compile"),
        ("sgd, epochs 3", "SGD, 3 epochs"),
        ("epochs 1, draws 20", "1 epoch, 20 draws"),
        ("plain, weights plain, weights ema", "weights ema"),
        ("direction normalised-gradient, draws 1", "normalised gradient, 1 draw"),
        ("direction towards:mlp-10/adam-0", "towards mlp-10/adam-0"),
        ("direction 2 hessian-2:validation", "second direction hessian 2 validation"),
        ("torch.adamw, betas [0.9, 0.999]", "AdamW, betas [0.9, 0.999]"),
        ("MyOptimizer", "MyOptimizer"),
        ("unknown", ""),
    ],
)
def test_settings_of_runs(label, words):
    assert wording.run_label(label) == words


def test_the_name_that_the_run_was_given_goes_before_the_class_of_its_optimizer():
    recorded = xr.Dataset(attrs={"task": "digits-mlp", "optimizer": "AdamW"})
    assert wording.source_label(recorded) == "MLP on digits, AdamW"
    named = recorded.assign_attrs(run={"optimizer": "adam"})
    assert wording.source_label(named) == "MLP on digits, Adam"
    assert wording.source_names(recorded.assign_attrs(run={}))[1] == "AdamW"


def test_a_difference_of_rounding_is_0():
    assert wording.number(6.9e-18, beside=0.45) == "0"
    assert wording.number(-6.9e-18) == "−6.9e−18"
    assert wording.number(1e-6, beside=0.45) == "1e−06"
    assert wording.number(1.0, beside=float("inf")) == "1"
