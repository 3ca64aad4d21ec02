"""Evaluate a model, where it is, on evaluation sets: one forward pass gives every value."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.errors import DeterminismError, TooLargeError, users_code
from landscape.metrics import SampleLoss, margin
from landscape.network import outputs
from landscape.network.batch_norm import BatchNorm
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.network.point import Point
from landscape.probing.directions.direction import (
    Direction,
    DirectionContext,
    mean_gradient,
    norm,
)
from landscape.probing.directions.registry import DirectionKind
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.runtime.randomness import seed_torch


@dataclass(frozen=True)
class Values:
    """Per-sample values of one set.

    Attributes:
        loss: (points, N), or (N,) at one point.
        margin: of the same shape, in [−1, 1]; None if margins are not needed.
    """

    loss: Tensor
    margin: Tensor | None

    def at(self, point: int) -> "Values":
        """Take the values at one point.

        Args:
            point: number of the point, from 0.

        Returns:
            Values of shape (N,), views into these.
        """
        return Values(self.loss[point], None if self.margin is None else self.margin[point])


class Evaluator:
    """Evaluates sets at the position to which the model has been moved; a context manager.

    Every pass starts from the point's buffers and, with a ``mask_seed``, from the same dropout
    mask. A set whose samples do not influence each other goes through the model in chunks, any
    other set at once. Chunks that do not fit into the memory are halved, except with a mask.

    Args:
        forward: how the model is run.
        point: where the model started; its buffers are put back before each pass.
        loss: (logits, targets) -> one value per sample, (N,).
        recalibration: inputs (N, …) of the batches from which the batch-norm policy
            "recalibrated" estimates its statistics.
        margins: whether margins are measured too.
        eval_batch_size: how many samples make a chunk.
        mask_seed: seed of the dropout mask; None if dropout is off.
    """

    def __init__(
        self,
        forward: Forward,
        point: Point,
        loss: SampleLoss,
        recalibration: Sequence[Tensor] = (),
        *,
        margins: bool = True,
        eval_batch_size: EvalBatchSize,
        mask_seed: int | None = None,
    ) -> None:
        self._run = forward
        self._model = forward.model
        self._point = point
        self._loss = loss
        self._recalibration = recalibration
        self._margins = margins
        self._eval_batch_size = eval_batch_size
        self._mask_seed = mask_seed
        self._batch_norm = BatchNorm(forward.model, forward.eager)
        self._exit = ExitStack()

    def __enter__(self) -> "Evaluator":
        self._exit.enter_context(self._batch_norm.preserved())
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    def allocate(self, chosen: EvaluationSet, points: int) -> Values:
        """Allocate memory for the values of a set.

        Args:
            chosen: the set.
            points: at how many points it will be measured.

        Returns:
            Uninitialised values, (points, N), on the set's device; float32 or, for a float64
            model, float64.
        """
        dtype = torch.promote_types(next(self._model.parameters()).dtype, torch.float32)
        shape = (points, len(chosen))
        empty = torch.empty(shape, dtype=dtype, device=chosen.targets.device)
        return Values(empty, torch.empty_like(empty) if self._margins else None)

    def measure(self, sets: Sequence[EvaluationSet], values: Sequence[Values]) -> None:
        """Measure loss and margin of every sample, where the model is.

        Args:
            sets: the sets to evaluate.
            values: where to write, one for each set, of shape (N,).

        Raises:
            InvalidValueError: where the model or the loss fails.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        prepared = None
        for chosen, found in zip(sets, values, strict=True):
            # Training mode may draw masks and move other buffers, so there each set starts anew.
            if chosen.batch_norm != prepared or self._mask_seed is not None:
                self._prepare(chosen.batch_norm)
                prepared = chosen.batch_norm
            self._forward(chosen, found)

    def direction(self, kind: DirectionKind, batch: EvaluationSet, seed: int) -> Direction:
        """Take a direction where the model is, with batch statistics, as in training.

        Args:
            kind: which direction.
            batch: the batch that gives the gradient.
            seed: seed of what the direction draws at random.

        Returns:
            The direction, with the gradient it was made from.

        Raises:
            InvalidValueError: where the model, the loss or the direction's own function fails.
            TooLargeError: where the batch does not fit into the memory.
        """
        self._prepare("batch")
        model, loss, run = self._model, self._loss, self._run.eager
        with (
            users_code("the gradient of the loss"),
            _too_large(batch, len(batch), "the gradient needs them"),
        ):
            gradient = mean_gradient(model, batch.inputs, batch.targets, loss, run)
        length = norm([*gradient.values()])
        context = DirectionContext(
            model, batch.inputs, batch.targets, loss, run, gradient, length, seed
        )
        with users_code(f"direction {kind.name}"):
            return kind.take(context)

    def check(self, batch: EvaluationSet, sets: Iterable[EvaluationSet]) -> None:
        """Refuse a model or sets of which no slice can be made.

        Args:
            batch: the batch that gives the gradient; it is evaluated twice.
            sets: the sets to be measured.

        Raises:
            InvalidValueError: for a model that fails on its data, for outputs that are not of
                shape (N, C), and for labels outside of 0 … C − 1.
            DeterminismError: where two evaluations of ``batch`` differ by more than rounding.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        classes = self._classes(batch)
        for chosen in (batch, *sets):
            outputs.check_targets(chosen.targets, classes, chosen.name.replace("_", " "))
        twice = self.allocate(batch, 2)
        for i in range(2):
            self.measure([batch], [twice.at(i)])
        first, second = twice.loss
        if not torch.allclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise DeterminismError(
                f"two evaluations of the same batch at one point differ (mean loss "
                f"{first.mean():.6g} and {second.mean():.6g}), so no slice can be trusted; the "
                "model draws random numbers or keeps a state of its own in evaluation mode"
            )

    def _classes(self, batch: EvaluationSet) -> int:
        self._run.choose_memory_format(batch.inputs)
        self._prepare(batch.batch_norm)
        given = f"{tuple(batch.inputs.shape)} and type {batch.inputs.dtype}"
        with users_code(f"the model on a batch of shape {given}"):
            logits = self._run.eager(batch.inputs)
        return outputs.count_classes(logits, len(batch))

    def _prepare(self, policy: str) -> None:
        """Start a pass with the point's buffers, the policy's statistics and the mask's seed."""
        self._point.reset_buffers()
        self._seed_mask()
        self._batch_norm.use(policy, self._recalibration)
        self._seed_mask()

    def _forward(self, chosen: EvaluationSet, values: Values) -> None:
        def run(part: slice) -> None:
            self._part(chosen, values, part)

        samples = len(chosen)
        with users_code(f"the model or its loss on {chosen.name.replace('_', ' ')}"):
            if self._batch_norm.mixes_samples(chosen.batch_norm):
                with _too_large(chosen, samples, "batch statistics need them"):
                    run(slice(None))
                return
            size = min(samples, self._eval_batch_size.choose(self._run, chosen.inputs))
            if self._mask_seed is None:
                self._eval_batch_size.over(samples, run)
            else:
                with _too_large(chosen, size, "the dropout mask goes over them"):
                    self._eval_batch_size.over(samples, run, halving=False)

    def _part(self, chosen: EvaluationSet, values: Values, part: slice) -> None:
        targets = chosen.targets[part]
        logits = self._run(chosen.inputs[part])
        values.loss[part] = self._loss(logits, targets)
        if values.margin is not None:
            values.margin[part] = margin(logits, targets)

    def _seed_mask(self) -> None:
        if self._mask_seed is not None:
            seed_torch(self._mask_seed)


@contextmanager
def _too_large(chosen: EvaluationSet, samples: int, why: str) -> Iterator[None]:
    """Turn running out of memory into an error that says why the samples are needed at once."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TooLargeError(
            f"{samples} samples of {chosen.name.replace('_', ' ')} do not fit into the memory "
            f"of {chosen.inputs.device}, and {why} at once; choose a smaller batch, big batch or "
            "eval_batch_size"
        ) from error
