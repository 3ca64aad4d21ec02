"""The figures there are, by name. Reading the list loads none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from landscape.errors import unknown


@dataclass(frozen=True)
class Figure:
    """A figure's name, where its function is ("module:function"), and what it can be asked.

    ``options`` are keyword arguments of the function. ``source`` is what it draws: the "slices"
    of one store, those of several "stores" side by side (a list of Datasets), slices recorded
    with their line "searches", the histories of several "runs", or "formulas" alone (no Dataset).
    """

    name: str
    function: str
    summary: str
    options: tuple[str, ...]
    source: str = "slices"

    def load(self) -> Callable[..., Any]:
        """The function, ``plot_x(dataset, *, ax=None, **options)``; of formulas, no dataset."""
        module, function = self.function.split(":")
        loaded: Callable[..., Any] = getattr(import_module(module), function)
        return loaded


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        figure.name: figure
        for figure in (
            Figure(
                "loss-vs-accuracy",
                "landscape.plots.loss_vs_accuracy:plot_loss_vs_accuracy",
                "Loss and accuracy of one evaluation set along the gradient.",
                ("checkpoint", "evaluation_set", "scale", "value_scale"),
            ),
            Figure(
                "widening",
                "landscape.plots.widening:plot_widening",
                "One evaluation set at all checkpoints: the peak widens as training proceeds.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "against",
                    "scale",
                    "value_scale",
                ),
            ),
            Figure(
                "batches",
                "landscape.plots.batches:plot_batches",
                "All evaluation sets at one checkpoint.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "gap",
                "landscape.plots.gap:plot_gap",
                "Big batch against validation at several checkpoints.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "stepwise",
                "landscape.plots.stepwise:plot_stepwise",
                "Accuracy close to the origin, in steps of one sample.",
                ("checkpoint", "evaluation_set", "draw", "scale"),
            ),
            Figure(
                "parabola",
                "landscape.plots.parabola:plot_parabola",
                "Slices and the parabolas that are to foretell their minimum.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "draw",
                    "reach",
                    "scale",
                ),
            ),
            Figure(
                "approximations",
                "landscape.plots.approximations:plot_approximations",
                "Armijo's line at several c; smooth accuracy at several slope factors.",
                ("checkpoint", "metric", "slope_factor", "c", "draw", "scale"),
            ),
            Figure(
                "batch-bias",
                "landscape.plots.batch_bias:plot_batch_bias",
                "Batch bias with 95 % intervals, along the slice and over training.",
                ("checkpoint", "metric", "slope_factor", "step_size", "scale"),
            ),
            Figure(
                "overview",
                "landscape.plots.overview:plot_overview",
                "All evaluation sets at all checkpoints, a panel a checkpoint.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "best-steps",
                "landscape.plots.best_steps:plot_best_steps",
                "Best step size over training.",
                ("checkpoint", "metric", "evaluation_set", "slope_factor"),
            ),
            Figure(
                "improvement",
                "landscape.plots.improvement:plot_improvement",
                "How much better the best step size is than 0, over training.",
                ("checkpoint", "metric", "evaluation_set", "slope_factor", "value_scale"),
            ),
            Figure(
                "peak-widths",
                "landscape.plots.peak_widths:plot_peak_widths",
                "Width of the peak over training.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "tolerance",
                    "relative",
                    "against",
                    "slope_factor",
                    "value_scale",
                ),
            ),
            Figure(
                "line-search",
                "landscape.plots.line_search:plot_line_search",
                "What a line search saw at one step: slice, Armijo's line and trials.",
                ("checkpoint", "scale", "value_scale"),
                source="searches",
            ),
            Figure(
                "compare",
                "landscape.plots.compare:plot_compare",
                "A checkpoint probed in several ways, a panel each.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
                source="stores",
            ),
            Figure(
                "batch-noise",
                "landscape.plots.batch_noise:plot_batch_noise",
                "Noise between batches against their size, of stores probed with several.",
                ("checkpoint", "metric", "slope_factor", "step_size"),
                source="stores",
            ),
            Figure(
                "losses",
                "landscape.plots.losses:plot_losses",
                "Losses and accuracies of one sample against the probability of its class.",
                (),
                source="formulas",
            ),
            Figure(
                "training",
                "landscape.plots.training:plot_training",
                "Step size and validation accuracy over the epochs of several runs.",
                ("accuracy_from",),
                source="runs",
            ),
            Figure(
                "schedules",
                "landscape.plots.schedules:plot_schedules",
                "Learning rate over the epochs of several runs.",
                ("value_scale",),
                source="runs",
            ),
            Figure(
                "slope-search",
                "landscape.plots.slope_search:plot_slope_search",
                "Best validation accuracy of sa-SLS runs against their slope factor.",
                (),
                source="runs",
            ),
        )
    }
)


def get(name: str) -> Figure:
    """The figure called ``name``; an unknown name raises and lists those there are."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]
