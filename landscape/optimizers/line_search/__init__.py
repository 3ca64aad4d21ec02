"""SGD whose step size an Armijo line search chooses: on the loss, accuracy or smooth accuracy."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.optimizers.line_search.armijo import Search
    from landscape.optimizers.line_search.base import LineSearch
    from landscape.optimizers.line_search.sls import (
        AccuracySLS,
        LossSLS,
        SGDArmijo,
        SmoothAccuracySLS,
    )

__all__ = [
    "AccuracySLS",
    "LineSearch",
    "LossSLS",
    "SGDArmijo",
    "Search",
    "SmoothAccuracySLS",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "AccuracySLS": "sls:",
        "LineSearch": "base:",
        "LossSLS": "sls:",
        "SGDArmijo": "sls:",
        "Search": "armijo:",
        "SmoothAccuracySLS": "sls:",
    },
)
