"""A direction added from outside: one entry, and everything that reads slices knows it."""

import copy
import math

import numpy as np
import pytest
import torch
from helpers import cases, reference
from helpers.commands import refused, run

import landscape
from landscape import plots, report, statistics, tables
from landscape.probing.directions import DIRECTIONS, DirectionKind, Tangent
from landscape.probing.directions.registry import get
from landscape.slices.selection import learning_step

TRAIN, VALIDATION = cases.digits()
STEPS = (-0.1, 0.0, 0.1)


def uphill_twice(context):
    """Twice the gradient: up, not down, and its norm and slope are left to be computed."""
    return Tangent({name: 2 * each for name, each in context.gradient.items()})


def drawn(context):
    """A random one, of the first weights alone."""
    name, like = next(iter(context.gradient.items()))
    generator = torch.Generator().manual_seed(context.seed)
    return Tangent({name: torch.randn(like.shape, generator=generator)})


@pytest.fixture
def added(monkeypatch):
    for kind in (
        DirectionKind("uphill", "2∇L", "twice the gradient, upwards", uphill_twice),
        DirectionKind("drawn", "ξ", "random first weights", drawn),
    ):
        monkeypatch.setitem(DIRECTIONS, kind.name, kind)


def probed(direction, **settings):
    model = cases.fresh("mlp")
    return model, landscape.probe(
        model,
        TRAIN,
        VALIDATION,
        batch=tuple(part[:32] for part in TRAIN),
        direction=direction,
        step_sizes=STEPS,
        big_batch=50,
        **settings,
    )


def test_norm_and_slope_are_computed_in_float64(added):
    model, found = probed("uphill", sets=["same_batch"])
    gradient = reference.gradient(model.eval(), *(part[:32] for part in TRAIN))
    square = sum(float((each**2).sum()) for each in gradient.values())
    assert found.gradient_norm.item() == pytest.approx(math.sqrt(square), rel=1e-6)
    assert found.direction_norm.item() == pytest.approx(2 * math.sqrt(square), rel=1e-6)
    assert found.direction_slope.item() == pytest.approx(2 * square, rel=1e-6)
    assert statistics.gradient_slope(found).item() == found.direction_slope.item()
    # Up is to the right.
    values = found.loss.values.ravel()
    assert values[0] < values[1] < values[2]


def test_a_slice_moves_by_the_tangent(added):
    model, found = probed("uphill", sets=["same_batch"])
    model = model.double().eval()
    batch = TRAIN[0][:32].double(), TRAIN[1][:32]
    gradient = reference.gradient(model, *batch)
    for step, value in zip(STEPS, found.loss.values.ravel(), strict=True):
        state = {
            name: each + step * 2 * gradient[name].to(each) if name in gradient else each
            for name, each in model.state_dict().items()
        }
        logits = torch.func.functional_call(model, state, (batch[0],))
        expected = torch.nn.functional.cross_entropy(logits, batch[1]).item()
        assert value == pytest.approx(expected, rel=1e-5)


def test_what_is_drawn_depends_on_seed_and_draw(added):
    def norms(**settings):
        return landscape.probe(
            cases.fresh("mlp"), TRAIN, batch_size=32, big_batch=50, direction="drawn",
            step_sizes=[0.0], draws=2, **settings
        ).direction_norm.values.ravel()  # fmt: skip

    first, again, other = norms(), norms(), norms(seed=1)
    assert first.tolist() == again.tolist()
    assert len({*first, *other}) == 4


def test_axes_distances_tables_and_report_tell_it(added):
    _, found = probed("uphill")
    assert found.attrs["direction"] == "uphill"
    label = plots.plot_batches(found).get_xlabel()
    assert label == "step size along 2∇L"
    assert plots.plot_widening(found, against="distance").get_xlabel() == "distance along 2∇L"
    along = statistics.distance(found).values.ravel()
    np.testing.assert_allclose(along, found.direction_norm.item() * np.array(STEPS), rtol=1e-12)
    frame = tables.slice_statistics(found, against="distance")
    by_step = tables.slice_statistics(found)
    widths = [each["peak width"].to_numpy() for each in (frame, by_step)]
    np.testing.assert_allclose(widths[0], found.direction_norm.item() * widths[1], rtol=1e-12)
    # No step size along it is an update by the learning rate.
    assert np.isnan(learning_step(found.assign_coords(learning_rate=("checkpoint", [0.1])))).all()
    assert "2∇L" in report.page(found)


def test_the_command_line_and_the_store_know_it(added, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "digits-mlp", "--epochs", 2, "--checkpoints", 2, "--out", "run")
    small = ("--points", 3, "--big-batch", 50, "--draws", 2)
    run("probe", "run", "--direction", "uphill", *small)
    stored = landscape.open("run")
    assert stored.attrs["direction"] == "uphill"
    assert stored.attrs["direction_symbol"] == "2∇L"
    np.testing.assert_allclose(stored.direction_norm, 2 * stored.gradient_norm, rtol=1e-12)
    assert (stored.direction_slope > 0).all()
    assert "2∇L" in run("info", "run/landscape.zarr").stdout
    run("table", "statistics", "run", "--against", "distance")
    line = refused("probe", "run", "--direction", "sideways", "--out", "other.zarr")
    assert "unknown direction 'sideways'" in line
    assert "uphill" in line


def test_a_direction_that_fails_is_one_line(monkeypatch):
    def broken(context):
        raise KeyError("no such layer")

    monkeypatch.setitem(DIRECTIONS, "broken", DirectionKind("broken", "?", "fails", broken))
    with pytest.raises(landscape.LandscapeError, match=r"direction broken fails: KeyError"):
        probed("broken")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(landscape.LandscapeError, match="choose from gradient, normalised-grad"):
        get("gradients of all")


def test_a_direction_may_write_to_its_gradient_and_give_it():
    """What it writes changes neither the slope nor the step that the optimizer takes."""

    def descent(context):
        for each in context.gradient.values():
            each.neg_()
        return Tangent(context.gradient)

    for settings in ({}, {"origin": "after-step", "learning_rate": 0.1}):
        _, expected = probed("gradient", sets=["same_batch"], **settings)
        _, found = probed(descent, sets=["same_batch"], **settings)
        np.testing.assert_array_equal(found.loss, expected.loss)
        assert found.direction_slope.item() == pytest.approx(expected.direction_slope.item())


def test_a_tangent_that_is_the_models_own_does_not_move_with_it():
    def itself(context):
        return Tangent(dict(context.model.named_parameters()))

    model, found = probed("gradient", direction_2=itself, orthogonal=False, sets=["same_batch"])
    inputs, labels = (part[:32] for part in TRAIN)
    model.eval()
    for step in STEPS:
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for each in moved.parameters():
                each.mul_(1 + step)
            expected = torch.nn.functional.cross_entropy(moved(inputs), labels).item()
        at = found.loss.sel(step_size=0, step_size_2=step).item()
        assert at == pytest.approx(expected, rel=1e-5)


def test_a_tangent_of_other_numbers_is_converted():
    def doubled(context):
        return Tangent({name: -each.double() for name, each in context.gradient.items()})

    _, expected = probed("gradient", sets=["same_batch"])
    _, found = probed(doubled, sets=["same_batch"])
    np.testing.assert_array_equal(found.loss, expected.loss)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda _: {"weight": torch.ones(1)}, "gives dict; let it return a Tangent"),
        (lambda _: Tangent({"nowhere": torch.ones(1)}), "unknown parameter 'nowhere'"),
        (lambda c: Tangent(_first(c, lambda _: torch.ones(1))), r"gives \(1,\) for the parameter"),
        (lambda c: Tangent(_first(c, lambda p: p.tolist())), "gives list for the parameter"),
        (lambda c: Tangent(_first(c, lambda p: 1j * p)), "gives complex numbers"),
        (lambda _: Tangent({}, buffers={"mean": torch.ones(1)}), "unknown buffer 'mean'"),
        (lambda _: Tangent({}, numbers={"loss": 1.0}), "allowed are eigenvalue"),
    ],
)
@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_no_tangent_is_refused(given, message, frozen):
    model = cases.fresh("mlp")
    next(model.parameters()).requires_grad_(not frozen)
    with pytest.raises(landscape.LandscapeError, match=message):
        landscape.probe(model, TRAIN, direction=given, step_sizes=STEPS, sets="same_batch")


def _first(context, function):
    name, parameter = next(iter(context.model.named_parameters()))
    return {name: function(parameter.detach())}


def test_a_number_that_some_draws_lack_is_nan_there():
    calls = []

    def sometimes(context):
        calls.append(1)
        return Tangent(context.gradient, numbers={"eigenvalue": 2.0} if len(calls) > 1 else {})

    found = landscape.probe(
        cases.fresh("mlp"),
        TRAIN,
        direction=sometimes,
        step_sizes=STEPS,
        sets="same_batch",
        draws=3,
    )
    np.testing.assert_array_equal(found.eigenvalue, [[np.nan, 2, 2]])
