"""Slices of every kind of target, against a slow float64 reference written independently.

The reference moves a float64 copy of the model and sums over samples, pixels or tokens one by one.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import landscape
from landscape.errors import InvalidValueError, StoreError
from landscape.network.measures import Measure

STEPS = [-0.2, 0.0, 0.1, 0.4]
VALIDATION = 11


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class Tokens(nn.Module):
    """A small causal language model in the manner of Hugging Face's."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(13, 6), nn.Linear(6, 13)

    def forward(self, input_ids, attention_mask=None, labels=None):
        hidden = self.embed(input_ids).cumsum(1).tanh()
        logits = self.out(hidden * (1 if attention_mask is None else attention_mask[..., None]))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].reshape(-1, 13), labels[:, 1:].reshape(-1))
        return SimpleNamespace(logits=logits, loss=loss)


class Pixels(nn.Module):
    """A segmentation net with an auxiliary head, in the manner of torchvision's."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 5, 3, padding=1), nn.Conv2d(5, 4, 1)

    def forward(self, x):
        hidden = self.body(x).relu()
        return {"out": self.head(hidden), "aux": hidden}


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, a, b):
        return self.left(a) * self.right(b)


# Losses, one by one: outputs of one sample and its target -> [(value, weight, correct)].


def of_classes(weights=None, ignored=-100, smoothing=0.0, shift=False):
    def terms(outputs, target):
        rows = outputs.reshape(len(outputs), -1).T if outputs.ndim > 1 else outputs[None]
        labels = target.reshape(-1)
        if shift:  # outputs (T, C)
            rows, labels = outputs[:-1], target[1:]
        found = []
        for row, label in zip(rows, labels.tolist(), strict=True):
            if label == ignored:
                continue
            logs = row - row.exp().sum().log()
            w = torch.ones(len(row)).double() if weights is None else weights.double()
            smooth = -(w * logs).sum() * smoothing / len(row)
            value = -(1 - smoothing) * w[label] * logs[label] + smooth
            others = torch.cat([row[:label], row[label + 1 :]])
            found.append((value, w[label].item(), float(row[label] > others.max())))
        return found

    return terms


def of_labels(outputs, target):
    found = []
    for z, y in zip(outputs.reshape(-1), target.reshape(-1).double(), strict=True):
        p = 1 / (1 + (-z).exp())
        found.append((-y * p.log() - (1 - y) * (1 - p).log(), 1.0, float((p > 0.5) == (y > 0.5))))
    return found


def of_numbers(outputs, target):
    pairs = zip(outputs.reshape(-1), target.reshape(-1).double(), strict=True)
    return [((z - y) ** 2, 1.0, abs(float((z - y).detach()))) for z, y in pairs]


def soft(outputs, target):
    logs = outputs - outputs.exp().sum().log()
    right = float(outputs.argmax() == target.argmax())
    return [(-(target.double() * logs).sum(), 1.0, right)]


X = torch.randn(60, 4, generator=rng())
LABELS = torch.randint(3, (60,), generator=rng(1))
IMAGES = torch.randn(40, 1, 5, 6, generator=rng(2))
MASKS = torch.randint(4, (40, 5, 6), generator=rng(3))
MASKS[:, 0] = 255
MASKS[::3, :3] = 255
IDS = torch.randint(13, (40, 8), generator=rng(4))
LENGTHS = torch.arange(40) % 6 + 3
PADDED = torch.where(torch.arange(8) < LENGTHS[:, None], IDS, -100)
TEXT = {
    "input_ids": IDS,
    "attention_mask": (PADDED != -100).long(),
    "labels": PADDED,
}
WEIGHTS = torch.tensor([1.0, 2.0, 0.5])
NUMBERS = torch.randn(60, 2, generator=rng(5))


def linear(outputs):
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, outputs))


def case(model, data, terms, second="accuracy", **how):
    return SimpleNamespace(model=model, data=data, terms=terms, second=second, how=how)


CASES = {
    "classes": case(lambda: linear(3), (X, LABELS), of_classes()),
    "class weights and smoothing": case(
        lambda: linear(3),
        (X, LABELS),
        of_classes(WEIGHTS, smoothing=0.1),
        loss=nn.CrossEntropyLoss(WEIGHTS, label_smoothing=0.1),
    ),
    "ignored samples": case(
        lambda: linear(3),
        (X, torch.where(LABELS == 1, -100, LABELS)),
        of_classes(),
        loss=F.cross_entropy,
    ),
    "two inputs": case(Two, ((X, X[:, :2] + 1), LABELS), of_classes()),
    "named inputs": case(Two, {"a": X, "b": X[:, 2:], "label": LABELS}, of_classes()),
    "pixels": case(
        Pixels,
        (IMAGES, MASKS),
        of_classes(ignored=255),
        loss=nn.CrossEntropyLoss(ignore_index=255),
        output="out",
    ),
    "tokens": case(Tokens, TEXT, of_classes(shift=True), loss=Measure(shift_labels=True)),
    "the model's own loss": case(
        Tokens, TEXT, of_classes(shift=True), loss=Measure("model", shift_labels=True)
    ),
    "a function that returns a mean": case(
        lambda: linear(3),
        (X, LABELS),
        of_classes(WEIGHTS),
        loss=lambda outputs, targets: F.cross_entropy(outputs, targets, WEIGHTS),
    ),
    "one logit": case(lambda: linear(1), (X, LABELS % 2), of_labels, loss=nn.BCEWithLogitsLoss()),
    "several labels": case(
        lambda: linear(3), (X, F.one_hot(LABELS, 3)), of_labels, loss=nn.BCEWithLogitsLoss()
    ),
    "soft labels": case(lambda: linear(3), (X, X[:, :3].softmax(1)), soft),
    "numbers": case(
        lambda: linear(2), (X, NUMBERS), of_numbers, "mean_absolute_error", loss=nn.MSELoss()
    ),
}


def halves(data):
    """Training samples, then validation samples."""
    if isinstance(data, dict):
        cut = {key: (x[:-VALIDATION], x[-VALIDATION:]) for key, x in data.items()}
        return [{key: x[i] for key, x in cut.items()} for i in range(2)]
    inputs, targets = data
    if isinstance(inputs, tuple):
        parts = [tuple(x[:-VALIDATION] for x in inputs), tuple(x[-VALIDATION:] for x in inputs)]
    else:
        parts = [inputs[:-VALIDATION], inputs[-VALIDATION:]]
    return [(parts[0], targets[:-VALIDATION]), (parts[1], targets[-VALIDATION:])]


def double(inputs):
    return inputs.double() if inputs.is_floating_point() else inputs


def reference(model, data, places, terms, how):
    """Mean loss (a float64 scalar with a gradient), and the mean of the third term."""
    if isinstance(data, dict):
        targets = data.get("labels", data.get("label"))
        inputs = {k: double(x)[places] for k, x in data.items() if x is not targets}
        output = model(**inputs)
    else:
        targets = data[1]
        if isinstance(data[0], tuple):
            output = model(*(double(x)[places] for x in data[0]))
        else:
            output = model(double(data[0])[places])
    if isinstance(output, dict):
        output = output["out"]
    output = getattr(output, "logits", output)
    found = [each for o, t in zip(output, targets[places], strict=True) for each in terms(o, t)]
    total = sum(value for value, _, _ in found) / sum(weight for _, weight, _ in found)
    return total, float(np.mean([third for _, _, third in found]))


@pytest.mark.parametrize("name", CASES)
def test_a_slice_is_that_of_a_slow_reference(name):
    kind = CASES[name]
    torch.manual_seed(3)
    model = kind.model().train()
    train, validation = halves(kind.data)
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    slice_ = landscape.probe(
        model,
        train,
        validation,
        step_sizes=STEPS,
        batch_size=7,
        other_batches=1,
        big_batch=17,
        eval_batch_size=5,
        **kind.how,
    )
    now = model.state_dict()
    assert all(torch.equal(value, now[name_]) for name_, value in before.items())
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())

    twin = copy.deepcopy(model).double()
    start = {name: p.detach().clone() for name, p in twin.named_parameters()}
    drawn = landscape.probing.evaluation_sets.draw(
        landscape.data.as_data(train),
        batch_size=7,
        other_batches=1,
        big_batch=17,
        recalibration_batches=0,
        batch_norm=landscape.probing.settings.BATCH_NORM,
        key=(0, 0, 0),
    )
    loss, _ = reference(twin, train, drawn.same_batch.indices, kind.terms, kind.how)
    gradient = dict(zip(start, torch.autograd.grad(loss, [*twin.parameters()]), strict=True))
    norm = sum(float((g**2).sum()) for g in gradient.values()) ** 0.5
    assert slice_.gradient_norm.item() == pytest.approx(norm, rel=1e-5)
    sets = {s.name: (train, s.indices) for s in (drawn.same_batch, *drawn.others)}
    sets["validation"] = validation, torch.arange(VALIDATION)
    for s in STEPS:
        with torch.no_grad():
            for name_, p in twin.named_parameters():
                p.copy_(start[name_] - s * gradient[name_])
            for set_, (data, places) in sets.items():
                loss, third = reference(twin, data, places, kind.terms, kind.how)
                at = slice_.sel(step_size=s, evaluation_set=set_).squeeze()
                assert at["loss"].item() == pytest.approx(float(loss), rel=2e-5)
                assert at[kind.second].item() == pytest.approx(third, rel=1e-5)
    assert slice_["loss"].attrs["units"] == ("1" if name in ("numbers", MEAN) else "nat")


MEAN = "a function that returns a mean"


def test_r_squared_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    torch.manual_seed(0)
    model = linear(2)
    slice_ = landscape.probe(
        model, (X, NUMBERS), (X, NUMBERS), loss=nn.MSELoss(), step_sizes=[0], batch_size=7
    )
    with torch.no_grad():
        expected = metrics.r2_score(NUMBERS.double(), model(X).double())
    at = slice_.sel(evaluation_set="validation", step_size=0)
    assert at["r_squared"].item() == pytest.approx(expected, rel=1e-5)
    assert {"accuracy", "smooth_accuracy"}.isdisjoint(slice_.data_vars)


def test_metrics_of_ones_own_are_of_samples_or_of_targets():
    def top_2(outputs, targets):
        outputs.sort(1)  # what it does to its arguments changes nothing
        hit = (outputs.topk(2, 1).indices == targets[:, None]).any(1)
        return outputs.zero_().sum() + hit.float()

    def pixel_sum(outputs, targets):
        return outputs.sum((1, 2, 3)) * 0 + (targets == 1).sum((1, 2))

    torch.manual_seed(0)
    slices = {
        "classes": landscape.probe(
            linear(3),
            (X, LABELS),
            (X, LABELS),
            metrics=["loss", top_2],
            step_sizes=[0, 0.1],
            batch_size=20,
            eval_batch_size=7,
        ),
        "pixels": landscape.probe(
            Pixels(),
            (IMAGES, MASKS),
            metrics=[pixel_sum, top_2, "accuracy"],
            loss=nn.CrossEntropyLoss(ignore_index=255),
            output=lambda output: output["out"],
            step_sizes=[0],
            batch_size=10,
        ),
    }
    torch.manual_seed(0)
    with torch.no_grad():
        best = linear(3)(X).topk(2, 1).indices
    hit = (best == LABELS[:, None]).any(1)
    assert [*slices["classes"].data_vars] == ["loss", "top_2"]
    assert slices["classes"]["top_2"].attrs == {"long_name": "top 2", "units": "1", "mode": ""}
    found = slices["classes"].sel(step_size=0, evaluation_set="validation")["top_2"]
    assert found.item() == hit.double().mean().item()
    assert {"pixel_sum", "top_2", "accuracy"} == {*slices["pixels"].data_vars}
    for wrong, message in (
        (lambda outputs, targets: targets, "called '<lambda>'"),
        (landscape.metrics.own_metric(top_2, long_name="loss"), "called 'loss'"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            landscape.probe(linear(3), (X, LABELS), metrics=[wrong])

    def total(outputs, targets):
        return outputs.sum()

    with pytest.raises(InvalidValueError, match=r"metric total gives \(\); let it give one"):
        landscape.probe(linear(3), (X, LABELS), metrics=[total], batch_size=9)


def test_metrics_that_the_targets_do_not_have_are_refused():
    for metrics, message in (
        ("accuracy", "metrics of the margin were asked for, which real numbers do not have"),
        (["loss", "focal_loss"], "focal_loss is made of a cross-entropy, and the loss is MSELoss"),
        ("r_squared", None),
    ):
        settings = {"loss": nn.MSELoss(), "metrics": metrics, "batch_size": 9, "step_sizes": [0]}
        if message is None:
            landscape.probe(linear(2), (X, NUMBERS), **settings)
            continue
        with pytest.raises(InvalidValueError, match=message):
            landscape.probe(linear(2), (X, NUMBERS), **settings)


class Words(Dataset):
    """Sentences of several lengths; a collate function pads them."""

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return IDS[i, : LENGTHS[i]]


def pad(sentences):
    ids = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
    labels = nn.utils.rnn.pad_sequence(sentences, batch_first=True, padding_value=-100)
    return {"input_ids": ids, "attention_mask": (labels != -100).long(), "labels": labels}


def test_a_loader_is_taken_as_it_is_meant():
    """Its batch size is the default, and its padding does not count."""
    torch.manual_seed(0)
    model = Tokens()
    loader = DataLoader(Words(), batch_size=6, collate_fn=pad, shuffle=True)
    measure = Measure(shift_labels=True)
    settings = {"step_sizes": [-0.1, 0, 0.1], "loss": measure, "big_batch": 12, "seed": 5}
    found = landscape.probe(model, loader, loader, **settings)
    assert found["samples"].sel(evaluation_set="same_batch") == 6
    same = landscape.probe(model, TEXT, TEXT, batch_size=6, **settings)
    for name in found.data_vars:
        np.testing.assert_allclose(found[name], same[name], rtol=1e-6)


def test_the_values_of_units_are_kept_with_their_samples():
    torch.manual_seed(0)
    train, validation = (landscape.data.as_data(part) for part in halves(TEXT))
    settings = landscape.ProbeSettings(
        step_sizes=[0, 0.1], batch_size=6, other_batches=1, big_batch=9, draws=2
    )
    prober = landscape.Prober(train, validation, settings, loss=Measure(shift_labels=True))
    tree = prober(Tokens(), iteration=0)
    for name in ("same_batch", "validation"):
        one = tree[f"per_sample/{name}"].to_dataset(inherit=False)
        weight = one["weight"].astype(float)
        mean = (one["loss"] * weight).sum("unit", skipna=True) / weight.sum("unit")
        np.testing.assert_allclose(mean, tree["loss"].sel(evaluation_set=name), rtol=1e-6)
        right = (one["margin"] > 0).astype(float)
        accuracy = (right * (weight > 0)).sum("unit") / (weight > 0).sum("unit")
        np.testing.assert_allclose(accuracy, tree["accuracy"].sel(evaluation_set=name), rtol=1e-12)
        for draw in range(2):
            at = one.isel(checkpoint=0, draw=draw)
            counted = at["weight"].values > 0
            places = at["index"].values[at["unit_sample"].values[counted]]
            data = TEXT["labels"][-VALIDATION:] if name == "validation" else TEXT["labels"]
            expected = [int((data[i, 1:] != -100).sum()) for i in at["index"].values]
            assert np.bincount(at["unit_sample"].values[counted]).tolist() == expected
            assert (at["target"].values[counted] >= 0).all()
            assert len(places) == sum(expected)


def two_checkpoints(folder, train):
    """Probe a model before and after a change, whose batches differ in how many tokens count."""
    torch.manual_seed(0)
    for iteration in range(2):
        torch.save(Tokens().state_dict(), folder / f"step-{iteration}.pt")
    parts = {"model": Tokens, "train": train, "validation": TEXT}
    task = landscape.tasks.as_task(parts | {"loss": Measure(shift_labels=True)}, "tokens")
    settings = landscape.ProbeSettings(
        step_sizes=[0, 0.1], batch_size=7, other_batches=1, big_batch=9
    )
    landscape.study.probe(task, [folder], folder / "s.zarr", settings)
    return landscape.open(folder / "s.zarr")


def test_the_values_of_units_are_kept_of_every_checkpoint(tmp_path):
    slices = two_checkpoints(tmp_path, TEXT)
    one = landscape.open_samples(tmp_path / "s.zarr", "same_batch").load()
    assert len({*(one["weight"] > 0).sum("unit").values.ravel().tolist()}) == 2
    mean = (one["loss"] * one["weight"]).sum("unit") / one["weight"].sum("unit")
    expected = slices["loss"].sel(evaluation_set="same_batch")
    np.testing.assert_allclose(mean.transpose(*expected.dims), expected, rtol=1e-6)


def test_values_of_units_that_a_store_has_no_room_for_are_refused(tmp_path):
    loader = DataLoader(Words(), batch_size=6, collate_fn=pad_to_a_length_of_its_own)
    with pytest.raises(StoreError, match="pad them all to one length, or keep no values"):
        two_checkpoints(tmp_path, loader)
    assert landscape.open(tmp_path / "s.zarr").sizes["checkpoint"] == 1


def pad_to_a_length_of_its_own(sentences):
    padded = pad(sentences)
    wider = int(padded["input_ids"].sum()) % 97  # another one for nearly every batch
    return {
        name: F.pad(each, (0, wider), value=-100 if name == "labels" else 0)
        for name, each in padded.items()
    }


def test_a_mean_of_other_tokens_is_probed_without_margins():
    """As a user's own loss that shifts the labels itself, of which nothing else is known."""

    def loss(outputs, targets):
        return F.cross_entropy(outputs[:, :-1].reshape(-1, 13), targets[:, 1:].reshape(-1))

    torch.manual_seed(0)
    model, data = Tokens(), {**TEXT, "labels": IDS}
    settings = {"step_sizes": [0, 0.1], "batch_size": 6, "big_batch": 12}
    with pytest.raises(InvalidValueError, match=r"shift_labels=True.* or metrics='loss'"):
        landscape.probe(model, data, loss=loss, **settings)
    found = landscape.probe(model, data, loss=loss, metrics="loss", **settings)
    known = landscape.probe(model, data, loss=Measure(shift_labels=True), **settings)
    np.testing.assert_allclose(found["loss"], known["loss"], rtol=1e-5)
    prober = landscape.Prober(
        landscape.data.as_data(data),
        None,
        landscape.ProbeSettings(**settings, metrics="loss"),
        loss=loss,
    )
    assert not prober(model).children  # also where values of samples are asked for


def test_a_batch_is_a_pair_whatever_the_targets_of_the_data_are_called():
    data = {"input": X, "answer": LABELS}
    batch = {"input": X[:7]}, LABELS[:7]
    found = landscape.probe(nn.Linear(4, 3), data, target="answer", batch=batch, step_sizes=[0])
    assert found["samples"].sel(evaluation_set="same_batch") == 7


def test_a_loss_that_is_only_a_mean_says_so():
    settings = landscape.ProbeSettings(step_sizes=[0], batch_size=9)
    prober = landscape.Prober(
        landscape.data.as_data((X, LABELS)),
        None,
        settings,
        loss=lambda outputs, targets: F.cross_entropy(outputs, targets),
    )
    tree = prober(linear(3))
    assert tree.attrs["per_sample"] == "left out: the loss gives nothing but its mean"
    assert not tree.children
    assert "accuracy" in tree
