"""The path of a training, projected onto the directions of a slice or a plane."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.network.state import State
from landscape.probing.directions.direction import Direction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Where checkpoints of a training lie, seen from a slice or a plane.

    Attributes:
        iterations: of the checkpoints, (N,).
        epochs: of the checkpoints, (N,); NaN where unknown.
        step_sizes: where each is projected, (directions, N), in units of the directions.
        distances: how far each lies from there, (N,).
        explained: share of the checkpoints' variance, about their mean, that the projection keeps.
    """

    iterations: Sequence[int]
    epochs: Sequence[float]
    step_sizes: Floats
    distances: Floats
    explained: float


def project(
    path: Sequence[State], origin: Mapping[str, Tensor], directions: Sequence[Direction]
) -> Path:
    """Project points onto the line or the plane through an origin.

    With Δ = θ − θ_0, the coordinates c are those of least squares: D·Dᵀ c = D·Δ, where the rows of
    D are the directions.

    Args:
        path: N points of the same model.
        origin: parameter name -> θ_0, where the slice has its 0.
        directions: one or two.

    Returns:
        The projection, computed in float64.
    """
    gram: Floats = np.zeros((len(directions), len(directions)))
    inner: Floats = np.zeros((len(path), len(directions)))
    total = 0.0
    for moved, along in _parts(path, origin, directions):
        gram += (along @ along.T).numpy()
        inner += (moved @ along.T).numpy()
        total += float((moved - moved.mean(0)).square().sum())
    try:
        coordinates: Floats = np.linalg.solve(gram, inner.T).astype(np.float64)
    except np.linalg.LinAlgError:  # of a direction that is 0
        coordinates = np.full((len(directions), len(path)), np.nan)
    square = np.zeros(len(path))
    for moved, along in _parts(path, origin, directions):
        square += (moved - torch.from_numpy(coordinates.T) @ along).square().sum(1).numpy()
    # Σ (c − c̄)·D·Dᵀ·(c − c̄) / Σ ‖θ − θ̄‖²
    centred = coordinates - coordinates.mean(1, keepdims=True)
    kept = float(np.einsum("in,ij,jn", centred, gram, centred))
    return Path(
        [state.iteration for state in path],
        [state.epoch for state in path],
        coordinates,
        np.sqrt(square),
        kept / total if total else float("nan"),
    )


def _parts(
    path: Sequence[State], origin: Mapping[str, Tensor], directions: Sequence[Direction]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Parameter by parameter, Δ of all points (N, P) and the directions (directions, P)."""
    for name, start in origin.items():
        zero = _flat(start)
        still = torch.zeros_like(zero)
        yield (
            torch.stack([_flat(state.parameters[name]) - zero for state in path]),
            torch.stack(
                [_flat(d.tangent[name]) if name in d.tangent else still for d in directions]
            ),
        )


def _flat(tensor: Tensor) -> Tensor:
    real = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return real.detach().reshape(-1).cpu().double()
