"""How a command shows that it works: a bar on a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from landscape.runtime.progress import Advance

_starting = False  # whether the line of starting() stands on the terminal


def starting() -> None:
    """Say at once, on a terminal, that the command works; what comes next replaces the line."""
    global _starting
    if sys.stderr.isatty() and not _starting:
        _starting = True
        print("starting (PyTorch takes a moment to load)", end="", file=sys.stderr, flush=True)


def started() -> None:
    """Remove the line of :func:`starting`, if it is there."""
    global _starting
    if _starting:
        _starting = False
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def bars(what: str, total: int) -> Iterator[Advance]:
    """Show a bar or lines on standard error; a :data:`landscape.runtime.progress.Progress`."""
    started()
    with (_bar if sys.stderr.isatty() else _lines)(what, total) as advance:
        yield advance


def _said(values: Mapping[str, float] | None) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in (values or {}).items()]


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    """A bar as wide as there is room beside the numbers, with the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    def one_line() -> Column:
        return Column(no_wrap=True, overflow="ellipsis")

    columns = (
        TextColumn("{task.description}", markup=False, table_column=one_line()),
        BarColumn(None, table_column=Column(ratio=1, min_width=4)),
        MofNCompleteColumn(table_column=one_line()),
        TimeRemainingColumn(table_column=one_line()),
        TextColumn("{task.fields[said]}", markup=False, table_column=one_line()),
    )
    with Progress(*columns, console=Console(stderr=True), expand=True) as progress:
        task = progress.add_task(what, total=total, said="")

        def advance(
            units: int = 1,
            reached: str = "",  # noqa: ARG001 -- the bar shows how far it is
            values: Mapping[str, float] | None = None,
        ) -> None:
            progress.advance(task, units)
            if values:
                progress.update(task, said=", ".join(_said(values)))

        yield advance


@contextmanager
def _lines(what: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Advance]:
    """A line wherever something was reached: what, its numbers, the time taken and that left."""
    began, done, already = clock(), 0, 0

    def advance(
        units: int = 1, reached: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        nonlocal done, already
        if done == 0 and units > 1:  # of an earlier call, which this one goes on with
            already = units
        done += units
        if reached:
            taken = clock() - began
            left = taken * (total - done) / max(1, done - already)
            words = [reached, *_said(values), f"{_time(taken)} taken, {_time(left)} left"]
            print(f"{what}: {', '.join(words)}", file=sys.stderr, flush=True)

    yield advance


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
