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
    """What is known after an epoch.

    ``epoch`` counts from 1 and ``iteration`` is that of the epoch's last update. ``loss`` is the
    mean over the epoch's batches of the loss before each update; validation is measured after
    the last one, in eval mode. ``step_size`` is the learning rate after it, before a schedule
    changes it. What follows is counted over this epoch's updates, searches as in
    :data:`landscape.optimizers.line_search.base.COUNTS` and 0 for other optimizers; ``seconds`` is this
    epoch's time, validation included.
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
    """Mean loss and accuracy of ``model`` on all of ``data``, in eval mode (and left in it).

    ``forward`` is how the model is run, plainly unless given, and ``eval_batch_size`` how many samples go
    through it at once.
    """
    model.eval()
    eval_batch_size = eval_batch_size or EvalBatchSize()
    forward = forward or Forward(model)
    total_loss, total_correct = 0.0, 0.0

    def add(part: slice) -> None:
        nonlocal total_loss, total_correct
        inputs, targets = data.take(torch.arange(part.start, part.stop))
        logits = forward(inputs)
        losses = loss(logits, targets).sum().item()
        total_correct += correct(margin(logits, targets)).sum().item()
        total_loss += losses

    with torch.no_grad():
        eval_batch_size.choose(forward, data.take(torch.arange(1))[0])
        eval_batch_size.over(len(data), add)
    return total_loss / len(data), total_correct / len(data)
