"""The directions "hessian-K" and "ggn-K": along which the loss is curved most."""

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import InvalidValueError, SlopeWarning
from landscape.probing.directions.direction import DirectionContext, Tangent, sum_of_products

Product = Callable[[Sequence[Tensor]], Sequence[Tensor]]
# A vector -> what changes along it, where the model then is; and how fast, by its derivative.
Changes = tuple[Product, Product]

TOLERANCE = 1e-5  # of an eigenvalue, relative
SMALL = 32  # parameters up to which the whole matrix is made
ASYMMETRY = 0.01  # between u·Hv and v·Hu, relative, that is more than rounding
LOST = 0.5  # residual of an eigenvector, relative to its eigenvalue, from which it is none
PASSES = 300  # restarts of the Lanczos method
# How far the model is moved to see the curvature, in norms of its parameters; the ratio to the
# derivative that is no surprise; and by how much two ratios differ that have settled. Between the
# kinks of ReLUs they never settle, since a kink within the smallest step decides.
STEPS = (1e-2, 1e-3, 1e-4)
SURPRISE = 2.0
SETTLED = 0.05


def hessian(context: DirectionContext) -> Tangent:
    """Point along the eigenvector of the K-th largest eigenvalue of the Hessian ∇²L.

    Args:
        context: the model at the point; the argument names the evaluation set whose mean loss is
            meant, by default the gradient's batch.

    Returns:
        The tangent, of norm 1, with its ``eigenvalue`` λ and the relative ``eigen_residual``
        ‖Hv − λv‖ / |λ|.

    Raises:
        InvalidValueError: for a loss without second derivatives, and where the eigenvectors are not
            found.
    """
    parameters = _parameters(context)
    with torch.enable_grad():
        _, loss = context.loss_on(context.argument)
        gradient = _derived([loss], parameters, create_graph=True)

    def product(vector: Sequence[Tensor]) -> Sequence[Tensor]:
        # H·v = ∇(∇L · v)
        return _derived(gradient, parameters, vector, retain_graph=True)

    def slope(vector: Sequence[Tensor]) -> Sequence[Tensor]:
        # ∇L · v, whose change along v is v·H·v
        with torch.enable_grad():
            _, here = context.loss_on(context.argument)
            return [_dot(_derived([here], parameters), vector)]

    def curvature(vector: Sequence[Tensor]) -> Sequence[Tensor]:
        return [_dot(product(vector), vector)]

    return _eigenvector(context, parameters, product, (slope, curvature), "Hessian")


def ggn(context: DirectionContext) -> Tangent:
    """Point along the eigenvector of the K-th largest eigenvalue of the Gauss–Newton matrix.

    That is JᵀH_fJ, of the Jacobian J of the outputs f and the Hessian H_f of the mean loss in them
    [Schraudolph2002]. It has no negative eigenvalue where the loss is convex in f.

    Args:
        context: as for :func:`hessian`.

    Returns:
        As of :func:`hessian`.

    Raises:
        InvalidValueError: likewise, and for a model whose outputs are no single tensor.
    """
    parameters = _parameters(context)
    with torch.enable_grad():
        outputs, loss = context.loss_on(context.argument)
        if not isinstance(outputs, Tensor):
            raise InvalidValueError(
                "the Gauss–Newton matrix needs outputs that are one tensor; choose hessian-K, or "
                "name a part of the output (output=)"
            )
        at_outputs = _derived([loss], [outputs], create_graph=True)
        # Jᵀu as a function of u, whose derivative gives J·v.
        u = torch.zeros_like(outputs, requires_grad=True)
        pulled = _derived([outputs], parameters, [u], create_graph=True)

    def product(vector: Sequence[Tensor]) -> Sequence[Tensor]:
        # JᵀH_fJ·v, from right to left
        moved = _derived(pulled, [u], vector, retain_graph=True)
        curved = _derived(at_outputs, [outputs], moved, retain_graph=True)
        return _derived([outputs], parameters, curved, retain_graph=True)

    def outputs_there(vector: Sequence[Tensor]) -> Sequence[Tensor]:  # noqa: ARG001
        # f, whose change along v is J·v
        there, _ = context.loss_on(context.argument)
        assert isinstance(there, Tensor)
        return [there]

    def change(vector: Sequence[Tensor]) -> Sequence[Tensor]:
        return _derived(pulled, [u], vector, retain_graph=True)

    return _eigenvector(
        context, parameters, product, (outputs_there, change), "Gauss–Newton matrix"
    )


def _parameters(context: DirectionContext) -> dict[str, Tensor]:
    """Those that the gradient is taken of, by name."""
    named: dict[str, Tensor] = dict(context.model.named_parameters())
    found = {name: named[name] for name in context.gradient}
    if wrong := next((n for n, p in found.items() if p.is_complex()), None):
        raise InvalidValueError(
            f"the model's {wrong} is complex, and eigenvectors are taken of real parameters alone"
        )
    return found


def _derived(
    of: Sequence[Tensor],
    by: "Sequence[Tensor] | dict[str, Tensor]",
    along: Sequence[Tensor] | None = None,
    **how: bool,
) -> list[Tensor]:
    """The derivative of Σ of · along by each of ``by``; 0 where it does not depend on it."""
    inputs = list(by.values()) if isinstance(by, dict) else list(by)
    along = [torch.ones_like(each) for each in of] if along is None else along
    # What is constant has no graph.
    kept = [(o, a) for o, a in zip(of, along, strict=True) if o.requires_grad]
    if not kept:
        return [torch.zeros_like(each) for each in inputs]
    outputs, vectors = zip(*kept, strict=True)
    found = torch.autograd.grad(
        outputs, inputs, vectors, allow_unused=True, materialize_grads=True, **how
    )
    return [g if g.layout == torch.strided else g.to_dense() for g in found]


def _eigenvector(
    context: DirectionContext,
    parameters: dict[str, Tensor],
    product: Product,
    changes: Changes,
    what: str,
) -> Tangent:
    """The K-th eigenvector as a direction that descends."""
    shapes = [each.shape for each in parameters.values()]
    sizes = [each.numel() for each in parameters.values()]

    def split(vector: NDArray[np.float64]) -> list[Tensor]:
        flat = torch.from_numpy(np.ascontiguousarray(vector).reshape(-1))
        parts = zip(torch.split(flat, sizes), shapes, parameters.values(), strict=True)
        return [part.view(shape).to(p) for part, shape, p in parts]

    def multiplied(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.enable_grad():
            found = product(split(vector))
        return np.concatenate([each.detach().double().cpu().reshape(-1).numpy() for each in found])

    epsilon = max(torch.finfo(each.dtype).eps for each in parameters.values())
    _require_symmetric(multiplied, sum(sizes), context.seed, epsilon, what)
    number, size = context.number, sum(sizes)
    if number > size:
        raise InvalidValueError(
            f"the {what} of {size} parameters has no eigenvector {number}; choose at most {size}"
        )
    values, vectors = _largest(multiplied, size, number, context.seed, what)
    value, vector = values[number - 1], vectors[:, number - 1]
    off = float(np.linalg.norm(multiplied(vector) - value * vector))
    if not off < LOST * abs(value):
        raise InvalidValueError(
            f"eigenvector {number} of the {what} was not found: of the eigenvalue {value:.3g}, it "
            f"misses being one by {off:.3g}; it is lost in rounding (choose a smaller number), or "
            "the model has a backward pass that cannot be differentiated"
        )
    tangent = dict(zip(parameters, split(vector), strict=True))
    _confirm([*parameters.values()], [*tangent.values()], changes, what)
    gradient = [context.gradient[name] for name in tangent]
    # Of v and −v, the one that descends.
    if sum_of_products(gradient, [*tangent.values()]) > 0:
        tangent = {name: -each for name, each in tangent.items()}
    where = context.argument.replace("_", " ") or "gradient's batch"
    where += " set" * (where == "validation")
    return Tangent(
        tangent,
        # Without the eigenvalue: a store says this once for all checkpoints and draws.
        about=f"eigenvector {number} of the {what} of the loss on the {where}, of norm 1",
        numbers={
            "eigenvalue": float(value),
            "eigen_residual": off / abs(value) if value else np.inf,
        },
        taken_on=context.argument or "same_batch",
    )


def _require_symmetric(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    size: int,
    seed: int,
    epsilon: float,
    what: str,
) -> None:
    """Refuse what is no matrix of second derivatives: 0, not finite, or not its own transpose."""
    u, v = np.random.default_rng(seed).standard_normal((2, size))
    hu, hv = product(u), product(v)
    if not (np.isfinite(hu).all() and np.isfinite(hv).all()):
        raise InvalidValueError(
            f"the {what} has NaN or infinity, as where the loss or a parameter has, so it has no "
            "eigenvectors; choose another direction, or another checkpoint"
        )
    if not (hu.any() or hv.any()):
        raise InvalidValueError(
            f"the {what} is 0: the loss has no second derivatives; choose another direction"
        )
    # u·Hv = v·Hu
    one, other = float(u @ hv), float(v @ hu)
    rounding = 100 * epsilon * float(np.linalg.norm(u) * np.linalg.norm(hv))
    if abs(one - other) > ASYMMETRY * (abs(one) + abs(other)) + rounding:
        raise InvalidValueError(
            f"the {what} is not symmetric (u·Hv is {one:.4g} and v·Hu {other:.4g}): the model has "
            "a backward pass that cannot be differentiated; choose another direction"
        )


def _dot(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    found = sum_of_products([each.detach() for each in first], second)
    return torch.tensor(found, dtype=torch.float64)


@torch.no_grad()
def _confirm(
    parameters: Sequence[Tensor], vector: Sequence[Tensor], changes: Changes, what: str
) -> None:
    """Compare the second derivative with a central finite difference, and warn where it is other.

    As where a layer's backward pass cannot be differentiated, which autograd takes for constant. A
    difference that settles nowhere shows nothing.
    """
    kept = [each.detach().clone() for each in parameters]
    measured, derived = changes
    expected = derived(vector)
    length = float(torch.stack([each.double().norm() for each in kept]).norm())
    ratios = []
    try:
        for share in STEPS:
            ends = []
            for signed in (share * length, -share * length):
                for live, start, moves in zip(parameters, kept, vector, strict=True):
                    live.detach().copy_(start + signed * moves)
                ends.append(measured(vector))
            change = [(a - b).double() / (2 * share * length) for a, b in zip(*ends, strict=True)]
            square = sum_of_products(expected, expected)
            ratios.append(sum_of_products(change, expected) / square if square else np.nan)
            if 1 / SURPRISE < ratios[-1] < SURPRISE:
                return
    finally:
        for live, start in zip(parameters, kept, strict=True):
            live.detach().copy_(start)
    if any(abs(b - a) < SETTLED * abs(b) for a, b in pairwise(ratios)):
        warnings.warn(
            f"along the eigenvector of the {what} the loss is curved {ratios[-1]:.3g} times as "
            "much as its second derivative says: the model may have a backward pass that cannot be "
            "differentiated",
            SlopeWarning,
            stacklevel=2,
        )


def _largest(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    size: int,
    number: int,
    seed: int,
    what: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues, descending, (number,), and their vectors, (size, number)."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    if size <= max(SMALL, 2 * number):
        matrix = np.stack([product(unit) for unit in np.eye(size)])
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    else:
        start = np.random.default_rng(seed).standard_normal(size)
        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        try:
            values, vectors = eigsh(
                operator, k=number, which="LA", v0=start, tol=TOLERANCE, maxiter=PASSES
            )
        except ArpackError as error:
            raise InvalidValueError(
                f"the eigenvectors of the {what} were not found ({error}); its values may not be "
                "finite, or too close to each other"
            ) from error
    order = np.argsort(values)[::-1][:number]
    return values[order], vectors[:, order]
