"""A table as text: for the terminal, CSV, Markdown or LaTeX."""

import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from landscape.arguments import local_path
from landscape.errors import UnknownNameError, visible
from landscape.runtime.atomic import atomic_write, require_place
from landscape.slices.wording import one_line, run_label, task_label, with_name

NONE, NAN = "–", "NaN"
# What begins a formula in spreadsheets, the wide signs in some.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex", ".txt": "plain"}
GAP = "  "  # between columns of plain text


def cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of ``frame`` as text for a reader.

    Numbers are rounded, some columns as ``attrs["formats"]`` says; "mean" and the "sd" after it
    become one column, 98.37 ± 0.03; "open", the share of draws whose true value may be larger,
    becomes a ≥ in the column before it; a task that all rows share gets no column. Tasks and
    settings of runs are in words.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        (header, rows): the names of the columns, and a list of cells for each row.
    """
    formats, missing = frame.attrs.get("formats", {}), _missing(frame)
    columns: dict[str, list[str]] = {}
    for level in map(str, frame.index.names):
        values = [*map(_index, _worded(level, frame.index.get_level_values(level)))]
        if level != "task" or len(set(values)) > 1:
            columns[level] = values
    for name in map(str, frame.columns):
        column = [
            NONE if absent else _text(name, value, formats.get(name))
            for value, absent in zip(frame[name], missing[name], strict=True)
        ]
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
    """What the table shows, with the task that :func:`cells` leaves out.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        One line.
    """
    said = visible(str(frame.attrs["note"]))
    if "task" not in frame.index.names:
        return said
    tasks = sorted(set(frame.index.get_level_values("task")))
    return f"{one_line(_worded('task', tasks)[0])}. {said}" if len(tasks) == 1 else said


def csv(frame: pd.DataFrame) -> str:
    """Write a table as CSV: all columns, numbers unrounded; a missing value is an empty cell.

    Words that a spreadsheet would take for a formula, since they begin with =, +, - or @, get an
    apostrophe before them.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        The text of the file.
    """
    missing = _missing(frame)
    measured: dict[str, Any] = {
        name: [
            None if absent else NAN if isinstance(each, float) and np.isnan(each) else each
            for each, absent in zip(frame[name], missing[name], strict=True)
        ]
        for name in frame.attrs.get("formats", {})
    }
    written = frame.assign(**measured).reset_index().rename(columns=_inert)
    return written.map(_inert).to_csv(index=False, lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """Write a table as a Markdown pipe table with the note below it.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        The text of the file.
    """
    header, rows = cells(frame)
    rule = ["---" if each else "---:" for each in words(frame, header)]
    lines = [[_markdown(cell) for cell in row] for row in (header, *rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    return f"{table}\n\n{_markdown(note(frame))}\n"


def latex(frame: pd.DataFrame) -> str:
    """Write a table as a LaTeX table environment with the note as its caption; needs booktabs.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        The text of the file.
    """
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


def plain(frame: pd.DataFrame, width: int | None = None) -> str:
    """Write a table as plain text with the note below it, for a terminal.

    A cell is never broken. Where the table is too wide, the words of headings are put below each
    other, and where that is not enough, it is written in parts that begin with the same columns.

    Args:
        frame: a table of :mod:`landscape.tables`.
        width: how many characters a line may have; None for any number.

    Returns:
        The text. Only a single column may make lines longer than ``width``.
    """
    header, rows = cells(frame)
    kept = sum(name in frame.index.names for name in header)
    written = aligned(header, rows, words(frame, header), kept, width)
    said = note(frame) if width is None else textwrap.fill(note(frame), width)
    return f"{written}\n\n{said}\n"


def aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Sequence[bool],
    kept: int = 1,
    width: int | None = None,
) -> str:
    """Write cells in columns, as :func:`plain` does.

    Args:
        header: the names of the columns.
        rows: the cells of each row.
        left: which columns are aligned to the left, as words are.
        kept: how many columns each part begins with.
        width: how many characters a line may have; None for any number.

    Returns:
        The lines, without an end of the last.
    """
    columns = [*zip(*rows, strict=True)] or [()] * len(header)
    headings = [[name] for name in header]
    if width is not None and len(GAP.join(_laid(headings, columns, left)[0])) > width:
        headings = [_folded(*each) for each in zip(header, columns, strict=True)]
    laid = _laid(headings, columns, left)
    parts: list[list[int]] = [[*range(kept)]]
    for at in range(kept, len(header)):
        wide = len(GAP.join(laid[0][i] for i in (*parts[-1], at)))
        if width is not None and wide > width and len(parts[-1]) > kept:
            parts.append([*range(kept)])
        parts[-1].append(at)
    return "\n\n".join(
        "\n".join(GAP.join(line[i] for i in part).rstrip() for line in laid).lstrip("\n")
        for part in parts
    )


def _folded(name: str, column: Sequence[str]) -> list[str]:
    """A heading in lines as wide as its widest cell or its longest word."""
    widest = max(map(len, (*column, *name.split())))
    return textwrap.wrap(name, widest, break_long_words=False, break_on_hyphens=False)


def _laid(
    headings: Sequence[Sequence[str]], columns: Sequence[Sequence[str]], left: Sequence[bool]
) -> list[list[str]]:
    """The lines of a table, each a list of cells that are as wide as their columns."""
    high = max(map(len, headings))
    laid = []
    for heading, column, words_ in zip(headings, columns, left, strict=True):
        widest = max(map(len, (*heading, *column)))
        lines = [*[""] * (high - len(heading)), *heading, "─" * widest, *column]
        laid.append([line.ljust(widest) if words_ else line.rjust(widest) for line in lines])
    return [list(line) for line in zip(*laid, strict=True)]


def narrow(frame: pd.DataFrame) -> str:
    """Write a table as plain text in lines of 80 characters; see :func:`plain`.

    Args:
        frame: a table of :mod:`landscape.tables`.

    Returns:
        The text.
    """
    return plain(frame, 80)


FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = {
    "csv": csv,
    "markdown": markdown,
    "latex": latex,
    "plain": plain,
    "narrow": narrow,
}


def text(frame: pd.DataFrame, format_: str) -> str:
    """Write a table as text.

    Args:
        frame: a table of :mod:`landscape.tables`.
        format_: one of :data:`FORMATS`: "csv", "markdown", "latex", "plain" or "narrow".

    Returns:
        The text of the file.

    Raises:
        UnknownNameError: for an unknown format.
    """
    if format_ not in FORMATS:
        raise UnknownNameError("format", format_, FORMATS)
    return FORMATS[format_](frame)


def save(frame: pd.DataFrame, path: str | os.PathLike[str], format_: str | None = None) -> Path:
    """Write ``frame`` to ``path``, completely or not at all.

    Args:
        frame: a table of :mod:`landscape.tables`.
        path: the file to write; an existing one is replaced.
        format_: one of :data:`FORMATS`; by default that of the suffix, .csv, .md, .tex or .txt.

    Returns:
        ``path``.

    Raises:
        InvalidValueError: for an unknown format or suffix, and a path that is a folder.
        MissingFileError: where the folder to write to does not exist.
        UnknownNameError: for a name that is not known.
    """
    path = local_path(path)
    if format_ is None:
        if path.suffix.lower() not in SUFFIXES:
            raise UnknownNameError("suffix of a table", path.suffix, SUFFIXES)
        format_ = SUFFIXES[path.suffix.lower()]
    written = text(frame, format_)
    require_place(path)
    with atomic_write(path) as partial:
        partial.write_text(written, encoding="utf-8")
    return path


def words(frame: pd.DataFrame, header: Sequence[str]) -> list[bool]:
    """Which columns of :func:`cells` hold words, not numbers.

    Args:
        frame: a table of :mod:`landscape.tables`.
        header: the names of its columns, as :func:`cells` gives them.

    Returns:
        One value for each name of ``header``.
    """
    named = {
        name: not is_numeric_dtype(frame.index.get_level_values(name).dtype)
        for name in map(str, frame.index.names)
    }
    return [named.get(name, False) for name in header]


def _missing(frame: pd.DataFrame) -> dict[str, list[bool]]:
    """By column, which cells have no value, whether or not rows were left out meanwhile."""
    absent = frame.attrs.get("missing", {})
    return {
        name: [label in set(absent.get(name, ())) for label in frame.index]
        for name in map(str, frame.columns)
    }


def _worded(level: str, given: Iterable[Any]) -> list[Any]:
    """Tasks, with their names, and settings of runs in words that differ; others as they are."""
    values = [*given]
    if level == "task":
        return [with_name(task_label(each), each) if task_label(each) else each for each in values]
    if level != "optimizer":
        return values
    said = {each: run_label(each) or each for each in values}
    if len(set(said.values())) < len(said):
        said = {name: with_name(label, name) for name, label in said.items()}
    return [said[each] for each in values]


def _index(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}".replace("-", "−")
    return visible(str(value))


def _text(column: str, value: object, rounded: str | None) -> str:
    """A cell; NaN is a value only in columns that have a format, ``rounded``, else a gap."""
    if isinstance(value, str):
        return visible(value)
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return NAN if rounded else NONE
    if np.isinf(number):
        return "∞" if number > 0 else "−∞"
    decimals = 0 if column in ("runs", "steps") else 2
    return format(number, rounded or f".{decimals}f").replace("-", "−")


def _inert(cell: Any) -> Any:
    """A cell of words that no spreadsheet runs and no terminal obeys; anything else as it is."""
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def _markdown(cell: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]$])", r"\\\1", " ".join(cell.split()))


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
