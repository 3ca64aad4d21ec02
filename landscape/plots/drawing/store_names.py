"""How several stores differ, and what they share, in the words of titles."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from landscape.histories import labels
from landscape.slices.wording import (
    checkpoint_label,
    optimizer_name,
    placed_by,
    run_label,
    shortened,
    source_names,
    task_label,
)

# Settings of a probe that names leave out: axes and legend show them, or they change no value.
SHOWN = (
    "step_sizes",
    "step_sizes_2",
    "sets",
    "metrics",
    "slope_factors",
    "samples",
    "eval_batch_size",
)
UNKNOWN = {None, ""}
LONGEST = 160  # characters of a name; it is broken into lines


def names_apart(
    datasets: Sequence[xr.Dataset], shown: Sequence[xr.DataArray] | None = None
) -> list[str]:
    """Name each store by what sets it apart: its training, the checkpoint, and how that was probed.

    Trainings, or probes, with the same settings are named by their seeds; trainings whose seeds do
    not differ either, by the first digits of the checkpoint's digest.

    Args:
        datasets: slices, as a store gives them.
        shown: of each, the values of the one checkpoint that is shown; None where several are, and
            checkpoints tell nothing apart.

    Returns:
        One name for each; all empty where nothing differs.
    """
    attributes = [each.attrs for each in datasets]
    names = _join(_tasks(attributes), map(run_label, _trainings(datasets)))
    names = _told_apart(names, "run seed", [each.get("run", {}).get("seed") for each in attributes])
    names = _join(names, map(run_label, _told(attributes, "weights")))
    if shown is not None:
        names = _checkpoints_apart(names, attributes, shown)
    probes = [
        {
            **{n: v for n, v in _probe(each).items() if n not in SHOWN},
            "task": "",
            "optimizer": "",
            "batch_norm": policies,
        }
        for each, policies in zip(datasets, _policies(datasets), strict=True)
    ]
    probed = (name.removeprefix(", ") for name in labels.run_labels(probes))
    names = _join(names, map(run_label, probed))
    seeds = [_probe(each).get("seed", each.attrs.get("seed")) for each in datasets]
    names = _told_apart(names, "probe seed", seeds)
    if not any(names):
        return names
    return [
        shortened(name or source_names(each)[1], LONGEST)
        for name, each in zip(names, datasets, strict=True)
    ]


def _checkpoints_apart(
    names: Sequence[str], attributes: Sequence[Mapping[str, Any]], shown: Sequence[xr.DataArray]
) -> list[str]:
    """``names`` with iterations where these differ, and digests where the names are the same."""
    iterations = [each["iteration"].item() for each in shown]
    places = [f"{placed_by(each)} {each['iteration'].item()}" for each in shown]
    if len(set(places)) > 1:
        names = _join(names, places)
    digests = [
        each.get("digests", {}).get(str(iteration), "")[:6]
        for each, iteration in zip(attributes, iterations, strict=True)
    ]
    return _told_apart(names, "checkpoint", digests)


def _trainings(datasets: Sequence[xr.Dataset]) -> list[str]:
    """The optimizer, if there are several, and the settings of the training that differ."""
    runs = [each.attrs.get("run", {}) for each in datasets]
    if not all(runs):  # unknown settings do not count as a difference
        runs = [{}] * len(datasets)
    pairs = [*zip(runs, map(_probe, datasets), strict=True)]
    both = {name for run, probe in pairs for name in run if name in probe}
    # A probe takes its batch size and the like from the training.
    taken = {name for name in both if all(run.get(name) == probe.get(name) for run, probe in pairs)}
    records = [
        {
            **{
                f"training_{name}" if name in both else name: value
                for name, value in run.items()
                if name not in labels.NO_SETTING | taken
            },
            "task": each.attrs.get("task", ""),
            "optimizer": optimizer_name(each.attrs),
        }
        for each, (run, _) in zip(datasets, pairs, strict=True)
    ]
    names = labels.run_labels(records)
    if len({record["optimizer"] for record in records}) > 1:
        return names
    return [name.partition(", ")[2] for name in names]


def _policies(datasets: Sequence[xr.Dataset]) -> list[Any]:
    """The batch-norm policy of each store; where one has several, kind -> policy for each."""
    found = []
    for each in datasets:
        kinds, policies = (each[name].values.tolist() for name in ("kind", "batch_norm"))
        found.append(dict(zip(kinds, policies, strict=True)))
    if all(len(set(each.values())) == 1 for each in found):
        return [next(iter(each.values())) for each in found]
    # For a set that was not probed, the policy that it would have had.
    return [_probe(d).get("batch_norm", {}) | own for d, own in zip(datasets, found, strict=True)]


def _probe(dataset: xr.Dataset) -> dict[str, Any]:
    return dict(dataset.attrs.get("settings", {}))


def _join(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return [", ".join(filter(None, pair)) for pair in zip(first, second, strict=True)]


def _tasks(attributes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The task of each where they differ, in words where these differ too."""
    names = _told(attributes, "task")
    worded = [*map(task_label, names)]
    return worded if len(set(worded)) == len(set(names)) else names


def _told(attributes: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The attribute of each where they differ, otherwise empty strings."""
    values = [str(each.get(name, "")) for each in attributes]
    return values if len(set(values)) > 1 else [""] * len(values)


def _told_apart(names: Sequence[str], what: str, values: Sequence[Any]) -> list[str]:
    """``names`` with ``what`` added where the same name stands for several ``values``."""
    several: dict[str, set[Any]] = {}
    for name, value in zip(names, values, strict=True):
        several.setdefault(name, set()).update({value} - UNKNOWN)
    added = [
        f"{what} {value}" if len(several[name]) > 1 and value not in UNKNOWN else ""
        for name, value in zip(names, values, strict=True)
    ]
    return _join(names, added)


def name_shared(datasets: Sequence[xr.Dataset], shown: Sequence[xr.DataArray] | None = None) -> str:
    """Name task, optimizer and checkpoint, as far as all stores have the same.

    Args:
        datasets: slices, as a store gives them.
        shown: of each, the values of the one checkpoint that is shown; None for no checkpoint.

    Returns:
        The name; empty where they share nothing.
    """
    places = [""] * len(datasets) if shown is None else [*map(checkpoint_label, shown)]
    heads = [
        (*map(shortened, source_names(each)), place)
        for each, place in zip(datasets, places, strict=True)
    ]
    return ", ".join(
        parts[0] for parts in zip(*heads, strict=True) if len({*parts}) == 1 and parts[0]
    )
