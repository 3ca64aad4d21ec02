"""The data from which probes and training take samples: tensors in memory, or a Dataset.

Both kinds have a length and ``take(indices, generator)``, which returns ``(inputs, targets)``
on one device; with a generator, the samples are augmented (if the data has an augmentation).
"""

import hashlib
from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, default_collate

from landscape.data.pairs import pair_of
from landscape.errors import InvalidValueError, users_code
from landscape.runtime.randomness import seeded
from landscape.runtime.tensors import content, unusual

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

DIGESTED = 32  # samples of data that is not in memory that its digest depends on


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
        InvalidValueError: where inputs and targets differ in length, or are not one per sample, or
            are no plain tensors.
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
        for name, tensor in (("inputs", self.inputs), ("targets", self.targets)):
            if what := unusual(tensor):
                raise InvalidValueError(f"the {name} are {what}")

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the dtypes, shapes and bytes of the samples."""
        return _digest_of(self.inputs, self.targets)

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
            Inputs (n, …) and targets (n,) int64, on this data's device, that share no memory with
            the data.

        Raises:
            InvalidValueError: where ``augment`` or ``prepare`` fails, or gives other than a tensor
                of as many samples.
        """
        indices = indices.to(self.inputs.device)
        # Several times as fast as inputs[indices].
        inputs = self.inputs.index_select(0, indices)
        if generator is not None and self.augment is not None:
            with users_code("augment"):
                augmented: object = self.augment(inputs, generator)
            inputs = _as_many(augmented, len(indices), "augment")
        return self._prepared(inputs), self.targets.index_select(0, indices)

    def head(self, samples: int) -> tuple[Tensor, Tensor]:
        """Take copies of the first samples, not augmented.

        Args:
            samples: how many.

        Returns:
            Inputs (samples, …) and targets (samples,) int64, that share no memory with the data.
        """
        return self._prepared(self.inputs[:samples].clone()), self.targets[:samples].clone()

    def _prepared(self, inputs: Tensor) -> Tensor:
        if self.prepare is None:
            return inputs
        with users_code("prepare"):
            prepared: object = self.prepare(inputs)
        return _as_many(prepared, len(inputs), "prepare")

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
    put back. A Dataset that reads many samples at once by ``__getitems__`` is asked to, as a
    DataLoader does.

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
                samples = self.collate(self._read(indices.tolist()))
            inputs, targets = pair_of(samples, collated=True)
        for parts in (inputs, targets):
            if parts.ndim == 0 or len(parts) != len(indices):
                raise InvalidValueError(
                    f"{len(indices)} samples of the Dataset are collated to inputs of shape "
                    f"{tuple(inputs.shape)} and targets of shape {tuple(targets.shape)}; give one "
                    "of each for each sample"
                )
        # Copies, since a collate function may give the Dataset's own tensors.
        return inputs.to(self.device, copy=True), targets.to(self.device, copy=True)

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


def _digest_of(*tensors: Tensor) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
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


def _as_many(inputs: object, samples: int, what: str) -> Tensor:
    """Inputs that a user's function made, if they are a tensor of so many samples."""
    if not isinstance(inputs, Tensor) or inputs.ndim == 0 or len(inputs) != samples:
        received = (
            f"a tensor of shape {tuple(inputs.shape)}"
            if isinstance(inputs, Tensor)
            else f"a {type(inputs).__name__}"
        )
        raise InvalidValueError(
            f"{what} gives {received} for {samples} samples; give a tensor with one input for each"
        )
    return inputs
