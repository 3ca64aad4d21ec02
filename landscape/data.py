"""The data from which probes and training take samples: tensors in memory, or a Dataset.

Both kinds have a length and ``take(indices, generator)``, which returns ``(inputs, targets)``
on one device; with a generator, the samples are augmented (if the data has an augmentation).
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
    """What training and validation data must offer."""

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take the samples at ``indices``.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what the augmentation draws from; without one, samples are not augmented.

        Returns:
            Inputs (n, …) and targets (n,) int64.
        """
        ...

    def to(self, device: torch.device) -> "Data":
        """Give the same data on another device.

        Args:
            device: where ``take`` is to return its tensors.

        Returns:
            The data; ``self`` is not changed.
        """
        ...


@dataclass(frozen=True)
class TensorData:
    """Samples held in memory; augmented and prepared in whole batches, not one by one.

    Attributes:
        inputs: (N, …), of any dtype.
        targets: class labels, (N,), int64.
        augment: (inputs (n, …), generator) -> inputs, applied by ``take`` if it has a generator;
            None for no augmentation.
        prepare: inputs (n, …) -> the model's inputs, say, uint8 to normalised float32; applied
            last, to every batch. None for inputs that the model takes as they are.

    Raises:
        InvalidValueError: where inputs and targets differ in length, or are not one per sample.
    """

    inputs: Tensor
    targets: Tensor
    augment: Augmentation | None = None
    prepare: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.inputs.ndim == 0 or self.targets.ndim == 0:
            raise InvalidValueError(
                "inputs or targets are a single number; give one for each sample"
            )
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
        """Take the samples at ``indices``; see :meth:`Data.take`.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what the augmentation draws from; without one, samples are not augmented.

        Returns:
            Inputs (n, …) and targets (n,) int64, on this data's device.
        """
        indices = indices.to(self.inputs.device)
        # Several times as fast as inputs[indices].
        inputs = self.inputs.index_select(0, indices)
        if generator is not None and self.augment is not None:
            inputs = self.augment(inputs, generator)
        if self.prepare is not None:
            inputs = self.prepare(inputs)
        return inputs, self.targets.index_select(0, indices)

    def head(self, samples: int) -> tuple[Tensor, Tensor]:
        """Take the first samples, not augmented; only ``prepare`` may copy them.

        Args:
            samples: how many.

        Returns:
            Inputs (samples, …) and targets (samples,) int64.
        """
        inputs = self.inputs[:samples]
        return inputs if self.prepare is None else self.prepare(inputs), self.targets[:samples]

    def first(self, samples: int) -> "TensorData":
        """Make data of the first samples; it shares the memory.

        Args:
            samples: how many.

        Returns:
            The data, with the same augmentation and preparation.
        """
        return replace(self, inputs=self.inputs[:samples], targets=self.targets[:samples])

    def to(self, device: torch.device) -> "TensorData":
        """Give the same data on another device.

        Args:
            device: where ``take`` is to return its tensors.

        Returns:
            The data, moved there at once.
        """
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class DatasetData:
    """Samples of a map-style torch Dataset, read one by one when they are taken.

    The Dataset's own random transforms draw from the global generators. While samples are read,
    those are seeded from the generator given to ``take`` (or with 0 without one), and afterwards
    put back.

    Attributes:
        dataset: a Dataset of pairs (input, class label).
        collate: list of samples -> (inputs (n, …), targets (n,)).
        device: where ``take`` returns its tensors; None leaves them where ``collate`` puts them.
    """

    dataset: Dataset[Any]
    collate: Callable[[list[Any]], Any] = default_collate
    device: torch.device | None = None

    def __len__(self) -> int:
        return len(cast(Sized, self.dataset))

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read the samples at ``indices``; see :meth:`Data.take`.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what seeds the Dataset's random transforms; without one, the seed is 0.

        Returns:
            Inputs (n, …) and targets (n,) int64.

        Raises:
            InvalidValueError: where the Dataset fails, or does not give pairs (input, class label).
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
        with seeded(seed):
            with users_code("reading the Dataset"):
                samples = self.collate([self.dataset[i] for i in indices.tolist()])
            inputs, targets = _pair(samples)
        return inputs.to(device=self.device), targets.to(device=self.device)

    def first(self, samples: int) -> "DatasetData":
        """Make data of the first samples, which are not read yet.

        Args:
            samples: how many.

        Returns:
            The data, with the same collate function and device.
        """
        return replace(self, dataset=Subset(self.dataset, range(samples)))

    def to(self, device: torch.device) -> "DatasetData":
        """Give the same data on another device.

        Args:
            device: where ``take`` is to return its tensors.

        Returns:
            The data; samples are moved when they are taken.
        """
        return replace(self, device=device)


def as_data(source: Any, what: str = "data") -> Data:
    """Make :class:`Data` of what users have.

    >>> landscape.data.as_data((images, labels))
    TensorData(1,400 samples, 1×8×8 float32)

    Args:
        source: a pair (inputs (N, …), integer class labels (N,)) of tensors or arrays, a Dataset,
            a DataLoader, or data already. Of a DataLoader, the Dataset and the collate function
            are used (of a SubsetRandomSampler, its subset), but neither batch size nor order. An
            iterable Dataset is read to its end, once, into memory. Arrays of float64, numpy's
            default, become torch's default float type.
        what: its name, for messages.

    Returns:
        A :class:`TensorData` or :class:`DatasetData`, or ``source`` itself if it is data already.

    Raises:
        InvalidValueError: for anything else, for pairs whose lengths differ, and for a DataLoader
            whose sampler repeats or leaves out samples in a way of its own.
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
    """Join the digests of data in memory.

    Args:
        *parts: the data, say of training and validation.

    Returns:
        One string; None where some of the data is not in memory.
    """
    tensors = [part for part in parts if isinstance(part, TensorData)]
    return "-".join(part.digest for part in tensors) if len(tensors) == len(parts) else None


def first(data: Data, samples: int) -> Data:
    """Make data of the first samples of ``data``.

    >>> landscape.data.first(landscape.data.as_data((images, labels)), 1000)
    TensorData(1,000 samples, 1×8×8 float32)

    Args:
        data: tensors in memory or a Dataset.
        samples: how many; at least 1.

    Returns:
        Data of the same kind.

    Raises:
        InvalidValueError: where ``data`` has fewer samples, and for data of any other class.
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
            f"{what} is a DataLoader with a {type(sampler).__name__}, which would be ignored; "
            "give a Dataset of the samples you mean"
        )
    return loader.dataset


def _read_all(loader: DataLoader[Any], what: str) -> TensorData:
    # seeded, since a loader draws a seed from the global generator
    with seeded(0), users_code(f"reading {what}"):
        batches = [_pair(batch, what) for batch in loader]
    if not batches:
        raise InvalidValueError(f"{what} is empty; give at least one sample")
    inputs, targets = zip(*batches, strict=True)
    return TensorData(torch.cat(inputs), torch.cat(targets))


def _pair(pair: Any, what: str = "data") -> tuple[Tensor, Tensor]:
    """Check that ``pair`` is (inputs, integer class labels), and make tensors of both."""
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
