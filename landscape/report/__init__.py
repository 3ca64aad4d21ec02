"""One interactive HTML page about the slices of one or several stores, which loads nothing.

:func:`page` gives its text, :func:`save` writes it. The charts are drawn by plotly's JavaScript,
which is part of this package and of the page; a browser is all they need.
"""

import gzip
import os
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from json import dumps
from pathlib import Path
from string import Template
from typing import Any

import xarray as xr

from landscape.arguments import local_path
from landscape.errors import UnknownNameError
from landscape.plots.drawing.several import name_stores
from landscape.plots.drawing.store_names import name_shared
from landscape.report import sections
from landscape.report.charts import charts
from landscape.runtime.atomic import atomic_write, require_place
from landscape.slices import wording
from landscape.slices.choice import choose_checkpoint
from landscape.slices.planes import is_plane
from landscape.statistics import require_slices

__all__ = ["page", "save"]

SUFFIXES = (".html", ".htm")
# plotly.js with its two-dimensional lines and its surfaces, as npm has it, compressed
LIBRARY = "plotly-gl3d.min.js.gz"

Datasets = xr.Dataset | Sequence[xr.Dataset]


def save(dataset: Datasets, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write the :func:`page` of ``dataset`` to ``path``, completely or not at all.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them, or several.
        path: the file to write, which ends in .html or .htm; an existing one is replaced.
        title: heading of the page; by default task and optimizer.

    Returns:
        ``path``.

    Raises:
        InvalidValueError: for another suffix, a path that is a folder, and a Dataset without
            slices.
        MissingFileError: where the folder to write to does not exist.
        UnknownNameError: for a name that is not known.
    """
    path = local_path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UnknownNameError("suffix of a report", path.suffix, SUFFIXES)
    require_place(path)
    text = page(dataset, title)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def page(dataset: Datasets, title: str | None = None) -> str:
    """The page as text: charts to choose from and to read, statistics, provenance.

    Of several draws, lines are means and intervals reach from the lowest to the highest. A plane is
    a surface of one draw, which turns, with the training path on it where the store has one, and
    its two slices through one of its points. Of several stores one is shown at a time. Values have
    nine digits. What is chosen stands in the page's address after "#", in the names of the store:
    ``#metric=loss&checkpoint=100`` (an iteration) ``&evaluation_set=validation``. Text of the
    dataset never becomes markup, and the page's policy allows no other script to run and nothing
    to be loaded.

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them, or
            several of them.
        title: heading of the page; by default task and optimizer, as far as all stores share them.

    Returns:
        The HTML.

    Raises:
        InvalidValueError: without a Dataset, and for one without slices.
    """
    datasets = [dataset] if isinstance(dataset, xr.Dataset) else list(dataset)
    for each in datasets:
        require_slices(each)
    names = name_stores(datasets)
    stores = [_store(each, name) for each, name in zip(datasets, names, strict=True)]
    kinds = sorted({store["kind"] for store in stores})
    library = files(__package__).joinpath(LIBRARY).read_bytes()
    script = "\n".join(map(_part, ["page.js", *(f"{kind}.js" for kind in kinds)]))
    # A "<" in the data could end the element that holds them.
    data = dumps(stores, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Template(_part("page.html")).substitute(
        policy=" ".join(map(_hash, (gzip.decompress(library), script.encode()))),
        title=escape(title or _title(datasets) or "slices"),
        css=_part("page.css"),
        summary=_parts("p", map(sections.summary, datasets)),
        charts="".join(_part(f"{kind}.html") for kind in kinds),
        statistics="\n".join(sections.statistics(each, i) for i, each in enumerate(datasets)),
        provenance=_parts("div", map(sections.provenance, datasets)),
        plotly=b64encode(library).decode(),
        data=data,
        script=script,
    )


def _title(datasets: Sequence[xr.Dataset]) -> str:
    return wording.source_label(datasets[0]) if len(datasets) == 1 else name_shared(datasets)


def _store(dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """What the page's script knows of a store: its charts, and what is shown at first."""
    found = charts(dataset)
    factors, metrics = found["factors"], list(found["metrics"])
    last = dataset.sizes["checkpoint"] - 1
    start = {
        "metric": "accuracy" if "accuracy" in metrics else metrics[0],
        "factor": min(range(len(factors)), key=lambda i: abs(factors[i] - 1), default=-1),
        "checkpoint": last if is_plane(dataset) else choose_checkpoint(dataset, None),
    }
    kind = "plane" if is_plane(dataset) else "lines"
    return {"name": name, "kind": kind, "start": start, **found}


def _parts(kind: str, texts: Iterable[str]) -> str:
    """An element for each store; the page shows one of them at a time."""
    return "\n".join(f'<{kind} data-store="{i}">{text}</{kind}>' for i, text in enumerate(texts))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: bytes) -> str:
    """The source expression that allows exactly this script to run."""
    return f"'sha256-{b64encode(sha256(script).digest()).decode()}'"
