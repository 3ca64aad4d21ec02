"""The Dataset of one checkpoint: dimensions, coordinates, names and units."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from landscape.metrics import METRICS
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation import Values, gradient_policy
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.probing.settings import ProbeSettings
from landscape.slices.schema import NAMES

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
        direction: the direction along which it measured.
        sets: its evaluation sets.
        values: the values of each set, in the same order, each (step sizes, samples).
    """

    direction: Direction
    sets: Sequence[EvaluationSet]
    values: Sequence[Values]


def build(
    settings: ProbeSettings,
    draws: Sequence[Draw],
    *,
    iteration: int,
    epoch: float,
    learning_rate: float,
) -> xr.DataTree:
    """Reduce the values of one checkpoint over samples, and label them.

    Means over samples are taken in float64.

    Args:
        settings: those of the probe.
        draws: the draws, at least one; all with the same names of sets.
        iteration: iteration of the checkpoint.
        epoch: epoch of the checkpoint; NaN if unknown.
        learning_rate: learning rate at the checkpoint; NaN if unknown.

    Returns:
        At the root the slice, with dims ``checkpoint`` (1), ``draw``, ``evaluation_set``,
        ``step_size`` and, for smooth accuracy, ``slope_factor``. If the settings keep samples, at
        ``per_sample/<evaluation set>`` the loss and margin of each sample in float32, its class
        label and its place in the data.
    """
    sets = draws[0].sets
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    variables = {}
    for name in settings.metrics:
        sloped = METRICS[name].sloped
        values = [[_mean(name, v, settings) for v in draw.values] for draw in draws]
        variables[name] = (dims + ("slope_factor",) * sloped, np.array([values]))
    coordinates: dict[str, Any] = {
        "iteration": ("checkpoint", np.array([iteration], dtype=np.int64)),
        "epoch": ("checkpoint", np.array([epoch], dtype=np.float64)),
        "learning_rate": ("checkpoint", np.array([learning_rate], dtype=np.float64)),
        **{
            name: (("checkpoint", "draw"), np.array([[value(each.direction) for each in draws]]))
            for name, value in NORMS.items()
        },
        "draw": ("draw", np.arange(len(draws))),
        "evaluation_set": ("evaluation_set", _strings(s.name for s in sets)),
        "kind": ("evaluation_set", _strings(s.kind for s in sets)),
        "samples": ("evaluation_set", np.array([len(s) for s in sets], dtype=np.int64)),
        "batch_norm": ("evaluation_set", _strings(s.batch_norm for s in sets)),
        "step_size": ("step_size", np.array(settings.fixed_step_sizes)),
    }
    if any(METRICS[name].sloped for name in settings.metrics):
        coordinates["slope_factor"] = ("slope_factor", np.array(settings.slope_factors))
    root = _named(xr.Dataset(variables, coordinates))
    along = draws[0].direction
    root.attrs = {
        "direction": along.name,
        "direction_symbol": along.symbol,
        "origin": settings.origin,
        "gradient_batch_norm": gradient_policy(settings.batch_norm["same_batch"]),
        "seed": settings.seed,
    }
    groups = {"/": root}
    if settings.samples:
        for i, chosen in enumerate(sets):
            parts = [(draw.sets[i], draw.values[i]) for draw in draws]
            groups[f"/per_sample/{chosen.name}"] = _samples(parts)
    return xr.DataTree.from_dict(groups)


def _samples(parts: Sequence[tuple[EvaluationSet, Values]]) -> xr.Dataset:
    dims = ("checkpoint", "draw", "step_size", "sample")
    with np.errstate(over="ignore"):  # values beyond float32's range become infinite
        losses = np.stack([_numpy(v.loss) for _, v in parts]).astype(np.float32)
        margins = np.stack([_numpy(v.margin) for _, v in parts]).astype(np.float32)
    labels = ("checkpoint", "draw", "sample")
    return _named(
        xr.Dataset(
            {
                "loss": (dims, losses[None]),
                "margin": (dims, margins[None]),
                "target": (labels, np.stack([_numpy(s.targets) for s, _ in parts])[None]),
                "index": (labels, np.stack([_numpy(s.indices) for s, _ in parts])[None]),
            },
            {},
        )
    )


def _mean(name: str, values: Values, settings: ProbeSettings) -> np.ndarray[Any, Any]:
    """The metric at each step size, (S,) or, with slope factors, (S, slope factors)."""
    metric = METRICS[name]
    array = values.loss if metric.of == "loss" else values.margin
    rows = [row.astype(np.float64) for row in _numpy(array)]
    if not metric.sloped:
        return np.array([np.mean(metric.values(row)) for row in rows])
    return np.array(
        [[np.mean(metric.values(row, s)) for s in settings.slope_factors] for row in rows]
    )


def _numpy(array: Any) -> np.ndarray[Any, Any]:
    result: np.ndarray[Any, Any] = array.cpu().numpy()
    return result


def _named(dataset: xr.Dataset) -> xr.Dataset:
    for name, variable in dataset.variables.items():
        variable.attrs["long_name"], variable.attrs["units"] = NAMES[str(name)]
    return dataset


def _strings(values: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.array(list(values), dtype=object)
