"""The sets of samples that a slice is measured on, drawn once per checkpoint and draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from landscape.data import Data, TensorData, as_data
from landscape.errors import InvalidValueError
from landscape.runtime import randomness
from landscape.runtime.nested import Nested, samples_of

_STREAM = 1  # the random stream of probes, apart from those of training


@dataclass(frozen=True)
class EvaluationSet:
    """Samples in memory, and the batch-norm policy under which they are evaluated.

    Attributes:
        name: its name in a slice, such as "other_batch_1".
        kind: "same_batch", "other_batch", "big_batch" or "validation".
        batch_norm: which statistics normalisation layers use: "batch", "running" or
            "recalibrated".
        indices: places of the samples in the training or validation data, (N,), int64; −1 where
            unknown.
        inputs: (N, …), on the probe's device; a tensor or a nested dict or tuple of tensors.
        targets: (N, …), likewise; class labels are int64.
    """

    name: str
    kind: str
    batch_norm: str
    indices: Tensor
    inputs: Nested
    targets: Nested

    def __len__(self) -> int:
        return samples_of(self.targets)


@dataclass(frozen=True)
class TrainingSets:
    """What one draw takes from the training data.

    Attributes:
        same_batch: the batch that gives the gradient.
        others: the other batches, then the big batch, if any.
        recalibration: inputs (batch size, …) of the batches from which "recalibrated" estimates
            its statistics.
    """

    same_batch: EvaluationSet
    others: tuple[EvaluationSet, ...]
    recalibration: tuple[Nested, ...]


def given(
    inputs: Any, targets: Any, indices: Any = None, *, samples: int, batch_norm: str
) -> EvaluationSet:
    """Make the gradient's batch of samples that are given instead of drawn.

    Args:
        inputs: (N, …).
        targets: (N, …).
        indices: places of the samples in the training data, (N,), integers; None where unknown.
        samples: how many samples the training data has.
        batch_norm: the batch-norm policy of the set.

    Returns:
        The set, of kind "same_batch".

    Raises:
        InvalidValueError: for inputs and targets that do not make a batch, and for indices that
            do not fit them or the training data.
    """
    batch = as_data((inputs, targets), "the batch")
    assert isinstance(batch, TensorData)
    if indices is None:
        places = torch.full((len(batch),), -1)
    else:
        places = torch.as_tensor(indices).cpu()
        if places.shape != (len(batch),) or places.dtype not in (torch.int64, torch.int32):
            raise InvalidValueError(
                f"the indices have shape {tuple(places.shape)} and type {places.dtype}; give one "
                f"integer for each of the {len(batch)} samples of the batch"
            )
        if not 0 <= int(places.min()) <= int(places.max()) < samples:
            raise InvalidValueError(
                f"the indices run from {places.min()} to {places.max()}; there are {samples} "
                f"training samples, so 0 to {samples - 1} are allowed"
            )
    kind = "same_batch"
    return EvaluationSet(kind, kind, batch_norm, places.long(), batch.inputs, batch.targets)


def draw(
    train: Data,
    *,
    batch_size: int,
    other_batches: int,
    big_batch: int,
    recalibration_batches: int,
    batch_norm: Mapping[str, str],
    key: tuple[int, ...],
    batch: EvaluationSet | None = None,
) -> TrainingSets:
    """Draw, and augment, the training sets of one draw.

    The other batches are disjoint from the gradient's batch and from each other; the big batch
    is disjoint from the gradient's batch. What is drawn depends on the arguments alone, not on
    earlier draws.

    Args:
        train: the training data.
        batch_size: samples of the gradient's batch, of each other batch and of each batch to
            recalibrate from.
        other_batches: how many other batches; 0 for none.
        big_batch: samples of the big batch; 0 leaves it out.
        recalibration_batches: how many batches to recalibrate from; 0 for none.
        batch_norm: kind of set -> batch-norm policy.
        key: what seeds the random generators: seed, iteration and draw.
        batch: the gradient's batch, if it is given (see :func:`given`). If its places are unknown,
            the other sets may contain samples of it.

    Returns:
        The sets.

    Raises:
        InvalidValueError: where the training data is too small.
    """
    check_sizes(len(train), batch_size, other_batches, big_batch)
    # Each set draws and augments from generators of its own, so that it does not depend on which
    # other sets are drawn.
    generator = randomness.generator(_STREAM, *key)
    order = torch.randperm(len(train), generator=generator)
    if batch is not None:
        order = torch.cat([batch.indices, order[~torch.isin(order, batch.indices)]])
    rest = order[batch_size:]
    chosen = []
    for i in range(other_batches):
        other = rest[i * batch_size : (i + 1) * batch_size]
        chosen.append((f"other_batch_{i + 1}", "other_batch", other))
    if big_batch:
        big = rest[torch.randperm(len(rest), generator=generator)[:big_batch]]
        chosen.append(("big_batch", "big_batch", big))
    generator = randomness.generator(_STREAM, *key, *_text("recalibration"))
    recalibration = [
        torch.randperm(len(train), generator=generator)[:batch_size]
        for _ in range(recalibration_batches)
    ]

    def take(name: str, indices: Tensor) -> tuple[Nested, Nested]:
        return train.take(indices, randomness.generator(_STREAM, *key, *_text(name)))

    def evaluation_set(name: str, kind: str, indices: Tensor) -> EvaluationSet:
        return EvaluationSet(name, kind, batch_norm[kind], indices, *take(name, indices))

    same = (
        evaluation_set("same_batch", "same_batch", order[:batch_size]) if batch is None else batch
    )
    return TrainingSets(
        same,
        tuple(evaluation_set(*each) for each in chosen),
        tuple(take(f"recalibration {i}", each)[0] for i, each in enumerate(recalibration)),
    )


def _text(name: str) -> tuple[int, ...]:
    """A name as part of a key."""
    return tuple(name.encode())


def check_sizes(samples: int, batch_size: int, other_batches: int, big_batch: int) -> None:
    """Refuse sets that the training data cannot fill.

    Args:
        samples: how many samples the training data has.
        batch_size: samples of the gradient's batch and of each other batch.
        other_batches: how many other batches.
        big_batch: samples of the big batch; 0 for none.

    Raises:
        InvalidValueError: for the first set that is too large.
    """
    if batch_size > samples:
        raise InvalidValueError(
            f"batch_size is {batch_size}, but there are only {samples} training samples; choose "
            "at most that"
        )
    rest = samples - batch_size
    if big_batch > rest:
        allowed = (
            f"choose at most {rest}"
            if rest
            else "choose a smaller batch_size, or leave the big batch out of the sets"
        )
        raise InvalidValueError(
            f"big_batch is {big_batch}, larger than the {rest} training samples outside the "
            f"gradient's batch; {allowed}"
        )
    if other_batches * batch_size > rest:
        raise InvalidValueError(
            f"other_batches is {other_batches}; {batch_size} samples each are more than the "
            f"{rest} training samples outside the gradient's batch; choose at most "
            f"{rest // batch_size}, or a smaller batch_size"
        )


def check_validation(available: int, samples: int | None) -> None:
    """Refuse validation data with too few samples.

    Args:
        available: how many samples the validation data has.
        samples: how many are asked for; None for all.

    Raises:
        InvalidValueError: where none are available, or fewer than asked for.
    """
    if not available:
        raise InvalidValueError("the validation data has no sample; give some, or None for no set")
    if samples is not None and samples > available:
        raise InvalidValueError(
            f"{samples} validation samples were asked for, but there are only {available}"
        )


def validation(data: Data, samples: int | None, batch_norm: str) -> EvaluationSet:
    """Make the validation set.

    Args:
        data: the validation data.
        samples: how many samples are used, from the first on; None for all.
        batch_norm: the batch-norm policy of the set.

    Returns:
        The set, of kind "validation"; its samples are not augmented.

    Raises:
        InvalidValueError: where the data has no sample, or fewer than asked for.
    """
    check_validation(len(data), samples)
    indices = torch.arange(len(data) if samples is None else samples)
    if isinstance(data, TensorData):
        inputs, targets = data.head(len(indices))
    else:
        inputs, targets = data.take(indices)
    return EvaluationSet("validation", "validation", batch_norm, indices, inputs, targets)
