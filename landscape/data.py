"""Data a probe or a training run takes samples from: tensors in memory, or a Dataset.

Both kinds have a length and ``take(indices, generator)``, which returns ``(inputs, targets)``
on one device; with a generator, the samples are augmented (if the data augments at all).
"""

import hashlib
from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
)

from landscape.errors import InvalidValueError, users_code
from landscape.runtime.randomness import seeded

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


class Data(Protocol):
    """What is asked of training and validation data."""

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Inputs (N, …) and targets (N,) int64 at ``indices`` (N,); augmented if a generator."""
        ...

    def to(self, device: torch.device) -> "Data":
        """The same data, whose ``take`` returns tensors on ``device``."""
        ...


@dataclass(frozen=True)
class TensorData:
    """Samples held in memory.

    ``inputs`` (N, …) of any dtype; ``targets`` (N,) int64. ``take`` applies ``augment(inputs,
    generator)`` and then ``prepare(inputs)`` (say, uint8 to normalised float32) to whole
    batches, so that no Python runs per sample.
    """

    inputs: Tensor
    targets: Tensor
    augment: Augmentation | None = None
    prepare: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.inputs.ndim == 0 or self.targets.ndim == 0:
            raise InvalidValueError("inputs or targets are a single number; give one a sample")
        if len(self.inputs) != len(self.targets):
            raise InvalidValueError(
                f"inputs and targets differ in length: {len(self.inputs)} and {len(self.targets)}"
            )

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the dtypes, shapes and bytes of the samples."""
        digest = hashlib.blake2b(digest_size=8)
        for tensor in (self.inputs, self.targets):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
            values = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(values.view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.inputs.shape[1:])) or "scalars"
        dtype = str(self.inputs.dtype).removeprefix("torch.")
        augmented = ", augmented" if self.augment else ""
        return f"TensorData({len(self):,} samples, {shape} {dtype}{augmented})"

    def __len__(self) -> int:
        return len(self.targets)

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Data`."""
        indices = indices.to(self.inputs.device)
        # Several times as fast as inputs[indices].
        inputs = self.inputs.index_select(0, indices)
        if generator is not None and self.augment is not None:
            inputs = self.augment(inputs, generator)
        if self.prepare is not None:
            inputs = self.prepare(inputs)
        return inputs, self.targets.index_select(0, indices)

    def head(self, samples: int) -> tuple[Tensor, Tensor]:
        """The first ``samples``, not augmented; no copy is made unless ``prepare`` makes one."""
        inputs = self.inputs[:samples]
        return inputs if self.prepare is None else self.prepare(inputs), self.targets[:samples]

    def first(self, samples: int) -> "TensorData":
        """The first ``samples`` as data of their own, which shares the memory."""
        return replace(self, inputs=self.inputs[:samples], targets=self.targets[:samples])

    def to(self, device: torch.device) -> "TensorData":
        """See :class:`Data`."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class DatasetData:
    """Samples of a map-style torch Dataset, read one by one when they are taken.

    The Dataset's own random transforms draw from the global generators, which are seeded from
    the generator for that while (or from 0 where none is given) and then put back.
    """

    dataset: Dataset[Any]
    collate: Callable[[list[Any]], Any] = default_collate
    device: torch.device | None = None

    def __len__(self) -> int:
        return len(cast(Sized, self.dataset))

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Data`."""
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
        with seeded(seed):
            with users_code("reading the Dataset"):
                samples = self.collate([self.dataset[i] for i in indices.tolist()])
            inputs, targets = _pair(samples)
        return inputs.to(device=self.device), targets.to(device=self.device)

    def first(self, samples: int) -> "DatasetData":
        """The first ``samples`` as data of their own."""
        return replace(self, dataset=Subset(self.dataset, range(samples)))

    def to(self, device: torch.device) -> "DatasetData":
        """See :class:`Data`."""
        return replace(self, device=device)


def as_data(source: Any, what: str = "data") -> Data:
    """Make :class:`Data` of a pair of tensors or arrays, a Dataset, a DataLoader, or Data.

    A DataLoader gives its Dataset (of a SubsetRandomSampler, that subset) and collate function;
    its batch size and order are left to the probe. An iterable Dataset is read once, to its end,
    into memory. Arrays of float64, numpy's default, become torch's default float type.

    Raises :class:`InvalidValueError` for anything else, for pairs whose lengths differ, and for
    a DataLoader whose sampler repeats or leaves out samples in a way of its own.
    """
    if isinstance(source, (TensorData, DatasetData)):
        return source
    if isinstance(source, DataLoader):
        if isinstance(source.dataset, IterableDataset):
            return _read_all(source, what)
        collate = source.collate_fn if source.batch_sampler is not None else default_collate
        return DatasetData(_sampled(source, what), cast(Any, collate))
    if isinstance(source, TensorDataset):
        source = source.tensors
    if isinstance(source, IterableDataset):
        return _read_all(DataLoader(source, batch_size=256), what)
    if isinstance(source, (tuple, list)):
        inputs, targets = _pair(source, what)
        return TensorData(inputs, targets)
    if isinstance(source, Dataset):
        return DatasetData(source)
    if isinstance(source, Sized) and not isinstance(source, (str, dict, Tensor, np.ndarray)):
        if hasattr(source, "take") and hasattr(source, "to"):
            return cast(Data, source)
        if hasattr(source, "__getitem__"):
            return DatasetData(cast("Dataset[Any]", source))
    raise InvalidValueError(
        f"{what} is a {type(source).__name__}; give a pair (inputs, targets), "
        "a Dataset or a DataLoader"
    )


def digest(*parts: Data) -> str | None:
    """The digests of data in memory in one string; None where other data is among them."""
    tensors = [part for part in parts if isinstance(part, TensorData)]
    return "-".join(part.digest for part in tensors) if len(tensors) == len(parts) else None


def first(data: Data, samples: int) -> Data:
    """The first ``samples`` of ``data`` as data of their own.

    Raises :class:`InvalidValueError` where there are not so many, and for data of another make.
    """
    if not 0 < samples <= len(data):
        raise InvalidValueError(
            f"the first {samples} samples were asked for; there are {len(data)}, "
            f"so 1 to {len(data)} are allowed"
        )
    if not isinstance(data, (TensorData, DatasetData)):
        raise InvalidValueError(
            f"a {type(data).__name__} has no first samples; give tensors or a Dataset"
        )
    return data.first(samples)


def _sampled(loader: DataLoader[Any], what: str) -> Dataset[Any]:
    """The part of the loader's Dataset that its sampler draws from."""
    sampler = loader.sampler
    if loader.batch_sampler is not None and type(loader.batch_sampler) is not BatchSampler:
        sampler = loader.batch_sampler
    if isinstance(sampler, SubsetRandomSampler):
        return Subset(loader.dataset, list(sampler.indices))
    whole = sampler is None or isinstance(sampler, (SequentialSampler, RandomSampler))
    if not whole or getattr(sampler, "replacement", False):
        raise InvalidValueError(
            f"{what} is a DataLoader with a {type(sampler).__name__}, which would be left out; "
            "give a Dataset of the samples meant"
        )
    return loader.dataset


def _read_all(loader: DataLoader[Any], what: str) -> TensorData:
    with seeded(0), users_code(f"reading {what}"):  # a loader draws a seed of its own
        batches = [_pair(batch, what) for batch in loader]
    if not batches:
        raise InvalidValueError(f"{what} is empty; give at least one sample")
    inputs, targets = zip(*batches, strict=True)
    return TensorData(torch.cat(inputs), torch.cat(targets))


def _pair(pair: Any, what: str = "data") -> tuple[Tensor, Tensor]:
    """Check that ``pair`` is (inputs, integer targets) and make tensors of both."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InvalidValueError(
            f"{what} gives {_describe(pair)}; each sample must be a pair (input, class label)"
        )
    inputs, targets = (_tensor(part) for part in pair)
    if targets.is_floating_point() or targets.ndim != 1:
        raise InvalidValueError(
            f"{what} has targets of shape {tuple(targets.shape)} and type {targets.dtype}; "
            "give integer class labels of shape (N,)"
        )
    return inputs, targets.long()


def _tensor(part: Any) -> Tensor:
    if isinstance(part, Tensor):
        return part
    array = np.asarray(part)
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"a sample holds a {type(part).__name__} of type {array.dtype}; give tensors or numbers"
        )
    double = array.dtype == np.float64
    return torch.as_tensor(array, dtype=torch.get_default_dtype() if double else None)


def _describe(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{len(value)} parts"
    return f"a {type(value).__name__}"
