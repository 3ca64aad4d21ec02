import numpy as np
import pytest
import torch
from helpers import cases
from helpers.along import taken
from torch import nn

from landscape.errors import InvalidValueError
from landscape.probing.directions.registry import get


class Everything(nn.Module):
    """A network with layers of every kind that has filters; its loss is of what it is given."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.words = nn.Embedding(7, 5, padding_idx=0)  # one vector is 0
        self.conv = nn.Conv2d(4, 6, 3, groups=2)
        self.back = nn.ConvTranspose2d(6, 8, 3, groups=2)
        self.norm = nn.GroupNorm(2, 6)
        self.layer = nn.LayerNorm((3, 2))  # whose weight has two dimensions
        self.linear = nn.Linear(5, 3)
        self.out = nn.Linear(5, 7, bias=False)
        self.out.weight = self.words.weight  # tied
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        with torch.no_grad():
            self.conv.weight[3] = 0

    def forward(self, inputs):
        return inputs + sum(p.sum() for p in self.parameters())


def direction(name, seed=0):
    model = Everything()
    found = taken(
        name, model, torch.zeros(2, 3), torch.zeros(2, 3), lambda out, y: (out - y).sum(1), seed
    )
    return model, found


def ratios(weights, drawn, filters):
    """Norms of the direction's filters over those of the network's own, one by one."""
    found = []
    for own, new in zip(filters(weights), filters(drawn), strict=True):
        length = float(own.double().pow(2).sum().sqrt())
        moved = float(new.double().pow(2).sum().sqrt())
        found.append(moved / length if length else (1.0 if moved == 0 else np.inf))
    return found


def rows(tensor):
    return list(tensor)


def outputs_of_transposed(tensor, groups=2):
    """(in, out / groups, …): the weights that make one output channel."""
    each = tensor.shape[0] // groups
    return [
        tensor[g * each : (g + 1) * each, o] for g in range(groups) for o in range(tensor.shape[1])
    ]


def test_every_filter_has_the_norm_of_the_networks_own():
    model, found = direction("random")
    weights = {name: p.detach() for name, p in model.named_parameters()}
    assert set(found.tangent) == {"words.weight", "conv.weight", "back.weight", "linear.weight"}
    for name, filters in (
        ("words.weight", rows),
        ("conv.weight", rows),
        ("back.weight", outputs_of_transposed),
        ("linear.weight", rows),
    ):
        np.testing.assert_allclose(ratios(weights[name], found.tangent[name], filters), 1, 1e-6)
    # Of norm 0: it stays.
    assert not found.tangent["conv.weight"][3].any()
    assert not found.tangent["words.weight"][0].any()
    assert "each filter with the norm" in found.about
    assert "biases" in found.about


def test_a_layer_has_one_norm_or_none():
    model, found = direction("random:layer")
    for name, each in found.tangent.items():
        own = dict(model.named_parameters())[name].detach().norm()
        torch.testing.assert_close(each.norm(), own)
    raw = direction("random:none")[1].tangent
    drawn = torch.cat([each.flatten() for each in raw.values()])
    assert abs(drawn.mean()) < 0.2
    assert 0.8 < drawn.std() < 1.2


def test_small_parameters_move_only_when_all_do():
    model, found = direction("random:filter,all")
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert set(found.tangent) == trained
    own = dict(model.named_parameters())
    for name in ("layer.weight", "linear.bias", "scale", "norm.weight"):
        torch.testing.assert_close(found.tangent[name].norm(), own[name].detach().norm())
    assert not found.tangent["norm.bias"].any()  # which is 0


def test_the_seed_decides():
    first, again, other = (
        direction("random", seed)[1].tangent["linear.weight"] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    direction("random")
    model = cases.fresh("cnn")
    state = torch.get_rng_state()
    taken("random", model)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("wrong", ["filters", "filter,layer", "all,all", "", "filter,"])
def test_a_normalisation_that_is_none(wrong):
    with pytest.raises(InvalidValueError, match="filter, layer or none, and ,all"):
        get(f"random:{wrong}")
