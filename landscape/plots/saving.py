"""Write a figure to a file, either whole or not at all."""

import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, UnknownNameError
from landscape.plots.drawing.theme import theme
from landscape.plots.registry import FIGURES
from landscape.runtime.atomic import atomic_write, require_place

# Without a date, writing the same figure again gives the same file.
METADATA: dict[str, dict[str, Any]] = {
    ".png": {},
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
DPI = 200


def save(drawn: Figure | Axes | NDArray[np.object_], path: str | os.PathLike[str]) -> Path:
    """Write a figure to a file.

    Text stays text. The file is written under another name beside ``path`` and renamed, so ``path``
    never holds half a figure.

    >>> drawn = landscape.plots.plot_losses()
    >>> landscape.plots.save(drawn, "losses.pdf").name
    'losses.pdf'

    Args:
        drawn: what a ``plot_`` function returned, one or several axes, or their figure.
        path: the file; its suffix, .png, .pdf or .svg, says the format. An existing file is
            replaced.

    Returns:
        The path that was written.

    Raises:
        InvalidValueError: where ``path`` is a folder.
        MissingFileError: where the folder to write to does not exist.
        UnknownNameError: for another suffix.
    """
    path = local_path(path)
    require_place(path)
    suffix = path.suffix.lower()
    if suffix not in METADATA:
        raise UnknownNameError("suffix of a figure", path.suffix, METADATA)
    figure = (
        drawn if isinstance(drawn, Figure) else np.ravel(np.asarray(drawn))[0].get_figure(root=True)
    )
    # A figure that lays itself out keeps its size; another is cut to what was drawn.
    cut = "tight" if figure.get_layout_engine() is None else None
    with theme(), atomic_write(path) as partial:
        figure.savefig(
            partial, format=suffix[1:], dpi=DPI, bbox_inches=cut, metadata=METADATA[suffix]
        )
    return path


def save_all(slices: xr.Dataset, folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Draw every figure of one store's slices into a folder, as PNG files.

    Args:
        slices: what is drawn, as ``landscape.open`` and ``landscape.probe`` give it.
        folder: where the files go, named like the figures; it is created if it does not exist.

    Returns:
        The files that were written, and figure name -> why it cannot be drawn of these slices.
    """
    folder = local_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files, left_out = [], {}
    for figure in FIGURES.values():
        if figure.source == "slices":
            try:
                files.append(save(figure.load()(slices), folder / f"{figure.name}.png"))
            except InvalidValueError as error:
                left_out[figure.name] = str(error)
            plt.close("all")
    return files, left_out
