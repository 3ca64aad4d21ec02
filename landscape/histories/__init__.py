"""A run's epochs, and the histories of many runs as one Dataset. No torch."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.histories.collection import (
        Group,
        best_accuracy,
        collect,
        final_accuracy,
        groups,
        pack,
        series,
        unfinished,
    )
    from landscape.histories.layout import Run
    from landscape.histories.reading import History, open_

__all__ = [
    "Group",
    "History",
    "Run",
    "best_accuracy",
    "collect",
    "final_accuracy",
    "groups",
    "open_",
    "pack",
    "series",
    "unfinished",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Group": "collection:",
        "History": "reading:",
        "Run": "layout:",
        "best_accuracy": "collection:",
        "collect": "collection:",
        "final_accuracy": "collection:",
        "groups": "collection:",
        "open_": "reading:",
        "pack": "collection:",
        "series": "collection:",
        "unfinished": "collection:",
    },
)
