"""Evaluate a model, where it is, on evaluation sets: one forward pass gives every value."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landscape.errors import DeterminismError, InvalidValueError, TooLargeError, users_code
from landscape.metrics import SampleLoss, margin
from landscape.network import outputs
from landscape.network.batch_norm import BatchNorm
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.network.losses import check_mean
from landscape.network.point import Point
from landscape.probing.directions.direction import (
    Direction,
    DirectionContext,
    mean_gradient,
    norm,
)
from landscape.probing.directions.registry import DirectionKind
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.runtime import randomness

# Samples on which the model is run whole and in parts, to see whether it mixes them.
MIXED = 32
# Evaluations from other random states of a model that draws where nothing should be random.
RANDOM = 32


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

    Every pass starts from the point's buffers and attributes and, with a ``mask_seed``, from the
    same dropout mask. A set whose samples do not influence each other goes through the model in
    chunks, any other set at once. Chunks that do not fit into the memory are halved, except with a
    mask. Nothing is measured before :meth:`check`.

    Args:
        forward: how the model is run.
        point: where the model started; its buffers are put back before each pass.
        loss: (logits, targets) -> one value per sample, (N,).
        recalibration: inputs (N, …) of the batches from which the batch-norm policy
            "recalibrated" estimates its statistics.
        frozen: normalisation layers that no policy switches.
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
        frozen: Collection[nn.Module] = (),
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
        self._state = mask_seed  # from which the generators start in each pass
        self._batch_norm = BatchNorm(forward.model, forward.eager, frozen)
        self._dtype = torch.float32
        self._mixes: dict[str, bool] = {}
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
            Uninitialised values, (points, N), on the set's device; float32 or, where the loss is
            of float64, that.
        """
        shape = (points, len(chosen))
        empty = torch.empty(shape, dtype=self._dtype, device=chosen.targets.device)
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
        """Take a direction where the model is, under :func:`gradient_policy` of the batch.

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
        self._prepare(gradient_policy(batch.batch_norm))
        model, loss, run = self._model, self._loss, self._run.eager
        # Copies: a model may write to its input only where gradients are taken.
        inputs, targets = batch.inputs.clone(), batch.targets.clone()
        with (
            users_code("the gradient of the loss"),
            _too_large(batch, len(batch), "the gradient needs them"),
        ):
            gradient = mean_gradient(model, inputs, targets, loss, run)
        length = norm([*gradient.values()])
        context = DirectionContext(
            model, batch.inputs.clone(), batch.targets.clone(), loss, run, gradient, length, seed
        )
        with users_code(f"direction {kind.name}"):
            return kind.take(context)

    def check(self, batch: EvaluationSet, sets: Sequence[EvaluationSet]) -> Values:
        """Refuse a model, a loss or sets of which no slice can be made.

        Args:
            batch: the batch that gives the gradient.
            sets: the sets to be measured.

        Returns:
            The values of the batch, (N,), for :meth:`confirm`.

        Raises:
            InvalidValueError: for a model that fails on its data, for outputs that are not of
                shape (N, C), for labels outside of 0 … C − 1, and for a loss whose own mean is not
                that over the samples.
            DeterminismError: where what the model draws at random changes the values.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        logits = self._logits(batch)
        classes = outputs.count_classes(logits, len(batch))
        for chosen in (batch, *sets):
            outputs.check_targets(chosen.targets, classes, chosen.name.replace("_", " "))
        with users_code("the loss"):
            check_mean(self._loss, logits, batch.targets)
            dtype = self._loss(logits.clone(), batch.targets).dtype
        self._dtype = torch.promote_types(dtype, torch.float32)
        largest = max((batch, *sets), key=len)
        few = largest.inputs[: min(MIXED, self._eval_batch_size.choose(self._run, largest.inputs))]
        for policy in sorted({chosen.batch_norm for chosen in (batch, *sets)}):
            same = self._mixes and not self._batch_norm.layers  # every policy runs the same
            found = next(iter(self._mixes.values())) if same else self._mixes_samples(policy, few)
            self._mixes[policy] = found
        before = randomness.capture()
        values = self.values(batch)
        if self._mask_seed is None and not randomness.same(before, randomness.capture()):
            # Drawn for nothing, as for masks that are off; or so that points would differ. From
            # here on every pass starts from one state all the same.
            for attempt in range(RANDOM):
                randomness.seed_all(attempt)
                self._require_same(values, self.values(batch))
            self._state = 0
        return values

    def confirm(self, batch: EvaluationSet, before: Values) -> None:
        """Refuse a model that, after the gradient was taken, no longer is what it was.

        Args:
            batch: the batch that gives the gradient; the model is where :meth:`check` found it.
            before: what that returned.

        Raises:
            DeterminismError: where the values differ by more than rounding.
            InvalidValueError: where the model moves its own parameters.
        """
        self._require_same(before, self.values(batch))
        self.require_at(self._point, {}, 0)

    def _require_same(self, before: Values, now: Values) -> None:
        first, second = before.loss, now.loss
        if not torch.allclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise DeterminismError(
                f"two evaluations of the same batch at one point differ (mean loss "
                f"{first.double().mean():.6g} and {second.double().mean():.6g}), so no slice can "
                "be trusted; the model draws random numbers or keeps a state of its own, which "
                "evaluations or gradients move"
            )

    @property
    def resolves(self) -> bool:
        """Whether values have digits enough for differences of nearby points."""
        return self._run.rounding < 1e-3

    def require_at(self, origin: Point, tangent: Mapping[str, Tensor], step_size: float) -> None:
        """Refuse a model whose forward passes have moved its parameters from where they were put.

        Args:
            origin: the point from which it was moved.
            tangent: along what.
            step_size: how far.

        Raises:
            InvalidValueError: for the first parameter that is elsewhere.
        """
        if (name := origin.strayed(tangent, step_size)) is not None:
            raise InvalidValueError(
                f"the model changes its parameter {name!r} by itself, as weights that are clipped "
                "or an embedding with max_norm, so that it cannot be measured where it is moved "
                "to; turn that off"
            )

    def _logits(self, batch: EvaluationSet) -> Tensor:
        self._run.choose_memory_format(batch.inputs)
        self._prepare(batch.batch_norm)
        given = f"{tuple(batch.inputs.shape)} and type {batch.inputs.dtype}"
        with users_code(f"the model on a batch of shape {given}"):
            return self._run.first(batch.inputs)

    def values(self, chosen: EvaluationSet) -> Values:
        """Measure one set where the model is.

        Args:
            chosen: the set.

        Returns:
            Its values, (N,).
        """
        values = self.allocate(chosen, 1).at(0)
        self.measure([chosen], [values])
        return values

    def _mixes_samples(self, policy: str, inputs: Tensor) -> bool:
        """Whether a sample's logits depend on what else is in its batch: whole against parts."""
        if self._batch_norm.mixes_samples(policy):
            return True
        if self._mask_seed is not None:  # a mask goes over the whole chunk in any case
            return False

        def logits(part: slice) -> Tensor:
            self._prepare("running" if policy == "recalibrated" else policy)
            return self._run.eager(inputs[part])

        try:
            whole = logits(slice(None))
        except torch.OutOfMemoryError:
            return len(inputs) > 2 and self._mixes_samples(policy, inputs[: len(inputs) // 2])
        for part in (slice(0, 2), slice(len(inputs) // 2, None)):
            try:
                alone = logits(part)
            except torch.OutOfMemoryError:
                continue
            except Exception:  # as batch statistics of a single sample
                return True
            apart = (alone - whole[part]).abs().nan_to_num()
            if bool((apart > self._run.rounding * whole.abs().nan_to_num().amax()).any()):
                return True
        return False

    def _prepare(self, policy: str) -> None:
        """Start a pass with the point's buffers, the policy's statistics and the mask's seed."""
        self._point.reset_buffers()
        self._seed_mask()
        with users_code("the model on the batches that recalibrate batch norm"):
            try:
                self._batch_norm.use(policy, self._recalibration)
            except torch.OutOfMemoryError as error:
                raise TooLargeError(
                    f"{len(self._recalibration[0])} samples, which recalibrate batch norm at once, "
                    "do not fit into the memory; choose a smaller batch"
                ) from error
        self._seed_mask()

    def _forward(self, chosen: EvaluationSet, values: Values) -> None:
        def run(part: slice) -> None:
            self._part(chosen, values, part)

        samples = len(chosen)
        with users_code(f"the model or its loss on {chosen.name.replace('_', ' ')}"):
            if self._mixes[chosen.batch_norm]:
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
        # What else the last pass has moved; statistics may have been recalibrated.
        self._point.reset_buffers(but=self._batch_norm.layers)
        logits = self._run(chosen.inputs[part])
        if values.margin is not None:
            values.margin[part] = margin(logits, targets)
        values.loss[part] = self._loss(logits, targets)  # last: it may write to the logits

    def _seed_mask(self) -> None:
        if self._state is not None:
            randomness.seed_all(self._state)


def gradient_policy(policy: str) -> str:
    """The batch-norm policy under which the gradient is taken, given that of the same batch.

    Args:
        policy: "batch", "running" or "recalibrated".

    Returns:
        The same, so that the gradient is that of the slice; for "recalibrated", whose statistics
        follow the parameters through other batches, "batch".
    """
    return "batch" if policy == "recalibrated" else policy


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
