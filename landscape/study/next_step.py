"""The optimizer that takes the step after a checkpoint."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import CheckpointError, InvalidValueError, shown
from landscape.metrics import SampleLoss
from landscape.optimizers import named
from landscape.training.checkpoints import Checkpoint, read_safely

OTHERWISE = (
    "give the learning rate of plain SGD (--lr), choose origin 'before-step', or give the "
    "optimizer itself to landscape.probe"
)
# The settings of torch's SGD in every version, and what schedulers and newer versions note more.
SGD = {"params", "lr", "momentum", "dampening", "weight_decay", "nesterov"}
NOTED = {"initial_lr", "param_names"}
MOMENTA = ("momentum_buffer", "exp_avg", "exp_avg_sq")  # of the shape of their parameters


def optimizer_of(
    checkpoint: Checkpoint,
    model: nn.Module,
    loss: SampleLoss,
    learning_rate: float,
    path: Path,
) -> torch.optim.Optimizer:
    """Make the optimizer that takes the step after a checkpoint, as far as it is known.

    Args:
        checkpoint: a run's own, which knows its optimizer; or another's, which is known where it
            holds the state of one optimizer that has the settings of torch's SGD and no others.
        model: the model, at the checkpoint.
        loss: (logits, targets) -> one value a sample, for a line search.
        learning_rate: that of plain SGD, at checkpoints that are no run's own; NaN for the step of
            the optimizer whose state they hold.
        path: what an error calls the checkpoint.

    Returns:
        The optimizer, with the checkpoint's state.

    Raises:
        InvalidValueError: where the step is not known.
        CheckpointError: for a state that the optimizer cannot take.
    """
    if checkpoint.run is not None and checkpoint.training is not None:
        run = checkpoint.run
        missing = [name for name in ("optimizer", "learning_rate", "options") if name not in run]
        if missing:
            raise CheckpointError(f"{path} is damaged: its run has no {missing[0]}; write it again")
        optimizer = named.build(
            run["optimizer"],
            model.parameters(),
            run["learning_rate"],
            run["options"],
            loss=loss,
            model=model,
            steps_per_epoch=1,  # the loaded state replaces it
        )
        return _loaded(optimizer, checkpoint.training.get("optimizer"), path)
    if not isnan(learning_rate):
        return torch.optim.SGD(model.parameters(), lr=learning_rate)
    if len(checkpoint.optimizers) != 1:
        none = (
            "no optimizer" if checkpoint.plain else f"no optimizer of {shown(checkpoint.weights)}"
        )
        what = "several optimizers" if checkpoint.optimizers else none
        raise InvalidValueError(
            f"{path} holds {what}, and origin 'after-step' needs to know the step; {OTHERWISE}"
        )
    with read_safely(path):
        return _sgd(model, checkpoint.optimizers[0], path)


def _sgd(model: nn.Module, state: Mapping[str, Any], path: Path) -> torch.optim.Optimizer:
    """SGD of torch with the state that a checkpoint holds, if that is what it is the state of."""
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    groups = state["param_groups"]
    if not isinstance(groups, (list, tuple)) or not all(isinstance(g, Mapping) for g in groups):
        raise CheckpointError(f"{path} is damaged: its optimizer has no groups of parameters")
    # A state dict does not name its class, but SGD is known by its settings.
    for group in groups:
        names = set(map(str, group)) - NOTED
        if not names >= SGD or not names <= optimizer.param_groups[0].keys():
            settings = ", ".join(sorted(names - {"params"}))
            raise InvalidValueError(
                f"{path} holds the state of an optimizer with the settings "
                f"{shown(settings)[1:-1]}: not of torch's SGD, and of which is not said; "
                f"{OTHERWISE}"
            )
    if len(groups) != 1 or groups[0]["params"] != list(range(len(parameters))):
        raise InvalidValueError(
            f"{path} holds an optimizer with {len(groups)} groups of parameters, and which of the "
            f"model's {len(parameters)} parameters are in each is not said; {OTHERWISE}"
        )
    return _loaded(optimizer, state, path)


def _loaded(optimizer: torch.optim.Optimizer, state: Any, path: Path) -> torch.optim.Optimizer:
    """The optimizer with a checkpoint's state; momenta have to be of their parameters' shape."""
    with read_safely(f"the optimizer of {path}"):
        optimizer.load_state_dict(state)
        wrong = [
            f"{name} of shape {tuple(value.shape)} for parameters of {tuple(parameter.shape)}"
            for parameter, values in optimizer.state.items()
            if isinstance(parameter, Tensor)
            for name, value in values.items()
            if name in MOMENTA and isinstance(value, Tensor) and value.shape != parameter.shape
        ]
    if wrong:
        raise CheckpointError(f"{path} does not fit the model: its optimizer has {wrong[0]}")
    return optimizer
