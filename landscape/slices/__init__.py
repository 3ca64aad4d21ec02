"""The labelled Dataset of slices: its names, how to select from it, how to word it."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.slices.choice import (
        Checkpoints,
        choose_checkpoint,
        choose_checkpoints,
        choose_draw,
        choose_metric,
        choose_step_size,
    )
    from landscape.slices.selection import (
        distance,
        learning_step,
        metric_values,
        metrics,
        require_slices,
        set_name,
    )

_CHOICE = (
    *("Checkpoints", "choose_checkpoint", "choose_checkpoints", "choose_draw", "choose_metric"),
    "choose_step_size",
)
_SELECTION = (
    *("distance", "learning_step", "metric_values", "metrics", "require_slices", "set_name"),
)

__all__ = [
    "Checkpoints",
    "choose_checkpoint",
    "choose_checkpoints",
    "choose_draw",
    "choose_metric",
    "choose_step_size",
    "distance",
    "learning_step",
    "metric_values",
    "metrics",
    "require_slices",
    "set_name",
]

__getattr__, __dir__ = lazily(
    __name__,
    {**dict.fromkeys(_CHOICE, "choice:"), **dict.fromkeys(_SELECTION, "selection:")},
)
