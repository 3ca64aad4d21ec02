"""The theme of every figure, and the matplotlib style and width that a user may put over it."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.style
import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, MissingFileError, UnknownNameError, users_code

P = ParamSpec("P")
R = TypeVar("R")

COLUMN_WIDTH = 3.5  # inches: one column of a two-column page
PAGE_WIDTH = 2 * COLUMN_WIDTH
WIDTHS = {"column": COLUMN_WIDTH, "page": PAGE_WIDTH}

# Comes with matplotlib and has −, ∇ and ‖, so figures are the same on every machine.
TYPEFACE = "DejaVu Sans"
OVERRIDES: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": [TYPEFACE],
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "figure.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "patch.linewidth": 0.6,
}
for _tick in ("xtick", "ytick"):
    OVERRIDES |= {f"{_tick}.color": "0.3", f"{_tick}.labelcolor": "0.15"}
    for _which, _size in (("major", 3), ("minor", 1.5)):
        OVERRIDES |= {f"{_tick}.{_which}.size": _size, f"{_tick}.{_which}.width": 0.6}
# Whatever the style: text stays text, full markers stay full, and files are reproducible.
FIXED: dict[str, Any] = {
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "landscape",
    "text.usetex": False,
    "markers.fillstyle": "full",
    "savefig.bbox": None,
}


@dataclass(frozen=True)
class _Chosen:
    """A style's settings, and the width of new figures in inches; None is each figure's own."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    width: float | None = None


_SIZE = re.compile(r"(size|width|pad)$").search
_NOTHING = _Chosen()
_chosen: ContextVar[_Chosen] = ContextVar("chosen", default=_NOTHING)


@contextmanager
def rc_context(settings: dict[Any, Any]) -> Iterator[None]:
    """Set matplotlib's settings within the block, and leave interactive mode as the block does.

    A notebook's backend, loaded with the first figure, turns interactive mode on for good;
    matplotlib's own context would turn it off again, and no later figure would be shown.

    Args:
        settings: matplotlib's parameters by name.

    Yields:
        Nothing.
    """
    with mpl.rc_context(settings):
        try:
            yield
        finally:
            interactive = mpl.is_interactive()
    mpl.interactive(interactive)


@contextmanager
def theme() -> Iterator[None]:
    """Set the look of every figure within the block.

    Yields:
        Nothing.
    """
    style = _chosen.get().settings
    settings: dict[Any, Any] = {**sns.axes_style("ticks"), **sns.plotting_context("paper")}
    settings |= {**OVERRIDES, **style, **FIXED}
    if style:  # its typeface may lack some signs
        settings["font.family"] = [*settings["font.family"], TYPEFACE]
    with rc_context(settings):
        yield


def themed(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function within :func:`theme`, and close a figure that it began if it fails.

    Args:
        function: any function that draws.

    Returns:
        The function, with the theme around it.
    """

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        before = plt.get_fignums()
        try:
            with theme():
                return function(*args, **kwargs)
        except BaseException:
            for begun in set(plt.get_fignums()) - set(before):
                plt.close(begun)
            raise

    return within


@contextmanager
def styled(
    style: str | os.PathLike[str] | None = None, *, width: str | None = None
) -> Iterator[None]:
    """Draw and save figures within the block with a style and a width.

    A style lies over the theme; colours and dashes that mean something stay, and text stays text.
    What is None stays as it is outside the block.

    Args:
        style: name of one of matplotlib's styles (``matplotlib.style.available``), whose sizes are
            left out, as they are made for larger figures; or the path of a .mplstyle file, whose
            sizes are taken. The file is read as data.
        width: "column" (3.5 in) or "page" (7 in), for figures that make their own axes.

    Yields:
        Nothing.

    Raises:
        InvalidValueError: for a file that is not a style, a style with a dark background, and a
            style that sets nothing or only sizes.
        MissingFileError: for a .mplstyle file that does not exist.
        UnknownNameError: for an unknown style or width.
    """
    chosen = _chosen.get()
    if style is not None:
        chosen = replace(chosen, settings=_read(style))
    if width is not None:
        if width not in WIDTHS:
            raise UnknownNameError("width", width, WIDTHS)
        chosen = replace(chosen, width=WIDTHS[width])
    token = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(token)


def width_or(default: float) -> float:
    """Return the width that was chosen for new figures.

    Args:
        default: the figure's own width, in inches.

    Returns:
        The chosen width, or else ``default``, in inches.
    """
    return _chosen.get().width or default


def _read(style: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings of a style by name or path."""
    path = local_path(style)
    if str(style) in matplotlib.style.library:
        read = {n: v for n, v in matplotlib.style.library[str(style)].items() if not _SIZE(n)}
    elif path.is_file():
        with users_code(f"reading the style {path}"), _strictly():
            read = mpl.rc_params_from_file(
                str(path), fail_on_error=True, use_default_template=False
            )
    elif path.suffix == ".mplstyle":
        raise MissingFileError(f"there is no style at {path}")
    else:
        unnamed = ("dark_background", "seaborn")  # refused below, and too many to list
        named = [name for name in matplotlib.style.available if not name.startswith(unnamed)]
        raise UnknownNameError("style", str(style), [*named, "a .mplstyle file"])
    # A backend is not a matter of style, and leaving the theme would not undo it.
    settings: dict[str, Any] = {n: v for n, v in read.items() if n != "backend"}
    if not settings:
        only = " but sizes" if str(style) in matplotlib.style.library else ""
        raise InvalidValueError(f"the style {str(style)!r} sets nothing{only}; give another")
    for ground in ("figure.facecolor", "axes.facecolor"):
        red, green, blue, alpha = to_rgba(settings.get(ground, "white"))
        if alpha and np.dot([0.299, 0.587, 0.114], [red, green, blue]) < 0.5:
            raise InvalidValueError(
                f"the style {str(style)!r} has a dark background, on which black curves cannot be "
                "seen; give one with a light background"
            )
    return settings


@contextmanager
def _strictly() -> Iterator[None]:
    """Turn lines of a style that matplotlib would warn about and skip into errors."""
    logger = logging.getLogger("matplotlib")

    def refuse(record: logging.LogRecord) -> bool:
        raise ValueError(record.getMessage())

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)
