"""The directions "principal-K": along which a training has moved most."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.errors import InvalidValueError
from landscape.network.state import State
from landscape.probing.directions.direction import DirectionContext, Tangent, sum_of_products

LEAST_SHARE = 1e-10  # of the variance that a direction has to have; below is rounding


def principal(context: DirectionContext) -> Tangent:
    """Point along the K-th principal component of the checkpoints of a training [Li2018].

    With rows x_i = θ_i − mean θ, the components are Xᵀu/√λ for the eigenpairs (λ, u) of the Gram
    matrix X·Xᵀ, which is as small as there are few checkpoints. It points the way that the training
    has gone from the first checkpoint to the last.

    Args:
        context: the model at the point, with the path of its training.

    Returns:
        The tangent, of norm 1, with the share of the path's variance along it as its
        ``explained_variance``.

    Raises:
        InvalidValueError: where there are not more than K checkpoints, or they lie in fewer than K
            dimensions.
    """
    path, number = context.landmarks.path, context.number
    _require_enough(len(path), number)
    for state in path:
        state.require_fits(context.model, f"the checkpoint at iteration {state.iteration}")
    gram = centred_gram(path)
    for state in path:
        wrong = [n for n, each in state.parameters.items() if not bool(each.isfinite().all())]
        if wrong:
            raise InvalidValueError(
                f"the checkpoint at iteration {state.iteration} has NaN or infinity in its "
                f"{wrong[0]!r}, so the path has no principal components; leave it out"
            )
    variances, vectors = np.linalg.eigh(gram)
    variance, vector = variances[-number], vectors[:, -number]
    total = float(np.trace(gram))
    if not variance > LEAST_SHARE * total:
        raise InvalidValueError(
            f"the {len(path)} checkpoints move along fewer than {number} directions, so there is "
            f"no principal-{number}; choose a smaller number"
        )
    if vector[-1] < vector[0]:
        vector = -vector
    # Xᵀu/√λ, where Σ u_i = 0, so that the mean drops out.
    weights = (vector - vector.mean()) / np.sqrt(variance)
    share = variance / total
    values = {}
    for name, parameter in context.model.named_parameters():
        summed = sum(
            weight * _wide(state.parameters[name])
            for weight, state in zip(weights.tolist(), path, strict=True)
        )
        assert isinstance(summed, torch.Tensor)
        values[name] = summed.to(parameter)
    return Tangent(
        values,
        norm=1.0,
        about=f"principal component {number} of {len(path)} checkpoints, of norm 1, with "
        f"{100 * share:.3g} % of their variance",
        numbers={"explained_variance": share},
    )


def _require_enough(checkpoints: int, number: int) -> None:
    if checkpoints <= number:
        raise InvalidValueError(
            f"principal-{number} needs at least {number + 1} checkpoints of a training, and there "
            f"are {checkpoints}; give more (--checkpoint with the run's folder, trajectory=), or "
            "choose a smaller number"
        )


def centred_gram(path: Sequence[State]) -> NDArray[np.float64]:
    """Compute the inner products of θ_i − mean θ.

    Args:
        path: N points.

    Returns:
        (N, N), float64.
    """
    # Differences to the last point first, which are small: less is lost than of products of θ.
    last = path[-1].parameters
    moved = [[_wide(state.parameters[n]) - _wide(last[n]) for n in last] for state in path]
    gram = np.array([[sum_of_products(a, b) for b in moved] for a in moved])
    centre = np.eye(len(path)) - 1 / len(path)
    centred: NDArray[np.float64] = centre @ gram @ centre
    return centred


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float64))
