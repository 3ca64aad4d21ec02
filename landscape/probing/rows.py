"""The rows of a plane: kept while it is measured, so that an interruption loses one at most."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from landscape.network.point import same_values
from landscape.probing.evaluation import Values

Arrays = Sequence[Mapping[str, np.ndarray[Any, Any]]]
"""For each set, name -> (step sizes, samples)."""


class Rows(Protocol):
    """Where rows are kept: what was measured at one step size of the second direction."""

    def load(self, draw: int, row: int) -> Arrays | None:
        """Give a row that was kept; None where there is none.

        Args:
            draw: the draw, from 0.
            row: the place of its step size, from 0.

        Returns:
            For each set, name -> (step sizes, samples); None where the row was not kept.
        """
        ...

    def save(self, draw: int, row: int, values: Arrays) -> None:
        """Keep a row.

        Args:
            draw: the draw, from 0.
            row: the place of its step size, from 0.
            values: the values of each set.
        """
        ...


def fill(values: Sequence[Values], points: range, kept: Arrays) -> bool:
    """Take the values of a row that was kept.

    Args:
        values: of each set, (points, samples), into which they are written.
        points: the places of the row's points.
        kept: the row.

    Returns:
        Whether the row fits; nothing is written of one of other sets, metrics, sizes or types.
    """
    places = [
        {name: a[points.start : points.stop] for name, a in each.arrays.items()} for each in values
    ]
    rows = [{name: torch.from_numpy(a) for name, a in each.items()} for each in kept]

    def shapes(arrays: Sequence[Mapping[str, Tensor]]) -> list[Any]:
        return [{name: (a.shape, a.dtype) for name, a in each.items()} for each in arrays]

    if shapes(places) != shapes(rows):
        return False
    for place, row in zip(places, rows, strict=True):
        for name, array in place.items():
            array.copy_(row[name])
    return True


def same(first: Sequence[Values], second: Sequence[Values]) -> bool:
    """Compare what was measured of some sets at one point.

    Args:
        first: values of each set.
        second: likewise, of the same sets and metrics.

    Returns:
        Whether all are the same, bit for bit; NaN counts as equal to NaN.
    """
    return all(
        same_values(array, other.arrays[name])
        for one, other in zip(first, second, strict=True)
        for name, array in one.arrays.items()
    )


def row_of(values: Sequence[Values], points: range) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Take out the values of a row, to be kept.

    Args:
        values: of each set, (points, samples).
        points: the places of the row's points.

    Returns:
        The row.
    """
    return [
        {name: a[points.start : points.stop].cpu().numpy() for name, a in each.arrays.items()}
        for each in values
    ]
