import sys
import threading
import warnings
from dataclasses import dataclass
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune, spectral_norm, weight_norm
from torch.utils.data import TensorDataset

from landscape.data import DatasetData, TensorData
from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.measures import Measure
from landscape.runtime.randomness import generator
from landscape.tasks import Task, as_task

TRAIN = (torch.arange(40.0).view(20, 2), torch.arange(20) % 3)
VALIDATION = (np.ones((5, 2)), np.zeros(5, dtype=np.int64))


def network():
    return nn.Linear(2, 3)


def per_sample(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none")


MEMBERS = {"model": network, "train": TRAIN, "validation": VALIDATION}
OPTIONS = {"loss": per_sample, "batch_size": 4, "epochs": 3, "learning_rate": 0.5}


def module():
    made = ModuleType("made")
    vars(made).update(MEMBERS | OPTIONS)
    return made


class Functions:
    """Functions on a class as they stand, without self."""

    model = lambda: network()  # noqa: E731
    train, validation = TRAIN, VALIDATION
    loss = per_sample
    batch_size, epochs, learning_rate = 4, 3, 0.5


@dataclass
class Methods:
    train: object = TRAIN
    batch_size: int = 4
    epochs: int = 3
    learning_rate: float = 0.5

    def model(self):
        return network()

    @property
    def validation(self):
        return VALIDATION

    def loss(self, logits, targets):
        return per_sample(logits, targets)


SOURCES = {
    "dict": MEMBERS | OPTIONS,
    "namespace": SimpleNamespace(**MEMBERS, **OPTIONS),
    "module": module(),
    "class with functions": Functions,
    "its instance": Functions(),
    "class with methods": Methods,
    "an instance": Methods(),
    "function": lambda: MEMBERS | OPTIONS,
    "function of a function": lambda: Methods,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_object_makes_the_same_task(kind):
    task = as_task(SOURCES[kind], "mine")
    assert (task.name, task.batch_size, task.epochs, task.learning_rate) == ("mine", 4, 3, 0.5)
    inputs, targets = task.train.take(torch.tensor([7, 1]))
    assert torch.equal(inputs, TRAIN[0][[7, 1]])
    assert torch.equal(targets, TRAIN[1][[7, 1]])
    assert len(task.validation) == 5
    model = task.model()
    assert isinstance(model, nn.Linear)
    assert task.model() is not model
    assert task.loss(model(inputs), targets).shape == (2,)


def test_a_task_and_a_function_that_makes_one():
    task = Task("own", network, TensorData(*TRAIN), TensorData(*TRAIN))
    assert as_task(task, "other") is task
    assert as_task(lambda: task, "other") is task


def test_what_is_not_given_has_a_default():
    task = as_task(MEMBERS, "mine")
    assert (task.batch_size, task.epochs, task.learning_rate) == (128, 10, 0.1)
    assert task.loss == Measure(cross_entropy)


@pytest.mark.parametrize("model", [network, partial(nn.Linear, 2, 3)])
def test_a_fresh_model_is_initialised_from_the_global_generator(model):
    task = as_task(MEMBERS | {"model": model}, "mine")
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(task.model().weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_ready_model_is_copied_each_time():
    ready = network()
    task = as_task(MEMBERS | {"model": ready}, "mine")
    made = task.model()
    assert made is not ready
    assert torch.equal(made.weight, ready.weight)
    made.weight.data.zero_()
    assert torch.equal(task.model().weight, ready.weight)
    assert ready.weight.any()


def test_a_model_class_is_made_afresh():
    class Network(nn.Linear):
        def __init__(self):
            super().__init__(2, 3)

    assert isinstance(as_task(MEMBERS | {"model": Network}, "mine").model(), Network)


def test_a_loss_module_gives_one_value_a_sample():
    task = as_task(MEMBERS | {"loss": nn.CrossEntropyLoss()}, "mine")
    assert task.loss(torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)).shape == (4,)


def test_augment_goes_to_the_training_tensors():
    def augment(inputs, generator):
        return inputs + torch.rand(inputs.shape, generator=generator)

    task = as_task(MEMBERS | {"augment": augment}, "mine")
    inputs, _ = task.train.take(torch.arange(3), generator(1))
    assert ((inputs > TRAIN[0][:3]) & (inputs < TRAIN[0][:3] + 1)).all()
    assert torch.equal(task.train.take(torch.arange(3))[0], TRAIN[0][:3])
    assert task.validation.augment is None


class Bound:
    def __init__(self, path):
        self.path = path


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "task 'mine' .a dict. has no model, train, validation; a task has model, train, val"),
        ({"model": network, "train": TRAIN}, "has no validation;"),
        (SimpleNamespace(model=network), "task 'mine' .a SimpleNamespace. has no train, valid"),
        (network(), "task 'mine' .a Linear. has no model, validation"),
        (3, "task 'mine' .a int. has no model"),
        (Bound, "task 'mine' needs arguments"),
        (lambda path: MEMBERS, "task 'mine' needs arguments"),
        (MEMBERS | {"batchsize": 3}, "unknown member of a task 'batchsize' .did you mean 'batch_s"),
        (MEMBERS | {"batch_size": 0}, "batch_size is 0; give an integer of at least 1"),
        (MEMBERS | {"batch_size": 2.0}, "batch_size is 2.0; give an integer of at least 1"),
        (MEMBERS | {"epochs": True}, "epochs is True; give an integer of at least 1"),
        (MEMBERS | {"learning_rate": "0.1"}, "learning_rate is '0.1'; give a number above 0"),
        (MEMBERS | {"learning_rate": float("nan")}, "learning_rate is nan"),
        (MEMBERS | {"learning_rate": float("inf")}, "learning_rate is inf"),
        (MEMBERS | {"validation": (TRAIN[0][:0], TRAIN[1][:0])}, "validation is empty"),
        (MEMBERS | {"train": "digits"}, "train is a str"),
        (MEMBERS | {"model": "resnet"}, "model is 'resnet'; give a torch module"),
        (MEMBERS | {"model": nn.Linear}, "model is <class .*callable without arguments"),
        (MEMBERS | {"loss": nn.CrossEntropyLoss(reduction="sum")}, "sums over the batch"),
    ],
)
def test_what_is_wrong_is_one_line(source, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        as_task(source, "mine")
    assert "\n" not in str(error.value)


def test_augment_beside_a_dataset_is_refused():
    data = DatasetData(TensorDataset(*TRAIN))
    with pytest.raises(InvalidValueError, match="augment is for train data in tensors"):
        as_task(MEMBERS | {"train": data, "augment": lambda x, generator: x}, "mine")


def test_a_factory_of_something_else_is_refused_when_it_is_called():
    task = as_task(MEMBERS | {"model": lambda: "resnet"}, "mine")
    with pytest.raises(InvalidValueError, match=r"model\(\) gives a str, not a torch module"):
        task.model()


def test_a_function_that_gives_itself_has_no_end():
    def endless():
        return endless

    with pytest.raises(InvalidValueError, match="task 'mine' gives a function to be called again"):
        as_task(endless, "mine")


def test_a_function_may_give_a_class():
    made = type("Mine", (), MEMBERS | {"model": staticmethod(network)})
    assert len(as_task(lambda: made, "mine").train) == len(TRAIN[0])


class Failing:
    model, validation = network, TRAIN

    @property
    def train(self):
        raise self.error

    def __init__(self, error):
        self.error = error


@pytest.mark.parametrize("error", [RuntimeError("no disk"), AttributeError("no disk")])
def test_a_property_that_fails_is_said(error):
    with pytest.raises(InvalidValueError, match=r"train of task 'mine' fails: .*Error: no disk"):
        as_task(Failing(error), "mine")


def test_code_that_wants_to_exit_is_one_line():
    with pytest.raises(InvalidValueError, match="task 'mine' fails: SystemExit: 3"):
        as_task(lambda: sys.exit(3), "mine")


def reparametrised(kind):
    model = network()
    if kind == "pruned":
        return prune.l1_unstructured(model, "weight", 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return {"weight norm": weight_norm, "spectral norm": spectral_norm}[kind](model)


@pytest.mark.parametrize("kind", ["weight norm", "spectral norm", "pruned"])
def test_a_ready_model_that_has_run_is_copied(kind):
    ready = reparametrised(kind)
    expected = ready(TRAIN[0]).detach()
    ready.eval()
    expected = ready(TRAIN[0]).detach()
    made = as_task(MEMBERS | {"model": ready}, "mine").model()
    assert torch.equal(made(TRAIN[0]), expected)
    made.bias.data.zero_()
    assert torch.equal(ready(TRAIN[0]), expected)


def test_a_ready_model_that_cannot_be_copied_is_one_line():
    ready = network()
    ready.lock = threading.Lock()
    task = as_task(MEMBERS | {"model": ready}, "mine")
    with pytest.raises(
        InvalidValueError, match=r"task's model cannot be copied: TypeError: .*lock"
    ):
        task.model()
