import copy
import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from helpers import cases, reference
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from landscape.data import as_data
from landscape.errors import DeterminismError, InvalidValueError
from landscape.optimizers.line_search.sls import LossSLS, SGDArmijo, SmoothAccuracySLS
from landscape.probing import Prober, probe
from landscape.probing.settings import ProbeSettings

TRAIN, VALIDATION = cases.digits()
STEPS = (-0.5, -0.1, 0.0, 0.1, 1.0)
SMALL = {"step_sizes": STEPS, "batch_size": 32, "big_batch": 60, "validation_samples": 50}


def double(data):
    return data[0].double(), data[1]


def tree_of(model, train=TRAIN, validation=VALIDATION, **settings):
    prober = Prober(as_data(train), as_data(validation), ProbeSettings(**{**SMALL, **settings}))
    return prober(model, iteration=7)


def per_sample(tree, name):
    return tree[f"per_sample/{name}"].to_dataset()


@pytest.mark.parametrize("name", cases.MODELS)
@pytest.mark.parametrize("policy", ["batch", "running", "recalibrated"])
def test_against_the_float64_reference(name, policy):
    """All sets, metrics and draws of a slice, in float64 and in float32."""
    model = cases.fresh(name)
    settings = {
        "batch_norm": dict.fromkeys(("same_batch", "other_batch", "big_batch"), policy)
        | {"validation": "batch" if policy == "batch" else "running"},
        "draws": 2,
        "slope_factors": (1.0, 7.0),
        "recalibration_batches": 3,
    }
    with recalibrating(model) as batches:
        tree = tree_of(model, **settings)
    precise = tree_of(copy.deepcopy(model).double(), double(TRAIN), double(VALIDATION), **settings)
    assert len(batches) == (6 if policy == "recalibrated" and reference.norm_layers(model) else 0)
    for draw in range(2):
        batch = per_sample(tree, "same_batch").index.values[0, draw]
        gradients = reference.gradient(model, TRAIN[0][batch], TRAIN[1][batch], policy)
        norm = np.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        np.testing.assert_allclose(tree.gradient_norm[0, draw], norm, rtol=1e-5)
        recalibration = batches[3 * draw : 3 * draw + 3]
        for s in tree.evaluation_set.values:
            data = VALIDATION if s == "validation" else TRAIN
            chosen = per_sample(tree, str(s)).index.values[0, draw]
            assert (per_sample(precise, str(s)).index.values[0, draw] == chosen).all()
            expected = reference.curve(
                model,
                gradients,
                STEPS,
                data[0][chosen],
                data[1][chosen],
                str(tree.batch_norm.sel(evaluation_set=s).item()),
                recalibration,
            )
            at = {"checkpoint": 0, "draw": draw}
            for metric, values in expected.items():
                for dataset, tolerance in ((precise, 1e-9), (tree, 2e-4)):
                    measured = dataset[metric].isel(at).sel(evaluation_set=s)
                    if metric == "smooth_accuracy":
                        measured = measured.sel(slope_factor=1.0)
                    if metric == "accuracy":  # a sample on the fence may fall on either side
                        tolerance = 0 if dataset is precise else 1.01 / len(chosen)
                    np.testing.assert_allclose(
                        measured, values, rtol=tolerance, atol=tolerance, err_msg=f"{metric} {s}"
                    )


@contextmanager
def recalibrating(model):
    """The batches of training data that move the model's running statistics inside, each once."""
    seen = {}

    def note(_, arguments):
        moving = [layer for layer in reference.norm_layers(model) if layer.training]
        if len(arguments[0]) == 32 and any(layer.track_running_stats for layer in moving):
            seen[arguments[0].numpy().tobytes()] = arguments[0]

    batches = []
    with model.register_forward_pre_hook(note):
        yield batches
    batches += seen.values()
    known = {image.numpy().tobytes() for image in TRAIN[0]}
    assert all(image.numpy().tobytes() in known for batch in batches for image in batch)


def test_the_policies_differ_where_there_is_batch_norm():
    model = cases.fresh("cnn")
    curves = [
        tree_of(model, batch_norm={"validation": p}).loss.sel(evaluation_set="validation").values
        for p in ("batch", "running", "recalibrated")
    ]
    assert len({c.tobytes() for c in curves}) == 3


@pytest.mark.parametrize("name", cases.MODELS)
@pytest.mark.parametrize("dropout", [False, True])
def test_slope_at_zero_is_minus_the_squared_gradient_norm(name, dropout):
    """h'(0) = −‖∇L‖² on the gradient's batch; with dropout only if the mask is one and the same."""
    h = 1e-5  # small beside the kinks of the ReLUs, large beside float64's rounding
    tree = tree_of(
        cases.fresh(name).double(),
        double(TRAIN),
        double(VALIDATION),
        step_sizes=(-h, 0, h),
        dropout=dropout,
    )
    curve = tree.loss.sel(evaluation_set="same_batch")[0, 0].values
    slope = (curve[2] - curve[0]) / (2 * h)
    np.testing.assert_allclose(slope, -(tree.gradient_norm[0, 0].item() ** 2), rtol=1e-4)


def test_positive_steps_descend_and_distance_is_the_normalised_step():
    model = cases.fresh("mlp").double()
    data = {"train": double(TRAIN), "validation": double(VALIDATION)}
    steepest = tree_of(model, **data, step_sizes=(0, 0.01))
    loss = steepest.loss.sel(evaluation_set="same_batch")[0, 0].values
    assert loss[1] < loss[0]
    norm = steepest.gradient_norm.item()
    unit = tree_of(model, **data, direction="normalised-gradient", step_sizes=(0, 0.01 * norm))
    np.testing.assert_allclose(unit.loss.values, steepest.loss.values, rtol=1e-12)


def test_dropout_is_off_unless_asked_for_and_then_one_mask():
    model = cases.fresh("dropout")
    off = tree_of(model)
    model.eval()
    assert off.equals(tree_of(model))
    on, again = tree_of(model, dropout=True), tree_of(model, dropout=True)
    assert on.equals(again)
    assert (on.loss != off.loss).all()


class Masked(nn.Dropout):
    """Dropout that tells the masks which it drew."""

    def __init__(self):
        super().__init__(0.5)
        # A probe puts back what an attribute holds, but looks into no object of one's own.
        self.told = SimpleNamespace(masks=[])

    @property
    def masks(self):
        return self.told.masks

    def forward(self, inputs):
        if not self.training:
            return inputs
        self.masks.append(torch.bernoulli(torch.full_like(inputs, 0.5)))
        return 2 * self.masks[-1] * inputs


def test_a_slice_with_dropout_against_the_float64_reference():
    """One mask for the gradient and every point: a network of fewer hidden units."""
    model = cases.fresh("mlp")
    model.append(model[3])
    model[3] = Masked()
    tree = tree_of(model, dropout=True, sets=["same_batch"])
    batch = per_sample(tree, "same_batch").index.values[0, 0]
    masks = [mask for mask in model[3].masks if len(mask) == 32]
    # Twice to see that nothing is random, for the gradient, and at each point.
    assert len(masks) >= 1 + len(STEPS)
    assert len({mask.numpy().tobytes() for mask in masks}) == 1

    class Fixed(nn.Module):
        def forward(self, inputs):
            return 2 * masks[0].double() * inputs

    model[3] = Fixed()
    inputs, labels = TRAIN[0][batch], TRAIN[1][batch]
    gradients = reference.gradient(model, inputs, labels)
    expected = reference.curve(model, gradients, STEPS, inputs, labels, "running")
    found = tree.to_dataset().sel(slope_factor=1).isel(checkpoint=0, draw=0, evaluation_set=0)
    for metric in ("loss", "smooth_accuracy"):
        np.testing.assert_allclose(found[metric], expected[metric], rtol=2e-4, err_msg=metric)


def test_with_dropout_no_set_depends_on_which_others_there_are():
    model = cases.fresh("dropout")
    every = tree_of(model, dropout=True).to_dataset()
    for kind in ("other_batch", "big_batch", "validation"):
        alone = tree_of(model, dropout=True, sets=[kind]).to_dataset()
        xr.testing.assert_identical(alone, every.sel(evaluation_set=alone.evaluation_set))


def test_recalibration_leaves_the_mask_as_it_is():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), Masked())
    model.append(nn.Linear(32, 10))
    settings = {"sets": ["same_batch"], "batch_norm": {"same_batch": "recalibrated"}}
    tree_of(model, dropout=True, recalibration_batches=3, **settings)
    masks = [mask.numpy().tobytes() for mask in model[4].masks if len(mask) == 32]
    # The gradient's, then at each point three for the recalibration and again the gradient's.
    start, *rest = masks[-4 * len(STEPS) - 1 :]
    for i in range(len(STEPS)):
        first, second, third, again = rest[4 * i : 4 * i + 4]
        assert start == first == again
        assert len({first, second, third}) == 3


def test_of_half_precision_the_losses_are_in_float32():
    model = cases.fresh("mlp").bfloat16()
    data = [(inputs.bfloat16(), labels) for inputs, labels in (TRAIN, VALIDATION)]
    tree = tree_of(model, *data, step_sizes=(0,), sets=["validation"])
    with torch.no_grad():
        logits = model(data[1][0][:50]).tolist()
    losses = [
        reference.sample(*each)[0] for each in zip(logits, data[1][1][:50].tolist(), strict=True)
    ]
    found = per_sample(tree, "validation").loss.values.ravel()
    np.testing.assert_allclose(found, losses, rtol=1e-5, atol=1e-6)
    assert tree.loss.item() == pytest.approx(np.mean(losses), rel=1e-6)


def test_origin_after_step_is_the_slice_shifted_by_the_learning_rate():
    """For plain SGD: value after the step at s = value before it at s + lr."""
    model = cases.fresh("mlp").double()
    data = (as_data(double(TRAIN)), as_data(double(VALIDATION)))
    steps = np.array([-0.5, -0.1, 0, 0.1, 0.4])
    settings = {**SMALL, "draws": 2}
    before = Prober(*data, ProbeSettings(**{**settings, "step_sizes": steps + 0.1}))(model)
    after = Prober(
        *data, ProbeSettings(**{**settings, "step_sizes": steps, "origin": "after-step"})
    )(model, learning_rate=0.1)
    np.testing.assert_allclose(after.loss, before.loss, rtol=1e-9)
    assert after.attrs["origin"] == "after-step"


def test_origin_after_step_takes_the_optimizers_own_step_without_touching_it():
    model = cases.fresh("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    nn.functional.cross_entropy(model(TRAIN[0][:64]), TRAIN[1][:64]).backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    before = cases.state(model), copy.deepcopy(optimizer.state_dict())
    prober = Prober(
        as_data(TRAIN), as_data(VALIDATION), ProbeSettings(**{**SMALL, "origin": "after-step"})
    )
    tree = prober(model, optimizer=optimizer)
    cases.assert_same_state(before[0], cases.state(model))
    for a, b in zip(
        before[1]["state"].values(), optimizer.state_dict()["state"].values(), strict=True
    ):
        assert torch.equal(a["momentum_buffer"], b["momentum_buffer"])

    batch = per_sample(tree, "same_batch").index.values[0, 0]
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(TRAIN[0][batch]), TRAIN[1][batch]).backward()
    optimizer.step()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(TRAIN[0][batch]), TRAIN[1][batch]).item()
    at_zero = tree.loss.sel(evaluation_set="same_batch", step_size=0).item()
    assert at_zero == pytest.approx(loss, rel=1e-5)
    assert scheduler.last_epoch == 0


def test_origin_after_step_needs_a_step():
    with pytest.raises(InvalidValueError, match="optimizer or a learning rate"):
        tree_of(cases.fresh("mlp"), origin="after-step")
    model = cases.fresh("mlp")
    with pytest.raises(InvalidValueError, match="LBFGS"):
        probe(model, TRAIN, origin="after-step", optimizer=torch.optim.LBFGS(model.parameters()))


@pytest.mark.parametrize("name", ["cnn", "dropout"])
@pytest.mark.parametrize(
    "kind", [lambda p: SGDArmijo(p, n=10, lr=4), LossSLS, lambda p: SmoothAccuracySLS(p, lr=8)]
)
def test_origin_after_step_of_a_line_search(name, kind):
    """Its step is searched on the gradient's batch; model and optimizer are left alone."""
    model = cases.fresh(name)
    optimizer = kind(model.parameters())
    batch = TRAIN[0][:32], TRAIN[1][:32], torch.arange(32)
    optimizer.step(lambda: (model(TRAIN[0][32:64]), TRAIN[1][32:64]))
    for p in model.parameters():
        p.grad += 1
    gradients = [p.grad for p in model.parameters()]
    before = cases.state(model), str(optimizer.state_dict()), optimizer.last_search
    settings = {**SMALL, "origin": "after-step", "step_sizes": (0,), "sets": ["same_batch"]}
    slice_ = probe(model, TRAIN, optimizer=optimizer, batch=batch, **settings)
    cases.assert_same_state(before[0], cases.state(model))
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    assert before[1:] == (str(optimizer.state_dict()), optimizer.last_search)

    # As the probe has it: dropout off, batch statistics.
    model.eval()
    for layer in reference.norm_layers(model):
        layer.train()
    for p in model.parameters():
        p.grad = None
    optimizer.step(lambda: (model(batch[0]), batch[1]))
    assert optimizer.last_search is not before[2]
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1]).item()
    assert slice_.loss.item() == pytest.approx(loss, rel=1e-5)


def test_a_line_search_sees_the_mask_that_the_gradient_was_taken_with():
    """So its step lies on the slice: one step size back is the point that it came from."""
    model = cases.fresh("dropout").double()
    optimizer = SGDArmijo(model.parameters(), n=1, gamma=1, lr=0.01)
    settings = {**SMALL, "dropout": True, "sets": ["same_batch"]}
    before = probe(model, double(TRAIN), **{**settings, "step_sizes": (0,)})
    settings |= {"origin": "after-step", "step_sizes": (-0.01, 0)}
    after = probe(model, double(TRAIN), optimizer=optimizer, **settings)
    assert after.loss[..., 0].item() == pytest.approx(before.loss.item(), rel=1e-12)
    assert after.loss[..., 1].item() < before.loss.item()


def test_a_given_batch_gives_what_the_same_batch_drawn_gives():
    model = cases.fresh("cnn")
    settings = {**SMALL, "batch_norm": {"validation": "recalibrated"}}
    prober = Prober(as_data(TRAIN), as_data(VALIDATION), ProbeSettings(**settings))
    drawn = prober(model, iteration=7)
    places = torch.tensor(per_sample(drawn, "same_batch")["index"].values[0, 0])
    batch = TRAIN[0][places], TRAIN[1][places], places
    assert prober(model, iteration=7, batch=batch).identical(drawn)
    numbers = [part.numpy() for part in batch]
    assert prober(model, iteration=7, batch=numbers).identical(drawn)


def test_the_other_sets_have_nothing_of_a_given_batch():
    places = torch.arange(1300, 1332)
    prober = Prober(as_data(TRAIN), None, ProbeSettings(**{**SMALL, "big_batch": 1368}))
    tree = prober(cases.fresh("mlp"), batch=(TRAIN[0][places], TRAIN[1][places], places))
    assert (per_sample(tree, "same_batch")["index"].values[0, 0] == places.numpy()).all()
    rest = [*range(1300), *range(1332, 1400)]
    assert sorted(per_sample(tree, "big_batch")["index"].values.ravel()) == rest
    others = [per_sample(tree, f"other_batch_{i}")["index"].values.ravel() for i in (1, 2)]
    assert not {*others[0]} & {*others[1]}
    assert {*others[0], *others[1]} <= {*rest}


def test_a_given_batch_need_not_be_training_data():
    """Without indices, nothing is known of its places."""
    model = cases.fresh("mlp")
    noise = torch.randn(20, 1, 8, 8), torch.randint(10, (20,))
    settings = {"step_sizes": (0,), "big_batch": 60}
    slice_ = probe(model, TRAIN, batch=noise, **settings)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(noise[0]), noise[1]).item()
    assert slice_.loss.sel(evaluation_set="same_batch").item() == pytest.approx(loss, rel=1e-5)
    assert slice_.samples.values.tolist() == [20, 20, 20, 60]


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({}, {"draws": 2}, "draws is 2; with a given batch, only 1 is allowed"),
        ({}, {"batch_size": 31}, "the batch has 32 samples and batch_size is 31"),
        ({1: torch.zeros(32)}, {}, "the targets shape .* torch.float32; cross_entropy needs class"),
        ({1: torch.zeros(31).long()}, {}, "differ in length: 32 and 31"),
        ({2: torch.arange(31)}, {}, r"the indices have shape \(31,\) .* each of the 32 samples"),
        ({2: torch.rand(32)}, {}, "torch.float32; give one integer"),
        ({2: torch.arange(1390, 1422)}, {}, "run from 1390 to 1421; there are 1400 training"),
        ({2: torch.arange(-1, 31)}, {}, "run from -1 to 30"),
    ],
)
def test_batches_that_cannot_be_given(changes, settings, message):
    parts = [TRAIN[0][:32], TRAIN[1][:32], torch.arange(32)]
    for place, part in changes.items():
        parts[place] = part
    with pytest.raises(InvalidValueError, match=message):
        probe(cases.fresh("mlp"), TRAIN, batch=parts, **{**SMALL, **settings})


def test_along_a_direction_that_is_known_the_slice_starts_at_the_model():
    model = cases.fresh("mlp").double()
    batch = TRAIN[0][:32].double(), TRAIN[1][:32]
    settings = ProbeSettings(**{**SMALL, "step_sizes": (0.0, 0.25), "origin": "after-step"})
    prober = Prober(as_data(double(TRAIN)), None, settings)
    (direction,) = prober.directions(model, batch)
    expected = prober(model, batch=batch, learning_rate=0.5)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p += 0.5 * direction.tangent[name]
    moved = prober(model, batch=batch, directions=[direction])
    np.testing.assert_allclose(moved.loss, expected.loss, rtol=1e-12)
    assert moved.gradient_norm.item() == expected.gradient_norm.item()


def test_within_autocast_the_weights_move():
    """Its cache would keep the weights that were cast at the first point."""
    model = cases.fresh("mlp")
    plain = probe(model, TRAIN, **SMALL).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = model(TRAIN[0][:5])
        cast = probe(model, TRAIN, **SMALL).loss
        assert torch.is_autocast_cache_enabled()
        assert torch.equal(model(TRAIN[0][:5]), before)
    assert len(np.unique(cast)) > 10
    np.testing.assert_allclose(cast, plain, rtol=0.02)


@pytest.mark.parametrize("policy", ["running", "recalibrated"])
def test_chunked_equals_whole(policy):
    model = cases.fresh("cnn").double()
    data = {"train": double(TRAIN), "validation": double(VALIDATION)}
    settings = {"batch_norm": dict.fromkeys(ProbeSettings().sets, policy)}
    whole = tree_of(model, **data, **settings, eval_batch_size=10_000)
    parts = tree_of(model, **data, **settings, eval_batch_size=7)
    xr.testing.assert_allclose(whole.to_dataset(), parts.to_dataset(), rtol=1e-12)


def test_sets_with_batch_statistics_are_never_chunked():
    model = cases.fresh("cnn")
    sizes = []
    model[0].register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    tree_of(model, eval_batch_size=10)
    # The format and the chunk are chosen by a few, and a chunk is compared with its half.
    assert set(sizes) - {2, 4, 5} == {32, 60, 10}


def test_draws_are_fresh_gradient_batches_and_do_not_depend_on_each_other():
    model = cases.fresh("mlp")
    three, one = tree_of(model, draws=3), tree_of(model)
    assert three.sizes["draw"] == 3
    assert len({x.tobytes() for x in three.loss.values[0]}) == 3
    xr.testing.assert_identical(three.to_dataset().isel(draw=[0]), one.to_dataset())
    batches = per_sample(three, "same_batch").index.values[0]
    assert len({b.tobytes() for b in batches}) == 3


@pytest.mark.parametrize("name", cases.MODELS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dropout": True, "draws": 2},
        {"batch_norm": dict.fromkeys(ProbeSettings().sets, "recalibrated")},
        {"origin": "after-step"},
    ],
    ids=["plain", "dropout", "recalibrated", "after-step"],
)
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_nothing_is_left_behind(name, settings, mode):
    model = cases.fresh(name).train(mode)
    model[-1].bias.requires_grad_(False)
    before = cases.state(model)
    probe(model, TRAIN, VALIDATION, learning_rate=0.1, **{**SMALL, **settings})
    cases.assert_same_state(before, cases.state(model))


@pytest.mark.parametrize("calls", [1, 4, 9, 20])
@pytest.mark.parametrize("policy", ["batch", "recalibrated"])
def test_nothing_is_left_behind_by_an_exception(calls, policy):
    model = cases.fresh("cnn")
    left = [calls]

    def fail(*_):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    handle = model[4].register_forward_hook(fail)
    before = cases.state(model)
    with pytest.raises(KeyboardInterrupt):
        probe(
            model,
            TRAIN,
            VALIDATION,
            batch_norm=dict.fromkeys(ProbeSettings().sets, policy),
            **SMALL,
        )
    cases.assert_same_state(before, cases.state(model))
    handle.remove()


def test_the_model_can_be_trained_afterwards():
    class Caching(nn.Sequential):
        """Keeps a tensor from its first forward pass, as rotary embeddings do."""

        cache = None

        def forward(self, inputs):
            if self.cache is None:
                self.cache = torch.ones(64) * 2
            return super().forward(inputs.flatten(1) * self.cache)

    model = Caching(nn.Linear(64, 10))
    probe(model, TRAIN, **SMALL)
    nn.functional.cross_entropy(model(TRAIN[0][:8]), TRAIN[1][:8]).backward()


def test_one_forward_pass_gives_everything():
    model = cases.fresh("mlp")
    samples = []
    model.register_forward_hook(lambda _, args, __: samples.append(len(args[0])))
    tree_of(model)
    per_point = 32 * 3 + 60 + 50
    # Besides the points: the shape check, the guard's two passes, the gradient's own, the two
    # small ones that the chunk is chosen by, a part whole and in parts, and two for the slope.
    assert sum(samples) == len(STEPS) * per_point + 4 * 32 + (2 + 4) + (32 + 2 + 16) + 2 * 32


def test_non_finite_values_are_kept():
    model = cases.fresh("mlp")
    with torch.no_grad():
        model[3].weight *= 1e20
    tree = tree_of(model, step_sizes=(-1e30, 0, 1e30))
    assert np.isnan(tree.loss.values[0, 0, :, 2]).all()
    assert np.isnan(tree.accuracy.values[0, 0, :, 2]).all()
    assert np.isfinite(tree.loss.values[0, 0, :, 1]).all()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda pair: pair,
        lambda pair: tuple(part.numpy() for part in pair),
        lambda pair: TensorDataset(*pair),
        lambda pair: DataLoader(TensorDataset(*pair), batch_size=50, shuffle=True),
        lambda pair: list_dataset(pair),
    ],
    ids=["tensors", "arrays", "TensorDataset", "DataLoader", "Dataset"],
)
def test_any_kind_of_data_gives_the_same_slice(wrap):
    model = cases.fresh("mlp")
    xr.testing.assert_identical(
        probe(model, wrap(TRAIN), wrap(VALIDATION), **SMALL),
        probe(model, TRAIN, VALIDATION, **SMALL),
    )


def list_dataset(pair):
    class ByOne(torch.utils.data.Dataset):
        def __len__(self):
            return len(pair[1])

        def __getitem__(self, i):
            return pair[0][i], int(pair[1][i])

    return ByOne()


def test_own_loss_is_measured_and_differentiated():
    def twice(logits, targets):
        return 2 * nn.functional.cross_entropy(logits, targets, reduction="none")

    model = cases.fresh("mlp")
    plain, doubled = (
        probe(model, TRAIN, VALIDATION, loss=loss, **{**SMALL, "step_sizes": (0,)})
        for loss in (lambda z, t: twice(z, t) / 2, twice)
    )
    np.testing.assert_allclose(doubled.loss, 2 * plain.loss, rtol=1e-6)
    np.testing.assert_allclose(doubled.gradient_norm, 2 * plain.gradient_norm, rtol=1e-6)
    np.testing.assert_array_equal(doubled.accuracy, plain.accuracy)


def test_only_what_was_asked_for():
    dataset = probe(
        cases.fresh("mlp"), TRAIN, metrics=["loss"], sets=["other_batch", "validation"], **SMALL
    )
    assert list(dataset.data_vars) == ["loss"]
    assert dataset.evaluation_set.values.tolist() == ["other_batch_1", "other_batch_2"]
    assert "slope_factor" not in dataset.dims
    assert dataset.loss.attrs == {"long_name": "loss", "units": "nat"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(63, 10)), "on a batch of shape .* fails"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "run from 0 to 9; the model has 9 outputs"),
        (
            nn.Conv2d(1, 10, 3),
            r"output has shape \(32, 10, 6, 6\) .* logits of shape \(32, classes",
        ),
        (nn.LSTM(8, 10), "on a batch .* fails|output has shape tuple"),
    ],
)
def test_models_that_cannot_be_probed(model, message):
    with pytest.raises(InvalidValueError, match=message):
        probe(model, TRAIN, VALIDATION, **SMALL)


def test_labels_below_zero():
    labels = TRAIN[1].clone()
    labels[:] = -1
    with pytest.raises(InvalidValueError, match="labels of same batch run from -1"):
        probe(cases.fresh("mlp"), (TRAIN[0], labels), **SMALL)


def test_a_random_model_is_refused():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, inputs):
            return self.linear(nn.functional.dropout(inputs.flatten(1), 0.5, training=True))

    with pytest.raises(DeterminismError, match="two evaluations of the same batch"):
        probe(Noisy(), TRAIN, VALIDATION, **SMALL)


@pytest.mark.parametrize("by", [1e-3, 1e-7])
def test_a_model_that_drifts_by_more_than_rounding_is_refused(by):
    calls = itertools.count(1)  # outside of the model: nobody can put it back

    class Drifting(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, inputs):
            return self.linear(inputs.flatten(1)) * (1 + by * next(calls))

    if by < 1e-6:
        assert np.isfinite(probe(Drifting(), TRAIN, **SMALL).loss).all()
    else:
        with pytest.raises(DeterminismError, match="two evaluations of the same batch"):
            probe(Drifting(), TRAIN, **SMALL)
