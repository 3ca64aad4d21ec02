"""Figures: a Dataset in, axes out, one file a figure; :mod:`.registry` lists them.

For each figure of the registry there is a function here: ``plot_widening`` for "widening". They
load matplotlib when first used, not when the list is read.
"""

from landscape.lazy import lazily
from landscape.plots.registry import FIGURES

__getattr__, __dir__ = lazily(
    __name__,
    {
        **{figure.function: f"{figure.module}:" for figure in FIGURES.values()},
        "save": "saving:",
        "save_all": "saving:",
        "styled": "drawing.theme:",
    },
)
__all__ = __dir__()
