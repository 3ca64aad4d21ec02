"""One slice of each of several stores, told apart by what sets the stores apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import xarray as xr
from matplotlib.axes import Axes

from landscape.errors import InvalidValueError
from landscape.plots.drawing import captions, style
from landscape.plots.drawing.store_names import name_shared, names_apart
from landscape.slices import wording
from landscape.slices.choice import Checkpoints, choose_checkpoint, choose_metric, main_set
from landscape.slices.selection import set_name

SIZE = 6.5  # points, of titles of panels and of legends


@dataclass(frozen=True)
class Several:
    """The slices of several stores that one figure shows.

    Attributes:
        datasets: the stores, each with the one checkpoint that is shown.
        evaluation_set: the set that is shown.
        names: of each store, for a legend.
        looks: of each store.
        title: what all share: task, optimizer and checkpoint.
    """

    datasets: Sequence[xr.Dataset]
    evaluation_set: str
    names: Sequence[str]
    looks: Sequence[style.Style]
    title: str

    def values(self, metric: str, slope_factor: float | None) -> list[xr.DataArray]:
        """Take the values of a metric.

        Args:
            metric: its name.
            slope_factor: that of a smooth metric.

        Returns:
            Values over draw and step_size, one array for each store.

        Raises:
            InvalidValueError: for what a store does not have.
        """
        return [
            choose_metric(each, metric, slope_factor)
            .isel(checkpoint=0)
            .sel(evaluation_set=self.evaluation_set)
            for each in self.datasets
        ]

    def along(self, word: str = "step size") -> str:
        """Label the axis along the slices.

        Args:
            word: what is measured along them.

        Returns:
            The label, with the direction where all stores have the same.
        """
        found = [wording.step_label(each["step_size"], each) for each in self.datasets]
        label = found[0] if len(set(found)) == 1 else found[0].split(" along ")[0]
        return label.replace("step size", word, 1)


def choose_slices(
    datasets: Sequence[xr.Dataset], checkpoint: Checkpoints, evaluation_set: str | None
) -> Several:
    """Choose a checkpoint and an evaluation set of each store, and name the stores.

    Args:
        datasets: slices, as a store gives them.
        checkpoint: the iteration; by default the last that all stores have, or else the last of
            each.
        evaluation_set: the set; by default validation, or the first one of the first store.

    Returns:
        What is shown.

    Raises:
        InvalidValueError: without a store, and for what one of them does not have.
    """
    if not datasets:
        raise InvalidValueError("no store was given; give at least one")
    name = main_set(datasets[0], evaluation_set)
    if checkpoint is None:
        there = [set(each["iteration"].values.tolist()) for each in datasets]
        checkpoint = max(set.intersection(*there), default=None)
    chosen = [
        each.isel(checkpoint=[-1 if checkpoint is None else choose_checkpoint(each, checkpoint)])
        for each in datasets
    ]
    for each in chosen:
        set_name(each, name)
    shown = [each["iteration"].isel(checkpoint=0) for each in chosen]
    names = _named(names_apart(chosen, shown), datasets) if len(chosen) > 1 else [""]
    looks = style.setting_styles(len(chosen), ordered=False)
    return Several(chosen, name, names, looks, name_shared(chosen, shown))


def name_stores(datasets: Sequence[xr.Dataset]) -> list[str]:
    """Name stores of which several checkpoints are shown, by what sets them apart.

    Args:
        datasets: slices, as a store gives them.

    Returns:
        One name for each.

    Raises:
        InvalidValueError: without a store.
    """
    if not datasets:
        raise InvalidValueError("no store was given; give at least one")
    return _named(names_apart(datasets), datasets) if len(datasets) > 1 else [""]


def _named(names: list[str], datasets: Sequence[xr.Dataset]) -> list[str]:
    """The names; where several stores have one, with what their paths differ in, or numbers."""
    if len(set(names)) == len(names):
        return names
    paths = [PurePath(each.encoding.get("source", "")).parts for each in datasets]
    shared = set.intersection(*map(set, paths))
    places = ["/".join(part for part in each if part not in shared) for each in paths]
    if len(set(places)) < len(places) or not all(places):
        places = [f"store {i}" for i in range(1, len(places) + 1)]
    return [
        ", ".join(filter(None, [name, place if names.count(name) > 1 else ""]))
        for name, place in zip(names, places, strict=True)
    ]


def fitted(label: str, width: float) -> str:
    """Break a legend entry into lines that fit.

    Args:
        label: the entry.
        width: what the legend may take, in inches.

    Returns:
        The entry, with line ends between words.
    """
    beside = 0.6  # inches of the line before the entry, and of margins
    return "\n".join(captions.lines(label, (width - beside) / captions.WIDER, SIZE))


def title_lines(name: str, panel: Axes, columns: int) -> list[str]:
    """Break a panel's title into lines that fit.

    Args:
        name: the title.
        panel: where it is written.
        columns: how many panels are side by side.

    Returns:
        The lines.
    """
    labels = 0.6  # inches that the labels of a row take beside its panels
    width = style.available_width(panel) - labels / columns
    return captions.lines(name, width / captions.WIDER, SIZE)
