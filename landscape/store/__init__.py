"""Chunked zarr stores that grow a row at a time: a slice a checkpoint, or a record an epoch.

A row is a tree of Datasets of length 1 along the dimension ``along``; one row is one chunk of
every array. A row counts as finished by a mark, written last. A new store is built under a
temporary name and renamed, so that there is never half of one. The store knows no model.
"""

from landscape.store.layout import SCHEMA
from landscape.store.packing import pack
from landscape.store.reading import open_, open_samples, progress
from landscape.store.writing import Writer, create, require_same, require_schema, resume

__all__ = [
    "SCHEMA",
    "Writer",
    "create",
    "open_",
    "open_samples",
    "pack",
    "progress",
    "require_same",
    "require_schema",
    "resume",
]
