"""One HTML page about a store's slices, to look into: it holds all it needs and loads nothing.

:func:`page` gives its text, :func:`save` writes it. The charts are drawn by plotly's JavaScript,
which the page holds (the extra ``report`` installs it); they need nothing but a browser.
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

from landscape.errors import InvalidValueError, unknown
from landscape.report import sections
from landscape.report.charts import charts
from landscape.runtime.atomic import atomic_write, require_place
from landscape.slices import wording
from landscape.slices.choice import choose_checkpoint
from landscape.statistics import metrics, require_slices

__all__ = ["page", "save"]

SUFFIXES = (".html", ".htm")


def save(dataset: xr.Dataset, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write the :func:`page` of ``dataset`` to ``path``, whole or not at all."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise unknown("suffix of a report", path.suffix, SUFFIXES)
    require_place(path)
    text = page(dataset, title)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def page(dataset: xr.Dataset, title: str | None = None) -> str:
    """The page as text: charts to choose from and hover over, statistics, provenance.

    ``dataset`` is what ``landscape.open`` or ``landscape.probe`` gives; of several draws, lines
    are means and bands reach from the lowest to the highest. Values have nine digits. Nothing
    from the dataset becomes markup, and the page's policy lets no other script run and nothing be
    loaded.

    Raises :class:`InvalidValueError` where there are no slices, or plotly is not installed.
    """
    require_slices(dataset)
    second = choose_checkpoint(dataset, None)
    bundle = _plotly()
    # "<" would end the element that holds it.
    data = dumps(charts(dataset), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    script = _part("page.js")
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
        checkpoint=second,
        last=dataset.sizes["checkpoint"] - 1,
        sets=_options(
            [
                (i, wording.name_label(str(s)))
                for i, s in enumerate(dataset["evaluation_set"].values)
            ],
            0,
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
    """What lets this very script run, and no other."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _options(pairs: list[tuple[object, str]], chosen: object) -> str:
    return "".join(
        f'<option value="{escape(str(value))}"{" selected" * (value == chosen)}>{escape(text)}'
        "</option>"
        for value, text in pairs
    )
