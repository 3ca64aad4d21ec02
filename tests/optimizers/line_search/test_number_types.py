"""Complex and narrow parameters: the norm, the slope and the steps, against float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.line import Line
from landscape.optimizers.line_search.sls import AccuracySLS, LossSLS, SGDArmijo, SmoothAccuracySLS

INPUTS = torch.randn(300, 6, generator=torch.Generator().manual_seed(1))
TARGETS = (INPUTS[:, 0] > 0).long() + (INPUTS[:, 1] > 0).long()


class Complex(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 8, dtype=dtype))
        self.head = nn.Linear(8, 3).to(self.weight.real.dtype)

    def forward(self, x):
        return self.head((x.to(self.weight.dtype) @ self.weight).abs())


def smooth_accuracy(logits, targets):
    p = logits.softmax(1)
    own = p.gather(1, targets[:, None])
    return (own - p.scatter(1, targets[:, None], 0).amax(1, keepdim=True)).sigmoid().squeeze(1)


@pytest.mark.parametrize("slope", ["autograd", "finite-difference"])
@pytest.mark.parametrize("direction", ["gradient", "normalised-gradient"])
@pytest.mark.parametrize("kind", [LossSLS, SmoothAccuracySLS])
def test_complex_parameters(kind, slope, direction):
    model, inputs = Complex(torch.complex128), INPUTS.double()
    start = [p.detach().clone() for p in model.parameters()]
    optimizer = kind(model.parameters(), slope=slope, direction=direction, eps=1e-6)
    optimizer.step(lambda: (model(inputs), TARGETS))
    gradient = [p.grad for p in model.parameters()]
    # ‖∇L‖ over real and imaginary parts
    parts = [part for g in gradient for part in ([g.real, g.imag] if g.is_complex() else [g])]
    norm = torch.cat([part.flatten() for part in parts]).norm().item()
    d = [g / norm for g in gradient] if direction == "normalised-gradient" else gradient

    def h(s):
        with torch.no_grad():
            for p, o, t in zip(model.parameters(), start, d, strict=True):
                p.copy_(o - s * t)
            logits = model(inputs)
        if kind is LossSLS:
            return -F.cross_entropy(logits, TARGETS).item()
        return smooth_accuracy(logits, TARGETS).mean().item()

    taken = [p.detach().clone() for p in model.parameters()]
    found = optimizer.last_search
    assert found.slope == pytest.approx((h(1e-6) - h(-1e-6)) / 2e-6, rel=1e-4)
    if kind is LossSLS:
        assert found.slope == pytest.approx(
            norm if direction == "normalised-gradient" else norm**2, rel=1e-4
        )
    assert abs(found.trials[-1][1]) == pytest.approx(abs(h(found.step_size)), rel=1e-12)
    for p, t in zip(model.parameters(), taken, strict=True):
        torch.testing.assert_close(p.detach(), t)
    moved = (
        sum((t - o).abs().square().sum().item() for t, o in zip(taken, start, strict=True)) ** 0.5
    )
    length = 1 if direction == "normalised-gradient" else norm
    assert moved == pytest.approx(found.step_size * length)


class Net(nn.Module):
    """Weights of ``dtype``, with a head of ``head``, and logits of ``logits``."""

    def __init__(self, dtype, head=None, logits=torch.float32):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(6, 64), nn.ReLU()).to(dtype)
        self.head = nn.Linear(64, 3).to(head or dtype)
        self.logits = logits

    def forward(self, x):
        x = self.body(x.to(self.body[0].weight.dtype))
        return self.head(x.to(self.head.weight.dtype)).to(self.logits)


FORMS = {
    "bfloat16": lambda: Net(torch.bfloat16, logits=torch.bfloat16),
    "bfloat16, wide logits": lambda: Net(torch.bfloat16),
    "bfloat16, double logits": lambda: Net(torch.bfloat16, logits=torch.float64),
    "float16, wide logits": lambda: Net(torch.float16),
    "bfloat16 with a wide head": lambda: Net(torch.bfloat16, torch.float32),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SmoothAccuracySLS, {}),
        (SmoothAccuracySLS, {"slope": "finite-difference"}),
        (LossSLS, {"slope": "finite-difference"}),
        (SGDArmijo, {"n": 50}),
    ],
)
def test_narrow_weights_are_searched_with_an_exact_slope(name, kind, options):
    model = FORMS[name]()
    wide = Net(torch.float32)
    with torch.no_grad():
        for p, q in zip(wide.parameters(), model.parameters(), strict=True):
            p.copy_(q)
    wide = wide.double()
    wide.logits = torch.float64
    reference = kind(wide.parameters(), lr=20.0, **options | {"slope": "autograd"})
    optimizer = kind(model.parameters(), lr=20.0, **options)
    first = optimizer.step(lambda: (model(INPUTS), TARGETS))
    reference.step(lambda: (wide(INPUTS.double()), TARGETS))
    assert optimizer.last_search.slope == pytest.approx(reference.last_search.slope, rel=0.03)
    for _ in range(19):
        loss = optimizer.step(lambda: (model(INPUTS), TARGETS))
    assert optimizer.counts["searches"] >= 15
    assert loss < 0.7 * first


def test_half_precision_loses_neither_norm_nor_slope():
    # Products of 1e-5 vanish in float16, and a norm of 3e5 overflows it.
    for size, count in ((1e-5, 100), (3e4, 100)):
        p = nn.Parameter(torch.zeros(count, dtype=torch.float16))
        p.grad = torch.full((count,), size, dtype=torch.float16)
        line = Line([p], normalised=True)
        exact = p.grad.double().norm().item()
        assert line.gradient_norm.item() == pytest.approx(exact, rel=1e-3)
        assert line.slope({p: p.grad}).item() == pytest.approx(exact, rel=1e-3)
        with torch.no_grad():
            line.move(1.0)
        assert p.detach().double().norm().item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("name", ["bfloat16", "bfloat16, wide logits"])
@pytest.mark.parametrize(
    ("kind", "preset"),
    [(AccuracySLS, "robust"), (AccuracySLS, "thesis"), (SmoothAccuracySLS, "thesis")],
)
def test_an_eps_that_narrow_weights_cannot_hold_is_refused(name, kind, preset):
    model = FORMS[name]()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = kind(model.parameters(), preset=preset)
    with pytest.raises(InvalidValueError, match=r"^eps is 0.0001, of which parameters of torch.bf"):
        optimizer.step(lambda: (model(INPUTS), TARGETS))
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    optimizer = kind(model.parameters(), preset=preset, eps=1.0)
    optimizer.step(lambda: (model(INPUTS), TARGETS))
    assert optimizer.counts["steps"] == 1


@pytest.mark.parametrize("kind", [SmoothAccuracySLS, LossSLS])
def test_where_no_float32_weight_moves_by_eps_the_slope_is_exact(kind):
    found = {}
    for slope in ("finite-difference", "autograd"):
        torch.manual_seed(0)
        model = nn.Linear(6, 3)
        with torch.no_grad():  # the spacing there is 1e-3, far above ε · ∇L
            for p in model.parameters():
                p.add_(1e4)
        optimizer = kind(model.parameters(), slope=slope, lr=100.0)
        optimizer.step(lambda model=model: (model(INPUTS), TARGETS))
        found[slope] = optimizer.last_search
        assert optimizer.last_search.slope != 0
    one, other = found["finite-difference"], found["autograd"]
    assert one.slope == pytest.approx(other.slope, rel=1e-6)
    assert (one.trials, one.step_size) == (other.trials, other.step_size)


def test_a_gradient_of_zero_loses_nothing():
    model = FORMS["bfloat16, wide logits"]()
    optimizer = AccuracySLS(model.parameters(), loss=lambda z, t: 0 * z.sum(1))
    optimizer.step(lambda: (model(INPUTS), TARGETS))
    assert optimizer.last_search.outcome == "skipped"
