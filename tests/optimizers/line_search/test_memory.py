"""Parameters over one memory: a line would move it twice."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.sls import LossSLS, SmoothAccuracySLS

INPUTS = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
TARGETS = torch.arange(40) % 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Linear(6, 4, bias=False)
        self.b = nn.Linear(4, 6, bias=False)
        self.c = nn.Linear(6, 6, bias=False)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.c(self.b(torch.tanh(self.a(x)))))


def transposed(net):
    net.b.weight.data = net.a.weight.data.t()


def a_part(net):
    net.a.weight.data = net.c.weight.data[:4]


def a_part_of_columns(net):
    net.b.weight.data = net.c.weight.data[:, 2:]


def another_storage(net):
    net.b.weight.data = torch.from_numpy(net.a.weight.data.numpy()).t()


def expanded(net):
    net.head.bias.data = torch.zeros(1).expand(3)


SHARED = [transposed, a_part, a_part_of_columns, another_storage, expanded]


@pytest.mark.parametrize("share", SHARED)
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_shared_memory_is_refused_before_anything_moves(share, given, late):
    net = Net()
    if not late:
        share(net)
    optimizer = SmoothAccuracySLS(net.parameters(), model=net if given else None)
    if late:
        optimizer.step(lambda: (net(INPUTS), TARGETS))
        share(net)
    before = [p.detach().clone() for p in net.parameters()]
    message = r"^(head.bias|parameter 4 of shape \(3,\)) is given" if share is expanded else "share"
    for _ in range(2):
        with pytest.raises(InvalidValueError, match=message) as error:
            optimizer.step(lambda: (net(INPUTS), TARGETS))
        assert "\n" not in str(error.value)
        assert ("weight" in str(error.value) or "bias" in str(error.value)) is given
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))


def test_groups_and_parameters_given_twice():
    net = Net()
    transposed(net)
    optimizer = LossSLS([{"params": net.a.parameters()}, {"params": net.b.parameters()}])
    with pytest.raises(InvalidValueError, match=r"parameter 0 .* and parameter 1 .* share memory"):
        optimizer.step(lambda: (net(INPUTS), TARGETS))
    net = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch only warns of it
        optimizer = LossSLS([*net.parameters(), net.a.weight])
    with pytest.raises(InvalidValueError, match=r"parameter 5 of shape \(4, 6\) is given twice"):
        optimizer.step(lambda: (net(INPUTS), TARGETS))


def test_a_parameter_of_the_model_that_is_not_the_optimizers():
    net = Net()
    transposed(net)
    optimizer = LossSLS([net.a.weight, net.head.weight], model=net)
    with pytest.raises(InvalidValueError, match=r"^a.weight and b.weight share memory"):
        optimizer.check_parameters()


def test_parameters_side_by_side_and_one_at_two_places_are_searched():
    net = Net()
    flat = torch.cat([p.detach().flatten() for p in (net.a.weight, net.b.weight)])
    net.a.weight.data, net.b.weight.data = flat[:24].view(4, 6), flat[24:].view(6, 4)
    both = torch.zeros(6, 9)
    both[:, :6], both[:, 6:] = net.c.weight.detach(), net.head.weight.detach().t()
    net.c.weight.data, net.head.weight.data = both[:, :6], both[:, 6:].t()
    net.again = net.c  # one Parameter, two names
    optimizer = LossSLS(net.parameters(), model=net)
    plain = Net()
    optimizer.step(lambda: (net(INPUTS), TARGETS))
    found = optimizer.last_search
    F.cross_entropy(plain(INPUTS), TARGETS).backward()
    torch.optim.SGD(plain.parameters(), lr=found.step_size).step()
    for p, q in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    assert found.trials[-1][1] == pytest.approx(F.cross_entropy(plain(INPUTS), TARGETS).item())
