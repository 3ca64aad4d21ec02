import copy

import numpy as np
import pytest
import torch
from helpers import cases, reference

import landscape
from landscape.errors import InvalidValueError

TRAIN, VALIDATION = cases.digits()
SMALL = {"batch_size": 32, "big_batch": 50, "validation_samples": 80}


def loss_of(model, inputs, labels):
    logits = reference.forward(model, inputs, "running").tolist()
    return reference.metrics(logits, labels.tolist())["loss"]


def two(name="cnn"):
    here = cases.fresh(name)
    there = copy.deepcopy(here)
    with torch.no_grad():
        for p in there.parameters():
            p += 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    for inputs in TRAIN[0][300:700].split(100):
        there(inputs)  # moves its running statistics
    return here, there


def test_step_size_1_is_the_other_checkpoint_with_its_own_statistics():
    here, there = two()
    before = cases.state(here)
    found = landscape.probe(
        here, TRAIN, VALIDATION, direction="towards", towards=there, step_sizes=[0, 0.5, 1], **SMALL
    )
    cases.assert_same_state(before, cases.state(here))
    inputs, labels = (part[:80] for part in VALIDATION)
    for model, at in ((here, 0), (there, 1)):
        expected = loss_of(model, inputs, labels)
        loss = found.loss.sel(evaluation_set="validation", step_size=at).item()
        assert loss == pytest.approx(expected, rel=1e-5)
    middle = copy.deepcopy(here).eval()
    ends = here.state_dict(), there.state_dict()
    middle.load_state_dict({
        name: (value + ends[1][name]) / 2 if value.is_floating_point() else value
        for name, value in ends[0].items()
    })  # fmt: skip
    expected = loss_of(middle, inputs, labels)
    loss = found.loss.sel(evaluation_set="validation", step_size=0.5).item()
    assert loss == pytest.approx(expected, rel=1e-5)
    kinds = dict(zip(found.evaluation_set.values, found.batch_norm.values, strict=True))
    assert kinds["validation"] == "interpolated"
    assert kinds["same_batch"] == "batch"


def test_statistics_may_be_recalibrated_instead():
    here, there = two()
    found = landscape.probe(
        here,
        TRAIN,
        VALIDATION,
        direction="towards",
        towards=there.state_dict(),
        step_sizes=[0, 0.5, 1],
        batch_norm={"validation": "recalibrated"},
        **SMALL,
    )
    assert found.batch_norm.values[-1] == "recalibrated"
    assert np.isfinite(found.loss).all()


def test_buffers_are_where_they_were_after_an_exception():
    here, there = two()
    before = cases.state(here)
    calls = 0

    def metric(outputs, targets):
        nonlocal calls
        calls += 1
        if calls > 8:
            raise RuntimeError("out of patience")
        return outputs[:, 0]

    with pytest.raises(InvalidValueError, match="out of patience"):
        landscape.probe(
            here,
            TRAIN,
            VALIDATION,
            direction="towards",
            towards=there,
            step_sizes=[0, 0.5, 1],
            metrics=["loss", metric],
            **SMALL,
        )
    cases.assert_same_state(before, cases.state(here))


def test_several_ends_by_name():
    here, there = two("mlp")
    found = landscape.probe(
        here,
        TRAIN,
        direction="towards:near",
        direction_2="towards:far",
        towards={"near": there, "far": cases.MODELS["mlp"]()},
        step_sizes=[0, 1],
        **SMALL,
    )
    assert found.sizes["step_size_2"] == 2
    assert found.attrs["direction_2"] == "towards:far"


def test_another_architecture_and_no_other_point():
    here = cases.fresh("mlp")

    def probe(**more):
        landscape.probe(here, TRAIN, direction="towards", step_sizes=[0, 1], **SMALL, **more)

    with pytest.raises(
        InvalidValueError, match=r"another architecture: its '0\.weight'|'1\.weight'"
    ):
        probe(towards=cases.fresh("cnn"))
    with pytest.raises(InvalidValueError, match=r"needs another point.*towards:PATH"):
        probe()
    with pytest.raises(InvalidValueError, match="is a str; give another model"):
        probe(towards="model.pt")
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 31))
    with pytest.raises(InvalidValueError, match="of shape"):
        probe(towards=other)


def test_tied_weights_in_a_state_dict_have_one_value():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(64, 64, bias=False)
            self.second = torch.nn.Linear(64, 64, bias=False)
            self.second.weight = self.first.weight
            self.last = torch.nn.Linear(64, 10)

        def forward(self, x):
            return self.last(self.second(self.first(x.flatten(1)).tanh()).tanh())

    here, there = Tied(), Tied()
    train = (TRAIN[0][:, :1, ::1].reshape(len(TRAIN[0]), -1)[:, :64], TRAIN[1])
    settings = {"direction": "towards", "step_sizes": [0, 1], "sets": "same_batch"}
    state = there.state_dict()
    found = landscape.probe(here, train, towards=state, **settings)
    expected = landscape.probe(here, train, towards=there, **settings)
    assert found.equals(expected)
    state = {name: each.clone() for name, each in state.items()}
    state["second.weight"] += 1
    with pytest.raises(InvalidValueError, match=r"'second.weight' than for 'first.weight'"):
        landscape.probe(here, train, towards=state, **settings)


def test_another_checkpoint_is_not_where_a_step_has_led_past():
    here, there = two("mlp")
    for directions in ({"direction": "towards"}, {"direction_2": "towards"}):
        with pytest.raises(InvalidValueError, match="would lead past the other checkpoint"):
            landscape.probe(
                here, TRAIN, towards=there, origin="after-step", learning_rate=1.0, **directions
            )


def test_parameters_without_their_running_statistics_are_refused():
    here, there = two()
    settings = {"direction": "towards", "step_sizes": [0, 1], "sets": "same_batch"}
    with pytest.raises(InvalidValueError, match=r"lacks the buffer '.*running_mean'.*state_dict"):
        landscape.probe(here, TRAIN, towards=dict(there.named_parameters()), **settings)
    state = there.state_dict()
    landscape.probe(here, TRAIN, towards=state, **settings)
    name = next(each for each in state if each.endswith("running_mean"))
    with pytest.raises(InvalidValueError, match=r"another architecture: its '.*running_mean'"):
        landscape.probe(here, TRAIN, towards={**state, name: state[name][:1]}, **settings)
