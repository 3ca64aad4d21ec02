"""From what users have to data: tensors or arrays, Datasets, DataLoaders."""

from collections.abc import Mapping, Sized
from dataclasses import replace
from typing import Any, cast

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from landscape.data.batches import PAIR, Split
from landscape.data.samplers import shown_by
from landscape.data.samples import Data, DatasetData, TensorData
from landscape.errors import InvalidValueError, users_code
from landscape.runtime.nested import Nested, described, joined, samples_of
from landscape.runtime.randomness import seeded

MOST_READ = 1_000_000  # samples that are read of an iterable, which may have no end


def as_data(source: Any, what: str = "data", *, split: Split = PAIR) -> Data:
    """Make :class:`Data` of what users have.

    >>> landscape.data.as_data((images, labels))
    TensorData(1,400 samples, 1×8×8 float32)

    Inputs and targets are tensors (N, …), or nested dicts and tuples of tensors: a model is called
    as ``model(x)``, ``model(*tuple)`` or ``model(**dict)``.

    Args:
        source: a pair (inputs, targets) or a dict of tensors or arrays, a list of samples, a
            Dataset or a DataLoader of pairs or dicts, or data already. Of a DataLoader, the
            Dataset, the collate function, the batch size and the samples that it shows are used,
            but not the order: a sampler of a part is that part, in its order where that is always
            the same, else in the Dataset's. An iterable Dataset is read to its end, once, into
            memory. Arrays of float64, numpy's default, become torch's default float type. Nothing
            that is given is written to.
        what: its name, for messages.
        split: how a sample is split into inputs and targets, as ``Split("label")`` for a dict.

    Returns:
        A :class:`TensorData` or :class:`DatasetData`, or ``source`` itself if it is data already.

    Raises:
        InvalidValueError: for anything else, for parts whose lengths differ, for a Dataset without
            a length, and for a DataLoader whose sampler repeats samples, has no end or shows other
            samples each time.
        UnknownNameError: for a target that is no key of the dict.
    """
    if isinstance(source, TensorData):
        return source
    if isinstance(source, DatasetData):
        return source if split == PAIR else replace(source, split=split)
    if isinstance(source, DataLoader):
        if isinstance(source.dataset, IterableDataset):
            return _read_all(source, what, split)
        _length(source.dataset, what)
        one = source.collate_fn

        def by_one(samples: list[Any]) -> Any:
            return default_collate([one(sample) for sample in samples])

        collate = source.collate_fn if source.batch_sampler is not None else by_one
        size = _batch_size(source)
        return DatasetData(shown_by(source, what), cast(Any, collate), split=split, batch_size=size)
    if isinstance(source, TensorDataset) and (
        type(source).__getitem__ is TensorDataset.__getitem__  # and not one that augments
    ):
        source = source.tensors
    if isinstance(source, IterableDataset):
        return _read_all(DataLoader(source, batch_size=256), what, split)
    if isinstance(source, list) and source and _is_sample(source[0], len(source)):
        return DatasetData(cast("Dataset[Any]", source), split=split)
    if isinstance(source, (tuple, list, Mapping)):
        return TensorData(*split(source, what))
    if isinstance(source, Dataset):
        _length(source, what)
        return DatasetData(source, split=split)
    if isinstance(source, Sized) and not isinstance(source, (str, Tensor, np.ndarray)):
        _length(source, what)
        if hasattr(source, "take") and hasattr(source, "to"):
            return cast(Data, source)
        if hasattr(source, "__getitem__"):
            return DatasetData(cast("Dataset[Any]", source), split=split)
    raise InvalidValueError(
        f"{what} is a {type(source).__name__}; give a pair (inputs, targets), "
        "a Dataset or a DataLoader"
    )


def _is_sample(first: Any, count: int) -> bool:
    """Whether a list is one of samples, by its first: a dict, or a tuple and not one of a pair."""
    return isinstance(first, Mapping) or (isinstance(first, tuple) and count != 2)


def _batch_size(loader: DataLoader[Any]) -> int | None:
    """The samples of a loader's batches, as far as it or its batch sampler says it."""
    size = loader.batch_size or getattr(loader.batch_sampler, "batch_size", None)
    return size if isinstance(size, int) and size > 0 else None


def _length(dataset: Any, what: str) -> int:
    """The number of samples, of a Dataset that says it."""
    if not isinstance(dataset, Sized):
        raise InvalidValueError(
            f"{what} is a {type(dataset).__name__} without a length; give it __len__, or derive it "
            "from IterableDataset to have it read to its end"
        )
    with users_code(f"the length of {what}"):
        return len(dataset)


def _read_all(loader: DataLoader[Any], what: str, split: Split) -> TensorData:
    batches: list[tuple[Nested, Nested]] = []
    samples = 0
    # seeded, since a loader draws a seed from the global generator
    with seeded(0), users_code(f"reading {what}"):
        for batch in loader:
            batches.append(split(batch, what, collated=True))
            samples += samples_of(batches[-1][1])
            if samples > MOST_READ:
                raise InvalidValueError(
                    f"{what} gives more than {MOST_READ:,} samples, and may have no end; give a "
                    "Dataset with a length, or the samples as tensors"
                )
        if not batches:
            raise InvalidValueError(f"{what} is empty; give at least one sample")
        try:
            inputs, targets = joined(batches)
        except (RuntimeError, ValueError) as error:
            kinds = list(dict.fromkeys(described(each[0]) for each in batches))
            raise InvalidValueError(
                f"the batches of {what} differ: inputs of {' and '.join(kinds[:2])}; let the "
                "collate function pad to one length, or give a Dataset with a length"
            ) from error
        return TensorData(inputs, targets)
