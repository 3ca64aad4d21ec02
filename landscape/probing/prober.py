"""Probe a model: from a point, a direction, sets and step sizes to a slice as a Dataset."""

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from landscape.data import Data, as_data
from landscape.data.batches import PAIR, Split, Target
from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.batch_norm import frozen_layers
from landscape.network.calling import Calling, Output
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward, check_precision
from landscape.network.measures import as_measure
from landscape.network.point import Point, preserved
from landscape.network.sharing import check_apart
from landscape.probing import dataset as slices
from landscape.probing import evaluation_sets
from landscape.probing.after_step import after_step
from landscape.probing.directions import registry
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation import Evaluator
from landscape.probing.evaluation_sets import EvaluationSet, TrainingSets
from landscape.probing.finite_difference import check_slope
from landscape.probing.reach import Reaches, choose, find_reaches
from landscape.probing.settings import AutoRange, ProbeSettings
from landscape.runtime.nested import Nested, moved, samples_of
from landscape.runtime.randomness import derive, seed_all

# The random streams of dropout masks and of directions.
_MASKS, _DIRECTION = 2, 3


def probe(
    model: nn.Module,
    train: Any,
    validation: Any = None,
    *,
    loss: Any = cross_entropy,
    forward: Callable[[nn.Module, Nested], Any] | None = None,
    output: Output = None,
    target: Target = None,
    optimizer: torch.optim.Optimizer | None = None,
    learning_rate: float = nan,
    batch: Sequence[Any] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure loss and accuracy of a model along its gradient, on several sets of samples.

    The model (parameters, buffers, plain attributes, modes, ``requires_grad``, ``.grad``), what is
    handed in and every global random generator are left bit-identical, also after an exception.

    What cannot be measured rightly is refused. The batch is evaluated before and after the
    gradient is taken, samples together and in parts; the slope is compared with a finite
    difference, the parameters are read back at both ends of the slice, and the mean of a loss
    module is compared with that over the samples.

    >>> slice_ = landscape.probe(
    ...     model, (images, labels), validation, step_sizes=[-0.1, 0, 0.1], draws=2
    ... )
    >>> slice_.accuracy.sel(evaluation_set="validation").mean("draw", skipna=False).dims
    ('checkpoint', 'step_size')

    Args:
        model: a model from inputs (N, …) to outputs (N, …), where the slice is to start. It is
            called as ``model(x)``, ``model(*tuple)`` or ``model(**dict)``, by what the inputs are.
        train: training data, from which batches are drawn: a pair (inputs, targets) or a dict of
            tensors or arrays (N, …), a Dataset or a DataLoader of pairs or dicts, whose batch size
            is then the default.
        validation: validation data, likewise; None for no validation set.
        loss: a function of (outputs, targets) or a torch loss module, "model" for the loss that
            the model computes itself, or a :class:`Measure`. By default the cross-entropy.
        forward: (model, inputs) -> the model's output, in place of these calls.
        output: which part of the model's output is used: a key, an attribute, a place in a tuple or
            a function; by default a tensor as it is, its logits, or the first of a tuple.
        target: which part of a sample is its target: the key of a dict (by default labels), the
            place in a longer tuple, or a function batch -> (inputs, targets).
        optimizer: for ``origin="after-step"``, the optimizer that takes the step.
        learning_rate: for ``origin="after-step"`` without an optimizer, that of plain SGD. It is
            also stored with the slice.
        batch: the batch that gives the gradient, if it is not to be drawn: (inputs, labels), or
            (inputs, labels, indices) with the samples' places in ``train``, which keep the other
            sets free of these samples.
        **settings: the fields of :class:`ProbeSettings`, except that ``samples`` has no effect;
            with ``step_sizes="auto"`` the slice goes to where the loss of the batch has risen.

    Returns:
        The slice, with dims ``checkpoint`` (1), ``draw``, ``evaluation_set``, ``step_size`` and,
        for smooth accuracy, ``slope_factor``; values in float64.

    Raises:
        InvalidValueError: for settings or data that are not allowed, and for a model or a loss
            that fails on the data.
        DeterminismError: where one batch gives two values at one point.
        TooLargeError: where samples that must be evaluated at once do not fit into the memory.

    Warns:
        SlopeWarning: where the loss does not fall as the gradient says.
        RangeWarning: for step sizes "auto", where the loss does not rise on a side.
    """
    measure = as_measure(loss)
    split = Split(target, measure.own)
    data = as_data(train, "training data", split=split)
    if batch is not None:
        settings = {"batch_size": samples_of(PAIR(batch[:2], "the batch")[1]), **settings}
    elif (size := getattr(data, "batch_size", None)) is not None:
        settings = {"batch_size": min(size, len(data)), **settings}
    prober = Prober(
        data,
        None if validation is None else as_data(validation, "validation data", split=split),
        ProbeSettings.from_mapping({**settings, "samples": False}),
        loss=measure,
        forward=forward,
        output=output,
    )
    return prober(model, optimizer=optimizer, learning_rate=learning_rate, batch=batch).to_dataset()


class Prober:
    """Probes any number of models on the same data with the same settings.

    Validation data is read once; training batches are drawn once per iteration and draw.

    >>> prober = landscape.Prober(
    ...     landscape.data.as_data((images, labels)),
    ...     landscape.data.as_data(validation),
    ...     landscape.ProbeSettings(step_sizes=[-0.1, 0, 0.1]),
    ... )
    >>> tree = prober(model, iteration=0)
    >>> tree["per_sample/validation"]["loss"].dims
    ('checkpoint', 'draw', 'step_size', 'sample')

    Args:
        train: training data, from which batches are drawn.
        validation: validation data; None for no validation set.
        settings: what to probe.
        loss: as in :func:`probe`.
        forward: as in :func:`probe`.
        output: as in :func:`probe`.
        device: where the samples are put; by default where the model is.

    Raises:
        InvalidValueError: where the data is too small for the settings, or the device lacks the
            precision.
    """

    def __init__(
        self,
        train: Data,
        validation: Data | None,
        settings: ProbeSettings,
        *,
        loss: Any = cross_entropy,
        forward: Callable[[nn.Module, Nested], Any] | None = None,
        output: Output = None,
        device: torch.device | str | None = None,
    ) -> None:
        kinds = [k for k in settings.sets if k != "validation" or validation is not None]
        sizes = settings.for_sizes(len(train), len(validation) if validation is not None else 0)
        self._measure = as_measure(loss)
        self._calling = Calling(forward, output, self._measure.own)
        if sizes.metrics is None:
            _, targets = train.take(torch.arange(1))
            names = (*self._measure.default_metrics(targets), *sizes.own_metrics)
            sizes = replace(sizes, metrics=names)
        self._measure.check_metrics(sizes.metrics or ())
        self.settings = replace(sizes, sets=kinds)
        self._train = train
        self._validation = validation
        self._device = None if device is None else torch.device(device)
        self._placed: torch.device | None = None
        self._validation_set: EvaluationSet | None = None
        self._forward: Forward | None = None
        self._eval_batch_size = EvalBatchSize(settings.eval_batch_size)
        if self._device is not None:
            check_precision(settings.precision, self._device)
        evaluation_sets.check_sizes(len(train), **self._sizes())
        if validation is not None:
            evaluation_sets.check_validation(len(validation), settings.validation_samples)

    @property
    def loss(self) -> str:
        """The loss and how it is measured in one line, as a store keeps it."""
        return self._measure.described

    @property
    def points(self) -> int:
        """The number of points that one call evaluates, for a progress bar."""
        step_sizes = self.settings.step_sizes
        points = step_sizes.points if isinstance(step_sizes, AutoRange) else len(step_sizes)
        return self.settings.draws * points

    def __call__(
        self,
        model: nn.Module,
        *,
        iteration: int = 0,
        epoch: float = nan,
        learning_rate: float = nan,
        optimizer: torch.optim.Optimizer | None = None,
        batch: Sequence[Any] | None = None,
        direction: Direction | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> xr.DataTree:
        """Probe a model as it is now; it is left bit-identical, as by :func:`probe`.

        Args:
            model: a model from inputs (N, …) to outputs (N, …), where the slice is to start.
            iteration: iteration of the checkpoint; it seeds the draws, together with the seed.
            epoch: epoch of the checkpoint, to be stored; NaN if unknown.
            learning_rate: learning rate at the checkpoint, to be stored; NaN if unknown. For the
                origin "after-step" without an optimizer, that of plain SGD.
            optimizer: for the origin "after-step", the optimizer that takes the step.
            batch: the batch that gives the gradient, as in :func:`probe`; by default it is drawn.
            direction: the direction to go along; the slice then starts where the model is,
                whatever the origin. By default that of the settings.
            advance: called after each point, for a progress bar.

        Returns:
            A tree: at its root the slice (see :func:`probe`) and, if the settings keep samples,
            per-sample ``loss`` and ``margin`` at ``per_sample/<evaluation set>``.

        Raises:
            InvalidValueError: for a model, a loss or data that fail or do not fit each other.
            DeterminismError: where one batch gives two values at one point.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        if isinstance(auto := self.settings.step_sizes, AutoRange):
            where: dict[str, Any] = {
                "iteration": iteration,
                "learning_rate": learning_rate,
                "optimizer": optimizer,
                "batch": batch,
                "direction": direction,
            }
            found = choose(auto, {iteration: self.reaches(model, **where)})
            fixed = self.with_settings(step_sizes=found.step_sizes)
            return fixed(model, epoch=epoch, advance=advance, **where)
        forward = self._run(model)
        chosen = None if batch is None else self._given(batch, model)
        step = _stepper(forward, optimizer, learning_rate)
        with self._at_point(forward) as at:
            draws = [
                self._draw(at, (iteration, draw), chosen, direction, step, advance)
                for draw in range(self.settings.draws)
            ]
        return slices.build(
            self.settings,
            draws,
            iteration=iteration,
            epoch=epoch,
            learning_rate=learning_rate,
            unit=self._measure.unit,
        )

    def reaches(
        self,
        model: nn.Module,
        *,
        iteration: int = 0,
        learning_rate: float = nan,
        optimizer: torch.optim.Optimizer | None = None,
        batch: Sequence[Any] | None = None,
        direction: Direction | None = None,
    ) -> Reaches:
        """Find how far a slice goes until the loss of its gradient's batch has risen.

        Args:
            model: where the slice is to start; it is left bit-identical.
            iteration: as in a call of the prober.
            learning_rate: likewise.
            optimizer: likewise.
            batch: likewise; by default the batch of the first draw.
            direction: likewise.

        Returns:
            How far it goes on either side, with the rise of the settings' step sizes, or else that
            of :class:`AutoRange`.

        Raises:
            InvalidValueError: for a model, a loss or data that fail or do not fit each other.
            DeterminismError: where the batch gives two values at one point.
            TooLargeError: where the batch does not fit into the memory.
        """
        forward = self._run(model)
        chosen = None if batch is None else self._given(batch, model)
        step = _stepper(forward, optimizer, learning_rate)
        given = self.settings.step_sizes
        auto = given if isinstance(given, AutoRange) else AutoRange()
        self._place(self._device or forward.device)
        alone = self.with_settings(
            step_sizes=auto, sets=("same_batch",), metrics=("loss",), samples=False
        )
        with (
            alone._at_point(forward) as at,
            alone._start(at, (iteration, 0), chosen, direction, step) as start,
        ):
            return find_reaches(
                start.evaluator,
                start.origin,
                start.direction,
                start.same_batch,
                auto.rise,
                _largest(model)[1],
            )

    def with_settings(self, **changes: Any) -> "Prober":
        """Make a prober of the same data with other settings, but for sizes of sets.

        Args:
            **changes: fields of :class:`ProbeSettings`.

        Returns:
            The other prober; what was read is shared.

        Raises:
            InvalidValueError: for a value that is not allowed.
        """
        other = copy.copy(self)
        other.settings = replace(self.settings, **changes)
        return other

    def direction(self, model: nn.Module, batch: Sequence[Any], *, iteration: int = 0) -> Direction:
        """Take the direction that a slice with this batch would have.

        Args:
            model: where the direction is taken; it is left as it is.
            batch: (inputs, labels) or (inputs, labels, indices), as in :func:`probe`.
            iteration: iteration of the checkpoint; it seeds a random direction.

        Returns:
            The direction.

        Raises:
            InvalidValueError: for a model, a loss or a batch that fail or do not fit each other.
            DeterminismError: where the batch gives two values at one point.
            TooLargeError: where the batch does not fit into the memory.
        """
        forward = self._run(model)
        same_batch = self._given(batch, model)
        with self._at_point(forward) as at:
            key = iteration, 0
            with self._evaluator(at, key) as evaluator:
                values = evaluator.check(same_batch, [])
                direction = evaluator.direction(self._kind, same_batch, self._seed(key))
                evaluator.confirm(same_batch, values)
                return direction

    @contextmanager
    def _at_point(self, forward: Forward) -> Iterator["_At"]:
        """The model in the mode in which it is probed; it is put back on leaving."""
        frozen = frozen_layers(forward.model)
        with (
            torch.no_grad(),
            forward.precision_context(),
            preserved(forward.model, training=self.settings.dropout) as point,
        ):
            yield _At(forward, point, frozen)

    @contextmanager
    def _start(
        self,
        at: "_At",
        key: tuple[int, int],
        batch: EvaluationSet | None,
        direction: Direction | None,
        step: Callable[[Direction, EvaluationSet], dict[str, Tensor]],
    ) -> Iterator["_Start"]:
        """Where the slice of a draw has its 0, and along what it goes, once all is checked."""
        settings = self.settings
        self._place(self._device or at.forward.device)
        drawn = evaluation_sets.draw(
            self._train,
            **self._sizes(),
            recalibration_batches=self._recalibration_batches(),
            batch_norm=settings.batch_norm,
            key=(settings.seed, *key),
            batch=batch,
        )
        sets = self._chosen(drawn)
        with self._evaluator(at, key, drawn.recalibration) as evaluator:
            before = evaluator.check(drawn.same_batch, sets)
            origin, given = at.point, direction is not None
            if direction is None:
                direction = evaluator.direction(self._kind, drawn.same_batch, self._seed(key))
            evaluator.confirm(drawn.same_batch, before)
            # A search for the range is followed by the slice, which is checked.
            searching = isinstance(settings.step_sizes, AutoRange)
            if not given and key[1] == 0 and not searching:
                check_slope(evaluator, at.point, drawn.same_batch, direction, before)
            if not given and settings.origin == "after-step":
                at.point.restore()
                if settings.dropout:  # with the mask of the gradient
                    seed_all(self._mask_seed(key))
                origin = at.point.shifted(step(direction, drawn.same_batch))
            yield _Start(evaluator, origin, direction, drawn.same_batch, sets)
            at.point.restore()

    def _draw(
        self,
        at: "_At",
        key: tuple[int, int],
        batch: EvaluationSet | None,
        direction: Direction | None,
        step: Callable[[Direction, EvaluationSet], dict[str, Tensor]],
        advance: Callable[[], object],
    ) -> slices.Draw:
        step_sizes = self.settings.fixed_step_sizes
        with self._start(at, key, batch, direction, step) as start:
            evaluator, sets, tangent = start.evaluator, start.sets, start.direction.tangent
            values = [evaluator.allocate(s, len(step_sizes)) for s in sets]
            for i, step_size in enumerate(step_sizes):
                start.origin.move(tangent, step_size)
                evaluator.measure(sets, [v.at(i) for v in values])
                if i in (0, len(step_sizes) - 1):
                    evaluator.require_at(start.origin, tangent, step_size)
                advance()
        return slices.Draw(start.direction, sets, values)

    def _run(self, model: nn.Module) -> Forward:
        """How the model is run; kept, so that the next checkpoint does not compile again."""
        _check_model(model)
        if not isinstance(self.settings.step_sizes, AutoRange):
            _check_step_sizes(model, self.settings.fixed_step_sizes)
        kept, device = self._forward, next(model.parameters()).device
        if kept is None or kept.model is not model or kept.device != device:
            settings = self.settings
            self._forward = kept = Forward(
                model,
                settings.precision,
                compile=settings.compile,
                channels_last=settings.channels_last,
                graphs=True,
                calling=self._calling,
            )
        return kept

    def _evaluator(
        self,
        at: "_At",
        key: tuple[int, int],
        recalibration: Sequence[Nested] = (),
    ) -> Evaluator:
        settings = self.settings
        return Evaluator(
            at.forward,
            at.point,
            self._measure,
            recalibration,
            frozen=at.frozen,
            second=settings.second,
            keeps=settings.samples,
            own=settings.own_metrics,
            eval_batch_size=self._eval_batch_size,
            mask_seed=self._mask_seed(key) if settings.dropout else None,
        )

    @property
    def _kind(self) -> registry.DirectionKind:
        return registry.get(self.settings.direction)

    def _seed(self, key: tuple[int, int]) -> int:
        return derive(_DIRECTION, self.settings.seed, *key)

    def _mask_seed(self, key: tuple[int, int]) -> int:
        return derive(_MASKS, self.settings.seed, *key)

    def _given(self, batch: Sequence[Any], model: nn.Module) -> EvaluationSet:
        """The batch that a caller gives, on the model's device."""
        settings = self.settings
        if settings.draws != 1:
            raise InvalidValueError(
                f"draws is {settings.draws}; with a given batch, only 1 is allowed"
            )
        chosen = evaluation_sets.given(
            *batch, samples=len(self._train), batch_norm=settings.batch_norm["same_batch"]
        )
        if len(chosen) != settings.batch_size:
            raise InvalidValueError(
                f"the batch has {len(chosen)} samples; the batch size is {settings.batch_size}"
            )
        device = self._device or next(model.parameters()).device
        inputs, targets = (moved(each, device) for each in (chosen.inputs, chosen.targets))
        return replace(chosen, inputs=inputs, targets=targets)

    def _place(self, device: torch.device) -> None:
        """Put the data on ``device``; validation samples are read here, once."""
        if device == self._placed:
            return
        self._train = self._train.to(device)
        if "validation" in self.settings.sets:
            assert self._validation is not None
            self._validation_set = evaluation_sets.validation(
                self._validation.to(device),
                self.settings.validation_samples,
                self.settings.batch_norm["validation"],
            )
        self._placed = device

    def _chosen(self, drawn: TrainingSets) -> list[EvaluationSet]:
        everything = [drawn.same_batch, *drawn.others]
        if self._validation_set is not None:
            everything.append(self._validation_set)
        return [s for s in everything if s.kind in self.settings.sets]

    def _recalibration_batches(self) -> int:
        used = {self.settings.batch_norm[kind] for kind in self.settings.sets}
        return self.settings.recalibration_batches if "recalibrated" in used else 0

    def _sizes(self) -> dict[str, int]:
        settings = self.settings
        return {
            "batch_size": settings.batch_size,
            "other_batches": settings.other_batches if "other_batch" in settings.sets else 0,
            "big_batch": (settings.big_batch or 0) if "big_batch" in settings.sets else 0,
        }


@dataclass(frozen=True)
class _At:
    """A model that is probed: how it is run, where it started, and which layers stay frozen."""

    forward: Forward
    point: Point
    frozen: Collection[nn.Module]


@dataclass(frozen=True)
class _Start:
    """The start of a slice: the model is at ``origin``, and about to go along ``direction``."""

    evaluator: Evaluator
    origin: Point
    direction: Direction
    same_batch: EvaluationSet
    sets: list[EvaluationSet]


def _stepper(
    forward: Forward, optimizer: torch.optim.Optimizer | None, learning_rate: float
) -> Callable[[Direction, EvaluationSet], dict[str, Tensor]]:
    """The step of the origin "after-step", of the model that ``forward`` runs."""

    def step(along: Direction, same_batch: EvaluationSet) -> dict[str, Tensor]:
        model = forward.model
        return after_step(model, along, optimizer, learning_rate, same_batch, forward.eager)

    return step


def _check_step_sizes(model: nn.Module, step_sizes: Sequence[float]) -> None:
    """Refuse step sizes that the parameters' own type takes for infinite."""
    largest = max(map(abs, step_sizes))
    name, most = _largest(model)
    if largest > most:
        parameter = dict(model.named_parameters())[name]
        raise InvalidValueError(
            f"the step sizes go up to {largest:g}; the model's {name} is {parameter.dtype}, "
            f"so choose at most {most:g}"
        )


def _largest(model: nn.Module) -> tuple[str, float]:
    """The parameter whose own type has the smallest largest number, and that number."""
    limits = [
        (float(torch.finfo(parameter.dtype).max), name)
        for name, parameter in model.named_parameters()
        if parameter.is_floating_point()
    ]
    most, name = min(limits, key=lambda each: each[0], default=(inf, ""))
    return name, most


def _check_model(model: nn.Module) -> None:
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        # Its layers have lost their classes, so that batch norm cannot be found among them.
        raise InvalidValueError(
            "the model is or has a ScriptModule; give the module that it was made from"
        )
    parameters = dict(model.named_parameters())
    if not parameters:
        raise InvalidValueError("the model has no parameters, so there is nothing to move")
    for name, parameter in parameters.items():
        if nn.parameter.is_lazy(parameter) or parameter.is_meta:
            raise InvalidValueError(
                f"the model's {name} has no values yet; run the model once, or load its weights"
            )
    check_apart(parameters.items())
