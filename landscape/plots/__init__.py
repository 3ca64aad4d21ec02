"""Figures: a Dataset in, axes out, one file a figure; :mod:`.registry` lists them.

The functions load matplotlib when first used, not when the list is read.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.plots.approximations import plot_approximations
    from landscape.plots.batch_bias import plot_batch_bias
    from landscape.plots.batch_noise import plot_batch_noise
    from landscape.plots.batches import plot_batches
    from landscape.plots.best_steps import plot_best_steps
    from landscape.plots.compare import plot_compare
    from landscape.plots.gap import plot_gap
    from landscape.plots.improvement import plot_improvement
    from landscape.plots.line_search import plot_line_search
    from landscape.plots.loss_vs_accuracy import plot_loss_vs_accuracy
    from landscape.plots.losses import plot_losses
    from landscape.plots.overview import plot_overview
    from landscape.plots.parabola import plot_parabola
    from landscape.plots.peak_widths import plot_peak_widths
    from landscape.plots.saving import save, save_all
    from landscape.plots.schedules import plot_schedules
    from landscape.plots.slope_search import plot_slope_search
    from landscape.plots.stepwise import plot_stepwise
    from landscape.plots.theme import styled
    from landscape.plots.training import plot_training
    from landscape.plots.widening import plot_widening

__all__ = [
    "plot_approximations",
    "plot_batch_bias",
    "plot_batch_noise",
    "plot_batches",
    "plot_best_steps",
    "plot_compare",
    "plot_gap",
    "plot_improvement",
    "plot_line_search",
    "plot_loss_vs_accuracy",
    "plot_losses",
    "plot_overview",
    "plot_parabola",
    "plot_peak_widths",
    "plot_schedules",
    "plot_slope_search",
    "plot_stepwise",
    "plot_training",
    "plot_widening",
    "save",
    "save_all",
    "styled",
]
# Of the names that are no figure's.
MODULES = {"save": "saving", "save_all": "saving", "styled": "theme"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = MODULES.get(name, name.removeprefix("plot_"))
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
