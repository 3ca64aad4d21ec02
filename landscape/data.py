"""The data from which probes and training take samples: tensors in memory, or a Dataset.

Both kinds have a length and ``take(indices, generator)``, which returns ``(inputs, targets)``
on one device; with a generator, the samples are augmented (if the data has an augmentation).
"""

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
)

from landscape.errors import InvalidValueError, shown, users_code
from landscape.runtime.randomness import seeded
from landscape.runtime.tensors import content, unusual

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

DIGESTED = 32  # samples of data that is not in memory that its digest depends on
MOST_READ = 1_000_000  # samples that are read of an iterable, which may have no end


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
            inputs, targets = _pair(samples, collated=True)
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
        return DatasetData(_sampled(source, what), cast(Any, collate))
    if isinstance(source, TensorDataset) and (
        type(source).__getitem__ is TensorDataset.__getitem__  # and not one that augments
    ):
        source = source.tensors
    if isinstance(source, IterableDataset):
        return _read_all(DataLoader(source, batch_size=256), what)
    if isinstance(source, (tuple, list)):
        inputs, targets = _pair(source, what)
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


def _length(dataset: Any, what: str) -> int:
    """The number of samples, of a Dataset that says it."""
    if not isinstance(dataset, Sized):
        raise InvalidValueError(
            f"{what} is a {type(dataset).__name__} without a length; give it __len__, or derive it "
            "from IterableDataset to have it read to its end"
        )
    with users_code(f"the length of {what}"):
        return len(dataset)


def _sampled(loader: DataLoader[Any], what: str) -> Dataset[Any]:
    """The samples of the loader's Dataset that it shows, whatever its samplers are."""
    dataset, sampler, batches = loader.dataset, loader.sampler, loader.batch_sampler
    own = sampler if batches is None or type(batches) is BatchSampler else batches
    who = f"{what} is a DataLoader whose {type(own).__name__}"
    places = _stable(dataset, sampler if batches is None else batches, who)
    if places is None and own is sampler:
        # drop_last leaves out another part each time.
        places = _stable(dataset, sampler, who)
    if places is None:
        raise InvalidValueError(
            f"{who} shows other samples each time; give a Dataset of the samples you mean"
        )
    if places == range(len(cast(Sized, dataset))):
        return dataset
    return Subset(dataset, list(places))


def _stable(dataset: Any, sampler: Any, who: str) -> Sequence[int] | None:
    """The places that a sampler shows, each once; None where it shows others when run again."""
    # A copy of the sampler is run, so that it and its own generators stay where they are.
    most = len(dataset)
    orders = []
    with users_code(who):
        copy = deepcopy(sampler, {id(dataset): dataset})
        for seed in (0, 1):
            with seeded(seed):
                orders.append(list(islice(_places(copy), most + 1)))
    first_, second = orders
    for order in orders:
        if wrong := [i for i in order if not isinstance(i, int) or not 0 <= i < most]:
            raise InvalidValueError(
                f"{who} gives the index {shown(wrong[0])}; give a Dataset whose samples have the "
                f"indices 0 to {most - 1}"
            )
        place, count = (Counter(order).most_common(1) or [(0, 0)])[0]
        if count > 1:
            raise InvalidValueError(
                f"{who} shows sample {place} more than once; give a Dataset of the samples you "
                "mean, each once"
            )
    if not first_:
        raise InvalidValueError(f"{who} shows no sample; give at least one")
    if sorted(first_) != sorted(second):
        return None
    if len(first_) == most:
        return range(most)
    return first_ if first_ == second else sorted(first_)


def _places(sampler: Any) -> Iterator[Any]:
    """The indices of a sampler, one by one, or of a sampler of batches."""
    for each in sampler:
        for i in each if isinstance(each, (list, tuple)) else [each]:
            yield int(i) if hasattr(i, "__index__") else i


def _read_all(loader: DataLoader[Any], what: str) -> TensorData:
    batches: list[tuple[Tensor, Tensor]] = []
    samples = 0
    # seeded, since a loader draws a seed from the global generator
    with seeded(0), users_code(f"reading {what}"):
        for batch in loader:
            batches.append(_pair(batch, what, collated=True))
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


def _pair(pair: Any, what: str = "data", collated: bool = False) -> tuple[Tensor, Tensor]:
    """Check that ``pair`` is (inputs, integer class labels), and make tensors of both."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InvalidValueError(
            f"{what} gives {_describe(pair)}; each sample must be a pair (input, class label)"
        )
    for name, part in zip(("inputs", "targets"), pair, strict=True):
        # Of a batch, a list is no list of samples but several tensors for each.
        if isinstance(part, Mapping) or (collated and isinstance(part, (list, tuple))):
            raise InvalidValueError(
                f"{what} gives {name} in {_describe(part)}; each sample must be a pair (input, "
                "class label), each of the two one tensor or number"
            )
    inputs, targets = (
        _tensor(part, f"the {name} of {what}")
        for name, part in zip(("inputs", "targets"), pair, strict=True)
    )
    if isinstance(pair[0], (list, tuple)) and targets.ndim and len(inputs) != len(targets):
        raise InvalidValueError(
            f"{what} gives inputs in {_describe(pair[0])} for {len(targets)} labels; each sample "
            "must be a pair (input, class label), each of the two one tensor or number"
        )
    if targets.is_floating_point() or targets.is_complex() or targets.ndim != 1:
        raise InvalidValueError(
            f"{what} has targets of shape {tuple(targets.shape)} and type {targets.dtype}; "
            "give integer class labels of shape (N,)"
        )
    return inputs, targets.long()


def _tensor(part: Any, what: str) -> Tensor:
    """A tensor of what a user has for one: shared where torch takes it as it is, else copied."""
    if isinstance(part, (list, tuple)) and any(isinstance(each, Tensor) for each in part):
        part = _stacked(part, what)
    if isinstance(part, Tensor):
        if kind := unusual(part):
            raise InvalidValueError(f"{what} are {kind}")
        tensor = part.detach()
        wider = _WIDER.get(tensor.dtype)
        return tensor if wider is None else _widened(tensor.numpy(force=True), wider, what)
    return _from_array(part, what)


def _from_array(part: Any, what: str) -> Tensor:
    if isinstance(part, np.ma.MaskedArray):
        raise InvalidValueError(f"{what} are a masked array; fill in what is masked")
    try:
        array = np.asarray(part)
    except Exception as error:  # rows that differ in length, or a class of a user's own
        reason = shown(str(error))
        raise InvalidValueError(f"{what} cannot be made an array of numbers: {reason}") from error
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"{what} are a {type(part).__name__} of type {array.dtype}; give tensors or numbers"
        )
    # torch takes neither another byte order nor more than 8 bytes nor negative strides.
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    wider = _WIDER_ARRAYS.get(array.dtype.name)
    if wider is not None:
        return _widened(array, wider, what)
    with warnings.catch_warnings():
        # Arrays that cannot be written to are shared as well: nothing is written to.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        double = array.dtype == np.float64
        return torch.as_tensor(array, dtype=torch.get_default_dtype() if double else None)


# torch stores unsigned integers of these types, and can compute little with them.
_WIDER = {torch.uint16: np.int32, torch.uint32: np.int64, torch.uint64: np.int64}
_WIDER_ARRAYS = {str(dtype).removeprefix("torch."): wider for dtype, wider in _WIDER.items()}


def _widened(array: Any, dtype: Any, what: str) -> Tensor:
    if array.size and array.max() > np.iinfo(dtype).max:
        raise InvalidValueError(
            f"{what} reach {array.max()}; integers up to {np.iinfo(dtype).max} are allowed"
        )
    return torch.from_numpy(array.astype(dtype))


def _stacked(parts: Sequence[Any], what: str) -> Tensor:
    """One tensor of a list of them, one for each sample."""
    for each in parts:
        if not isinstance(each, Tensor):
            raise InvalidValueError(
                f"{what} are tensors and a {type(each).__name__}; give one kind"
            )
        if kind := unusual(each):
            raise InvalidValueError(f"{what} are {kind}")
        if each.shape != parts[0].shape or each.dtype != parts[0].dtype:
            raise InvalidValueError(
                f"{what} differ: {tuple(parts[0].shape)} {parts[0].dtype} and "
                f"{tuple(each.shape)} {each.dtype}; give samples of one shape and type"
            )
    return torch.stack([each.detach() for each in parts])


def _describe(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{len(value)} parts"
    return f"a {type(value).__name__}"
