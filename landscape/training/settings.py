"""The settings of a training run, and which of its iterations are probed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from landscape import arguments
from landscape.errors import InvalidValueError, UnknownNameError
from landscape.network.precision import forward_settings
from landscape.optimizers.recipes import RECIPES

if TYPE_CHECKING:
    from landscape.tasks.task import Task

# The integers among the settings, each with its least value; the open ones may also be None.
MOST_EPOCHS = 1_000_000  # of each, a row of the history is made before the first
LEAST = {"epochs": 1, "batch_size": 1, "seed": 0, "checkpoints": 0, "search_batch": 1}
OPEN = ("search_batch",)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a task is trained.

    Where the optimizer has a recipe (see :data:`RECIPES`), the recipe gives the learning rate,
    the options and the schedule that are left out.

    >>> settings = landscape.TrainingSettings(optimizer="adam", epochs=20)
    >>> settings.learning_rate, settings.options, settings.schedule
    (0.004, {'weight_decay': 0.0001}, 'ramp-cosine')

    Attributes:
        optimizer: the name of a recipe or of one of torch's optimizers, in any case; see
            :func:`landscape.optimizers.named.find`.
        learning_rate: the learning rate at the start, above 0; for a line search, the step size
            that the first search starts from. None is the recipe's, or else 0.1.
        options: other arguments of the optimizer, as ``{"momentum": 0.9}``; they are added to the
            recipe's and replace those of the same name.
        schedule: the name of a learning-rate schedule, see
            :func:`landscape.optimizers.schedules.build`. None is the recipe's, or else "constant".
        schedule_options: other arguments of the schedule, as ``{"factor": 0.5}``.
        search_batch: for a line search alone: the number of samples in a fresh batch on which it
            evaluates its step sizes, in place of the batch that gave the gradient (Ablation 2 of
            [Hackel2023]). None is the batch that gave the gradient.
        epochs: passes over the training data, at least 1.
        batch_size: samples per batch, at least 1; an epoch drops the samples left over.
        seed: of everything random (initialisation, order, augmentation, fresh batches, dropout), at
            least 0.
        checkpoints: the number of iterations that are probed, at least 0; see
            :func:`checkpoint_iterations`.
        precision: of matrix products and convolutions: "float32" (the model's own type), "tf32" or
            "bfloat16" (autocast).
        compile: whether torch.compile makes the forward pass.
        channels_last: whether images are laid out with their channels last; None is where that
            suits the model's convolutions. See :class:`landscape.network.forward.Forward`.

    Raises:
        InvalidValueError: for an unknown optimizer, for a value that is not allowed, and for
            ``search_batch`` without a line search.
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
                most = MOST_EPOCHS if name == "epochs" else None
                set_(self, name, arguments.integer(name, getattr(self, name), least, most))
        how = forward_settings(self.precision, self.compile, self.channels_last)
        for name, value in how.items():
            set_(self, name, value)
        if self.search_batch is not None and not named.is_line_search(self.optimizer):
            raise InvalidValueError(
                f"search_batch is {self.search_batch}, but {self.optimizer} is no line search; "
                "leave it out, or choose a line search"
            )

    @classmethod
    def for_task(cls, task: "Task", **changes: Any) -> "TrainingSettings":
        """Make settings whose defaults are the task's.

        The learning rate is the one in ``changes``, else the recipe's, else the task's.

        Args:
            task: gives ``epochs``, ``batch_size`` and ``learning_rate``.
            **changes: fields of the settings that differ from the defaults.

        Returns:
            The settings.
        """
        defaults = {name: getattr(task, name) for name in ("epochs", "batch_size")}
        recipe = RECIPES.get(str(changes.get("optimizer", "sgd")).lower())
        if recipe is None or recipe.learning_rate is None:
            defaults["learning_rate"] = task.learning_rate
        return cls(**(defaults | changes))


def _check_kinds(settings: Mapping[str, object]) -> None:
    """Refuse a name that is not a string, and options that are not a mapping."""
    from landscape.optimizers import named, schedules

    if not isinstance(settings["optimizer"], str):
        raise UnknownNameError("optimizer", settings["optimizer"], named.names())
    if not isinstance(settings["schedule"], str | None):
        raise UnknownNameError("schedule", settings["schedule"], schedules.names())
    for name in ("options", "schedule_options"):
        arguments.mapping(name, settings[name])


def checkpoint_iterations(samples: int, batch_size: int, epochs: int, count: int = 10) -> list[int]:
    """The iterations to be probed: an early one, then ``count`` − 1 at even distances.

    As in [Hackel2023], the distance is ⌊epochs · samples / (batch_size · count)⌋ and the first is
    iteration 100 (a tenth of the distance where that is less), so that the last is at
    (count − 1) / count of the run. Where the samples that training drops would put it past the end,
    the distance is a ``count``-th of the updates that are made. A run of fewer updates has all of
    them; each is listed once.

    >>> landscape.training.checkpoint_iterations(50_000, 128, 50, 5)
    [100, 3906, 7812, 11718, 15624]

    Args:
        samples: training samples.
        batch_size: samples per batch.
        epochs: passes over the training data.
        count: number of iterations; 1 is the end of the run alone, 0 is none.

    Returns:
        Iterations, ascending: numbers of updates made before the probe.
    """
    total = epochs * (samples // batch_size)
    if count <= 1:
        return [total] * count
    distance = epochs * samples // (batch_size * count)
    if distance * (count - 1) > total:
        distance = total // count
    distance = max(1, distance)
    first = min(100, max(1, distance // 10))
    # At distance 1, the first iteration is also one of the others.
    last = min(total, distance * (count - 1 + (first == distance)))
    return sorted(i for i in {first, *range(distance, last + 1, distance)} if i <= total)
