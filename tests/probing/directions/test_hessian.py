import numpy as np
import pytest
import torch
from helpers import cases
from helpers.along import taken
from torch import nn

import landscape
from landscape.errors import InvalidValueError, SlopeWarning
from landscape.metrics import cross_entropy


def small(width=4):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, width), nn.Tanh(), nn.Linear(width, 3)).double()


def data(samples=40):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, 5, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (samples,), generator=generator)


def flat(tangent):
    return torch.cat([each.reshape(-1) for each in tangent.values()]).numpy()


def dense(model, inputs, labels, outputs_only=False):
    """∇²L, or JᵀH_fJ, element by element."""
    names = [name for name, _ in model.named_parameters()]
    start = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    sizes = [p.numel() for p in model.parameters()]
    shapes = [p.shape for p in model.parameters()]

    def outputs(theta):
        parts = zip(names, theta.split(sizes), shapes, strict=True)
        state = {name: part.view(shape) for name, part, shape in parts}
        return torch.func.functional_call(model, state, (inputs,))

    def loss(logits):
        return cross_entropy(logits, labels).mean()

    if not outputs_only:
        return torch.autograd.functional.hessian(lambda t: loss(outputs(t)), start).numpy()
    jacobian = torch.autograd.functional.jacobian(outputs, start).reshape(-1, len(start))
    logits = outputs(start).detach()
    at_outputs = torch.autograd.functional.hessian(
        lambda z: loss(z.view_as(logits)), logits.reshape(-1)
    )
    return (jacobian.T @ at_outputs @ jacobian).numpy()


@pytest.mark.parametrize("width", [3, 9])  # by the whole matrix, and by Lanczos
@pytest.mark.parametrize(("name", "outputs_only"), [("hessian", False), ("ggn", True)])
def test_eigenpairs_against_the_dense_matrix(width, name, outputs_only):
    model, (inputs, labels) = small(width), data()
    matrix = dense(model, inputs, labels, outputs_only)
    values, vectors = np.linalg.eigh(matrix)
    for number in (1, 2, 3):
        found = taken(f"{name}-{number}", model, inputs, labels)
        vector = flat(found.tangent)
        assert found.numbers["eigenvalue"] == pytest.approx(values[-number], rel=1e-4)
        assert abs(vector @ vectors[:, -number]) == pytest.approx(1, abs=1e-3)
        assert found.norm == pytest.approx(1, rel=1e-6)
        residual = np.linalg.norm(matrix @ vector - values[-number] * vector) / values[-number]
        assert found.numbers["eigen_residual"] == pytest.approx(residual, abs=1e-4)
        assert found.numbers["eigen_residual"] < 1e-2
        assert found.slope <= 0
    assert "eigenvector 3 of the" in found.about


def test_more_eigenvectors_than_parameters():
    model = nn.Linear(5, 1, bias=False).double()
    inputs, _ = data()
    with pytest.raises(InvalidValueError, match=r"no eigenvector 6; choose at most 5"):
        taken("hessian-6", model, inputs, inputs[:, :1], lambda out, y: (out - y).square().sum(1))


def test_an_eigenvector_that_is_lost_in_rounding():
    """Of a rank that the outputs bound: two samples of three classes have at most four."""
    model, (inputs, labels) = small(9).float(), data(2)
    found = taken("ggn-4", model, inputs.float(), labels)
    assert found.numbers["eigen_residual"] < 0.1
    with pytest.raises(
        InvalidValueError, match=r"eigenvector 6 .* lost in rounding \(choose a smaller number"
    ):
        taken("ggn-6", model, inputs.float(), labels)


def test_a_loss_without_second_derivatives():
    model = nn.Linear(5, 1, bias=False).double()
    inputs, _ = data()
    for name in ("hessian-1", "ggn-1"):
        with pytest.raises(InvalidValueError, match="no second derivatives"):
            taken(name, model, inputs, inputs[:, :1], lambda out, y: (out - y).abs().sum(1))


class Square(torch.autograd.Function):
    """The square, whose backward pass is right, and constant to autograd."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * g


class Once(Square):
    """The same, which cannot be differentiated at all."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return Square.backward(ctx, g)


class Squares(nn.Module):
    """A network of squares, and perhaps of a layer after them that is as others are."""

    def __init__(self, square, also):
        super().__init__()
        self.inner, self.outer, self.also = nn.Linear(5, 4), nn.Linear(4, 3), also
        self.square = square

    def forward(self, inputs):
        squares = self.square.apply(self.inner(inputs))
        return self.outer(squares) if self.also else squares[:, :3]


def test_a_model_that_cannot_be_differentiated_twice():
    inputs, labels = data(60)

    def probe(square, also, scale=3.0):
        torch.manual_seed(0)
        landscape.probe(
            Squares(square, also),
            (scale * inputs.float(), labels),
            batch_size=20,
            direction="hessian-1",
            step_sizes=[0, 0.1],
            sets="same_batch",
        )

    with pytest.raises(InvalidValueError, match="the Hessian is 0: the loss has no second deriv"):
        probe(Once, also=False)
    # What is left is no symmetric matrix.
    with pytest.raises(InvalidValueError, match="a backward pass that cannot be differentiated"):
        probe(Once, also=True)
    with pytest.warns(
        SlopeWarning, match=r"curved -?[\d.]+ times as much as its second derivative"
    ):
        probe(Square, also=False, scale=0.1)


def test_of_another_set_under_its_own_statistics():
    train, validation = ((inputs.double(), labels) for inputs, labels in cases.digits())
    model = cases.fresh("cnn").double()  # in which a step is so small that it meets no kink
    before = cases.state(model)
    found = landscape.probe(
        model,
        train,
        validation,
        batch_size=32,
        big_batch=50,
        validation_samples=60,
        direction="hessian-1:validation",
        step_sizes=[-1e-4, 0, 1e-4],
        sets=["same_batch", "validation"],
    )
    cases.assert_same_state(before, cases.state(model))
    assert found.eigen_residual.item() < 1e-2
    assert found.attrs["direction"] == "hessian-1:validation"
    # Its curvature along the slice is the eigenvalue.
    loss = found.loss.sel(evaluation_set="validation").values.ravel()
    curvature = (loss[0] - 2 * loss[1] + loss[2]) / 1e-8
    assert curvature == pytest.approx(found.eigenvalue.item(), rel=0.05)
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'other_batch_9'"):
        landscape.probe(model, train, batch_size=32, direction="hessian-1:other-batch-9")


def test_numbers_of_eigenvectors_start_at_1():
    for wrong in ("hessian-0", "hessian", "hessian-x"):
        with pytest.raises(InvalidValueError, match="unknown direction"):
            taken(wrong, small(), *data())
    with pytest.raises(InvalidValueError, match="as in hessian-1"):
        taken("hessian-K", small(), *data())


@pytest.mark.parametrize("name", ["hessian-1", "ggn-1"])
@pytest.mark.parametrize("width", [2, 9])  # a dense matrix, and the Lanczos method
def test_parameters_that_are_not_finite_have_no_eigenvectors(name, width, capfd):
    model = small(width)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = np.nan
    with pytest.raises(InvalidValueError, match="has NaN or infinity"):
        landscape.probe(
            model, data(), direction=name, step_sizes=[0, 1], batch_size=20, sets="same_batch"
        )
    assert capfd.readouterr() == ("", "")


def test_what_is_said_for_all_checkpoints_has_no_number_of_one():
    said = {taken("hessian-1", small(), *data(samples)).about for samples in (10, 40)}
    assert said == {"eigenvector 1 of the Hessian of the loss on the gradient's batch, of norm 1"}
