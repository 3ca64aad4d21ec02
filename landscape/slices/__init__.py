"""The labelled Dataset of slices: its names, what to take from it, and how to word that."""

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
