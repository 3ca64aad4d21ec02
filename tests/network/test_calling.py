"""How models are called, and what of their outputs is taken."""

from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from landscape.errors import InvalidValueError
from landscape.network.calling import Calling

X = torch.ones(3, 2)
LOGITS, OTHER = torch.zeros(3, 4), torch.ones(3, 5)
Heads = namedtuple("Heads", ["logits", "aux_logits"])


class Gives(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, x):
        return self.output


def add(x, y=0, z=0):
    return x + 10 * y + 100 * z


@pytest.mark.parametrize("inputs", [X, (X, X), {"x": X, "z": X}])
def test_a_model_is_called_by_what_its_inputs_are(inputs):
    expected = {Tensor: X, tuple: 11 * X, dict: 101 * X}[type(inputs)]
    assert torch.equal(Calling()(add, inputs), expected)


def test_a_function_of_ones_own_may_take_its_inputs_apart():
    inputs = {"x": X, "labels": OTHER}
    calling = Calling(lambda model, batch: model(batch.pop("x")))
    assert torch.equal(calling(add, inputs), X)
    assert [*inputs] == ["x", "labels"]


Tensor = torch.Tensor


@pytest.mark.parametrize(
    ("output", "which"),
    [
        (LOGITS, None),
        (SimpleNamespace(logits=LOGITS, loss=OTHER), None),
        ({"loss": OTHER, "logits": LOGITS}, None),
        ((LOGITS, OTHER), None),
        (Heads(LOGITS, OTHER), None),
        (OrderedDict(out=LOGITS, aux=OTHER), "out"),
        (SimpleNamespace(predictions=LOGITS), "predictions"),
        ((OTHER, LOGITS), 1),
        ([OTHER, LOGITS], -1),
        ({"a": {"b": LOGITS}}, lambda output: output["a"]["b"]),
    ],
)
def test_what_of_an_output_is_taken(output, which):
    assert Calling(output=which)(Gives(output), X) is LOGITS


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": X, "image": X}, r"model\(\*\*inputs of x, image\) fails: .*'image'; .* forward=lam"),
        ((X, X, X, X), r"model\(\*inputs of 4 parts\) fails: .* 4 were given; if the model"),
    ],
)
def test_inputs_that_are_not_the_models(inputs, message):
    with pytest.raises(InvalidValueError, match=message):
        Calling()(add, inputs)


def test_several_tensors_for_a_loss_of_ones_own():
    found = Calling(output=lambda output: output)(Gives([LOGITS, OTHER]), X)
    assert found[0] is LOGITS
    assert found[1] is OTHER


@pytest.mark.parametrize(
    ("output", "which", "message"),
    [
        (
            OrderedDict(out=LOGITS, aux=OTHER),
            None,
            r"a dict with 'out' \(3, 4\), 'aux' \(3, 5\); .*as in output='out'",
        ),
        (None, None, "output is a NoneType"),
        ((torch.tensor(1.0), LOGITS), None, r"a tuple of \(\), \(3, 4\)"),
        ({"out": LOGITS}, "logit", "output 'logit' finds a NoneType"),
        ((LOGITS,), 4, "output 4 finds a NoneType"),
        (LOGITS, lambda output: "x", "output the function finds a str"),
    ],
)
def test_outputs_without_predictions_are_one_line(output, which, message):
    with pytest.raises(InvalidValueError, match=message):
        Calling(output=which)(Gives(output), X)


def test_the_loss_that_a_model_computes_itself():
    loss = torch.tensor([2.0])
    outputs, own = Calling(own_loss=True)(Gives({"logits": LOGITS, "loss": loss}), X)
    assert outputs is LOGITS
    assert own.shape == ()
    with pytest.raises(InvalidValueError, match="has no loss of one number"):
        Calling(own_loss=True)(Gives({"logits": LOGITS}), X)
