"""Optimizers: the line searches, and all others by name."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.optimizers import line_search
    from landscape.optimizers.line_search import (
        AccuracySLS,
        LineSearch,
        LossSLS,
        SGDArmijo,
        SmoothAccuracySLS,
    )
    from landscape.optimizers.named import build
    from landscape.optimizers.recipes import RECIPES

__all__ = [
    "RECIPES",
    "AccuracySLS",
    "LineSearch",
    "LossSLS",
    "SGDArmijo",
    "SmoothAccuracySLS",
    "build",
    "line_search",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "AccuracySLS": "line_search:",
        "LineSearch": "line_search:",
        "LossSLS": "line_search:",
        "RECIPES": "recipes:",
        "SGDArmijo": "line_search:",
        "SmoothAccuracySLS": "line_search:",
        "build": "named:",
        "line_search": "line_search",
    },
)
