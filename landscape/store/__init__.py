"""Chunked zarr stores that grow by rows: one slice per checkpoint, or one record per epoch.

A row is a tree of Datasets of length 1 along the dimension ``along``; unless said otherwise, one
row is one chunk of every array. A row is finished once its mark is set, which is written last. A
new store is built under a temporary name and renamed, so that it never exists in part. The store
knows nothing of models.
"""

from landscape.store.damage import Damage, find_damage, has_checksums
from landscape.store.layout import SCHEMA
from landscape.store.packing import pack
from landscape.store.reading import has_samples, open_, open_samples, progress
from landscape.store.writing import Writer, create, require_same, resume, upgrade

__all__ = [
    "SCHEMA",
    "Damage",
    "Writer",
    "create",
    "find_damage",
    "has_checksums",
    "has_samples",
    "open_",
    "open_samples",
    "pack",
    "progress",
    "require_same",
    "resume",
    "upgrade",
]
