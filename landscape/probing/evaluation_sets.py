"""The sets of samples that a slice is measured on, drawn once per checkpoint and draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from landscape.data import Data, TensorData, as_data
from landscape.errors import InvalidValueError
from landscape.runtime import randomness

_STREAM = 1  # apart from the streams of training


@dataclass(frozen=True)
class EvaluationSet:
    """Samples in memory, with the batch-norm policy they are evaluated under.

    ``inputs`` (N, …) and ``targets`` (N,) int64 lie on the probe's device; ``indices`` (N,) int64
    tell their places in the training or validation data, −1 where unknown.
    """

    name: str
    kind: str
    batch_norm: str
    indices: Tensor
    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class TrainingSets:
    """What one draw takes from the training data: the sets, and batches to recalibrate from."""

    same_batch: EvaluationSet
    others: tuple[EvaluationSet, ...]
    recalibration: tuple[Tensor, ...]


def given(
    inputs: Any, targets: Any, indices: Any = None, *, samples: int, batch_norm: str
) -> EvaluationSet:
    """The gradient's batch, if it is not to be drawn: ``inputs`` (N, …) and ``targets`` (N,).

    ``indices`` (N,) are the places of the batch among the ``samples`` of the training data.

    Raises :class:`InvalidValueError` for what is no batch, and for indices that do not fit.
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
    """Draw (and augment) the training sets of one draw from a generator seeded by ``key``.

    The other batches are disjoint from the gradient's batch and from each other; the big batch
    is disjoint from the gradient's batch. Nothing else, and no earlier draw, has an influence.
    ``big_batch=0`` leaves that set out. ``batch`` (see :func:`given`) stands for the gradient's
    batch; one of unknown places may have samples in common with the others.

    Raises :class:`InvalidValueError` where the training data is too small for that.
    """
    check_sizes(len(train), batch_size, other_batches, big_batch)
    # Each set draws and augments from generators of its own, so that it does not depend on which
    # others there are.
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

    def take(name: str, indices: Tensor) -> tuple[Tensor, Tensor]:
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
    """Refuse sets that the training data cannot fill."""
    if batch_size > samples:
        raise InvalidValueError(
            f"the batch size is {batch_size}, but there are only {samples} training samples"
        )
    rest = samples - batch_size
    if big_batch > rest:
        allowed = f"choose at most {rest}" if rest else "choose a smaller batch, or no big batch"
        raise InvalidValueError(
            f"a big batch of {big_batch} is larger than the {rest} training samples outside the "
            f"gradient's batch; {allowed}"
        )
    if other_batches * batch_size > rest:
        raise InvalidValueError(
            f"{other_batches} other batches of {batch_size} are more than the {rest} training "
            f"samples outside the gradient's batch; choose at most {rest // batch_size}"
        )


def check_validation(available: int, samples: int | None) -> None:
    """Refuse more validation samples than there are, and none at all."""
    if not available:
        raise InvalidValueError("the validation data has no sample; give some, or None for no set")
    if samples is not None and samples > available:
        raise InvalidValueError(
            f"{samples} validation samples were asked for, but there are only {available}"
        )


def validation(data: Data, samples: int | None, batch_norm: str) -> EvaluationSet:
    """The validation set: whole, or its first ``samples``."""
    check_validation(len(data), samples)
    indices = torch.arange(len(data) if samples is None else samples)
    if isinstance(data, TensorData):
        inputs, targets = data.head(len(indices))
    else:
        inputs, targets = data.take(indices)
    return EvaluationSet("validation", "validation", batch_norm, indices, inputs, targets)
