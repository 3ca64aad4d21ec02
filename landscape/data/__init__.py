"""The data that probes and training take samples from, and how it is made of what users have."""

from landscape.data.batches import Split
from landscape.data.samples import Augmentation, Data, DatasetData, TensorData, digest, first
from landscape.data.sources import as_data

__all__ = [
    "Augmentation",
    "Data",
    "DatasetData",
    "Split",
    "TensorData",
    "as_data",
    "digest",
    "first",
]
