"""The optimizer that takes the step after a checkpoint."""

from collections.abc import Mapping, Sequence
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
    "give the learning rate of plain SGD (--lr), choose origin 'before-step' and another direction "
    "than the update, or give the optimizer itself to landscape.probe"
)
# The settings of torch's optimizers in every version, by which a state dict is known, since it does
# not name its class; and what schedulers and newer versions note more.
KNOWN: Mapping[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.SGD: frozenset({"lr", "momentum", "dampening", "weight_decay", "nesterov"}),
    torch.optim.Adam: frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad"}),
    torch.optim.RMSprop: frozenset({"lr", "alpha", "eps", "weight_decay", "momentum", "centered"}),
}
NOTED = {"params", "initial_lr", "param_names"}
DECOUPLED = "decoupled_weight_decay"  # what tells AdamW from Adam, in newer versions
# What is of the shape of its parameter.
MOMENTA = ("momentum_buffer", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "square_avg", "grad_avg")


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
            holds the state of one optimizer, with the settings of SGD, Adam, AdamW or RMSprop.
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
            f"{path} holds {what}, and the step of the optimizer is needed (origin 'after-step', "
            f"direction 'update'); {OTHERWISE}"
        )
    with read_safely(path):
        return _torch(model, checkpoint.optimizers[0], path)


def _torch(model: nn.Module, state: Mapping[str, Any], path: Path) -> torch.optim.Optimizer:
    """An optimizer of torch with the state that a checkpoint holds, if it is known which."""
    groups = state["param_groups"]
    if not isinstance(groups, (list, tuple)) or not all(isinstance(g, Mapping) for g in groups):
        raise CheckpointError(f"{path} is damaged: its optimizer has no groups of parameters")
    kinds = {_class_of(group, path) for group in groups}
    if len(kinds) != 1:
        raise InvalidValueError(
            f"{path} holds an optimizer with {len(groups)} groups of different settings; "
            f"{OTHERWISE}"
        )
    optimizer: torch.optim.Optimizer = kinds.pop()(_grouped(model, groups, path), lr=0.1)
    return _loaded(optimizer, state, path)


def _class_of(group: Mapping[str, Any], path: Path) -> Any:
    """The class of an optimizer by the settings of a group."""
    names = set(map(str, group)) - NOTED
    parameter = [torch.nn.Parameter(torch.zeros(1))]
    for kind, needed in KNOWN.items():
        newer = {*kind(parameter, lr=0.1).param_groups[0], DECOUPLED}  # type: ignore[call-arg]
        if not needed <= names or not names <= newer:
            continue
        if kind is not torch.optim.Adam or group.get(DECOUPLED) is False:
            return kind
        if group.get(DECOUPLED) is True:
            return torch.optim.AdamW
        if group["weight_decay"] == 0:
            return kind  # both take the same step
        raise InvalidValueError(
            f"{path} holds the state of Adam or AdamW with a weight decay of "
            f"{shown(group['weight_decay'])}, and does not say of which; {OTHERWISE}"
        )
    settings = ", ".join(sorted(names))
    raise InvalidValueError(
        f"{path} holds the state of an optimizer with the settings {shown(settings)[1:-1]}: not of "
        f"torch's SGD, Adam, AdamW or RMSprop, and of which is not said; {OTHERWISE}"
    )


def _grouped(model: nn.Module, groups: Sequence[Mapping[str, Any]], path: Path) -> Any:
    """The model's parameters in the groups of an optimizer's state."""
    parameters = list(model.parameters())
    if len(groups) == 1 and list(groups[0]["params"]) == list(range(len(parameters))):
        return parameters
    named = dict(model.named_parameters())
    names = [group.get("param_names") for group in groups]
    listed = [name for each in names if isinstance(each, (list, tuple)) for name in each]
    if None not in names and sorted(map(str, listed)) == sorted(named):
        return [{"params": [(n, named[n]) for n in each]} for each in names if each is not None]
    raise InvalidValueError(
        f"{path} holds an optimizer with {len(groups)} groups of parameters, and which of the "
        f"model's {len(parameters)} parameters are in each is not said; {OTHERWISE}"
    )


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
