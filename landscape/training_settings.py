"""The settings of a training run, and which of its iterations are probed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from landscape.errors import InvalidValueError
from landscape.tasks.task import Task, require_positive


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a task is trained.

    ``optimizer`` and ``options`` as :func:`landscape.optimizers.named.build` takes them;
    ``epochs`` passes over the data in batches of ``batch_size`` samples; ``checkpoints`` is how
    many iterations are probed (see :func:`checkpoint_iterations`).
    """

    optimizer: str = "sgd"
    learning_rate: float = 0.1
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 10
    batch_size: int = 128
    seed: int = 0
    checkpoints: int = 10

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", dict(self.options))
        require_positive(self, whole=("epochs", "batch_size"), real=("learning_rate",))
        for name in ("seed", "checkpoints"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise InvalidValueError(f"{name} is {value!r}; give an integer, 0 or more")

    @classmethod
    def of(cls, task: Task, **changes: Any) -> "TrainingSettings":
        """The defaults of ``task``, but for ``changes``."""
        defaults = {name: getattr(task, name) for name in ("epochs", "batch_size", "learning_rate")}
        return cls(**(defaults | changes))


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
