"""What a line search saw in one training step, as it is stored."""

from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import torch

from landscape.errors import InvalidValueError
from landscape.metrics import METRICS
from landscape.optimizers.line_search.base import LineSearch
from landscape.probing.directions import registry as directions
from landscape.probing.settings import ProbeSettings


def search_settings(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The searched metric (a name in a store, or "own"), c and the like; {} without a search."""
    if not isinstance(optimizer, LineSearch):
        return {}
    group = optimizer.param_groups[0]
    plain = {
        name: group[name]
        for name, value in optimizer.defaults.items()
        # A loaded state adds to the defaults what is none of the line search's.
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
    """``settings``, and whatever else shows the slice that ``optimizer`` searches.

    That is the searched metric, on the same batch, at the optimizer's own slope factor. Nothing
    is added without a search, or for a metric of a user's own, which no store holds.
    """
    said = search_settings(optimizer)
    if said.get("metric") not in METRICS:
        return settings
    factors, own = settings.slope_factors, said.get("slope_factor")
    return replace(
        settings,
        metrics=(*settings.metrics, said["metric"]),
        sets=(*settings.sets, "same_batch"),
        slope_factors=factors if own is None or own in factors else sorted((*factors, own)),
    )


class SearchObserver:
    """Made before a step of ``optimizer``; tells afterwards what that step's search saw."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.learning_rate = float(optimizer.param_groups[0].get("lr", nan))
        if isinstance(optimizer, LineSearch):
            self._last = optimizer.last_search
            self._steps = optimizer.counts["steps"]

    def coordinates(self) -> dict[str, Any]:
        """Coordinates of the store's row: along ``checkpoint`` and (``checkpoint``, ``trial``).

        Raises :class:`InvalidValueError` unless a line search made one step in between.
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
                    f"{type(optimizer).__name__}; make one in each"
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
        # numpy's own kind of string: of Python's no array could be laid out before the first.
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
