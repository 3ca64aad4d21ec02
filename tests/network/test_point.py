import pytest
import torch
from helpers import cases

from landscape.network.point import Point, preserved


def test_zero_is_exact_and_positions_do_not_accumulate():
    model = cases.fresh("mlp")
    start = [p.clone() for p in model.parameters()]
    point = Point(model)
    tangent = {n: torch.randn_like(p) for n, p in model.named_parameters()}
    for s in (0.3, -7.0, 1e-4, 0.3):
        point.move(tangent, s)
    for before, (name, now) in zip(start, model.named_parameters(), strict=True):
        # θ + s·d, from the stored θ
        assert torch.equal(now, torch.add(before, tangent[name], alpha=0.3))
    point.move({n: torch.full_like(t, torch.nan) for n, t in tangent.items()}, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(start, model.parameters(), strict=True))


def test_parameters_outside_the_tangent_stay():
    model = cases.fresh("mlp")
    before = model[1].weight.clone()
    Point(model).move({"1.bias": torch.ones(32)}, 2.0)
    assert torch.equal(model[1].weight, before)


def test_minus_zero_survives():
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-0.0, 0.0]]))
    point = Point(model)
    point.move({"weight": torch.ones(1, 2)}, 1.0)
    point.move({"weight": torch.ones(1, 2)}, 0.0)
    assert model.weight.signbit().tolist() == [[True, False]]


def test_buffers_come_back_even_if_they_were_replaced():
    model = cases.fresh("cnn")
    layer = model[1]
    tensor, values = layer.running_mean, layer.running_mean.clone()
    point = Point(model)
    layer.running_mean += 1
    layer.running_mean = torch.zeros(8)
    point.reset_buffers()
    assert layer.running_mean is tensor
    assert torch.equal(tensor, values)


def test_buffers_that_came_or_went_are_put_right():
    model = cases.fresh("cnn")
    layer = model[1]
    names = list(dict(layer.named_buffers()))
    point = Point(model)
    layer.register_buffer("late", torch.ones(2))
    point.reset_buffers()
    assert list(dict(layer.named_buffers())) == names
    kept = layer.running_var
    del layer.running_var
    point.reset_buffers()
    assert layer.running_var is kept


def test_of_expanded_buffers_those_of_one_element_are_put_back():
    model = torch.nn.Module()
    model.register_buffer("many", torch.ones(1).expand(3))
    model.register_buffer("one", torch.ones(1).as_strided((1,), (0,)))
    point = Point(model)
    model.one += 1
    point.reset_buffers()
    assert model.one.tolist() == [1]
    assert model.many.tolist() == [1, 1, 1]


def test_shifted_shares_the_buffers_and_leaves_the_first_alone():
    model = cases.fresh("mlp")
    point = Point(model)
    other = point.shifted({n: p + 1 for n, p in point.parameters.items()})
    other.move({}, 0)
    moved = model[1].bias.clone()
    point.restore()
    assert torch.equal(moved, model[1].bias + 1)


@pytest.mark.parametrize("name", cases.MODELS)
def test_preserved_puts_everything_back_also_after_an_exception(name):
    model = cases.fresh(name)
    before = cases.state(model)

    def spoil():
        with preserved(model), torch.no_grad():
            for tensor in [*model.parameters(), *model.buffers()]:
                tensor.add_(1)
            model.eval()
            torch.randn(3)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        spoil()
    cases.assert_same_state(before, cases.state(model))


def test_reset_leaves_the_modules_that_are_excepted():
    model = cases.fresh("cnn")
    layer, other = model[1], model[6]
    point, start = Point(model), layer.running_mean.clone()
    for each in (layer, other):
        each.running_mean += 1
        each.momentum = 0.5
    moved = layer.running_mean.clone()
    point.reset_buffers(but=[layer])
    assert (layer.momentum, other.momentum) == (0.5, 0.1)
    assert torch.equal(layer.running_mean, moved)
    point.reset_buffers()
    assert (layer.momentum, other.momentum) == (0.1, 0.1)
    assert torch.equal(layer.running_mean, start)


@pytest.mark.filterwarnings("ignore:.*jit.*:FutureWarning", "ignore::DeprecationWarning")
def test_a_scripted_model_is_put_back():
    layers = torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)
    model = torch.jit.script(torch.nn.Sequential(*layers))
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with preserved(model, training=True):
        model(torch.randn(4, 3))
        with torch.no_grad():
            model[0].weight += 1
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
