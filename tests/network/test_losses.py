import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.losses import sample_loss

LOGITS, TARGETS = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)), torch.arange(6)
EXPECTED = torch.stack([-row.log_softmax(0)[k] for k, row in enumerate(LOGITS)])


def plain(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none")


@pytest.mark.parametrize(
    "loss",
    [cross_entropy, plain, nn.CrossEntropyLoss(), nn.CrossEntropyLoss(reduction="none")],
)
def test_one_value_a_sample(loss):
    torch.testing.assert_close(sample_loss(loss)(LOGITS, TARGETS), EXPECTED)


def test_a_loss_that_is_one_stays_as_it_is():
    assert sample_loss(cross_entropy) is cross_entropy
    made = sample_loss(plain)
    assert sample_loss(made) is made


def test_the_users_module_is_left_alone():
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    values = sample_loss(loss)(LOGITS, TARGETS)
    assert loss.reduction == "mean"
    torch.testing.assert_close(values.mean(), loss(LOGITS, TARGETS))


def test_class_weights_without_a_mean_are_taken():
    weights = torch.linspace(1, 2, 10)
    loss = sample_loss(nn.CrossEntropyLoss(weight=weights, reduction="none"))
    torch.testing.assert_close(loss(LOGITS, TARGETS), weights[:6] * EXPECTED)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(reduction="sum"), "CrossEntropyLoss sums over the batch; give it"),
        (nn.CrossEntropyLoss(weight=torch.ones(10)), "CrossEntropyLoss with class weights"),
        ("cross_entropy", "loss is 'cross_entropy'; give a function"),
        (nn.CrossEntropyLoss, "loss is the class CrossEntropyLoss; give a function"),
    ],
)
def test_a_loss_without_a_value_a_sample_is_refused(loss, message):
    with pytest.raises(InvalidValueError, match=message):
        sample_loss(loss)


@pytest.mark.parametrize(
    ("loss", "received"),
    [
        (F.cross_entropy, r"shape \(\)"),
        (lambda logits, targets: logits, r"shape \(6, 10\)"),
        (lambda logits, targets: 1.0, "a float"),
    ],
)
def test_a_function_that_reduces_is_refused_when_it_is_called(loss, received):
    message = rf"the loss returns {received}; it must return one value per sample, shape \(N,\)"
    with pytest.raises(InvalidValueError, match=message):
        sample_loss(loss)(LOGITS, torch.arange(6))
