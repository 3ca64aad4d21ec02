"""What a task is, and how one is made from a user's own object."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

from torch import Tensor, nn

from landscape import arguments
from landscape.data import Data, TensorData, as_data
from landscape.errors import InvalidValueError, UnknownNameError, shown, users_code
from landscape.metrics import SampleLoss, cross_entropy
from landscape.network.losses import sample_loss


@dataclass(frozen=True)
class Task:
    """A model, its data and its loss, with defaults for training.

    Attributes:
        name: shown in files, folders and figures.
        model: makes a fresh model, initialised from torch's global generator.
        train: the training data, which augments its samples itself.
        validation: the validation data, never augmented.
        loss: (logits (N, C), targets (N,)) -> one value a sample, (N,); anything that
            :func:`sample_loss` takes becomes such a function.
        batch_size: samples per batch, by default.
        epochs: passes over the training data, by default.
        learning_rate: of the optimizer, above 0, by default.

    Raises:
        InvalidValueError: for empty data, and for a loss or a number that is not allowed.
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


MOST_CALLS = 3  # a function may give a class, which makes an instance
REQUIRED = ("model", "train", "validation")
OPTIONAL = ("loss", "batch_size", "epochs", "learning_rate", "augment")


def as_task(source: Any, name: str) -> Task:
    """Make a :class:`Task` of an object, a dict, a module or a function.

    A source has these members, a dict the same keys:

    * ``model``: a module's class, or a function without arguments that makes a module; or one
      module, of which every fresh model is then a copy, whatever the seed;
    * ``train``, ``validation``: whatever :func:`landscape.data.as_data` takes;
    * optionally ``loss`` (see :func:`sample_loss`), ``batch_size``, ``epochs``,
      ``learning_rate``, and ``augment(inputs, generator) -> inputs`` for ``train`` in tensors.

    >>> parts = {"model": model, "train": (images, labels), "validation": validation}
    >>> landscape.tasks.as_task(parts, "my-digits").train
    TensorData(1,400 samples, 1×8×8 float32)

    Args:
        source: a module, a class or its instance, or a dict with the members above; a function
            without arguments that returns one; or a Task, which is returned as it is.
        name: the task's name.

    Returns:
        The task.

    Raises:
        InvalidValueError: for members that are missing or of the wrong kind.
    """
    if isinstance(source, Task):
        return source
    members = _members(source, name)
    for _ in range(MOST_CALLS):
        if not callable(source) or (members and not isinstance(source, type)):
            break
        if not _takes(source, 0):
            raise InvalidValueError(f"task {name!r} needs arguments; it must be callable with none")
        try:
            with users_code(f"task {name!r}"):
                source = source()
        except SystemExit as error:
            raise InvalidValueError(f"task {name!r} fails: SystemExit: {error}") from error
        if isinstance(source, Task):
            return source
        members = _members(source, name)
    else:
        raise InvalidValueError(
            f"task {name!r} gives a {type(source).__name__} to be called again and again; let it "
            "give the members of a task"
        )
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


def _members(source: Any, task: str) -> dict[str, Any]:
    """The members that the source has; a dict must have no other keys."""
    names = (*REQUIRED, *OPTIONAL)
    if isinstance(source, Mapping):
        for key in source:
            if key not in names:
                raise UnknownNameError("member of a task", key, names)
        return dict(source)
    members = {}
    for name in names:
        with users_code(f"{name} of task {task!r}"):
            try:
                members[name] = getattr(source, name)
            except AttributeError:
                if hasattr(type(source), name):  # a property that fails inside
                    raise
    return members


def _factory(model: Any) -> Callable[[], nn.Module]:
    if isinstance(model, nn.Module):
        return lambda: _copied(model)
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


def _copied(model: nn.Module) -> nn.Module:
    """A copy of a ready model, also after it has run."""
    # What a hook computes afresh from parameters before each run, as weight norm and pruning do,
    # has a history, which torch does not copy.
    computed = [
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    ]
    try:
        return deepcopy(model, {id(value): value.detach().clone() for value in computed})
    except Exception as error:
        raise InvalidValueError(
            f"the task's model cannot be copied: {type(error).__name__}: {shown(str(error))}; give "
            "a function that makes it"
        ) from error


def _function(value: Any, arguments: int) -> Any:
    """A function kept on a class without ``self`` is used as written, not as a method."""
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
    except ValueError:  # a builtin that does not describe its arguments
        return True
    return True
