"""A table as text: for the terminal, CSV, Markdown or LaTeX."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from landscape.errors import InvalidValueError, MissingFileError, unknown

NONE = "–"
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex"}


def cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of ``frame`` as a reader wants them.

    Numbers are rounded; "mean" and the "sd" after it become one column, 98.37 ± 0.03; a single
    task is no column.
    """
    columns: dict[str, list[str]] = {}
    for level in map(str, frame.index.names):
        values = [str(value) for value in frame.index.get_level_values(level)]
        if level != "task" or len(set(values)) > 1:
            columns[level] = values
    for name in map(str, frame.columns):
        column = [_text(name, value) for value in frame[name]]
        before = next(reversed(columns))
        if name.startswith("sd ") and before.startswith("mean "):
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
    tasks = sorted(set(frame.index.get_level_values("task")))
    return f"{tasks[0]}. {frame.attrs['note']}" if len(tasks) == 1 else str(frame.attrs["note"])


def csv(frame: pd.DataFrame) -> str:
    """All columns, numbers unrounded; what is not there is empty."""
    return frame.to_csv(lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """A pipe table and, below it, the note."""
    header, rows = cells(frame)
    rule = ["---"] * _words(frame, header) + ["---:"] * (len(header) - _words(frame, header))
    lines = [[_markdown(cell) for cell in row] for row in (header, *rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    return f"{table}\n\n{_markdown(note(frame))}\n"


def latex(frame: pd.DataFrame) -> str:
    """A table environment with the note as its caption; needs the package booktabs."""
    header, rows = cells(frame)
    words = _words(frame, header)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (header, *rows)]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(note(frame))}}}",
            rf"\begin{{tabular}}{{{'l' * words}{'r' * (len(header) - words)}}}",
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
    if not path.parent.is_dir():
        raise MissingFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    if path.is_dir():
        raise InvalidValueError(f"{path} is a folder; give the name of a file")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(written, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _words(frame: pd.DataFrame, header: Sequence[str]) -> int:
    """How many of the first columns are words, not numbers."""
    return sum(name in frame.index.names for name in header)


def _text(column: str, value: object) -> str:
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return NONE
    decimals = 0 if column in ("runs", "steps") else 2
    return f"{number:.{decimals}f}".replace("-", "−")


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
} | {each: "\\" + each for each in "&%$#_{}"}


def _latex(cell: str) -> str:
    return "".join(_LATEX.get(each, each) for each in " ".join(cell.split()))
