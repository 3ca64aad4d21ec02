"""The samples of a probe: read once, and drawn anew for each checkpoint and draw."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from landscape.data import Data
from landscape.errors import InvalidValueError
from landscape.probing import evaluation_sets
from landscape.probing.evaluation_sets import EvaluationSet, TrainingSets
from landscape.probing.settings import ProbeSettings
from landscape.runtime.nested import Nested, moved
from landscape.runtime.randomness import generator

_TRAINING = 4  # the random stream of the training set's augmentation


class Samples:
    """Training and validation data, and the sets that settings ask for of them.

    Args:
        train: the training data.
        validation: the validation data; None for none.
        settings: with all sizes filled in.

    Raises:
        InvalidValueError: where the data is too small for the settings.
    """

    def __init__(self, train: Data, validation: Data | None, settings: ProbeSettings) -> None:
        self._train = train
        self._validation = validation
        self._settings = settings
        self._placed: torch.device | None = None
        self._validation_set: EvaluationSet | None = None
        evaluation_sets.check_sizes(len(train), **self._sizes())
        if validation is not None:
            evaluation_sets.check_validation(len(validation), settings.validation_samples)

    def with_settings(self, settings: ProbeSettings) -> "Samples":
        """The same data with other settings, but for sizes of sets.

        Args:
            settings: the others.

        Returns:
            The other samples; what was read is shared.
        """
        other = copy.copy(self)
        other._settings = settings
        return other

    def place(self, device: torch.device) -> None:
        """Put the data on a device; validation samples are read here, once.

        Args:
            device: where they are to be.
        """
        if device == self._placed:
            return
        self._train = self._train.to(device)
        if "validation" in self._settings.sets:
            assert self._validation is not None
            self._validation_set = evaluation_sets.validation(
                self._validation.to(device),
                self._settings.validation_samples,
                self._settings.batch_norm["validation"],
            )
        self._placed = device

    def given(self, batch: Sequence[Any], device: torch.device) -> EvaluationSet:
        """Make the gradient's batch of one that a caller gives.

        Args:
            batch: (inputs, targets) or (inputs, targets, indices).
            device: where it is put, unless the data are elsewhere.

        Returns:
            The set.

        Raises:
            InvalidValueError: for several draws, and for a batch of another size or shape.
        """
        settings = self._settings
        if settings.draws != 1:
            raise InvalidValueError(
                f"draws is {settings.draws}; with a given batch, only 1 is allowed"
            )
        chosen = evaluation_sets.given(
            *batch, samples=len(self._train), batch_norm=settings.batch_norm["same_batch"]
        )
        if len(chosen) != settings.batch_size:
            raise InvalidValueError(
                f"the batch has {len(chosen)} samples and batch_size is "
                f"{settings.batch_size}; give the same"
            )
        inputs, targets = (moved(each, device) for each in (chosen.inputs, chosen.targets))
        return replace(chosen, inputs=inputs, targets=targets)

    def draw(self, key: tuple[int, int], batch: EvaluationSet | None) -> TrainingSets:
        """Draw the training sets of one draw.

        Args:
            key: iteration and draw.
            batch: the gradient's batch, if it is given.

        Returns:
            The sets.
        """
        settings = self._settings
        used = {settings.batch_norm[kind] for kind in settings.sets}
        return evaluation_sets.draw(
            self._train,
            **self._sizes(),
            recalibration_batches=settings.recalibration_batches if "recalibrated" in used else 0,
            batch_norm=settings.batch_norm,
            key=(settings.seed, *key),
            batch=batch,
        )

    def all(self, drawn: TrainingSets) -> list[EvaluationSet]:
        """List the sets that there are.

        Args:
            drawn: the training sets of one draw.

        Returns:
            These and the validation set.
        """
        validation = [] if self._validation_set is None else [self._validation_set]
        return [drawn.same_batch, *drawn.others, *validation]

    def chosen(self, drawn: TrainingSets) -> list[EvaluationSet]:
        """List the sets that the settings ask for.

        Args:
            drawn: the training sets of one draw.

        Returns:
            Those of :meth:`all` that are measured.
        """
        return [s for s in self.all(drawn) if s.kind in self._settings.sets]

    def training(
        self, samples: int | None, key: tuple[int, int]
    ) -> Iterator[tuple[Nested, Nested]]:
        """Take the first training samples in batches, augmented as those of a training are.

        Args:
            samples: how many; None for all.
            key: iteration and draw.

        Yields:
            Inputs and targets of one batch at a time.

        Raises:
            InvalidValueError: where there are not so many.
        """
        there = len(self._train)
        if samples is not None and samples > there:
            raise InvalidValueError(
                f"full-gradient:{samples} asks for {samples} training samples, and there are only "
                f"{there}"
            )
        drawing = generator(_TRAINING, self._settings.seed, *key)
        indices = torch.arange(there if samples is None else samples)
        for each in torch.split(indices, self._settings.gradient_batch):
            yield self._train.take(each, drawing)

    def _sizes(self) -> dict[str, int]:
        settings = self._settings
        return {
            "batch_size": settings.gradient_batch,
            "other_batches": settings.other_batches if "other_batch" in settings.sets else 0,
            "big_batch": (settings.big_batch or 0) if "big_batch" in settings.sets else 0,
        }
