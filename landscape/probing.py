"""One point, one direction, the sets, the step sizes: a slice as a labelled Dataset."""

import copy
from collections.abc import Callable
from dataclasses import replace
from math import isfinite, nan
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from landscape import evaluation_sets, slices
from landscape.data import Data, as_data
from landscape.directions import DIRECTIONS, Direction
from landscape.errors import InvalidValueError
from landscape.evaluation import Evaluator
from landscape.evaluation_sets import EvaluationSet, TrainingSets
from landscape.metrics import SampleLoss, cross_entropy
from landscape.point import Point, preserved
from landscape.randomness import derive
from landscape.settings import ProbeSettings
from landscape.tasks import sample_loss

_MASKS = 2  # the stream of dropout masks


def probe(
    model: nn.Module,
    train: Any,
    validation: Any = None,
    *,
    loss: SampleLoss = cross_entropy,
    optimizer: torch.optim.Optimizer | None = None,
    learning_rate: float = nan,
    **settings: Any,
) -> xr.Dataset:
    """Loss and accuracy of ``model`` along ±s·∇L, on several sets of samples.

    ``train`` and ``validation`` are each a pair of tensors ``(inputs, class labels)``, a Dataset
    or a DataLoader; ``validation`` may be left out. ``loss(logits, targets)`` gives one value a
    sample. Of ``optimizer`` and ``learning_rate`` (plain SGD) one is needed for
    ``origin="after-step"`` alone. ``settings`` are the fields of :class:`ProbeSettings`.

    Returns dims ``checkpoint`` (1), ``draw``, ``evaluation_set``, ``step_size`` and, for
    smooth accuracy, ``slope_factor``; values in float64. The model (parameters, buffers, modes,
    ``requires_grad``, ``.grad``) and every global random generator are left bit-identical, also
    after an exception.

    Raises :class:`InvalidValueError` for settings or data that are not allowed, and
    :class:`DeterminismError` where one set gives two values at one point.

    >>> slice_ = landscape.probe(model, (images, labels), draws=4)  # doctest: +SKIP
    """
    prober = Prober(
        as_data(train, "training data"),
        None if validation is None else as_data(validation, "validation data"),
        ProbeSettings(**{**settings, "samples": False}),
        loss=sample_loss(loss),
    )
    return prober(model, optimizer=optimizer, learning_rate=learning_rate).to_dataset()


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
        self._validation_set: EvaluationSet | None = None
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
        advance: Callable[[], object] = lambda: None,
    ) -> xr.DataTree:
        """Probe ``model`` as it is now; ``iteration`` seeds the draws together with the seed.

        Returns a tree: at its root the slice (see :func:`probe`), and, if the settings keep
        samples, per-sample ``loss`` and ``margin`` below ``per_sample/<evaluation set>``.
        ``advance`` is called once a point.
        """
        if isinstance(model, torch.jit.ScriptModule):
            raise InvalidValueError("the model is a ScriptModule; give the module it came from")
        if next(model.parameters(), None) is None:
            raise InvalidValueError("the model has no parameters, so there is nothing to move")
        with torch.no_grad(), preserved(model) as point:
            model.train(self.settings.dropout)
            draws = [
                self._draw(model, point, (iteration, draw), optimizer, learning_rate, advance)
                for draw in range(self.settings.draws)
            ]
        return slices.build(
            self.settings, draws, iteration=iteration, epoch=epoch, learning_rate=learning_rate
        )

    def _draw(
        self,
        model: nn.Module,
        point: Point,
        key: tuple[int, int],
        optimizer: torch.optim.Optimizer | None,
        learning_rate: float,
        advance: Callable[[], object],
    ) -> slices.Draw:
        settings = self.settings
        self._place(self._device or next(model.parameters()).device)
        drawn = evaluation_sets.draw(
            self._train,
            **self._sizes(),
            recalibration_batches=self._recalibration_batches(),
            batch_norm=settings.batch_norm,
            key=(settings.seed, *key),
        )
        sets = self._chosen(drawn)
        evaluator = Evaluator(
            model,
            point,
            self._loss,
            drawn.recalibration,
            margins=settings.margins,
            chunk=settings.chunk,
            mask_seed=derive(_MASKS, settings.seed, *key) if settings.dropout else None,
        )
        with evaluator:
            evaluator.check(drawn.same_batch, sets)
            direction = evaluator.direction(DIRECTIONS[settings.direction], drawn.same_batch)
            origin = point
            if settings.origin == "after-step":
                origin = point.shifted(after_step(model, direction, optimizer, learning_rate))
            values = [evaluator.room(s, len(settings.step_sizes)) for s in sets]
            for i, step_size in enumerate(settings.step_sizes):
                origin.move(direction.tangent, step_size)
                evaluator.measure(sets, [v.at(i) for v in values])
                advance()
            point.restore()
        return slices.Draw(direction.gradient_norm, sets, values)

    def _place(self, device: torch.device) -> None:
        """Put the data where the model is; validation samples are read here, once."""
        self._train = self._train.to(device)
        current = self._validation_set
        if "validation" in self.settings.sets and (
            current is None or current.inputs.device != device
        ):
            assert self._validation is not None
            self._validation_set = evaluation_sets.validation(
                self._validation.to(device),
                self.settings.validation_samples,
                self.settings.batch_norm["validation"],
            )

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


def after_step(
    model: nn.Module,
    direction: Direction,
    optimizer: torch.optim.Optimizer | None,
    learning_rate: float,
) -> dict[str, Tensor]:
    """Parameters one optimizer step after the point at which the gradient was taken.

    The step is taken by a copy of parameters and optimizer; without an optimizer, it is that of
    plain SGD, θ − learning rate · ∇L.

    Raises :class:`InvalidValueError` where there is no optimizer and no learning rate, or where
    the optimizer needs more than a gradient.
    """
    scale = direction.gradient_norm if direction.name == "normalised-gradient" else 1.0
    gradients = {name: tangent * -scale for name, tangent in direction.tangent.items()}
    named = dict(model.named_parameters())
    if optimizer is None:
        if not isfinite(learning_rate):
            raise InvalidValueError(
                "origin 'after-step' needs to know the step: give an optimizer or a learning rate"
            )
        # θ − learning rate · ∇L
        return {
            name: p - learning_rate * gradients[name] if name in gradients else p.clone()
            for name, p in named.items()
        }
    twins, stepper = copy.deepcopy((named, optimizer))
    for name, gradient in gradients.items():
        twins[name].grad = gradient
    try:
        # The class's own step: a scheduler's wrapper would step the original.
        type(stepper).step(stepper)
    except TypeError as error:
        raise InvalidValueError(
            f"origin 'after-step' cannot take a step of {type(stepper).__name__}, which needs a "
            "closure; choose 'before-step'"
        ) from error
    return {name: p.detach() for name, p in twins.items()}
