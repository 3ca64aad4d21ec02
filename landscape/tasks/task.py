"""What a task is, and how one is made of a user's own object."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

from torch import nn

from landscape import arguments
from landscape.data import Data, TensorData, as_data
from landscape.errors import InvalidValueError, unknown, users_code
from landscape.metrics import cross_entropy
from landscape.network.losses import SampleLoss, sample_loss


@dataclass(frozen=True)
class Task:
    """A model, its data and its loss, with defaults for training.

    ``model()`` gives a fresh model, initialised from torch's global generator. ``train`` carries
    its augmentation itself. ``loss`` takes logits (N, C) and targets (N,) and gives one value a
    sample; anything :func:`sample_loss` takes is made one. The rest are defaults of a training
    run: samples a batch, passes over the data, learning rate.
    """

    name: str
    model: Callable[[], nn.Module]
    train: Data
    validation: Data
    loss: SampleLoss = cross_entropy
    batch_size: int = 128
    epochs: int = 10
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", sample_loss(self.loss))
        for what, data in (("train", self.train), ("validation", self.validation)):
            if len(data) == 0:
                raise InvalidValueError(f"{what} is empty; give at least one sample")
        rate = arguments.number("learning_rate", self.learning_rate, above=0)
        object.__setattr__(self, "learning_rate", rate)
        for name in ("batch_size", "epochs"):
            object.__setattr__(self, name, arguments.integer(name, getattr(self, name), 1))


REQUIRED = ("model", "train", "validation")
OPTIONAL = ("loss", "batch_size", "epochs", "learning_rate", "augment")


def as_task(source: Any, name: str) -> Task:
    """Make a :class:`Task` called ``name`` of ``source``.

    ``source`` is a Task (returned as it is), a function without arguments that returns any of
    these, or anything with the members (a module, a class or its instance, a dict by key):

    * ``model``: a module's class or a function without arguments that makes one; or one module,
      of which every fresh model is then a copy, whatever the seed;
    * ``train``, ``validation``: whatever :func:`landscape.data.as_data` takes;
    * optionally ``loss`` (see :func:`sample_loss`), ``batch_size``, ``epochs``,
      ``learning_rate``, and ``augment(inputs, generator) -> inputs`` for tensors in ``train``.

    Raises :class:`InvalidValueError` for members that are missing or of the wrong kind.
    """
    if isinstance(source, Task):
        return source
    members = _members(source)
    if callable(source) and (isinstance(source, type) or not members):
        if not _takes(source, 0):
            raise InvalidValueError(f"task {name!r} needs arguments; it must be callable with none")
        with users_code(f"task {name!r}"):
            made = source()
        return as_task(made, name)
    missing = [member for member in REQUIRED if member not in members]
    if missing:
        raise InvalidValueError(
            f"task {name!r} (a {type(source).__name__}) has no {', '.join(missing)}; "
            f"a task has {', '.join(REQUIRED)} and optionally {', '.join(OPTIONAL)}"
        )
    train = as_data(members.pop("train"), "train")
    validation = as_data(members.pop("validation"), "validation")
    augment = members.pop("augment", None)
    if augment is not None:
        if not isinstance(train, TensorData):
            raise InvalidValueError(
                "augment is for train data in tensors; let the Dataset augment its own samples"
            )
        train = replace(train, augment=_function(augment, 2))
    if "loss" in members:
        members["loss"] = _function(members["loss"], 2)
    return Task(name, _factory(members.pop("model")), train, validation, **members)


def _members(source: Any) -> dict[str, Any]:
    """The members that are there; a dict may have no others."""
    names = (*REQUIRED, *OPTIONAL)
    if isinstance(source, Mapping):
        for key in source:
            if key not in names:
                raise unknown("member of a task", key, names)
        return dict(source)
    return {name: getattr(source, name) for name in names if hasattr(source, name)}


def _factory(model: Any) -> Callable[[], nn.Module]:
    if isinstance(model, nn.Module):
        return lambda: deepcopy(model)
    function = _function(model, 0)
    if not callable(function) or not _takes(function, 0):
        raise InvalidValueError(
            f"model is {model!r}; give a torch module, its class or a function that makes one, "
            "callable without arguments"
        )

    def fresh() -> nn.Module:
        with users_code("model()"):
            made = function()
        if not isinstance(made, nn.Module):
            raise InvalidValueError(f"model() gives a {type(made).__name__}, not a torch module")
        return made

    return fresh


def _function(value: Any, arguments: int) -> Any:
    """A function kept on a class without ``self`` is meant as it stands, not as a method."""
    if isinstance(value, MethodType) and not _takes(value, arguments):
        return value.__func__
    return value


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    if isinstance(function, MethodType):
        return _takes(function.__func__, arguments + 1)
    try:
        inspect.signature(function).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:  # a builtin that tells nothing of its arguments
        return True
    return True
