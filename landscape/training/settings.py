"""The settings of a training run, and which of its iterations are probed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from landscape import arguments
from landscape.errors import InvalidValueError, unknown
from landscape.network.precision import check_forward
from landscape.optimizers.recipes import RECIPES

if TYPE_CHECKING:
    from landscape.tasks.task import Task

# The integers among the settings, each with its least value; the open ones may also be None.
LEAST = {"epochs": 1, "batch_size": 1, "seed": 0, "checkpoints": 0, "search_batch": 1}
OPEN = ("search_batch",)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a task is trained.

    ``optimizer`` and ``options`` as :func:`landscape.optimizers.named.build` takes them,
    ``schedule`` and ``schedule_options`` as :func:`landscape.optimizers.schedules.build`. Where
    ``optimizer`` is one of the :data:`RECIPES`, its settings hold unless others are given; the
    learning rate is 0.1 where neither says.

    ``epochs`` passes over the data in batches of ``batch_size`` samples; ``checkpoints`` is how
    many iterations are probed (see :func:`checkpoint_iterations`). With ``search_batch``, a line
    search evaluates its step sizes on a fresh batch of so many samples, in place of the batch
    that gave the gradient (Ablation 2 of the thesis). ``precision`` ("float32", "tf32",
    "bfloat16"), ``compile`` and ``channels_last`` are how a pass is run; see
    :class:`landscape.network.forward.Forward`.
    """

    optimizer: str = "sgd"
    learning_rate: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str | None = None
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    search_batch: int | None = None
    epochs: int = 10
    batch_size: int = 128
    seed: int = 0
    checkpoints: int = 10
    precision: str = "float32"
    compile: bool = False
    channels_last: bool | None = None

    def __post_init__(self) -> None:
        # Here, so that a command can name the defaults without torch.
        from landscape.optimizers import named

        _check_kinds(vars(self))
        named.find(self.optimizer)
        set_ = object.__setattr__
        set_(self, "optimizer", self.optimizer.lower())
        recipe = RECIPES.get(self.optimizer)
        set_(self, "options", {**(recipe.options if recipe else {}), **self.options})
        set_(self, "schedule_options", dict(self.schedule_options))
        if self.learning_rate is None:
            given = recipe.learning_rate if recipe else None
            set_(self, "learning_rate", 0.1 if given is None else given)
        if self.schedule is None:
            set_(self, "schedule", recipe.schedule if recipe else "constant")
        set_(self, "learning_rate", arguments.number("learning_rate", self.learning_rate, above=0))
        for name, least in LEAST.items():
            if name not in OPEN or getattr(self, name) is not None:
                set_(self, name, arguments.integer(name, getattr(self, name), least))
        check_forward(self.precision, self.compile, self.channels_last)
        if self.search_batch is not None and not named.is_line_search(self.optimizer):
            raise InvalidValueError(
                f"search_batch is {self.search_batch}; {self.optimizer} searches nothing"
            )

    @classmethod
    def for_task(cls, task: "Task", **changes: Any) -> "TrainingSettings":
        """The defaults of ``task``, but for ``changes``; a recipe's learning rate comes first."""
        defaults = {name: getattr(task, name) for name in ("epochs", "batch_size")}
        recipe = RECIPES.get(str(changes.get("optimizer", "sgd")).lower())
        if recipe is None or recipe.learning_rate is None:
            defaults["learning_rate"] = task.learning_rate
        return cls(**(defaults | changes))


def _check_kinds(settings: Mapping[str, object]) -> None:
    """Refuse what is no name, or no mapping, where one is needed."""
    from landscape.optimizers import named, schedules

    if not isinstance(settings["optimizer"], str):
        raise unknown("optimizer", settings["optimizer"], named.names())
    if not isinstance(settings["schedule"], str | None):
        raise unknown("schedule", settings["schedule"], schedules.names())
    for name in ("options", "schedule_options"):
        arguments.mapping(name, settings[name])


def checkpoint_iterations(samples: int, batch_size: int, epochs: int, count: int = 10) -> list[int]:
    """The iterations to be probed: an early one, then ``count`` − 1 at even distances.

    As published, the distance is ⌊epochs · samples / (batch_size · count)⌋ and the first is
    iteration 100 (a tenth of the distance where that is less), so that the last is at
    (count − 1) / count of the run. Where the partial batches that training drops would put it
    past the end, the distance is a ``count``-th of the updates that are made. A ``count`` of 1
    is the end alone, 0 is none. A run of fewer updates has all of them; each is there once.
    """
    total = epochs * (samples // batch_size)
    if count <= 1:
        return [total] * count
    distance = epochs * samples // (batch_size * count)
    if distance * (count - 1) > total:
        distance = total // count
    distance = max(1, distance)
    first = min(100, max(1, distance // 10))
    # At distance 1 the first is one of the others.
    others = (distance * i for i in range(1, count + (first == distance)))
    return sorted({i for i in (first, *others) if i <= total})
