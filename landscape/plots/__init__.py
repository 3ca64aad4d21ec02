"""Figures: a Dataset in, axes out, one file per figure; :mod:`.registry` lists them.

For each figure of the registry there is a function here: ``plot_widening`` for "widening". They
load matplotlib when first used, not when the list is read.

>>> slices = landscape.probe(model, (images, labels), validation)
>>> with landscape.plots.styled("ggplot", width="page"):
...     panel = landscape.plots.plot_batches(slices)
>>> landscape.plots.save(panel, "batches.pdf").name
'batches.pdf'
"""

from landscape.lazy import lazily
from landscape.plots.registry import FIGURES

__getattr__, __dir__ = lazily(
    __name__,
    {
        **{figure.function: f"{figure.module}:" for figure in FIGURES.values()},
        "COLORS": "drawing.style:SETTING_COLORS",
        "band": "drawing.bands:",
        "save": "saving:",
        "save_all": "saving:",
        "styled": "drawing.theme:",
    },
)
__all__ = __dir__()
