"""What ends a command early: one line on standard error, and an exit status."""

import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

import typer

from landscape.errors import LONGEST, LandscapeError, shown, visible
from landscape.runtime import interrupts
from landscape_cli import bars


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what is raised inside into a line and an exit status.

    They are 2 for what was refused, 130 after Ctrl-C and 143 after SIGTERM, as shells have it, and
    1 for what should not happen, whose traceback ``python -X dev -m landscape`` shows. A warning is
    a line too.
    """
    shown_before, warnings.showwarning = warnings.showwarning, _warn
    try:
        yield
    except KeyboardInterrupt as stop:
        _stopped(getattr(stop, "number", signal.SIGINT), stop)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:
        if type(error).__name__ in ("Exit", "Abort", "NoArgsIsHelpError"):  # click's own, no errors
            raise
        if interrupts.received:  # a signal that a module took for something else as it loaded
            _stopped(interrupts.received[0], error)
        if message := _refusal(error):
            _say(message)
            raise typer.Exit(2) from error
        if sys.flags.dev_mode:
            raise
        _say(f"this should not happen: {type(error).__name__}: {error} (see it with python -X dev)")
        raise typer.Exit(1) from error
    finally:
        bars.started()
        warnings.showwarning = shown_before


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    bars.started()
    typer.echo(f"warning: {visible(' '.join(str(message).split()))}", err=True)


def note(message: str) -> None:
    """Say on standard error, in one line, what is worth knowing about a result."""
    bars.started()
    typer.echo(f"note: {visible(message)}", err=True)


def note_resolution(slices: Any, metric: str | None = None) -> None:
    """Say where slices or planes have too few samples for their shape, and which option helps."""
    from landscape.slices.planes import is_plane
    from landscape.slices.selection import metrics, mode_of
    from landscape.statistics import resolution_problems

    there = metrics(slices)
    metric = metric or ("loss" if "loss" in there else there[0])
    try:
        mode_of(slices, metric)
    except LandscapeError:  # of a metric of one's own, of which it is not known
        return
    found = resolution_problems(slices, metric)
    few = found["under_sampled"]
    if few.any():
        what = "planes" if is_plane(slices) else "slices"
        points, jump = 2 * slices.sizes["step_size"] - 1, 100 * float(found["largest"].max())
        note(
            f"{int(few.sum())} of {few.size} {what} are under-sampled: from one point to the next "
            f"the {metric.replace('_', ' ')} jumps by up to {jump:.0f} % of its range; try "
            f"--points {points}, with another --out"
        )


def _stopped(number: int, error: BaseException) -> NoReturn:
    interrupts.received.clear()
    bars.started()
    typer.echo("stopped; the same command resumes from here", err=True)
    raise typer.Exit(128 + number) from error


def _refusal(error: Exception) -> str | None:
    """What a user can mend, in words; None for anything else."""
    if isinstance(error, LandscapeError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename if isinstance(error.filename, str | bytes) else ""
        return f"{os.fsdecode(where)}{': ' if where else ''}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "there is not enough memory; give less to do at once"
    if message := getattr(error, "format_message", None):
        return f"{_worded(error, message())} (see landscape --help)"
    return None


def _worded(error: Exception, message: str) -> str:
    """Say what was received, or what may have been meant, where click leaves that out.

    Click is typer's own or another, so its errors are known by what they have.
    """
    option, near = getattr(error, "option_name", None), getattr(error, "possibilities", None)
    if option and near is not None:
        meant = get_close_matches(option, near, n=1)
        return f"No such option: {option}{f'. Did you mean {meant[0]}?' if meant else ''}"
    details = getattr(error.__cause__, "errors", None)  # pydantic's
    if callable(details) and (received := details()):
        return f"{message}, got {shown(received[0].get('input'))}"
    return message


def _say(message: str) -> None:
    """Print one line, of words that are not of any length and hold nothing that steers."""
    bars.started()
    words = re.sub(rf"(\S{{{LONGEST}}})\S+", r"\1…", " ".join(message.split()))
    typer.echo(f"error: {visible(words)}", err=True)
