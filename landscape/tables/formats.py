"""A table as text: for the terminal, CSV, Markdown or LaTeX."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from landscape.errors import unknown
from landscape.runtime.atomic import atomic_write, require_place

NONE, NAN = "–", "NaN"
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex"}


def cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of ``frame`` as a reader wants them.

    Numbers are rounded, as ``attrs["formats"]`` says for some columns; "mean" and the "sd" after it
    become one column, 98.37 ± 0.03; "open", the share of what may be larger, becomes a ≥ in the
    column before; a single task is no column.
    """
    formats = frame.attrs.get("formats", {})
    columns: dict[str, list[str]] = {}
    for level in map(str, frame.index.names):
        values = [_index(value) for value in frame.index.get_level_values(level)]
        if level != "task" or len(set(values)) > 1:
            columns[level] = values
    for name in map(str, frame.columns):
        column = [_text(name, value, formats.get(name)) for value in frame[name]]
        before = next(reversed(columns))
        if name.startswith("open "):
            columns[before] = [
                f"≥ {cell}" if share and not cell.startswith((NONE, NAN)) else cell
                for cell, share in zip(columns[before], frame[name], strict=True)
            ]
        elif name.startswith("sd ") and before.startswith("mean "):
            means = columns.pop(before)
            columns[before.replace("mean", "mean ± sd")] = [
                mean if sd == NONE else f"{mean} ± {sd}"
                for mean, sd in zip(means, column, strict=True)
            ]
        else:
            columns[name] = column
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def note(frame: pd.DataFrame) -> str:
    """What the table shows, with its task where :func:`cells` names none."""
    if "task" not in frame.index.names:
        return str(frame.attrs["note"])
    tasks = sorted(set(frame.index.get_level_values("task")))
    return f"{tasks[0]}. {frame.attrs['note']}" if len(tasks) == 1 else str(frame.attrs["note"])


def csv(frame: pd.DataFrame) -> str:
    """All columns, numbers unrounded; what is not there is empty."""
    measured = {
        name: [NAN if isinstance(each, float) and np.isnan(each) else each for each in frame[name]]
        for name in frame.attrs.get("formats", {})
    }
    return frame.assign(**measured).to_csv(lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """A pipe table and, below it, the note."""
    header, rows = cells(frame)
    rule = ["---" if each else "---:" for each in words(frame, header)]
    lines = [[_markdown(cell) for cell in row] for row in (header, *rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    return f"{table}\n\n{_markdown(note(frame))}\n"


def latex(frame: pd.DataFrame) -> str:
    """A table environment with the note as its caption; needs the package booktabs."""
    header, rows = cells(frame)
    columns = "".join("l" if each else "r" for each in words(frame, header))
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (header, *rows)]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(note(frame))}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = {
    "csv": csv,
    "markdown": markdown,
    "latex": latex,
}


def text(frame: pd.DataFrame, format_: str) -> str:
    """``frame`` in one of :data:`FORMATS`."""
    if format_ not in FORMATS:
        raise unknown("format", format_, FORMATS)
    return FORMATS[format_](frame)


def save(frame: pd.DataFrame, path: str | os.PathLike[str], format_: str | None = None) -> Path:
    """Write ``frame`` to ``path``, whole or not at all.

    The suffix, .csv, .md or .tex, says the format where ``format_`` does not.
    """
    path = Path(path)
    if format_ is None:
        if path.suffix.lower() not in SUFFIXES:
            raise unknown("suffix of a table", path.suffix, SUFFIXES)
        format_ = SUFFIXES[path.suffix.lower()]
    written = text(frame, format_)
    require_place(path)
    with atomic_write(path) as partial:
        partial.write_text(written, encoding="utf-8")
    return path


def words(frame: pd.DataFrame, header: Sequence[str]) -> list[bool]:
    """For each column of :func:`cells` whether its cells are words, not numbers."""
    named = {
        name: not is_numeric_dtype(frame.index.get_level_values(name).dtype)
        for name in map(str, frame.index.names)
    }
    return [named.get(name, False) for name in header]


def _index(value: object) -> str:
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def _text(column: str, value: object, rounded: str | None) -> str:
    """A cell; NaN is one only in the columns whose format ``rounded`` is given."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return NAN if rounded else NONE
    if np.isinf(number):
        return "∞" if number > 0 else "−∞"
    decimals = 0 if column in ("runs", "steps") else 2
    return format(number, rounded or f".{decimals}f").replace("-", "−")


def _markdown(cell: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(cell.split()))


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
} | {each: "\\" + each for each in "&%$#_{}"}


def _latex(cell: str) -> str:
    return "".join(_LATEX.get(each, each) for each in " ".join(cell.split()))
