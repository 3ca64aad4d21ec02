"""One interactive HTML page about a store's slices, which holds all it needs and loads nothing.

:func:`page` gives its text, :func:`save` writes it. The charts are drawn by plotly's JavaScript,
which is part of the page (the extra ``report`` installs it); a browser is all they need.
"""

import os
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from string import Template

import xarray as xr

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, UnknownNameError
from landscape.report import sections
from landscape.report.charts import charts
from landscape.runtime.atomic import atomic_write, require_place
from landscape.slices import wording
from landscape.slices.choice import choose_checkpoint
from landscape.slices.planes import is_plane
from landscape.statistics import metrics, require_slices

__all__ = ["page", "save"]

SUFFIXES = (".html", ".htm")


def save(dataset: xr.Dataset, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write the :func:`page` of ``dataset`` to ``path``, completely or not at all.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        path: the file to write, which ends in .html or .htm; an existing one is replaced.
        title: heading of the page; by default task and optimizer.

    Returns:
        ``path``.

    Raises:
        InvalidValueError: for another suffix, a path that is a folder, a Dataset without slices,
            and where plotly is not installed.
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


def page(dataset: xr.Dataset, title: str | None = None) -> str:
    """The page as text: charts to choose from and hover over, statistics, provenance.

    Of several draws, lines are means and bands reach from the lowest to the highest. A plane is a
    surface of one draw, which turns, with the training path on it where the store has one, and its
    two slices through the point under the pointer. Values have nine digits. Text of the dataset
    never becomes markup, and the page's policy allows no other script to run and nothing to be
    loaded.

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them.
        title: heading of the page; by default task and optimizer.

    Returns:
        The HTML.

    Raises:
        InvalidValueError: for a Dataset without slices, and where plotly is not installed.
    """
    require_slices(dataset)
    second = choose_checkpoint(dataset, None)
    bundle = _plotly()
    # A "<" in the data could end the element that holds them.
    data = dumps(charts(dataset), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    kind = "plane" if is_plane(dataset) else "lines"
    script = f"{_part(f'{kind}.js')}\n{_part('page.js')}"
    names = sorted(metrics(dataset))
    factors = dataset["slope_factor"].values.tolist() if "slope_factor" in dataset.coords else []
    nearest = min(factors, key=lambda factor: abs(factor - 1), default=None)
    return Template(_part("page.html")).substitute(
        policy=" ".join(map(_hash, (bundle, script))),
        title=escape(title or wording.source_label(dataset) or "slices"),
        summary=sections.summary(dataset),
        css=_part("page.css"),
        metrics=_options(
            [(each, str(dataset[each].attrs.get("long_name", each))) for each in names],
            "accuracy" if "accuracy" in names else names[0],
        ),
        factors=_options([(i, f"{s:g}") for i, s in enumerate(factors)], factors.index(nearest))
        if factors
        else "",
        charts=Template(_part(f"{kind}.html")).substitute(
            checkpoint=dataset.sizes["checkpoint"] - 1 if is_plane(dataset) else second,
            last=dataset.sizes["checkpoint"] - 1,
            sets=_options(
                [
                    (i, wording.name_label(str(s)))
                    for i, s in enumerate(dataset["evaluation_set"].values)
                ],
                0,
            ),
            draws=_options([(i, str(n)) for i, n in enumerate(dataset["draw"].values)], 0),
        ),
        statistics=sections.statistics(dataset),
        provenance=sections.provenance(dataset),
        plotly=bundle,
        data=data,
        script=script,
    )


def _plotly() -> str:
    if find_spec("plotly") is None:
        raise InvalidValueError(
            "the report needs plotly, which is not installed; "
            "pip install 'accuracy-landscape[report]'"
        )
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The source expression that allows exactly this script to run."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _options(pairs: list[tuple[object, str]], chosen: object) -> str:
    return "".join(
        f'<option value="{escape(str(value))}"{" selected" * (value == chosen)}>{escape(text)}'
        "</option>"
        for value, text in pairs
    )
