"""Columns of tables of slices: a statistic over checkpoints, draws and sets, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.slices.planes import is_plane

Names = str | Sequence[str] | None
"""One name, several, or None for a default."""


@dataclass(frozen=True)
class Column:
    """A statistic, and the columns that a table has of it.

    Attributes:
        name: of the column.
        values: over checkpoint, draw and evaluation_set.
        there: where there is a value; a row needs one in each draw.
        open: where the true value may be larger; None where that is never so.
    """

    name: str
    values: xr.DataArray
    there: xr.DataArray
    open: xr.DataArray | None = None

    def cells(self, checkpoints: Sequence[int], sets: Sequence[int]) -> dict[str, Any]:
        """Make the columns of the table.

        Args:
            checkpoints: positions of those that are shown.
            sets: likewise.

        Returns:
            Name of each column -> (checkpoints · sets) cells; none if no row has a value.
        """

        def rows(array: xr.DataArray) -> NDArray[Any]:
            every = array.broadcast_like(self.values)
            every = every.transpose("draw", "checkpoint", "evaluation_set")
            return every.values[:, checkpoints][:, :, sets].reshape(every.sizes["draw"], -1)

        there = np.all(rows(self.there), axis=0).tolist()
        if not any(there):
            return {}
        found = over_draws(self.name, rows(self.values))
        if self.open is not None:
            found[f"open {self.name}"] = rows(self.open).mean(0)
        if all(there):
            return found

        def known(cells: NDArray[Any]) -> NDArray[np.object_]:
            pairs = zip(cells.tolist(), there, strict=True)
            return np.array([cell if is_ else None for cell, is_ in pairs], dtype=object)

        return {name: known(cells) for name, cells in found.items()}


def over_draws(name: str, values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Make columns of values in several draws: those of the only draw, or mean and sd.

    Args:
        name: of the column.
        values: (draw, row).

    Returns:
        Name of each column -> (row,).
    """
    if len(values) == 1:
        return {name: values[0]}
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        # Relative to the first draw, so that equal values have an sd of exactly 0.
        return {f"mean {name}": values.mean(0), f"sd {name}": (values - values[0]).std(0)}


def sets_of(dataset: xr.Dataset, wanted: Names) -> list[str]:
    """Find the evaluation sets that are shown.

    Args:
        dataset: slices.
        wanted: names; None for all.

    Returns:
        The names.
    """
    every = dataset["evaluation_set"].values if wanted is None else names_of("set", wanted)
    return [statistics.set_name(dataset, str(name)) for name in every]


def names_of(what: str, names: str | Sequence[str]) -> list[str]:
    """List one name or several.

    Args:
        what: what they name, for the message.
        names: the names.

    Returns:
        The names.

    Raises:
        InvalidValueError: for none.
    """
    if len(names) == 0:  # of an array, too
        raise InvalidValueError(f"{what} {names!r} names none; give at least one name")
    return [names] if isinstance(names, str) else list(names)


def line_note(dataset: xr.Dataset) -> str:
    """Say which slice of a plane is shown.

    Args:
        dataset: slices or planes.

    Returns:
        A sentence; "" for slices.
    """
    if not is_plane(dataset):
        return ""
    first, second = (
        dataset.attrs.get(f"direction_symbol{of}") or f"the {words} direction"
        for of, words in (("", "first"), ("_2", "second"))
    )
    return f" Of a plane: the slice along {first}, at 0 along {second}."


def draws_note(dataset: xr.Dataset) -> str:
    """Say what stands for several draws.

    Args:
        dataset: slices.

    Returns:
        A sentence; "" for one draw.
    """
    draws = dataset.sizes["draw"]
    return f" Means over {draws} draws; sd: population's." if draws > 1 else ""


def with_note(frame: pd.DataFrame, formats: dict[str, str], note: str) -> pd.DataFrame:
    """Make the columns numbers, and add what the table shows and how they are rounded.

    Args:
        frame: the table, with None where there is no value.
        formats: column -> format of its numbers.
        note: what it shows.

    Returns:
        The table, with NaN in place of None; ``attrs["missing"]`` has the index of each such cell,
        by column, since NaN may also be what was measured.
    """
    absent = frame.map(lambda cell: cell is None)
    missing = {
        str(name): frame.index[absent[name]].tolist() for name in frame if absent[name].any()
    }
    numbers = frame.astype(float)
    numbers.attrs = {**frame.attrs, "note": note, "formats": formats, "missing": missing}
    return numbers
