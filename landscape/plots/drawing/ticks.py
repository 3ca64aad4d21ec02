"""Where axes have ticks, and the numbers beside them, as a person would choose them."""

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import (
    AutoLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)
from numpy.typing import NDArray

ROUND = (1, 2, 5, 10)
PLAIN = 1e-3, 1e4  # numbers in between are written without a power of ten
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
    if decades < 0.5:
        axis.set_major_locator(AutoLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 1.5 else (1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())
    numbers(axis, shown)


def numbers(axis: Axis, values: NDArray[np.float64]) -> None:
    """Write the numbers of an axis plainly, or all of them with powers of ten.

    Args:
        axis: the axis, of logarithmic or symlog scale.
        values: (n,), what is drawn along it.
    """
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    plain = not sizes.size or (sizes.min() >= PLAIN[0] and sizes.max() < PLAIN[1])
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−") if plain else power(value))
    )
