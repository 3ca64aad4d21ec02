"""The Dataset of one checkpoint: dimensions, coordinates, names and units."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from landscape.metrics import Metric
from landscape.network.measures import Units
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation import SET, UNIT, Values, gradient_policy
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.probing.path import Path
from landscape.probing.settings import ProbeSettings
from landscape.slices.schema import NAMES

AXES = ("step_size", "step_size_2")

# Coordinates of each draw that describe its direction.
NORMS: Mapping[str, Callable[[Direction], float]] = {
    "gradient_norm": lambda direction: direction.gradient_norm,
    "direction_norm": lambda direction: direction.norm,
    "direction_slope": lambda direction: direction.slope,
}


@dataclass(frozen=True)
class Draw:
    """What one draw measured.

    Attributes:
        directions: the direction along which it measured, or the two of a plane.
        sets: its evaluation sets.
        values: the values of each set, in the same order, each (points, samples); the points of a
            plane are those of all step sizes of the first direction for each of the second.
        cosine: that between the two directions of a plane, as they were taken.
        path: the path of the training, projected.
    """

    directions: Sequence[Direction]
    sets: Sequence[EvaluationSet]
    values: Sequence[Values]
    cosine: float | None = None
    path: Path | None = None

    @property
    def direction(self) -> Direction:
        """The first direction."""
        return self.directions[0]


def build(
    settings: ProbeSettings,
    draws: Sequence[Draw],
    *,
    iteration: int,
    epoch: float,
    learning_rate: float,
    unit: str = "nat",
) -> xr.DataTree:
    """Reduce the values of one checkpoint over samples, and label them.

    Means over samples are taken in float64.

    Args:
        settings: those of the probe.
        draws: the draws, at least one; all with the same names of sets.
        iteration: iteration of the checkpoint.
        epoch: epoch of the checkpoint; NaN if unknown.
        learning_rate: learning rate at the checkpoint; NaN if unknown.
        unit: the unit of the loss, "nat" or "1".

    Returns:
        At the root the slice, with dims ``checkpoint`` (1), ``draw``, ``evaluation_set``,
        ``step_size``, of a plane ``step_size_2`` and, for smooth accuracy, ``slope_factor``. If the
        settings keep samples, at ``per_sample/<evaluation set>`` the loss and the margin or
        residual of each sample in float32, its target and its place in the data. Where samples have
        several units (pixels, tokens), these values lie along ``unit``. There, and where not all
        might count, ``unit_sample`` is the place of the unit's sample along ``sample``, −1 for
        those that do not count, and ``weight`` that of the unit's loss in the mean.
    """
    sets = draws[0].sets
    along = draws[0].directions
    points = AXES[: len(along)]
    shape = tuple(len(each) for each in settings.fixed_axes)
    dims = ("checkpoint", "draw", "evaluation_set", *points)
    variables = {}
    assert settings.metrics is not None
    metrics = {name: settings.metric(name) for name in settings.metrics}
    for name, metric in metrics.items():
        values = [
            [_over_plane(_mean(name, metric, v, settings), shape) for v in draw.values]
            for draw in draws
        ]
        variables[name] = (dims + ("slope_factor",) * metric.sloped, np.array([values]))
    coordinates: dict[str, Any] = {
        "iteration": ("checkpoint", np.array([iteration], dtype=np.int64)),
        "epoch": ("checkpoint", np.array([epoch], dtype=np.float64)),
        "learning_rate": ("checkpoint", np.array([learning_rate], dtype=np.float64)),
        **_told(draws),
        "draw": ("draw", np.arange(len(draws))),
        "evaluation_set": ("evaluation_set", _strings(s.name for s in sets)),
        "kind": ("evaluation_set", _strings(s.kind for s in sets)),
        "samples": ("evaluation_set", np.array([len(s) for s in sets], dtype=np.int64)),
        "batch_norm": ("evaluation_set", _strings(_policy(s.batch_norm, along) for s in sets)),
        **{
            name: (name, np.array(steps))
            for name, steps in zip(points, settings.fixed_axes, strict=True)
        },
        **_path([each.path for each in draws if each.path is not None], points),
    }
    if any(metric.sloped for metric in metrics.values()):
        coordinates["slope_factor"] = ("slope_factor", np.array(settings.slope_factors))
    root = _named(xr.Dataset(variables, coordinates), settings.own_metrics, unit)
    root.attrs = {
        **_words(along),
        **({"orthogonal": settings.orthogonal} if len(along) > 1 else {}),
        "origin": settings.origin,
        "gradient_batch_norm": gradient_policy(settings.batch_norm["same_batch"]),
        "seed": settings.seed,
    }
    groups = {"/": root}
    if any(values.of["loss"] == SET for each in draws for values in each.values):
        root.attrs["per_sample"] = "left out: the loss gives nothing but its mean"
    elif settings.samples:
        for i, chosen in enumerate(sets):
            parts = [(draw.sets[i], draw.values[i]) for draw in draws]
            samples = _named(_samples(parts, shape), settings.own_metrics, unit)
            groups[f"/per_sample/{chosen.name}"] = samples
    return xr.DataTree.from_dict(groups)


def _told(draws: Sequence[Draw]) -> dict[str, Any]:
    """Norms, slopes and other numbers of each draw's directions."""
    told: list[dict[str, float]] = []
    for draw in draws:
        numbers: dict[str, float] = {}
        for i, direction in enumerate(draw.directions):
            second = "_2" * i
            own = {name: value(direction) for name, value in NORMS.items()}
            for name, number in {**own, **direction.numbers}.items():
                if not (second and name == "gradient_norm"):  # is one of both
                    numbers[name + second] = float(number)
        if draw.cosine is not None:
            numbers["direction_cosine"] = draw.cosine
        told.append(numbers)
    # A direction may bring a number in some draws alone.
    names = dict.fromkeys(name for each in told for name in each)
    return {
        name: (("checkpoint", "draw"), np.array([[each.get(name, np.nan) for each in told]]))
        for name in names
    }


def _words(directions: Sequence[Direction]) -> dict[str, str]:
    """What the directions are called."""
    alike = len({each.symbol for each in directions}) < len(directions)
    return {
        name + "_2" * i: word
        for i, each in enumerate(directions)
        for name, word in (
            ("direction", each.name),
            ("direction_symbol", f"{each.symbol} {i + 1}" if alike else each.symbol),
            ("direction_about", each.about),
            ("direction_set", each.taken_on),
        )
    }


def _policy(policy: str, directions: Sequence[Direction]) -> str:
    """The batch-norm policy of a set; running statistics may move along."""
    moves = policy == "running" and any(each.buffers for each in directions)
    return "interpolated" if moves else policy


def _path(paths: Sequence[Path], points: Sequence[str]) -> dict[str, Any]:
    """The path of the training in each draw, if it was projected."""
    if not paths:
        return {}
    dims, labels = ("checkpoint", "draw", "path"), ("checkpoint", "draw")
    return {
        "path_iteration": ("path", np.array(paths[0].iterations, dtype=np.int64)),
        "path_epoch": ("path", np.array(paths[0].epochs, dtype=np.float64)),
        **{
            f"path_{name}": (dims, np.array([[each.step_sizes[i] for each in paths]]))
            for i, name in enumerate(points)
        },
        "path_distance": (dims, np.array([[each.distances for each in paths]])),
        "path_explained": (labels, np.array([[each.explained for each in paths]])),
    }


def _over_plane(values: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """(points, …) -> (step sizes, …), or (step sizes, those of the second direction, …)."""
    if len(shape) == 1:
        return values
    return np.moveaxis(values.reshape(shape[1], shape[0], *values.shape[1:]), 0, 1)


def _samples(parts: Sequence[tuple[EvaluationSet, Values]], shape: tuple[int, ...]) -> xr.Dataset:
    dims, labels = ("checkpoint", "draw", *AXES[: len(shape)]), ("checkpoint", "draw")
    units, of = [v.units for _, v in parts], parts[0][1].of
    several = any(each.each != 1 for each in units)
    ignores = any(each.ignores for each in units)
    # Room for those that do not count, which are others at another checkpoint.
    most = max(each.samples * each.each for each in units)
    variables: dict[str, Any] = {}

    def along(name: str, dims: tuple[str, ...], arrays: list[np.ndarray[Any, Any]]) -> None:
        if of.get(name, UNIT) == UNIT:
            arrays = [_spread(a, each, most) for a, each in zip(arrays, units, strict=True)]
            dims = (*dims, "unit" if several else "sample")
        else:
            dims = (*dims, "sample")
        variables[name] = (dims, np.stack(arrays)[None])

    with np.errstate(over="ignore"):  # values beyond float32's range become infinite
        for name in of:
            along(
                name,
                dims,
                [_over_plane(_numpy(v.arrays[name]).astype(np.float32), shape) for _, v in parts],
            )
    if units[0].targets is not None:
        along("target", labels, [_numpy(each.targets) for each in units])
    index = np.stack([_numpy(s.indices) for s, _ in parts])[None]
    variables["index"] = ((*labels, "sample"), index)
    if several or ignores:
        along("unit_sample", labels, [_numpy(each.sample) for each in units])
    if several or ignores or any(each.weight is not None for each in units):
        weights = [np.ones(e.count) if e.weight is None else _numpy(e.weight) for e in units]
        along("weight", labels, [each.astype(np.float32) for each in weights])
    return xr.Dataset(variables)


def _spread(array: np.ndarray[Any, Any], units: Units, most: int) -> np.ndarray[Any, Any]:
    """Values of units at the places of all, so that every draw and checkpoint has as many."""
    # Those that do not count have no sample (−1), weight 0 and NaN as values.
    nothing = -1 if array.dtype.kind in "iu" else 0 if array.ndim == 1 else np.nan
    spread = np.full((*array.shape[:-1], most), nothing, array.dtype)
    places = np.arange(units.samples * units.each)
    spread[..., places if units.keep is None else places[_numpy(units.keep)]] = array
    return spread


def _mean(
    name: str, metric: Metric, values: Values, settings: ProbeSettings
) -> np.ndarray[Any, Any]:
    """The metric at each step size, (S,) or, with slope factors, (S, slope factors)."""
    array = values.arrays[metric.of if name not in settings.own_metrics else name]
    rows = [row.astype(np.float64) for row in _numpy(array)]
    if name in settings.own_metrics:
        return np.array([np.mean(row) for row in rows])
    if metric.of_targets:
        shape = (values.units.samples, -1)
        targets = _numpy(values.units.targets).astype(np.float64).reshape(shape)
        with np.errstate(divide="ignore", invalid="ignore"):  # where all targets are equal
            return np.array([np.mean(metric.values(row.reshape(shape), targets)) for row in rows])
    if metric.of == "loss" and values.weight is not None:
        weight = _numpy(values.weight)
        return np.array([np.sum(weight * metric.values(row)) / np.sum(weight) for row in rows])
    if not metric.sloped:
        return np.array([np.mean(metric.values(row)) for row in rows])
    return np.array(
        [[np.mean(metric.values(row, s)) for s in settings.slope_factors] for row in rows]
    )


def _numpy(array: Any) -> np.ndarray[Any, Any]:
    result: np.ndarray[Any, Any] = array.cpu().numpy()
    return result


def _named(dataset: xr.Dataset, own: Mapping[str, Metric], unit: str) -> xr.Dataset:
    for name, variable in dataset.variables.items():
        if name in own:
            metric = own[str(name)]
            variable.attrs.update(long_name=metric.long_name, units=metric.units, mode=metric.mode)
            continue
        variable.attrs["long_name"], variable.attrs["units"] = NAMES[str(name)]
        if name == "loss":
            variable.attrs["units"] = unit
    return dataset


def _strings(values: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.array(list(values), dtype=object)
