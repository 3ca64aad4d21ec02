"""The data from which probes and training take samples: tensors in memory, or a Dataset.

Both kinds have a length and ``take(indices, generator)``, which returns ``(inputs, targets)``
on one device, each a tensor or a nested dict or tuple of tensors; with a generator, the samples are
augmented (if the data has an augmentation).
"""

import hashlib
from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, default_collate

from landscape.data.batches import PAIR, Split
from landscape.errors import InvalidValueError, users_code
from landscape.runtime.nested import (
    Nested,
    cloned,
    described,
    device_of,
    leaves,
    moved,
    part_of,
    samples_of,
)
from landscape.runtime.randomness import seeded
from landscape.runtime.tensors import content, unusual

Augmentation = Callable[[Nested, torch.Generator], Nested]

DIGESTED = 32  # samples of data that is not in memory that its digest depends on


class Data(Protocol):
    """What training and validation data must offer."""

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Nested, Nested]:
        """Take the samples at ``indices``.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what the augmentation draws from; without one, samples are not augmented.

        Returns:
            Inputs (n, …) and targets (n, …), integers among them int64.
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
        inputs: (N, …), of any dtype; a tensor or a nested dict or tuple of tensors.
        targets: (N, …), likewise; class labels are int64.
        augment: (inputs (n, …), generator) -> inputs, applied by ``take`` if it has a generator;
            None for no augmentation.
        prepare: inputs (n, …) -> the model's inputs, say, uint8 to normalised float32; applied
            last, to every batch. None for inputs that the model takes as they are.

    Raises:
        InvalidValueError: where inputs and targets differ in length, or are not one per sample, or
            are no plain tensors.
    """

    inputs: Nested
    targets: Nested
    augment: Augmentation | None = None
    prepare: Callable[[Nested], Nested] | None = None

    def __post_init__(self) -> None:
        inputs, targets = list(leaves(self.inputs, "inputs")), list(leaves(self.targets, "targets"))
        if any(tensor.ndim == 0 for _, tensor in (*inputs, *targets)):
            raise InvalidValueError(
                "inputs or targets are a single number; give one for each sample"
            )
        first, samples = inputs[0][0], len(inputs[0][1])
        for name, tensor in (*inputs, *targets):
            if len(tensor) != samples:
                raise InvalidValueError(
                    f"{first} and {name} differ in length: {samples} and {len(tensor)}"
                )
            if what := unusual(tensor):
                raise InvalidValueError(f"the {name} are {what}")

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the dtypes, shapes and bytes of the samples."""
        return _digest_of(self.inputs, self.targets)

    def __repr__(self) -> str:
        parts = []
        for name, tensor in leaves(self.inputs):
            shape = "×".join(map(str, tensor.shape[1:])) or "scalars"
            parts.append(f"{name} {shape} {tensor.dtype}".replace("torch.", "").strip())
        augmented = ", augmented" if self.augment else ""
        return f"TensorData({len(self):,} samples, {', '.join(parts)}{augmented})"

    def __len__(self) -> int:
        return samples_of(self.targets)

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Nested, Nested]:
        """Take the samples at ``indices``; see :meth:`Data.take`.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what the augmentation draws from; without one, samples are not augmented.

        Returns:
            Inputs (n, …) and targets (n, …), on this data's device, that share no memory with the
            data.

        Raises:
            InvalidValueError: where ``augment`` or ``prepare`` fails, or gives other than a tensor
                of as many samples.
        """
        indices = indices.to(device_of(self.inputs))
        inputs = part_of(self.inputs, indices)
        if generator is not None and self.augment is not None:
            with users_code("augment"):
                augmented: object = self.augment(inputs, generator)
            inputs = _as_many(augmented, len(indices), "augment")
        return self._prepared(inputs), part_of(self.targets, indices)

    def head(self, samples: int) -> tuple[Nested, Nested]:
        """Take copies of the first samples, not augmented.

        Args:
            samples: how many.

        Returns:
            Inputs (samples, …) and targets (samples, …), that share no memory with the data.
        """
        part = slice(0, samples)
        inputs, targets = cloned(part_of(self.inputs, part)), cloned(part_of(self.targets, part))
        return self._prepared(inputs), targets

    def _prepared(self, inputs: Nested) -> Nested:
        if self.prepare is None:
            return inputs
        with users_code("prepare"):
            prepared: object = self.prepare(inputs)
        return _as_many(prepared, samples_of(inputs), "prepare")

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
        return replace(self, inputs=moved(self.inputs, device), targets=moved(self.targets, device))


@dataclass(frozen=True)
class DatasetData:
    """Samples of a map-style torch Dataset, read one by one when they are taken.

    The Dataset's own random transforms draw from the global generators. While samples are read,
    those are seeded from the generator given to ``take`` (or with 0 without one), and afterwards
    put back. A Dataset that reads many samples at once by ``__getitems__`` is asked to, as a
    DataLoader does.

    Attributes:
        dataset: a Dataset of pairs (input, target), dicts or longer tuples.
        collate: list of samples -> batch.
        device: where ``take`` returns its tensors; None leaves them where ``collate`` puts them.
        split: batch -> (inputs (n, …), targets (n, …)).
        batch_size: samples of the batches that a DataLoader shows; None where unknown.
    """

    dataset: Dataset[Any]
    collate: Callable[[list[Any]], Any] = default_collate
    device: torch.device | None = None
    split: Split = PAIR
    batch_size: int | None = None

    def __len__(self) -> int:
        return len(cast(Sized, self.dataset))

    def take(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Nested, Nested]:
        """Read the samples at ``indices``; see :meth:`Data.take`.

        Args:
            indices: places of the samples, (n,), int64.
            generator: what seeds the Dataset's random transforms; without one, the seed is 0.

        Returns:
            Inputs (n, …) and targets (n, …), integers among them int64.

        Raises:
            InvalidValueError: where the Dataset fails, or gives what has no inputs and targets.
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
        with seeded(seed):
            with users_code("reading the Dataset"):
                batch = self.collate(self._read(indices.tolist()))
            inputs, targets = self.split(batch, collated=True)
        for name, tensor in (*leaves(inputs, "inputs"), *leaves(targets, "targets")):
            if len(tensor) != len(indices):
                raise InvalidValueError(
                    f"{len(indices)} samples of the Dataset are collated to {name} of shape "
                    f"{tuple(tensor.shape)}; give one for each sample"
                )
        # Copies, since a collate function may give the Dataset's own tensors.
        return moved(inputs, self.device, copy=True), moved(targets, self.device, copy=True)

    def _read(self, indices: list[int]) -> list[Any]:
        several = getattr(self.dataset, "__getitems__", None)
        return several(indices) if several else [self.dataset[i] for i in indices]

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


def digest(*parts: Data | None) -> str | None:
    """Join the digests of data, say of training and validation.

    Tensors in memory are read whole. Of other data, the length and :data:`DIGESTED` samples at even
    distances count, not augmented and with the global generators seeded and put back: what differs
    in other samples alone goes unnoticed. Data that gives other samples when it is read again has
    no digest.

    Args:
        *parts: the data; None for none.

    Returns:
        The digests with "-" between, "unknown" in place of one that there is not; None where there
        is none at all.
    """
    digests = [None if part is None else _digest(part) for part in parts]
    return "-".join(each or "unknown" for each in digests) if any(digests) else None


def _digest(data: Data) -> str | None:
    if isinstance(data, TensorData):
        return data.digest
    count = min(len(data), DIGESTED)
    indices = torch.linspace(0, len(data) - 1, count, dtype=torch.float64).long()
    found = []
    for _ in range(2):
        with seeded(0):
            inputs, targets = data.take(indices)
        found.append(f"{len(data)} {_digest_of(inputs, targets)}")
    if found[0] != found[1]:
        return None
    return hashlib.blake2b(found[0].encode(), digest_size=8).hexdigest()


def _digest_of(*parts: Nested) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in (each for part in parts for each in leaves(part)):
        digest.update(f"{name}{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(content(tensor))
    return digest.hexdigest()


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


def _as_many(inputs: object, samples: int, what: str) -> Nested:
    """Inputs that a user's function made, if they are tensors of so many samples."""
    for _, tensor in leaves(inputs):
        if not isinstance(tensor, Tensor):
            raise InvalidValueError(
                f"{what} gives a {type(tensor).__name__} for {samples} samples; give a tensor with "
                "one input for each"
            )
        if tensor.ndim == 0 or len(tensor) != samples:
            raise InvalidValueError(
                f"{what} gives a tensor of {described(tensor)} for {samples} samples; give a "
                "tensor with one input for each"
            )
    return inputs
