"""Evaluate a model, where it is, on evaluation sets: one forward pass gives every value."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from landscape.errors import (
    DeterminismError,
    InvalidValueError,
    TooLargeError,
    UnknownNameError,
    users_code,
)
from landscape.metrics import Metric
from landscape.network.batch_norm import BatchNorm
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.network.measures import Kind, Measure, Units
from landscape.network.point import Point
from landscape.probing.directions.direction import (
    NO_LANDMARKS,
    Direction,
    DirectionContext,
    Landmarks,
    mean_gradient,
    norm,
)
from landscape.probing.directions.registry import DirectionKind
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.runtime import randomness
from landscape.runtime.nested import (
    Nested,
    cloned,
    described,
    device_of,
    joined,
    leaves,
    part_of,
    samples_of,
)

# Samples on which the model is run whole and in parts, to see whether it mixes them.
MIXED = 32
# Evaluations from other random states of a model that draws where nothing should be random.
RANDOM = 32


# What a value is of: a sample, a unit of one (pixel, token), or the whole set.
SAMPLE, UNIT, SET = "sample", "unit", "set"


@dataclass(frozen=True)
class Values:
    """What was measured of one set.

    Attributes:
        arrays: name -> values, (points, n), or (n,) at one point, where n is the number of samples,
            of units that count, or 1 of what only the whole set has: the "loss", the "margin" or
            "residual" if it was asked for, and metrics of one's own by name.
        units: the units of the set.
        of: name -> what the array has values of: "sample", "unit" or "set".
    """

    arrays: Mapping[str, Tensor]
    units: Units
    of: Mapping[str, str]

    @property
    def loss(self) -> Tensor:
        """The loss, (points, n) or (n,)."""
        return self.arrays["loss"]

    def at(self, point: int) -> "Values":
        """Take the values at one point.

        Args:
            point: number of the point, from 0.

        Returns:
            Values of shape (n,), views into these.
        """
        arrays = {name: each[point] for name, each in self.arrays.items()}
        return Values(arrays, self.units, self.of)

    @property
    def weight(self) -> Tensor | None:
        """The weights of the losses, (n,) float64; None where all weigh the same."""
        return self.units.weight if self.of["loss"] == UNIT else None

    def mean(self) -> Tensor:
        """The mean loss, Σ w·l / Σ w, in float64; a scalar, or (points,)."""
        loss = self.loss.double()
        if self.weight is None:
            return loss.mean(-1)
        return (self.weight * loss).sum(-1) / self.weight.sum()


class Evaluator:
    """Evaluates sets at the position to which the model has been moved; a context manager.

    Every pass starts from the point's buffers and attributes and, with a ``mask_seed``, from the
    same dropout mask. A set whose samples do not influence each other goes through the model in
    chunks, any other set at once. Chunks that do not fit into the memory are halved, except with a
    mask. Nothing is measured before :meth:`check`.

    Args:
        forward: how the model is run.
        point: where the model started; its buffers are put back before each pass.
        measure: what is measured of outputs and targets.
        recalibration: inputs (N, …) of the batches from which the batch-norm policy
            "recalibrated" estimates its statistics.
        frozen: normalisation layers that no policy switches.
        second: which values of each unit are measured beside its loss, "margin" or "residual";
            those that its kind of target lacks are refused.
        keeps: whether those that its kind of target has are measured in any case.
        own: name -> metric of one's own, of outputs and targets.
        eval_batch_size: how many samples make a chunk.
        mask_seed: seed of the dropout mask; None if dropout is off.
    """

    def __init__(
        self,
        forward: Forward,
        point: Point,
        measure: Measure,
        recalibration: Sequence[Nested] = (),
        *,
        frozen: Collection[nn.Module] = (),
        second: Collection[str] = (),
        keeps: bool = False,
        own: Mapping[str, Metric] = MappingProxyType({}),
        eval_batch_size: EvalBatchSize,
        mask_seed: int | None = None,
    ) -> None:
        self._run = forward
        self._model = forward.model
        self._point = point
        self._measure = measure
        self._recalibration = recalibration
        self._required, self._keeps = tuple(second), keeps
        self._second: tuple[str, ...] = ()
        self._own = own
        self._kind: Kind | None = None
        self._of: dict[str, str] = {}  # what each array has values of
        self._units: dict[str, Units] = {}
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
            Uninitialised values on the set's device; float32 or, where the loss is of float64,
            that.
        """
        units = self._units[chosen.name]
        sizes = {SAMPLE: len(chosen), UNIT: units.count, SET: 1}
        device = device_of(chosen.targets)
        arrays = {
            name: torch.empty((points, sizes[of]), dtype=self._dtype, device=device)
            for name, of in self._of.items()
        }
        return Values(arrays, units, self._of)

    def measure(self, sets: Sequence[EvaluationSet], values: Sequence[Values]) -> None:
        """Measure loss and metrics of every unit, where the model is.

        Args:
            sets: the sets to evaluate.
            values: where to write, one for each set, at one point.

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

    def directions(
        self,
        kinds: Sequence[DirectionKind],
        batch: EvaluationSet,
        seeds: Sequence[int],
        *,
        sets: Sequence[EvaluationSet] = (),
        landmarks: Landmarks = NO_LANDMARKS,
        step: Callable[[Mapping[str, Tensor], float | None], Mapping[str, Tensor]],
        training: Callable[[int | None], Iterable[tuple[Nested, Nested]]],
        optimizer: str = "",
    ) -> list[Direction]:
        """Take directions where the model is, under :func:`gradient_policy` of the batch.

        Args:
            kinds: which directions.
            batch: the batch that gives the gradient.
            seeds: one for each direction, of what it draws at random.
            sets: the evaluation sets, of which a direction may take one.
            landmarks: other points of the model.
            step: the gradient by parameter name, and the norm to which it is clipped or None ->
                parameter name -> its value after the optimizer's next step; it leaves the model
                where it is.
            training: number of training samples, or None for all -> their batches, inputs and
                targets.
            optimizer: the class of the optimizer that takes the step.

        Returns:
            The directions, with the gradient of the batch.

        Raises:
            InvalidValueError: where the model, the loss or a direction's own function fails.
            TooLargeError: where the batch does not fit into the memory.
        """
        policy = gradient_policy(batch.batch_norm)
        model, loss, run = self._model, self._measure, self._run.eager
        known = {each.name: each for each in (batch, *sets)}

        def gradient_of(inputs: Nested, targets: Nested) -> dict[str, Tensor]:
            self._prepare(policy)
            # Copies: a model may write to its input only where gradients are taken.
            return mean_gradient(model, cloned(inputs), cloned(targets), loss, run)

        def training_gradient(samples: int | None) -> dict[str, Tensor]:
            return self._weighted(training(samples), gradient_of)

        def loss_on(name: str) -> tuple[Nested, Tensor]:
            if name and name not in known:
                raise UnknownNameError("evaluation set", name, known)
            chosen = known[name] if name else batch
            self._prepare(gradient_policy(chosen.batch_norm))
            with _too_large(chosen, len(chosen), "the direction needs them"):
                outputs = run(cloned(chosen.inputs))
                return outputs, loss(outputs, cloned(chosen.targets)).mean()

        with (
            users_code("the gradient of the loss"),
            _too_large(batch, len(batch), "the gradient needs them"),
        ):
            gradient = gradient_of(batch.inputs, batch.targets)
        context = DirectionContext(
            model=model,
            inputs=cloned(batch.inputs),
            targets=cloned(batch.targets),
            loss=loss,
            forward=run,
            gradient=gradient,
            gradient_norm=norm([*gradient.values()]),
            seed=0,
            optimizer=optimizer,
            landmarks=landmarks,
            step=lambda clip: step(gradient, clip),
            training_gradient=training_gradient,
            loss_on=loss_on,
        )
        found = []
        for kind, seed in zip(kinds, seeds, strict=True):
            self._prepare(policy)
            with users_code(f"direction {kind.name}"):
                found.append(kind.take(replace(context, seed=seed)))
        return found

    def _weighted(
        self,
        batches: Iterable[tuple[Nested, Nested]],
        gradient_of: Callable[[Nested, Nested], dict[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Σ W_b ∇L_b / Σ W_b over batches of total weight W_b, summed in float64."""
        total, sums, like = 0.0, dict[str, Tensor](), dict[str, Tensor]()
        for inputs, targets in batches:
            weight = self._weight_of(targets)
            like = gradient_of(inputs, targets)
            for name, each in like.items():
                wide = each.to(torch.promote_types(each.dtype, torch.float64))
                sums[name] = weight * wide if name not in sums else sums[name] + weight * wide
            total += weight
        return {name: (sums[name] / total).to(each.dtype) for name, each in like.items()}

    def _weight_of(self, targets: Nested) -> float:
        """Of a batch's mean loss among those of other batches: Σ w, or how many units it has."""
        if self._of["loss"] != UNIT or self._kind is None:
            return float(samples_of(targets))
        units = self._measure.units(self._kind, targets)
        return float(units.count if units.weight is None else units.weight.sum())

    def check(self, batch: EvaluationSet, sets: Sequence[EvaluationSet]) -> Values:
        """Refuse a model, a loss or sets of which no slice can be made.

        Args:
            batch: the batch that gives the gradient.
            sets: the sets to be measured.

        Returns:
            The values of the batch, for :meth:`confirm`.

        Raises:
            InvalidValueError: for a model that fails on its data, for outputs and targets that do
                not fit each other, for labels outside of 0 … C − 1, for metrics that the targets do
                not have, and for a loss whose own mean is not ours.
            DeterminismError: where what the model draws at random changes the values.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        outputs = self._outputs(batch)
        measure = self._measure
        self._kind = kind = measure.fit(outputs, batch.targets)
        if lacking := [name for name in self._required if name != kind.second]:
            raise InvalidValueError(
                f"metrics of the {lacking[0]} were asked for, which {_KINDS[kind.second]} do not "
                "have; choose metrics='loss'"
                + (f", or those of the {kind.second}" if kind.second else "")
            )
        for chosen in (batch, *sets):
            measure.check(kind, outputs, chosen.targets, chosen.name.replace("_", " "))
            self._units[chosen.name] = measure.units(kind, chosen.targets)
        with users_code("the loss"):
            found = measure.values(kind, cloned(outputs), batch.targets)
            # Of a loss that is only a mean, no values are kept.
            wanted = self._required or (self._keeps and found.ndim)
            self._second = (kind.second,) if wanted and kind.second else ()
            measure.check_mean(kind, outputs, batch.targets, bool(self._second))
        self._dtype = torch.promote_types(found.dtype, torch.float32)
        self._of = {"loss": self._layout(batch, found), **dict.fromkeys(self._second, UNIT)}
        for name, metric in self._own.items():
            self._of[name] = self._layout(batch, _own(name, metric, measure, outputs, batch))
        largest = max((batch, *sets), key=len)
        most = min(MIXED, self._eval_batch_size.choose(self._run, largest.inputs))
        few = part_of(largest.inputs, slice(most))
        for policy in sorted({chosen.batch_norm for chosen in (batch, *sets)}):
            same = self._mixes and not self._batch_norm.layers  # every policy runs the same
            mixes = next(iter(self._mixes.values())) if same else self._mixes_samples(policy, few)
            self._mixes[policy] = mixes
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
                f"{before.mean():.6g} and {now.mean():.6g}), so no slice can "
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

    def _outputs(self, batch: EvaluationSet) -> Nested:
        self._run.choose_memory_format(batch.inputs)
        self._prepare(batch.batch_norm)
        with users_code(f"the model on a batch of {described(batch.inputs)}"):
            return self._run.first(batch.inputs)

    def _layout(self, batch: EvaluationSet, found: Tensor) -> str:
        """What the values of a batch are of."""
        if found.ndim == 0:
            return SET
        units = self._units[batch.name]
        return UNIT if len(found) == units.samples * units.each else SAMPLE

    def values(self, chosen: EvaluationSet) -> Values:
        """Measure one set where the model is.

        Args:
            chosen: the set.

        Returns:
            Its values at this point.
        """
        values = self.allocate(chosen, 1).at(0)
        self.measure([chosen], [values])
        return values

    def _mixes_samples(self, policy: str, inputs: Nested) -> bool:
        """Whether a sample's outputs depend on what else is in its batch: whole against parts."""
        if self._batch_norm.mixes_samples(policy) or self._measure.own:
            return True
        if self._mask_seed is not None:  # a mask goes over the whole chunk in any case
            return False

        samples = samples_of(inputs)

        def outputs(part: slice) -> list[Tensor]:
            self._prepare("running" if policy == "recalibrated" else policy)
            return [each for _, each in leaves(self._run.eager(part_of(inputs, part)))]

        try:
            whole = outputs(slice(None))
        except torch.OutOfMemoryError:
            return samples > 2 and self._mixes_samples(policy, part_of(inputs, slice(samples // 2)))
        for part in (slice(0, 2), slice(samples // 2, None)):
            try:
                alone = outputs(part)
            except torch.OutOfMemoryError:
                continue
            except Exception:  # as batch statistics of a single sample
                return True
            for few, all_ in zip(alone, whole, strict=True):
                if few.shape != all_[part].shape:
                    return True
                apart = (few - all_[part]).abs().nan_to_num()
                most = self._run.rounding * all_.abs().nan_to_num().amax()
                if bool((apart > most).any()):
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
                    f"{samples_of(self._recalibration[0])} samples, which recalibrate batch norm "
                    "at once, do not fit into the memory; choose a smaller batch"
                ) from error
        self._seed_mask()

    def _forward(self, chosen: EvaluationSet, values: Values) -> None:
        collected: list[Nested] = []  # for a loss of the whole set's outputs

        def run(part: slice) -> None:
            self._part(chosen, values, part, collected)

        samples = len(chosen)
        with users_code(f"the model or its loss on {chosen.name.replace('_', ' ')}"):
            if self._mixes[chosen.batch_norm]:
                own = self._measure.own
                why = "the model's own loss needs" if own else "batch statistics need"
                with _too_large(chosen, samples, f"{why} them"):
                    run(slice(None))
            elif self._mask_seed is None:
                self._eval_batch_size.choose(self._run, chosen.inputs)
                self._eval_batch_size.over(samples, run)
            else:
                size = min(samples, self._eval_batch_size.choose(self._run, chosen.inputs))
                with _too_large(chosen, size, "the dropout mask goes over them"):
                    self._eval_batch_size.over(samples, run, halving=False)
            if collected:
                assert self._kind is not None
                outputs = joined(collected)
                found = self._measure.values(self._kind, outputs, chosen.targets)
                values.loss[0] = self._as(SET, found, values.units, slice(None))[0]

    def _part(
        self, chosen: EvaluationSet, values: Values, part: slice, collected: list[Nested]
    ) -> None:
        measure, kind, units = self._measure, self._kind, values.units
        assert kind is not None
        # What else the last pass has moved; statistics may have been recalibrated.
        self._point.reset_buffers(but=self._batch_norm.layers)
        outputs = self._run(part_of(chosen.inputs, part))
        targets = part_of(chosen.targets, part)
        places = {SAMPLE: part, UNIT: units.within(part)}
        for name in self._second:
            found = measure.of_units(kind, outputs, targets)
            values.arrays[name][places[UNIT]] = units.kept(found, part)
        for name, metric in self._own.items():
            of = self._of[name]
            found = metric.values(*measure.predictions(outputs, targets)).reshape(-1)
            values.arrays[name][places[of]] = self._as(of, found, units, part)
        of = self._of["loss"]
        if of == SET and not measure.own:
            collected.append(outputs)
            return
        found = measure.values(kind, outputs, targets)  # last: it may write to the outputs
        found = self._as(of, found, units, part)
        if of == UNIT and units.weight is not None:
            weight = units.weight[places[UNIT]]
            # The loss has multiplied by w; where that is 0, it is 0.
            found = torch.where(weight > 0, found / weight, found).to(found.dtype)
        values.loss[places.get(of, slice(None))] = found

    def _as(self, of: str, found: Tensor, units: Units, part: slice) -> Tensor:
        """Values of a part of the samples, of each unit that counts where they are of units."""
        if of == SET:
            if found.ndim:
                raise InvalidValueError(
                    f"the loss gave one number on the first batch, and here {len(found)}; let it "
                    "always give one kind"
                )
            return found.reshape(1)
        start, stop, _ = part.indices(units.samples)
        expected = (stop - start) * (units.each if of == UNIT else 1)
        if found.numel() != expected:
            raise InvalidValueError(
                f"the loss or metric gives {found.numel()} values for {stop - start} samples, "
                f"where {expected} were expected as on the first batch; let it give one for each"
            )
        return units.kept(found, part) if of == UNIT else found

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


_KINDS: Mapping[str | None, str] = {
    "margin": "classes",
    "residual": "real numbers",
    None: "targets of a loss of one's own",
}


def _own(
    name: str, metric: Metric, measure: Measure, outputs: Nested, batch: EvaluationSet
) -> Tensor:
    """The values of a metric of one's own on a batch, one for each sample or target."""
    predictions, targets = measure.predictions(outputs, batch.targets)
    shape = tuple(targets.shape) if isinstance(targets, Tensor) else None
    with users_code(f"metric {name}"):
        found: object = metric.values(predictions, targets)
    if isinstance(found, Tensor) and tuple(found.shape) in ((len(batch),), shape):
        return found.reshape(-1)
    received = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
    raise InvalidValueError(
        f"metric {name} gives {received}; let it give one value for each sample, shape "
        f"({len(batch)},)" + (f", or for each target, shape {shape}" if shape else "")
    )


@contextmanager
def _too_large(chosen: EvaluationSet, samples: int, why: str) -> Iterator[None]:
    """Turn running out of memory into an error that says why the samples are needed at once."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TooLargeError(
            f"{samples} samples of {chosen.name.replace('_', ' ')} do not fit into the memory "
            f"of {device_of(chosen.inputs)}, and {why} at once; choose a smaller batch, big batch "
            "or eval_batch_size"
        ) from error
