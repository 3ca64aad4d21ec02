"""Train a task, stopping at the iterations to be probed; every stop can be continued from."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.training.checkpoints import Checkpoint
    from landscape.training.loop import Training
    from landscape.training.settings import TrainingSettings, checkpoint_iterations
    from landscape.training.validation import EpochRecord, validate

__all__ = [
    "Checkpoint",
    "EpochRecord",
    "Training",
    "TrainingSettings",
    "checkpoint_iterations",
    "validate",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Checkpoint": "checkpoints:",
        "EpochRecord": "validation:",
        "Training": "loop:",
        "TrainingSettings": "settings:",
        "checkpoint_iterations": "settings:",
        "validate": "validation:",
    },
)
