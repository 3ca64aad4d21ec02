"""What is known of a run after an epoch."""

from dataclasses import dataclass

import torch
from torch import nn

from landscape.data import Data
from landscape.metrics import SampleLoss, correct, margin
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward


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
        validation_accuracy: share of the validation data, from 0 to 1, in eval mode.
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
    loss: SampleLoss,
    eval_batch_size: EvalBatchSize | None = None,
    forward: Forward | None = None,
) -> tuple[float, float]:
    """Measure mean loss and accuracy on all of some data, in eval mode.

    The model is left in eval mode.

    Args:
        model: the model.
        data: at least one sample.
        loss: (logits, targets) -> one value a sample, (N,).
        eval_batch_size: how many samples are evaluated at once; chosen by the model and its device
            unless given.
        forward: how the model is run; plainly unless given.

    Returns:
        Mean loss, and accuracy from 0 to 1.
    """
    model.eval()
    eval_batch_size = eval_batch_size or EvalBatchSize()
    forward = forward or Forward(model)
    total_loss, total_correct = 0.0, 0.0

    def add(part: slice) -> None:
        nonlocal total_loss, total_correct
        inputs, targets = data.take(torch.arange(part.start, part.stop))
        logits = forward(inputs.clone())  # a model may work in place on its input
        losses = loss(logits, targets).cpu().double().sum().item()
        total_correct += correct(margin(logits, targets)).sum().item()
        total_loss += losses

    with torch.no_grad():
        eval_batch_size.choose(forward, data.take(torch.arange(1))[0])
        eval_batch_size.over(len(data), add)
    return total_loss / len(data), total_correct / len(data)
