"""What a task is, and how one is made from a user's own object."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import MethodType
from typing import Any

from torch import Tensor, nn

from landscape import arguments
from landscape.data import Data, Split, TensorData, as_data
from landscape.errors import InvalidValueError, UnknownNameError, shown, users_code
from landscape.metrics import Metric, cross_entropy, own_metric
from landscape.network.calling import Calling, Output
from landscape.network.measures import Measure, as_measure
from landscape.runtime.nested import Nested


@dataclass(frozen=True)
class Task:
    """A model, its data and its loss, with defaults for training.

    Attributes:
        name: shown in files, folders and figures.
        model: makes a fresh model, initialised from torch's global generator.
        train: the training data, which augments its samples itself.
        validation: the validation data, never augmented.
        loss: a function of (outputs, targets), a torch loss module, "model" for the loss that the
            model computes itself, or a :class:`Measure`, which the others become.
        batch_size: samples per batch, by default.
        epochs: passes over the training data, by default.
        learning_rate: of the optimizer, above 0, by default.
        forward: (model, inputs) -> the model's output; None for ``model(x)``, ``model(*tuple)`` or
            ``model(**dict)``, by what the inputs are.
        output: which part of the model's output is used, as in :func:`landscape.probe`.
        metrics: metrics of one's own, functions of (outputs, targets), by the names that they can
            be asked for.

    Raises:
        InvalidValueError: for empty data, and for a loss or a number that is not allowed.
    """

    name: str
    model: Callable[[], nn.Module]
    train: Data
    validation: Data
    loss: Any = cross_entropy
    batch_size: int = 128
    epochs: int = 10
    learning_rate: float = 0.1
    forward: Callable[[nn.Module, Nested], Any] | None = None
    output: Output = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", as_measure(self.loss))
        object.__setattr__(self, "metrics", _own_metrics(self.metrics))
        for what, data in (("train", self.train), ("validation", self.validation)):
            if len(data) == 0:
                raise InvalidValueError(f"{what} is empty; give at least one sample")
        rate = arguments.number("learning_rate", self.learning_rate, above=0)
        object.__setattr__(self, "learning_rate", rate)
        for name in ("batch_size", "epochs"):
            object.__setattr__(self, name, arguments.integer(name, getattr(self, name), 1))

    @property
    def measure(self) -> Measure:
        """What is measured of outputs and targets."""
        measure: Measure = self.loss
        return measure

    @property
    def calling(self) -> Calling:
        """How the model is called, and what of its output is used."""
        return Calling(self.forward, self.output, self.measure.own)

    @property
    def how(self) -> dict[str, Any]:
        """Loss and calls of the model, as a :class:`Prober` takes them."""
        return {"loss": self.measure, "forward": self.forward, "output": self.output}


MOST_CALLS = 3  # a function may give a class, which makes an instance
REQUIRED = ("model", "train", "validation")
OPTIONAL = (
    *("loss", "batch_size", "epochs", "learning_rate", "augment"),
    *("target", "forward", "output", "metrics"),
)


def as_task(source: Any, name: str) -> Task:
    """Make a :class:`Task` of an object, a dict, a module or a function.

    A source has these members, a dict the same keys:

    * ``model``: a module's class, or a function without arguments that makes a module; or one
      module, of which every fresh model is then a copy, whatever the seed;
    * ``train``, ``validation``: whatever :func:`landscape.data.as_data` takes;
    * optionally ``loss``, ``batch_size`` (that of a DataLoader unless given), ``epochs``,
      ``learning_rate``, and ``augment(inputs, generator) -> inputs`` for ``train`` in tensors;
    * where samples, model or output are not what they usually are, ``target``,
      ``forward(model, inputs)``, ``output`` and ``metrics`` (see :func:`landscape.probe`).

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
    for member in ("forward", "loss", "output", "target"):
        if member in members and not isinstance(members[member], (str, int)):
            members[member] = _function(members[member], 2 if member in ("forward", "loss") else 1)
    measure = as_measure(members.get("loss", cross_entropy))
    split = Split(members.pop("target", None), measure.own)
    train = as_data(members.pop("train"), "train", split=split)
    validation = as_data(members.pop("validation"), "validation", split=split)
    if (size := getattr(train, "batch_size", None)) is not None:
        members.setdefault("batch_size", size)
    augment = members.pop("augment", None)
    if augment is not None:
        if not isinstance(train, TensorData):
            raise InvalidValueError(
                "augment is for train data in tensors; let the Dataset augment its own samples"
            )
        train = replace(train, augment=_function(augment, 2))
    members["loss"] = measure
    return Task(name, _factory(members.pop("model")), train, validation, **members)


def _own_metrics(given: Any) -> dict[str, Any]:
    """Metrics of a task's own by name, of a dict or of functions."""
    if isinstance(given, Mapping):
        named = dict(given)
    else:
        functions = [given] if callable(given) else list(given)
        named = {getattr(each, "__name__", ""): each for each in functions}
    return {
        name: each if isinstance(each, Metric) else own_metric(each, long_name=name)
        for name, each in named.items()
    }


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
