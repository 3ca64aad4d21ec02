"""The direction "update" against the parameters that torch's optimizers really reach."""

import copy

import numpy as np
import pytest
import torch
from helpers import cases

import landscape
from landscape.data import as_data
from landscape.errors import InvalidValueError
from landscape.optimizers import SmoothAccuracySLS
from landscape.probing.prober import Prober
from landscape.probing.settings import ProbeSettings

TRAIN, VALIDATION = cases.digits()
BATCH = tuple(part[200:264] for part in TRAIN)
MAKE = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "sa-sls": lambda p: SmoothAccuracySLS(p),
}


def step(model, optimizer, inputs, labels, clip=None):
    if isinstance(optimizer, SmoothAccuracySLS):
        optimizer.step(lambda: (model(inputs), labels))
        return
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(inputs), labels).backward()
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def trained(make):
    model = cases.fresh("mlp").eval()
    optimizer = make(model.parameters())
    for i in range(3):
        step(model, optimizer, *(part[64 * i : 64 * i + 64] for part in TRAIN))
    return model, optimizer


def taken(model, optimizer, direction="update", **more):
    settings = ProbeSettings(
        direction=direction, batch_size=64, sets="same_batch", step_sizes=[0, 1]
    )
    prober = Prober(as_data(TRAIN), None, settings)
    return prober.directions(model, BATCH, optimizer=optimizer, **more)[0]


@pytest.mark.parametrize("name", MAKE)
def test_step_size_1_is_where_the_optimizer_leads(name):
    model, optimizer = trained(MAKE[name])
    before, state = cases.state(model), copy.deepcopy(optimizer.state_dict())
    torch.manual_seed(5)  # for a search that draws
    found = taken(model, optimizer)
    cases_same = cases.state(model)
    assert before["tensors"].keys() == cases_same["tensors"].keys()
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    assert str(state) == str(optimizer.state_dict())
    torch.manual_seed(5)
    step(model, optimizer, *BATCH)
    for parameter, there in model.named_parameters():
        reached = start[parameter] + found.tangent[parameter]
        # θ + (θ′ − θ) is θ′ itself where θ′/2 ≤ θ ≤ 2θ′, as the difference is exact there.
        ratio = there.detach() / start[parameter]
        exact = (ratio >= 0.5) & (ratio <= 2)
        assert exact.float().mean() > 0.5
        assert torch.equal(reached[exact], there.detach()[exact])
        torch.testing.assert_close(reached, there.detach(), rtol=1e-6, atol=1e-8)
    assert found.slope < 0


def test_a_clipped_gradient():
    model, optimizer = trained(MAKE["momentum"])
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    found = taken(model, optimizer, "update:0.01")
    step(model, optimizer, *BATCH, clip=0.01)
    for name, there in model.named_parameters():
        torch.testing.assert_close(start[name] + found.tangent[name], there.detach())
    assert "clipped to the norm 0.01" in found.about


def test_plain_sgd_of_a_learning_rate():
    model, _ = trained(MAKE["sgd"])
    (step_,) = (taken(model, None, learning_rate=0.5),)
    for name, each in step_.gradient.items():
        torch.testing.assert_close(step_.tangent[name], -0.5 * each)
    clipped = taken(model, None, "update:0.001", learning_rate=0.5)
    assert clipped.norm == pytest.approx(0.5 * 0.001, rel=1e-3)


def test_the_losses_along_an_update():
    model, optimizer = trained(MAKE["adam"])
    found = landscape.probe(
        model,
        TRAIN,
        batch=BATCH,
        direction="update",
        optimizer=optimizer,
        sets="same_batch",
        step_sizes=[0, 0.5, 1],
    )
    step(model, optimizer, *BATCH)
    with torch.no_grad():
        there = torch.nn.functional.cross_entropy(model(BATCH[0]), BATCH[1]).item()
    assert found.loss.sel(step_size=1).item() == pytest.approx(there, rel=1e-5)


def test_without_an_optimizer_there_is_no_update():
    model = cases.fresh("mlp")
    with pytest.raises(InvalidValueError, match="give an optimizer or a learning rate"):
        landscape.probe(model, TRAIN, batch=BATCH, direction="update", step_sizes=[0, 1])
    for wrong in ("update:0", "update:-1", "update:soon"):
        with pytest.raises(InvalidValueError, match="norm to which the gradient is clipped"):
            ProbeSettings(direction=wrong)


def test_a_recorder_follows_the_live_optimizer(tmp_path):
    model = cases.fresh("mlp").eval()
    optimizer = MAKE["adam"](model.parameters())
    recorder = landscape.Recorder(
        tmp_path / "run.zarr",
        model,
        optimizer,
        TRAIN,
        every=1,
        direction="update",
        sets="same_batch",
        step_sizes=[0, 1],
    )
    reached = []
    for i in range(3):
        batch = [part[64 * i : 64 * i + 64] for part in TRAIN]
        with recorder(*batch):
            step(model, optimizer, *batch)
        with torch.no_grad():
            reached.append(torch.nn.functional.cross_entropy(model(batch[0]), batch[1]).item())
    found = landscape.open(tmp_path / "run.zarr")
    np.testing.assert_allclose(found.loss.sel(step_size=1).values.ravel(), reached, rtol=1e-5)
