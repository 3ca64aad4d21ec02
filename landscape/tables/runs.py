"""Tables that compare runs, made from a collection of histories."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.histories import collection as histories
from landscape.histories.collection import Group

UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def benchmark(dataset: xr.Dataset) -> pd.DataFrame:
    """Best validation accuracy by task and optimizer in % (Tables 1, 2, 4 and 5 of [Hackel2023]).

    Args:
        dataset: a collection of runs (:func:`landscape.histories.collect`).

    Returns:
        A row for each task and label. A column for each seed, then mean and sd over the seeds, the
        mean of the accuracy after the last epoch, and the mean time of a run (training and
        validation) in the unit that fits. The sd is that of the population, as published:
        √(Σ(a − ā)²/n); a single run has none. Where a run is unfinished, a further column shows how
        many epochs each one has done.

    Raises:
        InvalidValueError: where two runs have the same task, settings and seed, for a Dataset that
            is no collection, and where no run has finished an epoch.
    """
    groups = histories.groups(dataset)
    seeds = sorted({int(seed) for seed in dataset["seed"].values})
    times = [_seconds(group.runs) for group in groups]
    size, unit = next((u for u in UNITS if max(times) >= u[0]), UNITS[-1])
    rows = []
    for group, time in zip(groups, times, strict=True):
        best = 100 * histories.best_accuracy(group.runs).values
        final = 100 * histories.final_accuracy(group.runs).values
        of_seed = dict(zip(_seeds(group), best, strict=True))
        rows.append(
            {f"seed {seed} (%)": of_seed.get(seed, np.nan) for seed in seeds}
            | {"mean (%)": best.mean(), "sd (%)": best.std() if len(best) > 1 else np.nan}
            | {"final mean (%)": final.mean(), f"time ({unit})": time / size}
        )
    frame = _frame(groups, rows)
    note = (
        "Best validation accuracy over the epochs: it flatters, since the epoch is chosen by the "
        "accuracy that is reported; the final mean does not. "
        + ("" if len(seeds) == 1 else "sd: population's. ")
        + f"Time: mean of a run, validation included, on {_devices(dataset)}."
    )
    if histories.unfinished(dataset).any():
        frame["epochs"] = [_epochs(group.runs) for group in groups]
        note += " Some runs are unfinished: epochs done, by seed, of those asked for."
    frame.attrs["note"] = note
    return frame


def passes(dataset: xr.Dataset) -> pd.DataFrame:
    """Forward and backward passes per step, and what the searches did (Table 6 of [Hackel2023]).

    Passes are those of training, without validation. Everything is summed over the epochs and runs
    of a setting and divided last.

    Args:
        dataset: a collection of runs (:func:`landscape.histories.collect`).

    Returns:
        A row for each task and label: number of runs, ``steps`` (the mean number of updates of a
        run), forward and backward passes per step, trials per search, and skipped and exhausted
        searches per 1000 steps; NaN where nothing was searched or recorded.

    Raises:
        InvalidValueError: for a Dataset that is no collection, and where no run has finished an
            epoch.
    """
    groups = histories.groups(dataset)
    rows = []
    for group in groups:
        steps = sum(each[-1] for each in group.series("iteration") if each.size)
        searched = _total(group, "searches") + _total(group, "skipped")
        # An optimizer without searches has none that were skipped or exhausted either.
        per_1000 = steps / 1000 if searched > 0 else np.nan
        rows.append(
            {
                "runs": group.runs.sizes["run"],
                "steps": steps / group.runs.sizes["run"],
                "forward per step": _ratio(_total(group, "forward_passes"), steps),
                "backward per step": _ratio(_total(group, "backward_passes"), steps),
                "trials per search": _ratio(_total(group, "trials"), _total(group, "searches")),
                "skipped per 1000": _ratio(_total(group, "skipped"), per_1000),
                "exhausted per 1000": _ratio(_total(group, "exhausted"), per_1000),
            }
        )
    frame = _frame(groups, rows)
    note = (
        "Forward and backward passes of training per step, without validation; trials per search; "
        "searches skipped (no positive slope) and exhausted per 1000 steps."
    )
    if histories.unfinished(dataset).any():
        note += " Some runs are unfinished."
    frame.attrs["note"] = note
    return frame


def _frame(groups: Sequence[Group], rows: Sequence[dict[str, float]]) -> pd.DataFrame:
    pairs = [(group.task, group.label) for group in groups]
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(pairs, names=["task", "optimizer"]))


def _seeds(group: Group) -> list[int]:
    """The seeds of a group's runs, refused if two runs share one."""
    runs: dict[int, str] = {}
    for seed, name in zip(group.runs["seed"].values, group.runs["run"].values, strict=True):
        if int(seed) in runs:
            raise InvalidValueError(
                f"runs {runs[int(seed)]!r} and {str(name)!r} have the same task, settings and "
                f"seed {seed}; give one of them"
            )
        runs[int(seed)] = str(name)
    return list(runs)


def _seconds(runs: xr.Dataset) -> float:
    """Mean time of a run, in seconds."""
    return float(np.mean([each.sum() for each in histories.series(runs, "seconds")]))


def _total(group: Group, name: str) -> float:
    """The sum of a count over epochs and runs; NaN where it was not recorded."""
    if name not in group.runs:
        return np.nan
    return float(sum(each.sum() for each in group.series(name)))


def _ratio(count: float, of: float) -> float:
    return count / of if of else np.nan


def _epochs(runs: xr.Dataset) -> str:
    ordered = runs.sortby("seed")
    done, asked = ordered["epochs_done"].values, sorted(set(ordered["epochs_asked"].values))
    return f"{', '.join(map(str, done))} of {' or '.join(map(str, asked))}"


def _devices(dataset: xr.Dataset) -> str:
    return " or ".join(dict.fromkeys(map(str, dataset["device_name"].values)))
