import copy

import pytest
import torch
from helpers import cases, reference
from torch import nn

from landscape.network.batch_norm import BatchNorm

INPUTS = cases.digits()[0][0].double()
SET, BATCHES = INPUTS[:50], INPUTS[100:196].split(32)
POLICIES = ["batch", "running", "recalibrated"]


def trained():
    """The CNN in float64, with dropout's and the caller's modes out of the way."""
    return cases.fresh("cnn").double().eval()


def logits(model, policy, batches=BATCHES):
    layers = BatchNorm(model)
    with layers.preserved(), torch.no_grad():
        layers.use(policy, batches)
        return model(SET)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_against_the_float64_reference(policy):
    model = trained()
    expected = reference.forward(model, SET, policy, BATCHES)
    torch.testing.assert_close(logits(model, policy), expected, rtol=1e-10, atol=1e-12)


def test_the_policies_differ():
    found = [logits(trained(), policy) for policy in POLICIES]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (found[one] - found[other]).abs().max() > 0.01


def test_one_batch_or_several_are_estimated_afresh():
    """Whatever was there before, NaN too."""
    for batches in (BATCHES[:1], BATCHES):
        model = trained()
        expected = reference.forward(model, SET, "recalibrated", batches)
        model[1].running_mean.fill_(torch.nan)
        model[6].running_var.fill_(torch.inf)
        found = logits(model, "recalibrated", batches)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("policy", ["batch", "running"])
def test_no_running_statistics_move_but_by_recalibration(policy):
    model = trained()
    before = copy.deepcopy(model.state_dict())
    logits(model, policy)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("fails", [False, True])
def test_the_switches_come_back(policy, fails):
    model = trained()
    model[1].train()
    model[1].momentum = 0.3
    model[6].momentum = None
    model[6].track_running_stats = False

    def switches():
        return [(m.training, m.track_running_stats, m.momentum) for m in (model[1], model[6])]

    def use():
        layers = BatchNorm(model)
        with layers.preserved(), torch.no_grad():
            layers.use(policy, BATCHES)
            if fails:
                raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            use()
    else:
        use()
    assert switches() == [(True, True, 0.3), (False, False, None)]


def test_a_forward_pass_of_ones_own_recalibrates():
    seen, model = [], trained()
    expected = reference.forward(model, SET, "recalibrated", BATCHES)
    layers = BatchNorm(model, lambda inputs: seen.append(len(inputs)) or model(inputs))
    with layers.preserved(), torch.no_grad():
        layers.use("recalibrated", BATCHES)
        torch.testing.assert_close(model(SET), expected, rtol=1e-10, atol=1e-12)
    assert seen == [32, 32, 32]


def test_without_such_layers_nothing_is_run():
    model = cases.fresh("mlp")
    layers = BatchNorm(model, lambda _: pytest.fail("run"))
    with layers.preserved():
        layers.use("recalibrated", BATCHES)


@pytest.mark.parametrize(
    ("layer", "mixing"),
    [
        (nn.BatchNorm2d(3), ["batch"]),
        (nn.BatchNorm2d(3, track_running_stats=False), POLICIES),
        (nn.SyncBatchNorm(3), ["batch"]),
        (nn.InstanceNorm2d(3, track_running_stats=True), []),
        (nn.GroupNorm(3, 3), []),
        (nn.Identity(), []),
    ],
)
def test_which_policies_make_a_sample_depend_on_its_batch(layer, mixing):
    layers = BatchNorm(nn.Sequential(nn.Conv2d(1, 3, 3), layer))
    assert [policy for policy in POLICIES if layers.mixes_samples(policy)] == mixing
