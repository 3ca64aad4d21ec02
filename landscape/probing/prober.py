"""Probe a model: from a point, a direction, sets and step sizes to a slice as a Dataset."""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from landscape.data import Data
from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.batch_norm import frozen_layers
from landscape.network.calling import Calling, Output
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward, check_precision
from landscape.network.measures import as_measure
from landscape.network.point import Point, preserved
from landscape.probing import dataset as slices
from landscape.probing.after_step import after_step
from landscape.probing.checks import check_model, check_step_sizes, largest
from landscape.probing.directions.direction import NO_LANDMARKS, Direction, Landmarks
from landscape.probing.directions.registry import PATH
from landscape.probing.evaluation import Evaluator
from landscape.probing.evaluation_sets import EvaluationSet
from landscape.probing.finite_difference import check_slope
from landscape.probing.path import Path, project
from landscape.probing.plane import span
from landscape.probing.reach import Reaches, choose, find_reaches, path_reaches
from landscape.probing.rows import Rows, fill, row_of, same
from landscape.probing.samples import Samples
from landscape.probing.settings import AutoRange, ProbeSettings
from landscape.runtime.nested import Nested
from landscape.runtime.randomness import derive, seed_all

# The random streams of dropout masks and of directions.
_MASKS, _DIRECTION = 2, 3


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
        sizes = settings.for_sizes(
            len(train),
            0 if validation is None else len(validation),
            getattr(train, "batch_size", None),
        )
        self._measure = as_measure(loss)
        self._calling = Calling(forward, output, self._measure.own)
        if sizes.metrics is None:
            _, targets = train.take(torch.arange(1))
            names = (*self._measure.default_metrics(targets), *sizes.own_metrics)
            sizes = replace(sizes, metrics=names)
        self._measure.check_metrics(sizes.metrics or ())
        self.settings = replace(sizes, sets=kinds)
        self._device = None if device is None else torch.device(device)
        self._samples = Samples(train, validation, self.settings)
        self._forward: Forward | None = None
        self._searching = False  # for the range, not measuring slices
        self._eval_batch_size = EvalBatchSize(settings.eval_batch_size)
        if self._device is not None:
            check_precision(settings.precision, self._device)

    @property
    def loss(self) -> str:
        """The loss and how it is measured in one line, as a store keeps it."""
        return self._measure.described

    @property
    def points(self) -> int:
        """The number of points that one call evaluates, for a progress bar."""
        points = self.settings.draws
        for each in self.settings.axes:
            points *= each.points if isinstance(each, AutoRange) else len(each)
        return points

    def __call__(
        self,
        model: nn.Module,
        *,
        iteration: int = 0,
        epoch: float = nan,
        learning_rate: float = nan,
        optimizer: torch.optim.Optimizer | None = None,
        batch: Sequence[Any] | None = None,
        directions: Sequence[Direction] | None = None,
        landmarks: Landmarks = NO_LANDMARKS,
        rows: Rows | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> xr.DataTree:
        """Probe a model as it is now; it is left bit-identical, as by :func:`probe`.

        Args:
            model: a model from inputs (N, …) to outputs (N, …), where the slice is to start.
            iteration: iteration of the checkpoint; it seeds the draws, together with the seed.
            epoch: epoch of the checkpoint, to be stored; NaN if unknown.
            learning_rate: learning rate at the checkpoint, to be stored; NaN if unknown. For the
                origin "after-step" without an optimizer, that of plain SGD.
            optimizer: for the origin "after-step" and the direction "update", the optimizer that
                takes the step.
            batch: the batch that gives the gradient, as in :func:`probe`; by default it is drawn.
            directions: those to go along, one or, for a plane, two, as :meth:`directions` gives
                them; the slice then starts where the model is, whatever the origin. By default
                those of the settings.
            landmarks: other points of the model, which directions need.
            rows: where the rows of a plane are kept while it is measured. One that was kept counts
                if its first point, measured again, gives the same bits.
            advance: called after each point, for a progress bar.

        Returns:
            A tree: at its root the slice (see :func:`probe`) and, if the settings keep samples,
            per-sample ``loss`` and ``margin`` at ``per_sample/<evaluation set>``.

        Raises:
            InvalidValueError: for a model, a loss or data that fail or do not fit each other.
            DeterminismError: where one batch gives two values at one point.
            TooLargeError: where samples that must be evaluated at once do not fit into the memory.
        """
        where = _Where(iteration, learning_rate, optimizer, batch, directions, landmarks)
        if self.settings.searches:
            fixed, _ = self.fixed({iteration: self._reaches(model, where)})
            return fixed._probe(model, where, epoch, rows, advance)
        return self._probe(model, where, epoch, rows, advance)

    def _probe(
        self,
        model: nn.Module,
        where: "_Where",
        epoch: float,
        rows: Rows | None,
        advance: Callable[[], object],
    ) -> xr.DataTree:
        forward = self._run(model)
        chosen = (
            None
            if where.batch is None
            else self._samples.given(where.batch, self._device or forward.device)
        )
        with self._at_point(forward) as at:
            draws = [
                self._draw(at, draw, chosen, where, rows, advance)
                for draw in range(self.settings.draws)
            ]
        return slices.build(
            self.settings,
            draws,
            iteration=where.iteration,
            epoch=epoch,
            learning_rate=where.learning_rate,
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
        directions: Sequence[Direction] | None = None,
        landmarks: Landmarks = NO_LANDMARKS,
    ) -> tuple[Reaches, ...]:
        """Find how far a slice goes until the loss of its gradient's batch has risen.

        Args:
            model: where the slice is to start; it is left bit-identical.
            iteration: as in a call of the prober.
            learning_rate: likewise.
            optimizer: likewise.
            batch: likewise; by default the batch of the first draw.
            directions: likewise.
            landmarks: likewise.

        Returns:
            How far it goes on either side along each direction, with the rise of the settings' step
            sizes, or else that of :class:`AutoRange`; where these cover the path, how far that
            goes.

        Raises:
            InvalidValueError: for a model, a loss or data that fail or do not fit each other.
            DeterminismError: where the batch gives two values at one point.
            TooLargeError: where the batch does not fit into the memory.
        """
        where = _Where(iteration, learning_rate, optimizer, batch, directions, landmarks)
        return self._reaches(model, where)

    def _reaches(self, model: nn.Module, where: "_Where") -> tuple[Reaches, ...]:
        forward = self._run(model)
        chosen = (
            None
            if where.batch is None
            else self._samples.given(where.batch, self._device or forward.device)
        )
        autos = [
            each if isinstance(each, AutoRange) else AutoRange() for each in self.settings.axes
        ]
        plane = len(autos) > 1 or self._along_path
        if any(auto.path for auto in autos) and not (where.landmarks.path and plane):
            raise InvalidValueError(
                "the range is to cover the path of the training, which is known of planes and of "
                "the directions principal-K alone, from several checkpoints (trajectory=); leave "
                "path out of AutoRange"
            )
        self._samples.place(self._device or forward.device)
        alone = self.with_settings(metrics=("loss",), samples=False)
        alone._searching = True
        with (
            alone._at_point(forward) as at,
            alone._start(at, 0, chosen, where) as start,
        ):
            return tuple(
                path_reaches(start.path, i)
                if auto.path and start.path is not None
                else find_reaches(
                    start.evaluator,
                    start.origin,
                    direction,
                    start.same_batch,
                    auto.rise,
                    largest(model)[1],
                )
                for i, (auto, direction) in enumerate(zip(autos, start.directions, strict=True))
            )

    def fixed(self, found: Mapping[int, Sequence[Reaches]]) -> tuple["Prober", str]:
        """Fix the step sizes that are to be found, so that they hold for every checkpoint.

        Args:
            found: iteration of each checkpoint -> how far its slices go, as :meth:`reaches` says.

        Returns:
            A prober with these step sizes, and where they were found, in words.

        Warns:
            RangeWarning: where the loss of a checkpoint does not rise on a side.
        """
        changes, summaries = {}, []
        for i, (name, auto) in enumerate(zip(slices.AXES, self.settings.axes, strict=False)):
            if isinstance(auto, AutoRange):
                chosen = choose(auto, {at: each[i] for at, each in found.items()})
                changes[f"{name}s" if i == 0 else "step_sizes_2"] = chosen.step_sizes
                summaries.append(chosen.summary)
        return self.with_settings(**changes), "; along the second direction ".join(summaries)

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
        other._samples = self._samples.with_settings(other.settings)
        return other

    def directions(
        self,
        model: nn.Module,
        batch: Sequence[Any],
        *,
        iteration: int = 0,
        learning_rate: float = nan,
        optimizer: torch.optim.Optimizer | None = None,
        landmarks: Landmarks = NO_LANDMARKS,
    ) -> list[Direction]:
        """Take the directions that a slice or a plane with this batch would have.

        Args:
            model: where the directions are taken; it is left as it is.
            batch: (inputs, labels) or (inputs, labels, indices), as in :func:`probe`.
            iteration: iteration of the checkpoint; it seeds a random direction.
            learning_rate: as in a call of the prober.
            optimizer: likewise.
            landmarks: likewise.

        Returns:
            The direction; of a plane, both, as they were taken.

        Raises:
            InvalidValueError: for a model, a loss or a batch that fail or do not fit each other.
            DeterminismError: where the batch gives two values at one point.
            TooLargeError: where the batch does not fit into the memory.
        """
        forward = self._run(model)
        where = _Where(iteration, learning_rate, optimizer, batch, None, landmarks)
        self._samples.place(self._device or forward.device)
        same_batch = self._samples.given(batch, self._device or forward.device)
        with self._at_point(forward) as at, self._evaluator(at, (iteration, 0)) as evaluator:
            values = evaluator.check(same_batch, [])
            found = self._taken(evaluator, at, where, 0, same_batch, [])
            evaluator.confirm(same_batch, values)
            return found

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
        self, at: "_At", draw: int, batch: EvaluationSet | None, where: "_Where"
    ) -> Iterator["_Start"]:
        """Where the slice of a draw has its 0, and along what it goes, once all is checked."""
        settings, key = self.settings, (where.iteration, draw)
        self._samples.place(self._device or at.forward.device)
        drawn = self._samples.draw(key, batch)
        sets = self._samples.chosen(drawn)
        with self._evaluator(at, key, drawn.recalibration) as evaluator:
            before = evaluator.check(drawn.same_batch, [] if self._searching else sets)
            origin, given = at.point, where.directions is not None
            directions = where.directions or self._taken(
                evaluator, at, where, draw, drawn.same_batch, self._samples.all(drawn)
            )
            evaluator.confirm(drawn.same_batch, before)
            # A search for the range is followed by the slice, which is checked.
            if not given and draw == 0 and not self._searching:
                check_slope(evaluator, at.point, drawn.same_batch, directions[0], before)
            cosine = None
            if len(directions) > 1:
                second, cosine = span(directions[0], directions[1], bool(settings.orthogonal))
                directions = [directions[0], second]
            if not given and settings.origin == "after-step":
                origin = at.point.shifted(
                    self._step(at, where, draw, drawn.same_batch)(directions[0].gradient, None)
                )
            path = None
            if where.landmarks.path and (cosine is not None or self._along_path):
                path = project(where.landmarks.path, origin.parameters, directions)
            yield _Start(evaluator, origin, directions, drawn.same_batch, sets, cosine, path)
            at.point.restore()

    @property
    def _along_path(self) -> bool:
        return any(each.needs == PATH for each in self.settings.kinds)

    def _taken(
        self,
        evaluator: Evaluator,
        at: "_At",
        where: "_Where",
        draw: int,
        same_batch: EvaluationSet,
        sets: Sequence[EvaluationSet],
    ) -> list[Direction]:
        """The directions of the settings, at the point."""
        kinds = self.settings.kinds
        return evaluator.directions(
            kinds,
            same_batch,
            # That of a slice has the seed that it had before there were planes.
            [self._seed((where.iteration, draw, *([i] * (i > 0)))) for i in range(len(kinds))],
            sets=sets,
            landmarks=where.landmarks,
            step=self._step(at, where, draw, same_batch),
            training=lambda samples: self._samples.training(samples, (where.iteration, draw)),
            optimizer="" if where.optimizer is None else type(where.optimizer).__name__,
        )

    def _step(
        self, at: "_At", where: "_Where", draw: int, same_batch: EvaluationSet
    ) -> Callable[[Mapping[str, Tensor], float | None], dict[str, Tensor]]:
        """Where the optimizer's step leads; the model is left at the point."""

        def step(gradient: Mapping[str, Tensor], clip: float | None) -> dict[str, Tensor]:
            at.point.restore()
            if self.settings.dropout:  # with the mask of the gradient
                seed_all(self._mask_seed((where.iteration, draw)))
            found = after_step(
                at.forward.model,
                gradient,
                where.optimizer,
                where.learning_rate,
                same_batch,
                at.forward.eager,
                clip,
            )
            at.point.restore()
            return found

        return step

    def _draw(
        self,
        at: "_At",
        draw: int,
        batch: EvaluationSet | None,
        where: "_Where",
        rows: Rows | None,
        advance: Callable[[], object],
    ) -> slices.Draw:
        step_sizes, *others = self.settings.fixed_axes
        count, across = len(step_sizes), others[0] if others else (0.0,)
        with self._start(at, draw, batch, where) as start:
            sets, first, second = start.sets, start.directions[0], start.directions[-1]
            values = [start.evaluator.allocate(s, count * len(across)) for s in sets]
            for row, step_size_2 in enumerate(across):
                points = range(row * count, (row + 1) * count)
                origin = start.origin.away(second.tangent, step_size_2, second.buffers)
                kept = rows.load(draw, row) if rows is not None and others else None
                if kept is not None and fill(values, points, kept):
                    # What no name tells, as the code of a model or a metric, may be another now.
                    origin.move(first.tangent, step_sizes[0], first.buffers)
                    found = [start.evaluator.values(chosen) for chosen in sets]
                    if same(found, [v.at(points[0]) for v in values]):
                        for _ in points:
                            advance()
                        continue
                for i, step_size in enumerate(step_sizes):
                    origin.move(first.tangent, step_size, first.buffers)
                    start.evaluator.measure(sets, [v.at(points[i]) for v in values])
                    if i in (0, count - 1):
                        start.evaluator.require_at(origin, first.tangent, step_size)
                    advance()
                if rows is not None and others:
                    rows.save(draw, row, row_of(values, points))
        return slices.Draw(start.directions, sets, values, start.cosine, start.path)

    def _run(self, model: nn.Module) -> Forward:
        """How the model is run; kept, so that the next checkpoint does not compile again."""
        check_model(model)
        for each in self.settings.axes:
            if not isinstance(each, AutoRange):
                check_step_sizes(model, each)
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

    def _seed(self, key: tuple[int, ...]) -> int:
        return derive(_DIRECTION, self.settings.seed, *key)

    def _mask_seed(self, key: tuple[int, int]) -> int:
        return derive(_MASKS, self.settings.seed, *key)


@dataclass(frozen=True)
class _At:
    """A model that is probed: how it is run, where it started, and which layers stay frozen."""

    forward: Forward
    point: Point
    frozen: Collection[nn.Module]


@dataclass(frozen=True)
class _Where:
    """What a caller tells of a checkpoint, and what its slice is to be made from."""

    iteration: int
    learning_rate: float
    optimizer: torch.optim.Optimizer | None
    batch: Sequence[Any] | None
    directions: Sequence[Direction] | None
    landmarks: Landmarks


@dataclass(frozen=True)
class _Start:
    """The start of a slice: the model is at ``origin``, and about to go along ``directions``."""

    evaluator: Evaluator
    origin: Point
    directions: Sequence[Direction]
    same_batch: EvaluationSet
    sets: list[EvaluationSet]
    cosine: float | None
    path: Path | None
