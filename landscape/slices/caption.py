"""What slices and planes show, and what they do not, in a few sentences."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import xarray as xr

from landscape.slices.planes import cosine, is_plane, path_shown
from landscape.slices.schema import upgraded
from landscape.slices.selection import metric_values, require_slices, set_name
from landscape.slices.wording import name_label, number, one_line

LONGEST = 240  # characters of what a direction is
ORIGINS = {
    "before-step": "0 is the checkpoint itself",
    "after-step": "0 is one optimizer step after the checkpoint",
}


def caption(
    dataset: xr.Dataset, metric: str | None = None, evaluation_set: str | None = None
) -> str:
    """Say what a picture of slices or planes shows, from what is stored with them.

    It names axes and directions with their norms, the origin, the samples with the batch-norm
    policy, how many draws there are, and what the picture does not show.

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the metric that is shown; by default none is named.
        evaluation_set: name of the only set that is shown; by default all are named.

    Returns:
        Two to four sentences in one line.

    Raises:
        InvalidValueError: for what is neither slices nor planes, and for an unknown metric or set.
    """
    return " ".join(_sentences(dataset, metric, evaluation_set))


def shared_caption(
    datasets: Sequence[xr.Dataset], metric: str | None = None, evaluation_set: str | None = None
) -> str:
    """Say what is true of several stores that one picture shows.

    Args:
        datasets: slices or planes.
        metric: as in :func:`caption`.
        evaluation_set: as in :func:`caption`.

    Returns:
        The sentences of :func:`caption` that all have; where some differ, this is said.

    Raises:
        InvalidValueError: as in :func:`caption`.
    """
    first, *others = [_sentences(each, metric, evaluation_set) for each in datasets]
    shared = [each for each in first if all(each in other for other in others)]
    if any(other != first for other in others):
        shared.append("In what is not said here the stores differ.")
    return " ".join(shared)


def _sentences(dataset: xr.Dataset, metric: str | None, evaluation_set: str | None) -> list[str]:
    require_slices(dataset)
    dataset = upgraded(dataset)
    said = [_axes(dataset), _measured(dataset, metric, evaluation_set), _path(dataset)]
    return [*filter(None, said), _unseen(dataset)]


def _axes(dataset: xr.Dataset) -> str:
    """The points that are reached, the directions, and where 0 is."""
    if is_plane(dataset):
        points = "Step sizes s, t lead to θ + s·d₁ + t·d₂"
        angle = cosine(dataset)
        orthogonal = dataset.attrs.get("orthogonal", False)
        directions = [
            _direction(dataset, "d₁", ""),
            _direction(dataset, "d₂", "_2"),
            "d₁ and d₂ are orthogonal" if orthogonal else f"their cosine is {_range(angle)}",
        ]
    else:
        points, directions = "A step size s leads to θ + s·d", [_direction(dataset, "d", "")]
    origin = ORIGINS.get(str(dataset.attrs.get("origin")), "")
    return "; ".join(filter(None, [points, *directions, origin])) + "."


def _direction(dataset: xr.Dataset, name: str, which: str) -> str:
    """What a direction is, and its norm."""
    symbol, about = (
        one_line(str(dataset.attrs.get(f"direction_{key}{which}") or ""), LONGEST)
        for key in ("symbol", "about")
    )
    if which and about == dataset.attrs.get("direction_about"):
        about = "likewise"
    said = " is ".join([name, *filter(None, [symbol or about])])
    said += f" ({about})" * bool(symbol and about)
    if (eigenvalue := dataset.coords.get(f"eigenvalue{which}")) is not None:
        said += f", with the eigenvalue {_range(eigenvalue)}"
    norm = dataset.coords.get(f"direction_norm{which}")
    if norm is None:
        return said if symbol or about else ""
    if bool((norm == 1).all()):
        return f"{said}, of norm 1, so that a step size is a distance"
    return f"{said}, of norm {_range(norm)}"


def _measured(dataset: xr.Dataset, metric: str | None, evaluation_set: str | None) -> str:
    """The metric, the sets with their samples and batch-norm policies, and the draws."""
    what = "Measured"
    if metric is not None:
        name = str(metric_values(dataset, metric).attrs.get("long_name", name_label(metric)))
        what = f"{name[:1].upper()}{name[1:]} is measured"
    if evaluation_set is not None:
        dataset = dataset.sel(evaluation_set=[set_name(dataset, evaluation_set)])
    names = [name_label(str(each)) for each in dataset["evaluation_set"].values]
    if "samples" in dataset.coords:
        counts = dataset["samples"].values.tolist()
        names = [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]
        names[0] = f"{names[0][:-1]} samples)"
    if "batch_norm" in dataset.coords:
        policies = [str(each) for each in dataset["batch_norm"].values]
        together = groupby(zip(policies, names, strict=True), key=lambda each: each[0])
        sets = [f"{_listed([n for _, n in g])} with {p} statistics" for p, g in together]
        where = f"{' and on '.join(sets)} in any batch norm"
    else:
        where = _listed(names)
    draws = dataset.sizes["draw"]
    return f"{what} on {where}" + f"; {draws} draws" * (draws > 1) + "."


def _path(dataset: xr.Dataset) -> str:
    """That points of a training path are projections."""
    if not path_shown(dataset):
        return ""
    said = "Points of a training path are projections"
    if "path_explained" in dataset.coords:
        said += f", which keep {_range(100 * dataset['path_explained'])} % of its variance"
    return f"{said}."


def _unseen(dataset: xr.Dataset) -> str:
    """What one line or plane cannot show."""
    shape = "one plane" if is_plane(dataset) else "one line"
    return (
        f"This is {shape} out of as many dimensions as there are parameters: minima elsewhere are "
        "not seen, and widths compare networks of one architecture only."
    )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _range(values: xr.DataArray) -> str:
    """The lowest and the highest value, or the one that all have; what is no number is said."""
    finite = values.values[np.isfinite(values.values)]
    if not finite.size:
        return "nan"
    ends = " to ".join(dict.fromkeys(number(each) for each in (finite.min(), finite.max())))
    return f"{ends} (or not finite)" if finite.size < values.size else ends
