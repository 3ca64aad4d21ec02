"""What a line search measured in one training step, as it is stored."""

from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import torch

from landscape.errors import InvalidValueError
from landscape.metrics import METRICS
from landscape.network.measures.measure import DEFAULT_METRICS
from landscape.optimizers.line_search.base import LineSearch
from landscape.probing.directions import registry as directions
from landscape.probing.settings import ProbeSettings


def search_settings(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Describe what a line search searches, and how.

    Args:
        optimizer: any optimizer of torch's interface.

    Returns:
        ``metric`` (a metric's name, or "own"), ``mode`` ("max" or "min"), ``symbol`` and
        ``normalised`` of the direction, and settings like ``c`` and ``beta``; {} for an optimizer
        that is no line search.
    """
    if not isinstance(optimizer, LineSearch):
        return {}
    group = optimizer.param_groups[0]
    plain = {
        name: group[name]
        for name, value in optimizer.defaults.items()
        # A loaded state can add defaults that are not the line search's.
        if name != "lr" and name in group and isinstance(value, int | float | str | None)
    }
    if not optimizer.sloped:
        plain.pop("slope_factor", None)
    return {
        "metric": optimizer.searched,
        "mode": optimizer.mode,
        "symbol": directions.get(group["direction"]).symbol,
        "normalised": optimizer.normalised,
        **plain,
    }


def with_search(settings: ProbeSettings, optimizer: torch.optim.Optimizer) -> ProbeSettings:
    """Add to a probe's settings what shows the slice that a line search searches.

    That is the searched metric, on the gradient's own batch, at the line search's slope factor.
    Nothing is added for other optimizers, or for a metric of a user's own, which no store holds.

    Args:
        settings: of the probe.
        optimizer: any optimizer of torch's interface.

    Returns:
        The settings, with the additions.
    """
    said = search_settings(optimizer)
    if said.get("metric") not in METRICS:
        return settings
    metrics = DEFAULT_METRICS["margin"] if settings.metrics is None else settings.metrics
    factors, own = settings.slope_factors, said.get("slope_factor")
    return replace(
        settings,
        metrics=(*metrics, said["metric"]),
        sets=(*settings.sets, "same_batch"),
        slope_factors=factors if own is None or own in factors else sorted((*factors, own)),
    )


class SearchObserver:
    """Reads after a training step what the step's search measured; it is made before the step.

    Args:
        optimizer: any optimizer of torch's interface.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.learning_rate = float(optimizer.param_groups[0].get("lr", nan))
        if isinstance(optimizer, LineSearch):
            self._last = optimizer.last_search
            self._steps = optimizer.counts["steps"]

    def coordinates(self) -> dict[str, Any]:
        """Coordinates of the store's row, along ``checkpoint`` and (``checkpoint``, ``trial``).

        Returns:
            Name -> (dimensions, values, attributes), with one checkpoint.

        Raises:
            InvalidValueError: where a line search made no step since, or more than one.
        """
        value = slope = nan
        step_size, outcome, width = self.learning_rate, "none", 1
        trials: tuple[tuple[float, float], ...] = ()
        units = "1"
        optimizer = self._optimizer
        if isinstance(optimizer, LineSearch):
            made = optimizer.counts["steps"] - self._steps
            if made != 1:
                raise InvalidValueError(
                    f"the block of a training step made {made} steps of "
                    f"{type(optimizer).__name__}; make one in each block"
                )
            width, outcome = optimizer.param_groups[0]["max_trials"], "held"
            metric = METRICS.get(optimizer.searched)
            units = metric.units if metric else "1"
            found = optimizer.last_search
            if found is not None and found is not self._last:
                value, slope, trials = found.value, found.slope, found.trials
                step_size, outcome = found.step_size, found.outcome
        padded = np.full((2, 1, width), nan)
        padded[:, 0, : len(trials)] = np.array(trials).reshape(-1, 2).T
        along, each = "checkpoint", ("checkpoint", "trial")
        # numpy's string dtype: Python strings give an array no layout before the first is known.
        text = np.array([outcome], dtype=np.dtypes.StringDType())
        return {
            "search_value": (along, [value], _named("searched value at 0", units)),
            "search_slope": (along, [slope], _named("slope of the searched value", units)),
            "search_step_size": (along, [step_size], _named("step size taken")),
            "search_outcome": (along, text, _named("outcome of the search")),
            "trial_step_size": (each, padded[0], _named("step size tried")),
            "trial_value": (each, padded[1], _named("searched value at the trial", units)),
        }


def _named(long_name: str, units: str = "1") -> dict[str, str]:
    return {"long_name": long_name, "units": units}
