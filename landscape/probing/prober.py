"""One point, one direction, the sets, the step sizes: a slice as a labelled Dataset."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from landscape.data import Data, as_data
from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward, check_precision
from landscape.network.losses import sample_loss
from landscape.network.point import Point, preserved
from landscape.probing import dataset as slices
from landscape.probing import evaluation_sets
from landscape.probing.after_step import after_step
from landscape.probing.directions import registry
from landscape.probing.directions.direction import Direction
from landscape.probing.evaluation import Evaluator
from landscape.probing.evaluation_sets import EvaluationSet, TrainingSets
from landscape.probing.settings import ProbeSettings
from landscape.runtime.randomness import derive, seed_torch

# The streams of dropout masks and of what directions draw.
_MASKS, _DIRECTION = 2, 3


def probe(
    model: nn.Module,
    train: Any,
    validation: Any = None,
    *,
    loss: SampleLoss = cross_entropy,
    optimizer: torch.optim.Optimizer | None = None,
    learning_rate: float = nan,
    batch: Sequence[Any] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Loss and accuracy of ``model`` along ±s·∇L, on several sets of samples.

    ``train`` and ``validation`` are each a pair of tensors ``(inputs, class labels)``, a Dataset
    or a DataLoader; ``validation`` may be left out. ``loss(logits, targets)`` gives one value a
    sample. Of ``optimizer`` and ``learning_rate`` (plain SGD) one is needed for
    ``origin="after-step"`` alone. ``batch`` is the batch that gives the gradient, if it is not to
    be drawn: ``(inputs, labels)``, or ``(inputs, labels, indices)`` with its places in ``train``,
    so that the other sets have no sample of it. ``settings`` are the fields of
    :class:`ProbeSettings`.

    Returns dims ``checkpoint`` (1), ``draw``, ``evaluation_set``, ``step_size`` and, for
    smooth accuracy, ``slope_factor``; values in float64. The model (parameters, buffers, modes,
    ``requires_grad``, ``.grad``) and every global random generator are left bit-identical, also
    after an exception.

    Raises :class:`InvalidValueError` for settings or data that are not allowed, and
    :class:`DeterminismError` where one set gives two values at one point.

    >>> slice_ = landscape.probe(model, (images, labels), draws=4)  # doctest: +SKIP
    """
    if batch is not None:
        settings = {"batch_size": len(batch[0]), **settings}
    prober = Prober(
        as_data(train, "training data"),
        None if validation is None else as_data(validation, "validation data"),
        ProbeSettings.from_mapping({**settings, "samples": False}),
        loss=sample_loss(loss),
    )
    return prober(model, optimizer=optimizer, learning_rate=learning_rate, batch=batch).to_dataset()


class Prober:
    """Probes any number of models on the same data with the same settings.

    Validation data is read once; training batches are drawn once per iteration and draw.
    """

    def __init__(
        self,
        train: Data,
        validation: Data | None,
        settings: ProbeSettings,
        *,
        loss: SampleLoss = cross_entropy,
        device: torch.device | str | None = None,
    ) -> None:
        kinds = [k for k in settings.sets if k != "validation" or validation is not None]
        sizes = settings.for_sizes(len(train), len(validation) if validation is not None else 0)
        self.settings = replace(sizes, sets=kinds)
        self._train = train
        self._validation = validation
        self._loss = loss
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
    def points(self) -> int:
        """How many points one call evaluates, for a progress bar."""
        return self.settings.draws * len(self.settings.step_sizes)

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
        """Probe ``model`` as it is now; ``iteration`` seeds the draws together with the seed.

        ``batch`` as in :func:`probe`. Along a ``direction`` that is given, the slice starts where
        the model is, whatever the settings' origin.

        Returns a tree: at its root the slice (see :func:`probe`), and, if the settings keep
        samples, per-sample ``loss`` and ``margin`` below ``per_sample/<evaluation set>``.
        ``advance`` is called once a point.
        """
        forward = self._run(model)
        chosen = None if batch is None else self._given(batch, model)

        def step(along: Direction, same_batch: EvaluationSet) -> dict[str, Tensor]:
            return after_step(model, along, optimizer, learning_rate, same_batch, forward.eager)

        with torch.no_grad(), forward.precision_context(), preserved(model) as point:
            model.train(self.settings.dropout)
            draws = [
                self._draw(forward, point, (iteration, draw), chosen, direction, step, advance)
                for draw in range(self.settings.draws)
            ]
        return slices.build(
            self.settings, draws, iteration=iteration, epoch=epoch, learning_rate=learning_rate
        )

    def direction(self, model: nn.Module, batch: Sequence[Any], *, iteration: int = 0) -> Direction:
        """The direction that a slice with this ``batch`` would take from where ``model`` is."""
        forward = self._run(model)
        same_batch = self._given(batch, model)
        with torch.no_grad(), forward.precision_context(), preserved(model) as point:
            model.train(self.settings.dropout)
            key = iteration, 0
            with self._evaluator(forward, point, key) as evaluator:
                evaluator.check(same_batch, [])
                return evaluator.direction(self._kind, same_batch, self._seed(key))

    def _draw(
        self,
        forward: Forward,
        point: Point,
        key: tuple[int, int],
        batch: EvaluationSet | None,
        direction: Direction | None,
        step: Callable[[Direction, EvaluationSet], dict[str, Tensor]],
        advance: Callable[[], object],
    ) -> slices.Draw:
        settings = self.settings
        self._place(self._device or forward.device)
        drawn = evaluation_sets.draw(
            self._train,
            **self._sizes(),
            recalibration_batches=self._recalibration_batches(),
            batch_norm=settings.batch_norm,
            key=(settings.seed, *key),
            batch=batch,
        )
        sets = self._chosen(drawn)
        with self._evaluator(forward, point, key, drawn.recalibration) as evaluator:
            evaluator.check(drawn.same_batch, sets)
            origin = point
            if direction is None:
                seed = self._seed(key)
                direction = evaluator.direction(self._kind, drawn.same_batch, seed)
                if settings.origin == "after-step":
                    if settings.dropout:
                        seed_torch(
                            self._mask_seed(key)
                        )  # the mask that the gradient was taken with
                    origin = point.shifted(step(direction, drawn.same_batch))
            values = [evaluator.allocate(s, len(settings.step_sizes)) for s in sets]
            for i, step_size in enumerate(settings.step_sizes):
                origin.move(direction.tangent, step_size)
                evaluator.measure(sets, [v.at(i) for v in values])
                advance()
            point.restore()
        return slices.Draw(direction, sets, values)

    def _run(self, model: nn.Module) -> Forward:
        """How ``model`` is run; kept, so that the next checkpoint does not compile again."""
        _check_model(model)
        kept, device = self._forward, next(model.parameters()).device
        if kept is None or kept.model is not model or kept.device != device:
            settings = self.settings
            self._forward = kept = Forward(
                model,
                settings.precision,
                compile=settings.compile,
                channels_last=settings.channels_last,
                graphs=True,
            )
        return kept

    def _evaluator(
        self,
        forward: Forward,
        point: Point,
        key: tuple[int, int],
        recalibration: Sequence[Tensor] = (),
    ) -> Evaluator:
        settings = self.settings
        return Evaluator(
            forward,
            point,
            self._loss,
            recalibration,
            margins=settings.margins,
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
        """The batch of a caller, where the model is."""
        settings = self.settings
        if settings.draws != 1:
            raise InvalidValueError(
                f"draws is {settings.draws}; with a batch that is given there is 1"
            )
        chosen = evaluation_sets.given(
            *batch, samples=len(self._train), batch_norm=settings.batch_norm["same_batch"]
        )
        if len(chosen) != settings.batch_size:
            raise InvalidValueError(
                f"the batch has {len(chosen)} samples; the batch size is {settings.batch_size}"
            )
        device = self._device or next(model.parameters()).device
        return replace(chosen, inputs=chosen.inputs.to(device), targets=chosen.targets.to(device))

    def _place(self, device: torch.device) -> None:
        """Put the data where the model is; validation samples are read here, once."""
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


def _check_model(model: nn.Module) -> None:
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        # Whose batch norm, for one, cannot be told from other layers.
        raise InvalidValueError("the model is or has a ScriptModule; give the module it came from")
    parameters = dict(model.named_parameters())
    if not parameters:
        raise InvalidValueError("the model has no parameters, so there is nothing to move")
    for name, parameter in parameters.items():
        if nn.parameter.is_lazy(parameter) or parameter.is_meta:
            raise InvalidValueError(
                f"the model's {name} has no values yet; run the model once, or load its weights"
            )
