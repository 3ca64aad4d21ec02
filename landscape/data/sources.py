"""From what users have to data: pairs of tensors or arrays, Datasets, DataLoaders."""

from collections.abc import Sized
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from landscape.data.pairs import pair_of
from landscape.data.samplers import shown_by
from landscape.data.samples import Data, DatasetData, TensorData
from landscape.errors import InvalidValueError, users_code
from landscape.runtime.randomness import seeded

MOST_READ = 1_000_000  # samples that are read of an iterable, which may have no end


def as_data(source: Any, what: str = "data") -> Data:
    """Make :class:`Data` of what users have.

    >>> landscape.data.as_data((images, labels))
    TensorData(1,400 samples, 1×8×8 float32)

    Args:
        source: a pair (inputs (N, …), integer class labels (N,)) of tensors or arrays, a Dataset,
            a DataLoader, or data already. Of a DataLoader, the Dataset, the collate function and
            the samples that it shows are used, but neither batch size nor order: a sampler of a
            part is that part, in its order where that is always the same, else in the Dataset's.
            An iterable Dataset is read to its end, once, into memory. Arrays of float64, numpy's
            default, become torch's default float type. Nothing that is given is written to.
        what: its name, for messages.

    Returns:
        A :class:`TensorData` or :class:`DatasetData`, or ``source`` itself if it is data already.

    Raises:
        InvalidValueError: for anything else, for pairs whose lengths differ, for a Dataset without
            a length, and for a DataLoader whose sampler repeats samples, has no end or shows other
            samples each time.
    """
    if isinstance(source, (TensorData, DatasetData)):
        return source
    if isinstance(source, DataLoader):
        if isinstance(source.dataset, IterableDataset):
            return _read_all(source, what)
        _length(source.dataset, what)
        one = source.collate_fn

        def by_one(samples: list[Any]) -> Any:
            return default_collate([one(sample) for sample in samples])

        collate = source.collate_fn if source.batch_sampler is not None else by_one
        return DatasetData(shown_by(source, what), cast(Any, collate))
    if isinstance(source, TensorDataset) and (
        type(source).__getitem__ is TensorDataset.__getitem__  # and not one that augments
    ):
        source = source.tensors
    if isinstance(source, IterableDataset):
        return _read_all(DataLoader(source, batch_size=256), what)
    if isinstance(source, (tuple, list)):
        inputs, targets = pair_of(source, what)
        return TensorData(inputs, targets)
    if isinstance(source, Dataset):
        _length(source, what)
        return DatasetData(source)
    if isinstance(source, Sized) and not isinstance(source, (str, dict, Tensor, np.ndarray)):
        _length(source, what)
        if hasattr(source, "take") and hasattr(source, "to"):
            return cast(Data, source)
        if hasattr(source, "__getitem__"):
            return DatasetData(cast("Dataset[Any]", source))
    raise InvalidValueError(
        f"{what} is a {type(source).__name__}; give a pair (inputs, targets), "
        "a Dataset or a DataLoader"
    )


def _length(dataset: Any, what: str) -> int:
    """The number of samples, of a Dataset that says it."""
    if not isinstance(dataset, Sized):
        raise InvalidValueError(
            f"{what} is a {type(dataset).__name__} without a length; give it __len__, or derive it "
            "from IterableDataset to have it read to its end"
        )
    with users_code(f"the length of {what}"):
        return len(dataset)


def _read_all(loader: DataLoader[Any], what: str) -> TensorData:
    batches: list[tuple[Tensor, Tensor]] = []
    samples = 0
    # seeded, since a loader draws a seed from the global generator
    with seeded(0), users_code(f"reading {what}"):
        for batch in loader:
            batches.append(pair_of(batch, what, collated=True))
            samples += len(batches[-1][1])
            if samples > MOST_READ:
                raise InvalidValueError(
                    f"{what} gives more than {MOST_READ:,} samples, and may have no end; give a "
                    "Dataset with a length, or the samples as tensors"
                )
        if not batches:
            raise InvalidValueError(f"{what} is empty; give at least one sample")
        inputs, targets = zip(*batches, strict=True)
        return TensorData(torch.cat(inputs), torch.cat(targets))
