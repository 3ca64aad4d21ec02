"""What is known of a run after an epoch."""

from dataclasses import dataclass
from math import nan
from typing import Any

import torch
from torch import nn

from landscape.data import Data
from landscape.metrics import correct
from landscape.network.calling import Calling
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.network.measures import as_measure
from landscape.network.measures.kinds import MARGIN
from landscape.runtime.nested import cloned


@dataclass(frozen=True)
class EpochRecord:
    """What is measured after an epoch.

    The searches are counted as in :data:`landscape.optimizers.line_search.base.COUNTS`; those
    counts are 0 for optimizers that are no line search.

    Attributes:
        epoch: the number of epochs finished.
        iteration: the number of updates made.
        loss: mean over the epoch's batches of the loss before each update, in nats for
            cross-entropy.
        validation_loss: mean over the validation data, in eval mode.
        validation_accuracy: share of the validation data (samples, pixels or tokens), from 0 to 1,
            in eval mode; NaN where there are no classes.
        step_size: the learning rate after the epoch's last update (of a line search, its step
            size), before a schedule changes it.
        forward_passes: forward passes of the epoch's updates.
        backward_passes: backward passes of the epoch's updates.
        searches: line searches that ran.
        trials: step sizes that they tried.
        rejected: trials that failed Armijo's condition.
        skipped: searches that did not run, for want of a positive slope.
        exhausted: searches that accepted no trial.
        doubted: searches whose step size was not kept for the next one.
        seconds: time of the epoch, validation included, in s.
    """

    epoch: int
    iteration: int
    loss: float
    validation_loss: float
    validation_accuracy: float
    step_size: float
    forward_passes: int
    backward_passes: int
    searches: int
    trials: int
    rejected: int
    skipped: int
    exhausted: int
    doubted: int
    seconds: float


def validate(
    model: nn.Module,
    data: Data,
    loss: Any,
    eval_batch_size: EvalBatchSize | None = None,
    forward: Forward | None = None,
) -> tuple[float, float]:
    """Measure mean loss and accuracy on all of some data, in eval mode.

    The model is left in eval mode. Of a loss that gives nothing but a mean, the mean is that of its
    values on parts of the data, by the number of their samples, pixels or tokens that count.

    Args:
        model: the model.
        data: at least one sample.
        loss: a :class:`Measure`, or what becomes one.
        eval_batch_size: how many samples are evaluated at once; chosen by the model and its device
            unless given.
        forward: how the model is run; plainly unless given.

    Returns:
        Mean loss, and accuracy from 0 to 1, NaN where there are no classes.
    """
    model.eval()
    measure = as_measure(loss)
    eval_batch_size = eval_batch_size or EvalBatchSize()
    forward = forward or Forward(model, calling=Calling(own_loss=measure.own))
    total_loss = total_weight = total_correct = 0.0
    counted = 0

    def add(part: slice) -> None:
        nonlocal total_loss, total_weight, total_correct, counted
        inputs, targets = data.take(torch.arange(part.start, part.stop))
        outputs = forward(cloned(inputs))  # a model may work in place on its input
        kind = measure.fit(outputs, targets)
        units = measure.units(kind, targets)
        if kind.second == MARGIN:
            margins = units.kept(measure.of_units(kind, outputs, targets), slice(None))
            total_correct += correct(margins).sum().item()
            counted += units.count
        values = measure.values(kind, outputs, targets).double()
        if values.ndim == 0:
            total_loss += values.item() * units.count
            total_weight += units.count
        elif len(values) != units.samples * units.each:
            total_loss, total_weight = total_loss + values.sum().item(), total_weight + len(values)
        else:
            total_loss += units.kept(values, slice(None)).cpu().sum().item()
            weight = units.count if units.weight is None else units.weight.sum().item()
            total_weight += weight

    with torch.no_grad():
        eval_batch_size.choose(forward, data.take(torch.arange(1))[0])
        eval_batch_size.over(len(data), add)
    return total_loss / (total_weight or nan), total_correct / counted if counted else nan
