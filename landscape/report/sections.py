"""The texts and tables of a report, as HTML. All text of the dataset is escaped."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from landscape import tables
from landscape.metrics import METRICS
from landscape.slices import wording
from landscape.slices.planes import SECOND, is_plane
from landscape.statistics import metrics
from landscape.tables import formats as table_formats
from landscape.tables import summary as account

# Attributes in words; any other attribute of a store is shown under its own name.
WORDS = {
    "run": "training",
    "search": "line search",
    "direction_symbol": "symbol of the direction",
    "direction_symbol_2": "symbol of the second direction",
    "orthogonal": "second direction made orthogonal",
    "settings": "settings of the probe",
    "training_samples": "training samples",
    "device": "device",
    "dtype": "dtype",
}
# What the facts say, as attributes and as settings, and what is no news to a reader.
FACTS = (
    *("task", "optimizer", "weights", "origin", "seed", "device_name", "torch", "landscape"),
    *("direction", "direction_about", "direction_2", "direction_about_2"),
)
SAID = {"run": ("task", "optimizer"), "settings": ("direction", "direction_2", "origin")}
ELSEWHERE = ("schema", "along", "digests")
WORDY_SETS = [True, True, False, True]  # columns of words in the listing of evaluation sets


def summary(dataset: xr.Dataset) -> str:
    """How many checkpoints, draws, evaluation sets and step sizes there are, in one line.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        HTML.
    """
    steps = dataset["step_size"].values
    counts = [
        (dataset.sizes["checkpoint"], "checkpoint"),
        (dataset.sizes["draw"], "draw"),
        (dataset.sizes["evaluation_set"], "evaluation set"),
        (len(steps), "step size"),
    ]
    said = ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts)
    line = f"{said} from {_ends(steps)}."
    if is_plane(dataset):
        second = dataset[SECOND].values
        line = f"{line[:-1]}, and {len(second)} along the second direction from {_ends(second)}."
    if note := style_note(dataset):
        line += f" {note[0].upper()}{note[1:]}."
    return escape(line)


def style_note(dataset: xr.Dataset) -> str:
    """What lines and intervals show of several draws; charts of planes show one of them.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        Text that is not escaped; "" for a single draw, and for planes.
    """
    draws = 1 if is_plane(dataset) else dataset.sizes["draw"]
    return f"lines: means of {draws} draws, intervals: min to max" if draws > 1 else ""


def statistics(dataset: xr.Dataset, store: int = 0) -> str:
    """A table for every metric and slope factor; the page shows one of them at a time.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        store: which of the page's stores this is, counted from 0.

    Returns:
        HTML.
    """
    parts = []
    for name in sorted(metrics(dataset)):
        sloped = "slope_factor" in dataset[name].dims
        factors = dataset["slope_factor"].values.tolist() if sloped else [None]
        for i, factor in enumerate(factors):
            inside = "<p>Whether this metric is better higher or lower is not known.</p>"
            if name in METRICS or dataset[name].attrs.get("mode"):
                table = tables.plane_statistics if is_plane(dataset) else tables.slice_statistics
                inside = _frame(table(dataset, metric=name, slope_factor=factor), dataset)
            of = escape(f"{store} {name} {i}")
            parts.append(f'<div class="statistics" data-of="{of}">{inside}</div>')
    return "\n".join(parts)


def provenance(dataset: xr.Dataset) -> str:
    """Evaluation sets, checkpoints, and all that the store says about how it was made.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        HTML.
    """
    attributes = {
        name: {n: v for n, v in value.items() if n not in SAID.get(name, ())}
        if isinstance(value, Mapping)
        else value
        for name, value in dataset.attrs.items()
    }
    facts = dict(account.facts(dataset))
    facts.pop("per-sample values", None)  # they may have been left out since, which only info sees
    known = {words: attributes[name] for name, words in WORDS.items() if name in attributes}
    rest = {
        name.replace("_", " "): value
        for name, value in attributes.items()
        if name not in (*WORDS, *FACTS, *ELSEWHERE)
    }
    told = facts | {n: v for n, v in (known | rest).items() if n not in facts}
    rows = [(name, _said(value)) for name, value in told.items() if value not in ({}, "")]
    header, sets = account.evaluation_sets(dataset)
    return "\n".join(
        [
            "<h3>Evaluation sets</h3>",
            _table(
                header,
                [list(map(wording.name_label, row)) for row in sets],
                WORDY_SETS,
                "evaluation sets",
            ),
            "<h3>Checkpoints</h3>",
            _table(*account.checkpoints(dataset), name="checkpoints"),
            "<h3>How it was made</h3>",
            "<dl>",
            *(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in rows),
            "</dl>",
        ]
    )


def _ends(steps: NDArray[np.float64]) -> str:
    return f"{wording.number(steps[0])} to {wording.number(steps[-1])}"


def _frame(frame: pd.DataFrame, dataset: xr.Dataset) -> str:
    """A table whose rows tell the script of the page their checkpoint and evaluation set."""
    header, rows = table_formats.cells(frame)
    iterations = dataset["iteration"].values.tolist()
    of = [
        f' data-checkpoint="{iterations.index(place[0])}" data-set="{escape(str(place[1]))}"'
        for place in frame.index
    ]
    table = _table(header, rows, table_formats.words(frame, header), "statistics", of)
    return f"{table}<p>{escape(table_formats.note(frame))}</p>"


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Sequence[bool] | None = None,
    name: str = "",
    attributes: Sequence[str] | None = None,
) -> str:
    """A table, which the keyboard can scroll; cells of words are aligned left, of numbers right."""
    looks = [' class="words"' if each else "" for each in words or [False] * len(header)]

    def line(cells: Sequence[str], kind: str, attribute: str = "") -> str:
        each = (
            f"<{kind}{look}>{escape(cell)}</{kind}>"
            for cell, look in zip(cells, looks, strict=True)
        )
        return f"<tr{attribute}>{''.join(each)}</tr>"

    body = "\n".join(
        line(row, "td", attribute)
        for row, attribute in zip(rows, attributes or [""] * len(rows), strict=True)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table><thead>'
        f"{line(header, 'th')}</thead>\n<tbody>{body}</tbody></table></div>"
    )


def _said(value: Any) -> str:
    """An attribute as text: "learning rate 0.1, batch size 128"."""
    if isinstance(value, Mapping):
        parts = (
            wording.run_label(f"{str(name).replace('_', ' ')} {_said(inner)}")
            for name, inner in value.items()
            if inner not in ({}, None)
        )
        return "; ".join(filter(None, parts))
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(map(wording.name_label, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
