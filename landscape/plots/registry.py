"""The figures by name. Reading the list loads none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import Any

from landscape.errors import UnknownNameError


@dataclass(frozen=True)
class Figure:
    """A figure's name, and the options it takes.

    The figure "peak-widths" is drawn by ``plot_peak_widths`` in ``landscape/plots/peak_widths.py``.

    Attributes:
        name: its name on the command line.
        summary: one sentence, for lists of figures and the command's help.
        options: keyword arguments of its function that a command offers; "caption" is added to
            them for figures of slices, and "title" for all.
        source: what it draws: the "slices" of one store, its "planes", the training "paths" that
            were projected onto either, those of several "stores" side by side (a list of Datasets),
            slices recorded with their line "searches", the histories of several "runs", "classes"
            (slices by class, of per-sample values), or "formulas" alone (no Dataset).
        package: where its module is.
        several: whether a figure of slices also takes a list of Datasets, of several stores.
        one_set: where it shows one evaluation set alone, the one that it shows by default.
        metric: which metric it shows by default, in words.
    """

    name: str
    summary: str
    options: tuple[str, ...]
    source: str = "slices"
    package: str = "landscape.plots"
    several: bool = False
    one_set: str = ""
    metric: str = "accuracy, or else loss"

    @property
    def module(self) -> str:
        """The name of its module, and of the method ``dataset.landscape.plot.…``."""
        return self.name.replace("-", "_")

    @property
    def function(self) -> str:
        """The name of its function."""
        return f"plot_{self.module}"

    def load(self) -> Callable[..., Any]:
        """Load ``plot_x(dataset, *, ax=None, **options)``; of formulas there is no dataset."""
        module = import_module(f"{self.package}.{self.module}")
        loaded: Callable[..., Any] = getattr(module, self.function)
        return loaded


# Sources of which the decorator of figures knows what they show, so that it takes ``caption``.
CAPTIONED = ("slices", "planes", "paths", "searches", "stores")

FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        figure.name: replace(
            figure,
            options=(*figure.options, *["caption"] * (figure.source in CAPTIONED), "title"),
        )
        for figure in (
            Figure(
                "loss-vs-accuracy",
                "Loss and accuracy of one evaluation set.",
                ("checkpoint", "evaluation_set", "scale", "value_scale"),
                one_set="same_batch",
            ),
            Figure(
                "widening",
                "One evaluation set at all checkpoints: the peak widens.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "against",
                    "scale",
                    "value_scale",
                    "together",
                ),
                one_set="same_batch",
                several=True,
            ),
            Figure(
                "batches",
                "All evaluation sets at one checkpoint.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "gap",
                "Big batch against validation at several checkpoints.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "stepwise",
                "Accuracy close to step size 0, in steps of one sample.",
                ("checkpoint", "evaluation_set", "draw", "scale"),
                one_set="same_batch",
            ),
            Figure(
                "parabola",
                "Slices and the parabolas that predict their minimum.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "draw",
                    "reach",
                    "scale",
                ),
                one_set="same_batch",
                metric="loss",
            ),
            Figure(
                "approximations",
                "Armijo's line and smooth accuracy at several constants.",
                ("checkpoint", "metric", "slope_factor", "c", "draw", "scale"),
                metric="loss",
            ),
            Figure(
                "batch-bias",
                "Batch bias along the slice and over training.",
                ("checkpoint", "metric", "slope_factor", "step_size", "scale"),
                metric="loss",
            ),
            Figure(
                "overview",
                "All evaluation sets, one panel per checkpoint.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale"),
            ),
            Figure(
                "best-steps",
                "Best step size over training.",
                ("checkpoint", "metric", "evaluation_set", "slope_factor"),
                metric="loss, accuracy and smooth accuracy",
            ),
            Figure(
                "improvement",
                "How much the best step size gains, over training.",
                ("checkpoint", "metric", "evaluation_set", "slope_factor", "value_scale"),
                metric="loss, accuracy and smooth accuracy",
            ),
            Figure(
                "peak-widths",
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
                several=True,
                metric="loss, accuracy and smooth accuracy",
            ),
            Figure(
                "sharpness",
                "Sharpness over training, against 2/learning rate.",
                ("checkpoint", "evaluation_set", "value_scale"),
                one_set="same_batch",
            ),
            Figure(
                "plane",
                "A metric over the plane of two directions, as contours.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "draw",
                    "against",
                    "value_scale",
                    "path",
                ),
                source="planes",
                one_set="validation",
            ),
            Figure(
                "trajectory",
                "The path of the training on a plane or along a line.",
                ("checkpoint", "draw", "against"),
                source="paths",
            ),
            Figure(
                "line-search",
                "A line search at one step: its slice and its trials.",
                ("checkpoint", "scale", "value_scale"),
                source="searches",
            ),
            Figure(
                "classes",
                "Each class of one evaluation set, at one checkpoint.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "scale",
                    "value_scale",
                ),
                one_set="validation",
                source="classes",
            ),
            Figure(
                "compare",
                "A checkpoint probed in several ways, one panel each.",
                ("checkpoint", "metric", "slope_factor", "scale", "value_scale", "difference"),
                source="stores",
            ),
            Figure(
                "batch-noise",
                "Noise between batches, one store per batch size.",
                ("checkpoint", "metric", "slope_factor", "step_size"),
                source="stores",
                metric="loss",
            ),
            Figure(
                "overlay",
                "The same slice of several stores, one curve each.",
                (
                    "checkpoint",
                    "metric",
                    "evaluation_set",
                    "slope_factor",
                    "against",
                    "scale",
                    "value_scale",
                ),
                source="stores",
                one_set="validation",
            ),
            Figure(
                "interpolation",
                "The line between two checkpoints, and its barrier.",
                ("checkpoint", "metric", "evaluation_set", "slope_factor", "value_scale"),
                source="stores",
                metric="loss and accuracy",
            ),
            Figure(
                "losses",
                "Losses against the probability of a sample's class.",
                (),
                source="formulas",
            ),
            Figure(
                "training",
                "Step size and accuracy over the epochs of several runs.",
                ("accuracy_from",),
                source="runs",
            ),
            Figure(
                "schedules",
                "Learning rate over the epochs of several runs.",
                ("value_scale",),
                source="runs",
            ),
            Figure(
                "slope-search",
                "Best accuracy of sa-SLS runs against slope factors.",
                (),
                source="runs",
            ),
        )
    }
)


def get(name: str) -> Figure:
    """Look up the figure called ``name``.

    >>> landscape.plots.registry.get("peak-widths").summary
    'Width of the peak over training.'

    Args:
        name: its name on the command line, a key of :data:`FIGURES`.

    Returns:
        The figure.

    Raises:
        UnknownNameError: for an unknown name.
    """
    if name not in FIGURES:
        raise UnknownNameError("figure", name, FIGURES)
    return FIGURES[name]
