"""Another point of a model: its parameters and buffers, apart from the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.network.point import same_values


@dataclass(frozen=True)
class State:
    """Parameters and buffers of a model at another point, as at another checkpoint.

    Attributes:
        parameters: parameter name -> value, of each parameter's shape; on the CPU.
        buffers: buffer name -> value.
        iteration: iteration of the checkpoint.
        epoch: epoch of the checkpoint; NaN if unknown.
    """

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
    iteration: int = 0
    epoch: float = nan

    @classmethod
    def of(cls, model: nn.Module, iteration: int = 0, epoch: float = nan) -> "State":
        """Copy the point where a model is.

        Args:
            model: the model.
            iteration: iteration of the checkpoint.
            epoch: epoch of the checkpoint; NaN if unknown.

        Returns:
            The state.
        """
        return cls(
            {n: p.detach().cpu().clone() for n, p in model.named_parameters()},
            {n: b.detach().cpu().clone() for n, b in model.named_buffers()},
            iteration,
            epoch,
        )

    def require_fits(self, model: nn.Module, what: str) -> None:
        """Refuse a state of another architecture.

        Args:
            model: the model that is probed.
            what: what an error calls the state.

        Raises:
            InvalidValueError: for the first parameter that one of both lacks, or whose shapes
                differ, and for the first buffer whose shapes do.
        """
        own = {name: tuple(p.shape) for name, p in model.named_parameters()}
        other = {name: tuple(p.shape) for name, p in self.parameters.items()}
        for name, buffer in model.named_buffers():
            if name in self.buffers:
                own[name], other[name] = tuple(buffer.shape), tuple(self.buffers[name].shape)
        for name in dict.fromkeys((*own, *other)):
            if own.get(name) != other.get(name):
                here, there = (
                    f"of shape {shapes[name]}" if name in shapes else "missing"
                    for shapes in (own, other)
                )
                raise InvalidValueError(
                    f"{what} is of another architecture: its {name!r} is {there}, and the model's "
                    f"is {here}; give a checkpoint of the same model"
                )


def as_state(model: nn.Module, given: Any, what: str) -> State:
    """Make a state of what a user gives.

    Args:
        model: the model that is probed, which says which entries are parameters.
        given: a module, a state dict of one, or a :class:`State`.
        what: what an error calls it.

    Returns:
        The state, of copies.

    Raises:
        InvalidValueError: for anything else, and for another architecture.
    """
    if isinstance(given, State):
        found = given
    elif isinstance(given, nn.Module):
        found = State.of(given)
    elif isinstance(given, Mapping) and all(isinstance(each, Tensor) for each in given.values()):
        copies = {str(name): each.detach().cpu().clone() for name, each in given.items()}
        shared = {name for name, _ in model.named_parameters()}
        # A state dict lists parameters that are tied under each of their names.
        tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - shared
        _require_tied(model, copies, what)
        _require_buffers(model, copies, what)
        buffers = {name for name, _ in model.named_buffers()}
        found = State(
            {n: each for n, each in copies.items() if n not in buffers | tied},
            {n: each for n, each in copies.items() if n in buffers},
        )
    else:
        raise InvalidValueError(
            f"{what} is a {type(given).__name__}; give another model of the same architecture, or "
            "its state_dict()"
        )
    found.require_fits(model, what)
    return found


def _require_tied(model: nn.Module, given: Mapping[str, Tensor], what: str) -> None:
    """Refuse values that differ under the names of one parameter."""
    first: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        other = first.setdefault(id(parameter), name)
        if name in given and other in given and not same_values(given[name], given[other]):
            raise InvalidValueError(
                f"{what} has other values for {name!r} than for {other!r}, which are one parameter "
                "of the model; give a state of a model where they are one too"
            )


def _require_buffers(model: nn.Module, given: Mapping[str, Tensor], what: str) -> None:
    """Refuse parameters without the running statistics that belong to them."""
    kept = model.state_dict(keep_vars=True)
    for name, buffer in model.named_buffers():
        if name in kept and name not in given and buffer.is_floating_point():
            raise InvalidValueError(
                f"{what} lacks the buffer {name!r}, which belongs to its parameters; give the "
                "whole state_dict(), or the model itself"
            )


def difference(
    model: nn.Module, end: Mapping[str, Tensor], start: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Subtract parameters, end − start, on the model's device and in its types.

    Args:
        model: the model that they are of.
        end: parameter name -> value.
        start: parameter name -> value.

    Returns:
        Parameter name -> difference.
    """
    like = dict(model.named_parameters())
    with torch.no_grad():
        return {n: end[n].to(like[n]) - start[n].to(like[n]) for n in like}
