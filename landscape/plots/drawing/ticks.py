"""Where axes have ticks, and the numbers beside them, as a person would choose them."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import (
    AutoLocator,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from numpy.typing import NDArray

from landscape.plots.drawing.captions import WIDER, text_width
from landscape.plots.drawing.style import SETTINGS, available_width

ROUND = (1, 2, 5, 10)
PLAIN = 1e-3, 1e4  # numbers in between are written without a power of ten
BESIDE = 0.4  # inches of a panel's width that its labels take
APART = 0.04  # inches between two numbers
POWERS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power(value: float) -> str:
    """Write a number as a multiple of a power of ten.

    >>> power(1e-8), power(-200)
    ('10⁻⁸', '−2·10²')

    Args:
        value: the number.

    Returns:
        The text; "0" for 0.
    """
    if value == 0:
        return "0"
    exponent = int(np.floor(np.log10(abs(value)) + 1e-9))
    digits = f"{abs(value) / 10.0**exponent:.3g}"
    sign, times = "−" if value < 0 else "", "" if digits == "1" else f"{digits}·"
    return f"{sign}{times}10{str(exponent).translate(POWERS)}"


def whole(axis: Axis, most: int = 6) -> None:
    """Put ticks at whole numbers that are round, as epochs and iterations have them.

    Args:
        axis: the axis, of linear scale.
        most: how many intervals it has at most.
    """
    axis.set_major_locator(MaxNLocator(nbins=most, steps=ROUND, integer=True))


def logarithmic(axis: Axis, values: NDArray[np.float64]) -> None:
    """Label a logarithmic axis at powers of ten or, where few of them are on it, also between.

    Args:
        axis: the axis, of logarithmic scale.
        values: (n,), what is drawn along it; those that are not above 0 are ignored.
    """
    shown = values[(values > 0) & np.isfinite(values)]
    if not shown.size:
        return
    decades = np.log10(shown.max() / shown.min())
    if decades == 0:
        axis.set_major_locator(FixedLocator([shown[0]]))
        axis.set_minor_locator(NullLocator())
    elif decades < 0.5:
        axis.set_major_locator(AutoLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 1.5 else (1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())
    numbers(axis, shown)


def symlog(
    ax: Axes, axis: Literal["x", "y"], values: NDArray[np.float64], linscale: float = 1
) -> None:
    """Make an axis logarithmic in both directions, and linear close to 0.

    It is linear up to the smallest magnitude of ``values`` that is not 0.

    Args:
        ax: where the axis is.
        axis: which one, "x" or "y".
        values: (n,), what is drawn along it; values that are not finite are ignored.
        linscale: length of the linear range on either side of 0, in decades.
    """
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    if not sizes.size:
        return
    set_scale = ax.set_xscale if axis == "x" else ax.set_yscale
    set_scale("symlog", linthresh=float(sizes.min()), linscale=linscale)
    ax.autoscale_view(scalex=axis == "x", scaley=axis == "y")  # its margins were linear
    first = np.ceil(np.log10(sizes.min()) - 1e-9)
    last = np.floor(np.log10(sizes.max()) + 1e-9)
    if first <= last:
        decades = 10.0 ** np.arange(last, first - 1, -1)
        marks = decades[:: int(np.ceil(len(decades) / 3))]
        if axis == "x":
            marks = _with_room(ax, decades, float(sizes.max()))
        which = ax.xaxis if axis == "x" else ax.yaxis
        which.set_major_locator(FixedLocator([*-marks, 0, *marks[::-1]]))
        which.set_minor_locator(FixedLocator([*-decades, *decades]))
        numbers(which, marks)


def _with_room(ax: Axes, decades: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    """Choose the decades, from the largest on, whose numbers do not touch another, nor that of 0.

    Args:
        ax: axes whose x axis is symlog.
        decades: (n,), descending.
        largest: what is drawn farthest from 0.

    Returns:
        (m,), descending; at least the largest.
    """
    margin = SETTINGS["axes.xmargin"]
    half = (available_width(ax) - BESIDE) / 2 / (1 + 2 * margin)
    scale = ax.xaxis.get_transform().transform(np.array([largest, *decades]))
    places = half * scale[1:] / scale[0]  # inches from 0
    given = ax.xaxis.get_tick_params().get("labelsize", SETTINGS["xtick.labelsize"])
    size = FontProperties(size=given).get_size_in_points()
    write = _writer(decades)
    sides = [WIDER * text_width(write(-each), size) / 2 + APART / 2 for each in decades]
    zero, kept, end = WIDER * text_width("0", size) / 2 + APART / 2, [0], places[0] - sides[0]
    for i in range(1, len(decades)):
        if places[i] + sides[i] <= end and places[i] - sides[i] >= zero:
            kept.append(i)
            end = places[i] - sides[i]
    return decades[kept]


def numbers(axis: Axis, values: NDArray[np.float64]) -> None:
    """Write the numbers of an axis plainly, or all of them with powers of ten.

    Args:
        axis: the axis, of logarithmic or symlog scale.
        values: (n,), what is drawn along it.
    """
    write = _writer(values)
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def _writer(values: NDArray[np.float64]) -> Callable[[float], str]:
    """How numbers among ``values`` are written: all plainly, or all with powers of ten."""
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    plain = not sizes.size or (sizes.min() >= PLAIN[0] and sizes.max() < PLAIN[1])
    return (lambda value: f"{value:g}".replace("-", "−")) if plain else power
