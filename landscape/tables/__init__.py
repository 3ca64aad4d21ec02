"""Tables: statistics in a DataFrame, of several runs or of one store's slices; planes for VTK.

:mod:`landscape.tables.formats` writes one as text. ``attrs["note"]`` of each table says what it
shows.
"""

from landscape.tables.planes import plane_statistics
from landscape.tables.runs import benchmark, passes
from landscape.tables.shape import slice_shapes
from landscape.tables.slices import slice_statistics, slice_values
from landscape.tables.vtk import save_plane

__all__ = [
    "benchmark",
    "passes",
    "plane_statistics",
    "save_plane",
    "slice_shapes",
    "slice_statistics",
    "slice_values",
]
