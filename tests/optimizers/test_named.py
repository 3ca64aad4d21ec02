import math

import pytest
import torch
from torch import nn

from landscape.errors import InvalidValueError
from landscape.optimizers.named import build, is_line_search, names


def parameters():
    torch.manual_seed(0)
    return list(nn.Linear(3, 2, bias=False).parameters())


def test_torch_optimizers_by_name_in_any_case():
    options = {"momentum": 0.9, "nesterov": True}
    optimizer = build("SGD", parameters(), 0.5, options)
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert (group["lr"], group["momentum"], group["nesterov"]) == (0.5, 0.9, True)
    assert type(build("adamw", parameters(), 0.1, {"betas": [0.8, 0.9]})) is torch.optim.AdamW


def test_every_name_builds_and_steps():
    assert {"sgd", "adam", "adamw", "lbfgs", "rmsprop"} <= set(names())
    assert not {"optimizer", "sparseadam"} & set(names())
    for name in names():
        (weight,) = parameters()
        before = weight.detach().clone()

        def searched(weight=weight):
            return torch.tensor([[1.0, 2, 3], [0, 1, 0]]) @ weight.T, torch.tensor([0, 1])

        def closure(weight=weight):
            weight.grad = 2 * weight.detach()
            return weight.square().sum()

        optimizer = build(name, [weight], 0.01, {}, steps_per_epoch=10)
        optimizer.step(searched if is_line_search(name) else closure)
        assert not torch.equal(weight, before), name


@pytest.mark.parametrize(
    ("name", "learning_rate", "options", "message"),
    [
        ("sdg", 0.1, {}, "unknown optimizer 'sdg' .did you mean 'sgd'.*adamw"),
        ("sgd", 0.1, {"momentums": 0.9}, "unknown option of sgd 'momentums' .did you mean"),
        ("sgd", 0.1, {"lr": 0.9}, "unknown option of sgd 'lr'"),
        ("sgd", 0.1, {"params": []}, "unknown option of sgd 'params'"),
        ("sgd", 0.1, {"momentum": -1}, r"sgd does not take lr=0.1, momentum=-1: .*-1"),
        ("sgd", 0.1, {"dampening": "high"}, "dampening of sgd is 'high'; give a finite number"),
        ("sgd", 0.1, {"momentum": math.nan}, "momentum of sgd is nan; give a finite number"),
        ("sgd", 0.1, {"nesterov": "yes"}, "nesterov of sgd is 'yes'; give true or false"),
        ("adamw", 0.1, {"betas": 0.9}, "betas=0.9"),
        ("adamw", 0.1, {"betas": [0.9]}, r"betas=\[0.9\]"),
        ("sgd", -1.0, {}, "lr=-1.0: Invalid learning rate"),
    ],
)
def test_bad_choices_are_one_line(name, learning_rate, options, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        build(name, parameters(), learning_rate, options)
    assert "\n" not in str(error.value)
