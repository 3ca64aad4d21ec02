"""The rows of a plane that is being measured, kept beside its store until the plane is whole."""

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landscape.runtime.atomic import atomic_write
from landscape.store.layout import writing

Row = Sequence[Mapping[str, np.ndarray[Any, Any]]]


class Unfinished:
    """Keeps the rows of one checkpoint's plane in files: one row a file, written whole.

    Args:
        store: the store that the plane goes into; the rows lie in a hidden folder beside it.
        made_from: all that the values depend on. Rows that were made from anything else lie in
            folders of their own, and are kept until the store has a plane.
    """

    def __init__(self, store: Path, made_from: Mapping[str, Any]) -> None:
        self.path = store.with_name(f".{store.name}.unfinished")
        said = json.dumps(made_from, sort_keys=True, default=str)
        self._own = self.path / hashlib.sha256(said.encode()).hexdigest()[:16]
        with writing(self.path):
            self._own.mkdir(parents=True, exist_ok=True)

    def load(self, draw: int, row: int) -> Row | None:
        """Read a row.

        Args:
            draw: the draw, from 0.
            row: the place of its step size of the second direction, from 0.

        Returns:
            For each set, name -> (step sizes, samples); None where it was not kept, or is damaged.
        """
        try:
            with (
                self._file(draw, row).open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                found: dict[int, dict[str, Any]] = {}
                for key in arrays.files:
                    place, _, name = key.partition(" ")
                    found.setdefault(int(place), {})[name] = arrays[key]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        return [found[place] for place in sorted(found)]

    def save(self, draw: int, row: int, values: Row) -> None:
        """Write a row.

        Args:
            draw: the draw, from 0.
            row: the place of its step size of the second direction, from 0.
            values: for each set, name -> (step sizes, samples).

        Raises:
            StoreError: where the disk refuses.
        """
        named = {f"{i} {n}": array for i, each in enumerate(values) for n, array in each.items()}
        with (
            writing(self.path),
            atomic_write(self._file(draw, row)) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, **named)  # type: ignore[arg-type]

    def remove(self) -> None:
        """Remove the rows, once the plane is in the store."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, draw: int, row: int) -> Path:
        return self._own / f"{draw}-{row}.npz"
