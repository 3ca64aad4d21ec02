"""The loss of each unit, and the mean that a user's own loss returns."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from landscape.errors import InvalidValueError
from landscape.metrics import cross_entropy
from landscape.network.measures import Measure, as_measure

GENERATOR = torch.Generator().manual_seed(0)
LOGITS, TARGETS = torch.randn(6, 10, generator=GENERATOR), torch.arange(6)
EXPECTED = torch.stack([-row.log_softmax(0)[k] for k, row in enumerate(LOGITS)])
PIXELS, MASKS = torch.randn(3, 4, 2, 5, generator=GENERATOR), torch.arange(30).view(3, 2, 5) % 4
TOKENS = torch.randn(3, 7, 9, generator=GENERATOR)
NEXT = torch.arange(21).view(3, 7) % 9
WEIGHTS = torch.tensor([0.5, 1, 2, 3])


def plain(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none")


@pytest.mark.parametrize(
    "loss",
    [
        *(cross_entropy, plain, nn.CrossEntropyLoss(), nn.CrossEntropyLoss(reduction="none")),
        *(F.cross_entropy, partial(F.cross_entropy, label_smoothing=0.0)),
    ],
)
def test_one_value_a_sample(loss):
    torch.testing.assert_close(Measure(loss)(LOGITS, TARGETS), EXPECTED)


def test_a_measure_stays_as_it_is():
    made = as_measure(plain)
    assert as_measure(made) is made
    assert as_measure(cross_entropy) == Measure()


def test_the_users_module_is_left_alone():
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    values = Measure(loss)(LOGITS, TARGETS)
    assert loss.reduction == "mean"
    torch.testing.assert_close(values.mean(), loss(LOGITS, TARGETS))


def test_class_weights_without_a_mean_are_taken():
    weights = torch.linspace(1, 2, 10)
    measure = Measure(nn.CrossEntropyLoss(weight=weights, reduction="none"))
    torch.testing.assert_close(measure(LOGITS, TARGETS), weights[:6] * EXPECTED)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (nn.CrossEntropyLoss(WEIGHTS, label_smoothing=0.2, ignore_index=1), PIXELS, MASKS),
        (partial(F.cross_entropy, weight=WEIGHTS, ignore_index=2), PIXELS, MASKS),
        (nn.NLLLoss(WEIGHTS), PIXELS.log_softmax(1), MASKS),
        (nn.MultiMarginLoss(weight=WEIGHTS), PIXELS[:, :, 0, 0], MASKS[:, 0, 0]),
        (nn.CrossEntropyLoss(), LOGITS, torch.tensor([0, -100, 3, -100, 4, 9])),
        (nn.CrossEntropyLoss(WEIGHTS), PIXELS, PIXELS.flip(0).softmax(1)),
        (nn.BCEWithLogitsLoss(pos_weight=WEIGHTS), PIXELS[:, :, 0, 0], MASKS[:, 0, :4] % 2 * 1.0),
        (nn.BCELoss(), PIXELS.sigmoid(), PIXELS.flip(0).round().clamp(0, 1)),
        (nn.SmoothL1Loss(beta=0.3), PIXELS, PIXELS.flip(0)),
        (F.mse_loss, PIXELS, PIXELS.flip(0)),
        (lambda outputs, targets: (outputs - targets).square().mean(), PIXELS, PIXELS.flip(0)),
    ],
)
def test_the_mean_is_what_the_users_loss_returns(loss, outputs, targets):
    measure = Measure(loss)
    theirs = loss(outputs, targets)
    torch.testing.assert_close(measure(outputs.clone(), targets).mean(), theirs)
    kind = measure.fit(outputs, targets)
    measure.check(kind, outputs, targets, "the batch")
    measure.check_mean(kind, outputs, targets)
    units, values = measure.units(kind, targets), measure.values(kind, outputs.clone(), targets)
    kept = values if values.ndim == 0 else units.kept(values.double(), slice(None))
    weight = units.weight if units.weight is not None else torch.ones(kept.shape)
    torch.testing.assert_close((kept.sum() / weight.sum()).float(), theirs)


def test_tokens_are_those_of_the_next_place():
    targets = NEXT.clone()
    targets[0, 3:] = -100
    measure = Measure(shift_labels=True)
    expected = F.cross_entropy(TOKENS[:, :-1].reshape(-1, 9), targets[:, 1:].reshape(-1))
    torch.testing.assert_close(measure(TOKENS, targets).mean(), expected)
    kind = measure.fit(TOKENS, targets)
    units = measure.units(kind, targets)
    assert units.count == 2 * 6 + 2
    assert units.sample.tolist() == [0] * 2 + [1] * 6 + [2] * 6
    assert units.targets.tolist() == [*targets[0, 1:3], *targets[1, 1:], *targets[2, 1:]]
    assert [units.within(slice(i, i + 1)) for i in range(3)] == [
        *(slice(0, 2), slice(2, 8), slice(8, 14))
    ]
    best = TOKENS[:, :-1].argmax(-1) == targets[:, 1:]
    accuracy = best[targets[:, 1:] != -100].double().mean()
    assert (measure.margins(TOKENS, targets) > 0).double().mean() == accuracy


@pytest.mark.parametrize("dim", [1, -1])
def test_classes_that_could_lie_in_either_dimension(dim):
    outputs, targets = torch.randn(2, 5, 5, generator=GENERATOR), torch.arange(10).view(2, 5) % 5
    with pytest.raises(InvalidValueError, match="say which"):
        Measure().fit(outputs, targets)
    expected = F.cross_entropy(outputs if dim == 1 else outputs.movedim(-1, 1), targets)
    torch.testing.assert_close(Measure(class_dim=dim)(outputs, targets).mean(), expected)
    # torch's own module can only mean dimension 1.
    torch.testing.assert_close(
        Measure(nn.CrossEntropyLoss())(outputs, targets).mean(), F.cross_entropy(outputs, targets)
    )


def test_margins_of_labels_that_hold_or_not():
    z, y = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([1, 1, 0])
    expected = [(2 * p - 1) * (2 * h - 1) for p, h in zip(z.sigmoid()[:, 0], y, strict=True)]
    torch.testing.assert_close(Measure(nn.BCEWithLogitsLoss()).margins(z, y), torch.stack(expected))
    torch.testing.assert_close(Measure(nn.BCELoss()).margins(z.sigmoid(), y), torch.stack(expected))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(reduction="sum"), "CrossEntropyLoss sums over the batch"),
        (partial(F.cross_entropy, reduction="sum"), "cross_entropy sums over the batch"),
        ("cross_entropy", "loss is 'cross_entropy'; give a function"),
        (nn.CrossEntropyLoss, "loss is the class CrossEntropyLoss; give a function"),
    ],
)
def test_a_loss_without_a_mean_is_refused(loss, message):
    with pytest.raises(InvalidValueError, match=message):
        Measure(loss)


@pytest.mark.parametrize(
    ("loss", "received"),
    [
        (lambda logits, targets: logits, r"shape \(6, 10\)"),
        (lambda logits, targets: 1.0, "a float"),
        (lambda logits, targets: logits[:, :1].T, r"shape \(1, 6\)"),
    ],
)
def test_a_function_that_gives_something_else_is_refused_when_it_is_called(loss, received):
    message = rf"the loss returns {received}; it must return one value "
    with pytest.raises(InvalidValueError, match=message):
        Measure(loss)(LOGITS, TARGETS)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "message"),
    [
        (cross_entropy, torch.zeros(6), TARGETS, r"shape \(6,\).*logits of shape \(6, classes\)"),
        (cross_entropy, torch.zeros(5, 10), TARGETS, r"shape \(5, 10\)"),
        (cross_entropy, LOGITS, torch.zeros(6), "for numbers, give loss=torch.nn.MSELoss"),
        (cross_entropy, {"a": LOGITS}, TARGETS, r"a dict with \['a'\] \(6, 10\)"),
        (cross_entropy, LOGITS, torch.zeros(6, 3, dtype=torch.int64), "fit no measure"),
        (nn.MSELoss(), torch.zeros(6, 1), torch.zeros(6), "would be taken of all pairs"),
        (nn.BCEWithLogitsLoss(), torch.zeros(6, 2), torch.zeros(6), r"\(6, 2\)"),
        (nn.BCEWithLogitsLoss(), torch.zeros(6, 2, 3), torch.zeros(6, 3, 2), r"\(6, 2, 3\)"),
    ],
)
def test_outputs_and_targets_that_do_not_fit(loss, outputs, targets, message):
    with pytest.raises(InvalidValueError, match=message):
        Measure(loss).fit(outputs, targets)


@pytest.mark.parametrize(
    ("measure", "outputs", "targets", "message"),
    [
        (Measure(), LOGITS, TARGETS + 5, "of it run from 5 to 10; the model has 10 outputs, so 0"),
        (Measure(), LOGITS, TARGETS - 1, "run from -1 to 4; .*ignore_index"),
        (Measure(), LOGITS[:, :1], TARGETS, "for one logit, give loss=torch.nn.BCEWithLogitsLoss"),
        (Measure(), TOKENS, NEXT * 0 - 100, "every target of it is -100, which is ignored"),
        (Measure(), LOGITS, LOGITS, "are no probabilities of classes"),
        (Measure(nn.BCEWithLogitsLoss()), LOGITS, LOGITS, "labels that hold or not are 0 or 1"),
    ],
)
def test_targets_that_the_outputs_cannot_have(measure, outputs, targets, message):
    kind = measure.fit(outputs, targets)
    with pytest.raises(InvalidValueError, match=message):
        measure.check(kind, outputs, targets, "it")


def test_a_mean_of_other_tokens_than_the_margins_is_refused():
    def shifting(outputs, targets):
        return F.cross_entropy(outputs[:, :-1].reshape(-1, 9), targets[:, 1:].reshape(-1))

    measure = Measure(shifting)
    kind = measure.fit(TOKENS, NEXT)
    with pytest.raises(InvalidValueError, match="shift_labels=True"):
        measure.check_mean(kind, TOKENS, NEXT)


def test_smoothed_labels_of_a_class_without_weight_are_refused():
    measure = Measure(nn.CrossEntropyLoss(WEIGHTS * (WEIGHTS > 0.5), label_smoothing=0.1))
    kind = measure.fit(PIXELS, MASKS)
    with pytest.raises(InvalidValueError, match="smooths labels"):
        measure.units(kind, MASKS)
