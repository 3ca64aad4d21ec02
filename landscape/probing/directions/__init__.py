"""Directions along which slices are taken: one file each, listed in :mod:`.registry`."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily
from landscape.probing.directions.registry import DIRECTIONS, DirectionKind

if TYPE_CHECKING:
    from landscape.probing.directions.direction import Direction, DirectionContext, Tangent

__all__ = ["DIRECTIONS", "Direction", "DirectionContext", "DirectionKind", "Tangent"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "DIRECTIONS": "registry:",
        "Direction": "direction:",
        "DirectionContext": "direction:",
        "DirectionKind": "registry:",
        "Tangent": "direction:",
    },
)
