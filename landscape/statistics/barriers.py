"""Barriers: how far a slice between two points rises above the line through its ends."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from landscape.arguments import number
from landscape.errors import InvalidValueError, shown
from landscape.slices.selection import applied, labelled, metric_values, mode_of
from landscape.statistics.curves import Floats, sign_of, slices


class Barrier(NamedTuple):
    """The barrier of each slice between two of its samples.

    Attributes:
        height: (…), how far the worst value between the ends lies on the bad side of the line
            through them, at least 0, in units of the metric.
        step_size: (…), where that is; of several places the first, ``start`` where there is no
            barrier.
        start: (…), the value at the first end.
        end: (…), the value at the second end.
        open: (…), whether a higher one may have been missed: a value is NaN, or that at an end is
            not finite.
    """

    height: Floats
    step_size: Floats
    start: Floats
    end: Floats
    open: NDArray[np.bool_]


def barrier(
    values: ArrayLike,
    step_sizes: ArrayLike,
    start: float = 0.0,
    end: float = 1.0,
    mode: str = "min",
) -> Barrier:
    """Find how far each slice rises above the straight line between two of its samples.

    With the ends a < b and x = (s − a) / (b − a),

        height = max over sampled s in [a, b] of  f(s) − [(1 − x) · f(a) + x · f(b)]

    Along d = θ_B − θ_A this is the loss barrier between the networks A at 0 and B at 1
    [Entezari2022]. With ``mode="max"``, as for an accuracy, it is how far the values fall below the
    line.

    An infinitely bad value makes the height infinite. NaN values are passed over, and the barrier
    is marked open, the height a lower bound.

    >>> found = landscape.statistics.barrier([1.0, 3.0, 2.0], [0, 0.5, 1])
    >>> float(found.height), float(found.step_size)
    (1.5, 0.5)

    Args:
        values: (…, step_size), the metric along each slice, in its units.
        step_sizes: (step_size,), finite and ascending, with both ends and at least one step size
            between them.
        start: step size of the first end, a.
        end: step size of the second end, b, above the first.
        mode: "min" if lower values are better, "max" if higher ones are.

    Returns:
        A :class:`Barrier`. Where the value at an end is not finite, the height and its place are
        NaN.

    Raises:
        InvalidValueError: for values that do not fit the step sizes, step sizes that are not finite
            and ascending, ends that were not sampled or have no sample between them, an end that
            does not lie above the start, and an unknown mode.
    """
    y, s = slices(values, step_sizes)
    sign = -sign_of(mode)
    first, last = _ends(s, number("start", start), number("end", end))
    inner, at = y[..., first : last + 1], s[first : last + 1]
    # f(s) − [(1 − x) · f(a) + x · f(b)]
    x = (at - at[0]) / (at[-1] - at[0])
    with np.errstate(invalid="ignore"):
        line = (1 - x) * inner[..., :1] + x * inner[..., -1:]
        above = sign * (inner - line)
    above[..., [0, -1]] = 0.0  # by definition, without rounding
    known = np.isfinite(inner[..., [0, -1]]).all(-1)
    above = np.where(np.isnan(above), -np.inf, above)
    place = above.argmax(-1)
    height = np.take_along_axis(above, place[..., None], -1)[..., 0]
    return Barrier(
        np.where(known, height, np.nan),
        np.where(known, at[place], np.nan),
        inner[..., 0],
        inner[..., -1],
        np.asarray(~known | np.isnan(inner).any(-1)),
    )


def barriers(
    dataset: xr.Dataset,
    metric: str = "loss",
    start: float = 0.0,
    end: float = 1.0,
    mode: str | None = None,
) -> xr.Dataset:
    """Find the barrier of every slice (:func:`barrier`).

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them; of planes, each
            slice along the first direction.
        metric: name of the variable.
        start: step size of the first end.
        end: step size of the second end.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``barrier``, ``start_value`` and ``end_value`` in units of the metric,
        ``barrier_step_size``, and ``open``, whether a higher one may have been missed; with the
        dimensions of the metric without step_size.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, and ends
            that were not sampled or have no sample between them.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    height, step, first, last, open_ = applied(
        dataset, values, lambda y, s: barrier(y, s, start, end, mode), [[]] * 5
    )
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        barrier=(height, f"barrier of the {of}", units),
        barrier_step_size=(step, "step size of the barrier", "1"),
        start_value=(first, f"{of} at the start of the barrier", units),
        end_value=(last, f"{of} at the end of the barrier", units),
        open=(open_, "whether a higher one may lie unseen", "1"),
    ).assign_attrs(metric=metric, start=start, end=end)


def _ends(steps: Floats, start: float, end: float) -> tuple[int, int]:
    """Their places along step_size."""
    if not start < end:
        raise InvalidValueError(
            f"the barrier's end is {end!r}; give one above its start, {start!r}"
        )
    places = []
    for wanted in (start, end):
        found = np.flatnonzero(np.isclose(steps, wanted, rtol=1e-6, atol=0))
        if not found.size:
            raise InvalidValueError(
                f"a barrier from {start:g} to {end:g} needs both ends, but {wanted:g} is not among "
                f"{shown(steps.tolist())}; sample it (--step-sizes)"
            )
        places.append(int(found[0]))
    if places[1] - places[0] < 2:
        raise InvalidValueError(
            f"a barrier from {start:g} to {end:g} needs a step size between them, and these are "
            f"{shown(steps.tolist())}; sample more (--step-sizes)"
        )
    return places[0], places[1]
