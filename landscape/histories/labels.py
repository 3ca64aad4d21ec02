"""The settings of several runs in a few words: those that differ between them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

# What is no setting of a run: its number among repetitions, where it was computed, and what is
# probed while it trains.
NO_SETTING = frozenset(
    (
        *("task", "optimizer", "seed", "checkpoints", "probe", "folder", "data", "dataset"),
        "data_digest",
        *("device_name", "torch", "landscape", "schema", "along"),
    )
)
# Values of often compared settings where a run's record lacks them.
UNSAID: Mapping[str, Any] = {
    "slope factor": 1,
    "search batch": "same",
    "precision": "float32",
    "compile": False,
}


def settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a run's record by readable name, one level deep.

    The optimizer's ``options`` have their own names, the parts of others both names:
    ``{"schedule": {"factor": 0.1}}`` becomes "schedule factor".

    Args:
        record: what a run was asked to do: setting -> value.

    Returns:
        Name -> value, without settings that are None and without what is no setting, as the seed.
    """
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if name in NO_SETTING:
            continue
        if not isinstance(value, Mapping):
            flat[_words(name)] = value
            continue
        before = "" if name == "options" else _words(name.removesuffix("_options")) + " "
        flat |= {before + _words(inner): part for inner, part in value.items()}
    return {name: value for name, value in flat.items() if value is not None}


def run_labels(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each run by its optimizer, and by those settings in which its peers differ.

    Peers are the runs of the same task and optimizer; the seed is no setting. Runs of the same
    task and label have the same settings.

    Args:
        records: what each run was asked to do: setting -> value, with task and optimizer.

    Returns:
        One label for each run, as "sa-sls, slope factor 0.5".
    """
    flat = [settings(record) for record in records]
    kinds = [(record["task"], record["optimizer"]) for record in records]
    found = []
    for kind, own in zip(kinds, flat, strict=True):
        peers = [each for other, each in zip(kinds, flat, strict=True) if other == kind]
        differing = [
            name
            for name in dict.fromkeys(n for each in peers for n in each)
            if len({json.dumps(_said(each, name)) for each in peers}) > 1
        ]
        said = {name: _said(own, name) for name in differing}
        parts = (f"{name} {_value(value)}" for name, value in said.items() if value is not None)
        found.append(", ".join([kind[1], *parts]))
    return found


def head(label: str) -> str:
    """The optimizer in a label.

    Args:
        label: one of :func:`run_labels`.

    Returns:
        What stands before the first comma.
    """
    return label.split(", ")[0]


def short(names: Sequence[str]) -> tuple[list[str], str]:
    """Split the optimizer from labels that share it.

    Args:
        names: labels of :func:`run_labels`.

    Returns:
        (labels, optimizer): the labels without the optimizer, and the optimizer. The labels as they
        are, and "", where optimizers differ, all labels are equal, or one is the optimizer alone.
    """
    heads = {head(name) for name in names}
    if len(heads) == 1 and len(set(names)) > 1 and not heads & set(names):
        (common,) = heads
        return [name.removeprefix(f"{common}, ") for name in names], common
    return list(names), ""


def natural(name: str) -> list[tuple[float, str]]:
    """A sort key that orders the numbers within labels as numbers.

    Args:
        name: a label.

    Returns:
        One pair for each word: (its number, "") or (−∞, the word).
    """
    parts: list[tuple[float, str]] = []
    for word in name.split():
        try:
            parts.append((float(word.rstrip(",")), ""))
        except ValueError:
            parts.append((-math.inf, word))
    return parts


def number(name: str) -> float | None:
    """The number at the end of a label such as "slope factor 0.5".

    Args:
        name: a label.

    Returns:
        The number, or None where the label does not end in one.
    """
    try:
        return float(name.split()[-1])
    except (ValueError, IndexError):
        return None


def _said(flat: Mapping[str, Any], name: str) -> Any:
    value = flat.get(name, UNSAID.get(name))
    # 1 and 1.0 are the same setting.
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
