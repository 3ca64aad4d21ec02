"""Planes: two directions, against known functions and the state of everything they touch."""

import copy

import numpy as np
import pytest
import torch
from helpers import cases, reference
from torch import nn

import landscape
from landscape.errors import InvalidValueError
from landscape.probing.directions import DirectionKind, Tangent
from landscape.probing.settings import AutoRange, ProbeSettings, between

TRAIN, VALIDATION = cases.digits()
SMALL = {"batch_size": 32, "big_batch": 50, "validation_samples": 60}


class Point(nn.Module):
    """A "network" whose loss is a function of its two parameters, whatever the inputs."""

    def __init__(self, x, y):
        super().__init__()
        self.x = nn.Parameter(torch.tensor([x], dtype=torch.float64))
        self.y = nn.Parameter(torch.tensor([y], dtype=torch.float64))

    def forward(self, inputs):
        return torch.cat([self.x, self.y]).expand(len(inputs), 2)


def of(function):
    return lambda outputs, targets: function(outputs[:, 0], outputs[:, 1]) + 0 * targets


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def quadratic(x, y):
    return 1 + 3 * x**2 + x * y + 0.5 * y**2


DATA = torch.zeros(8, 1, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)


def along(x, y):
    def made(context):
        return Tangent({"x": torch.tensor([x]).double(), "y": torch.tensor([y]).double()})

    return DirectionKind(f"{x}-{y}", "d", "given", made)


@pytest.mark.parametrize("function", [quadratic, rosenbrock])
def test_known_functions_over_a_plane(function):
    steps, steps_2 = np.linspace(-1, 2, 13), np.linspace(-0.5, 1, 7)
    found = landscape.probe(
        Point(-0.5, 1.0),
        DATA,
        loss=of(function),
        direction=along(1.0, 0.0),
        direction_2=along(1.0, 2.0),
        step_sizes=steps,
        step_sizes_2=steps_2,
        orthogonal=False,
        sets="same_batch",
        batch_size=4,
    )
    s, t = np.meshgrid(steps, steps_2, indexing="ij")
    expected = function(-0.5 + s + t, 1.0 + 2 * t)
    np.testing.assert_allclose(found.loss.values[0, 0, 0], expected, rtol=1e-12)
    assert found.direction_norm_2.item() == pytest.approx(np.sqrt(5))
    assert found.direction_cosine.item() == pytest.approx(1 / np.sqrt(5))
    assert found.attrs["orthogonal"] is False


def test_the_second_direction_is_made_orthogonal():
    steps = np.linspace(-1, 1, 5)
    found = landscape.probe(
        Point(0.3, -0.2),
        DATA,
        loss=of(quadratic),
        direction=along(2.0, 0.0),
        direction_2=along(1.0, 2.0),
        step_sizes=steps,
        sets="same_batch",
        batch_size=4,
    )
    s, t = np.meshgrid(steps, steps, indexing="ij")
    expected = quadratic(0.3 + 2 * s, -0.2 + 2 * t)
    np.testing.assert_allclose(found.loss.values[0, 0, 0], expected, rtol=1e-12)
    assert found.direction_norm_2.item() == 2
    assert found.direction_cosine.item() == pytest.approx(1 / np.sqrt(5))
    # ∂/∂y of the quadratic is x + y.
    assert found.direction_slope_2.item() == pytest.approx(2 * (0.3 - 0.2))
    assert "made orthogonal" in found.attrs["direction_about_2"]


def test_an_eigenvalue_belongs_to_the_direction_as_it_was_taken():
    def probe(first, **more):
        return landscape.probe(
            cases.fresh("mlp"), TRAIN, direction=first, direction_2="hessian-1",
            step_sizes=[0, 0.1], **SMALL, **more
        )  # fmt: skip

    assert probe("random").eigenvalue_2.item() > 0
    bent = probe("gradient")
    assert abs(bent.direction_cosine.item()) > 0.05
    assert np.isnan(bent.eigenvalue_2.item())
    assert probe("gradient", orthogonal=False).eigenvalue_2.item() > 0


def test_a_plane_is_made_of_slices():
    """Whatever the sets, metrics and layers: each row is the slice at its shifted start."""
    model = cases.fresh("cnn")
    settings = {
        "direction": "gradient",
        "step_sizes": [-0.1, 0, 0.2],
        "slope_factors": (1.0, 5.0),
        **SMALL,
    }
    batch = tuple(part[:32] for part in TRAIN)
    before = cases.state(model)
    plane = landscape.probe(
        model,
        TRAIN,
        VALIDATION,
        batch=batch,
        direction_2="random",
        step_sizes_2=[0, 0.5],
        orthogonal=False,
        **settings,
    )
    cases.assert_same_state(before, cases.state(model))
    line = landscape.probe(model, TRAIN, VALIDATION, batch=batch, **settings)
    first = plane.isel(step_size_2=0)
    for metric in ("loss", "accuracy", "smooth_accuracy"):
        np.testing.assert_array_equal(first[metric].values, line[metric].values)
    assert first.smooth_accuracy.dims == line.smooth_accuracy.dims
    # The other row, from a slow float64 reference.
    prober = landscape.Prober(
        landscape.data.as_data(TRAIN),
        landscape.data.as_data(VALIDATION),
        ProbeSettings(direction_2="random", orthogonal=False, **settings),
    )
    gradient, random = prober.directions(model, batch)
    moved = copy.deepcopy(model).double()
    with torch.no_grad():
        for name, p in moved.named_parameters():
            p += 0.2 * gradient.tangent[name].double()
            if name in random.tangent:
                p += 0.5 * random.tangent[name].double()
    logits = reference.forward(moved, batch[0], "batch")
    expected = reference.metrics(logits.tolist(), batch[1].tolist())
    there = plane.sel(step_size=0.2, step_size_2=0.5, evaluation_set="same_batch")
    assert there.loss.item() == pytest.approx(expected["loss"], rel=1e-4)
    assert there.accuracy.item() == expected["accuracy"]
    assert there.smooth_accuracy.sel(slope_factor=1.0).item() == pytest.approx(
        expected["smooth_accuracy"], rel=1e-5
    )


def test_values_of_every_sample_lie_over_the_plane():
    prober = landscape.Prober(
        landscape.data.as_data(TRAIN),
        landscape.data.as_data(VALIDATION),
        ProbeSettings(
            direction="random",
            direction_2="random",
            step_sizes=[-1, 0, 1],
            step_sizes_2=[0, 1],
            draws=2,
            **SMALL,
        ),
    )
    tree = prober(cases.fresh("mlp"))
    samples = tree["per_sample/validation"]
    assert samples.loss.dims == ("checkpoint", "draw", "step_size", "step_size_2", "sample")
    mean = samples.loss.astype(float).mean("sample")
    validation = tree.loss.sel(evaluation_set="validation")
    np.testing.assert_allclose(mean.values, validation.values, rtol=1e-6)
    # Each draw has directions of its own, and two that differ.
    assert len(set(tree.direction_norm.values.ravel())) <= 2
    assert (abs(tree.direction_cosine) < 0.1).all()
    assert tree.attrs["direction_symbol"] == "random direction 1"
    assert tree.attrs["direction_symbol_2"] == "random direction 2"


def test_the_model_is_as_it_was_after_an_exception():
    model = cases.fresh("cnn")
    before = cases.state(model)
    calls = 0

    def advance():
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    prober = landscape.Prober(
        landscape.data.as_data(TRAIN),
        None,
        ProbeSettings(direction="random", direction_2="update", step_sizes=[-1, 0, 1], **SMALL),
    )
    with pytest.raises(KeyboardInterrupt):
        prober(model, learning_rate=0.1, advance=advance)
    cases.assert_same_state(before, cases.state(model))


def test_directions_that_span_no_plane():
    model = cases.fresh("mlp")

    def probe(**settings):
        landscape.probe(model, TRAIN, step_sizes=[0, 1], **{**SMALL, **settings})

    for second in ("normalised-gradient", along_gradient):
        with pytest.raises(
            InvalidValueError, match=r"gradient and .* the cosine -?1, so they span"
        ):
            probe(direction="gradient", direction_2=second)


def along_gradient(context):
    """Up along the gradient."""
    return Tangent(dict(context.gradient))


def test_a_function_is_a_direction():
    found = landscape.probe(
        cases.fresh("mlp"), TRAIN, direction=along_gradient, step_sizes=[-0.01, 0, 0.01], **SMALL
    )
    assert found.attrs["direction"] == "along_gradient"
    assert found.attrs["direction_about"] == "Up along the gradient"
    assert found.direction_slope.item() > 0


def test_a_function_returns_a_tangent():
    with pytest.raises(
        InvalidValueError, match=r"direction's function gives dict; let it return a Tangent"
    ):
        landscape.probe(cases.fresh("mlp"), TRAIN, direction=own_name(dict), **SMALL)
    with pytest.raises(InvalidValueError, match="gives NoneType; let it return a Tangent"):
        landscape.probe(cases.fresh("mlp"), TRAIN, direction=own_name(lambda: None), **SMALL)


def own_name(make):
    def own_name(context):
        return make()

    return own_name


def test_two_functions_of_the_same_name_span_a_plane():
    def ones(context):
        return Tangent({name: g.sign() for name, g in context.gradient.items()})

    directions = [lambda context: along_gradient(context), lambda context: ones(context)]
    both = [
        landscape.probe(
            cases.fresh("mlp"),
            TRAIN,
            direction=first,
            direction_2=second,
            orthogonal=False,
            **SMALL,
        )
        for first, second in ((along_gradient, ones), directions)
    ]
    np.testing.assert_array_equal(both[0].loss, both[1].loss)
    assert (both[1].attrs["direction"], both[1].attrs["direction_2"]) == ("lambda", "lambda 2")


def test_ranges_are_found_along_each_direction():
    model = cases.fresh("mlp")
    found = landscape.probe(
        model,
        TRAIN,
        direction="gradient",
        direction_2="normalised-random",
        step_sizes=AutoRange(points=5),
        own_directions={
            "normalised-random": DirectionKind("normalised-random", "r", "random, of norm 1", unit)
        },
        **SMALL,
    )
    length = found.direction_norm.item()
    ends = found.step_size.values[[0, -1]], found.step_size_2.values[[0, -1]]
    same = found.loss.sel(evaluation_set="same_batch")
    limit = same.sel(step_size=0, step_size_2=0).item() + 1
    # In distance a random direction goes further than the gradient does.
    assert abs(ends[1]).min() > 1.5 * abs(ends[0]).min() * length
    for steps, line in ((ends[0], same.sel(step_size_2=0)), (ends[1], same.sel(step_size=0))):
        values = line.values.ravel()
        assert (values[[0, -1]] > 0.8 * limit).all(), (steps, values)


def unit(context):
    generator = torch.Generator().manual_seed(context.seed)
    drawn = {n: torch.randn(g.shape, generator=generator) for n, g in context.gradient.items()}
    length = torch.stack([each.norm() for each in drawn.values()]).norm()
    return Tangent({name: each / length for name, each in drawn.items()}, norm=1.0)


def test_a_range_covers_the_path():
    model = cases.fresh("mlp")
    states = []
    for i in range(5):
        states.append({n: t.clone() for n, t in model.state_dict().items()})
        with torch.no_grad():
            for p in model.parameters():
                p += (
                    0.02
                    * (i + 1)
                    * torch.randn(p.shape, generator=torch.Generator().manual_seed(i % 3))
                )
    found = landscape.probe(
        model,
        TRAIN,
        direction="principal-1",
        direction_2="principal-2",
        trajectory=states,
        step_sizes=AutoRange(points=11, path=True),
        sets="same_batch",
        batch_size=32,
    )
    for name in ("step_size", "step_size_2"):
        steps, path = found[name].values, found[f"path_{name}"].values.ravel()
        assert 0 in steps
        assert len(steps) == 11
        np.testing.assert_allclose(np.diff(steps), np.diff(steps)[0], rtol=1e-9)
        span = max(path.max(), 0) - min(path.min(), 0)
        assert steps[0] <= min(path.min(), 0) - 0.2 * span
        assert steps[-1] >= max(path.max(), 0) + 0.2 * span
    assert found.path_iteration.values.tolist() == [0, 1, 2, 3, 4]
    explained = found.explained_variance.item() + found.explained_variance_2.item()
    # The second direction is orthogonal already.
    assert found.path_explained.item() == pytest.approx(explained, rel=1e-6)


def test_step_sizes_between_two_ends_hit_0_and_1():
    assert between(25, -0.25, 1.25)[4] == 0
    assert 1.0 in between(31, -0.25, 1.25)
    with pytest.raises(InvalidValueError, match="range to is 0"):
        between(5, 1, 0)


def test_a_first_direction_of_0_takes_nothing_away():
    settings = {"loss": of(quadratic), "sets": "same_batch", "batch_size": 4}
    found = landscape.probe(
        Point(0.3, -0.2),
        DATA,
        direction=along(0.0, 0.0),
        direction_2=along(1.0, 2.0),
        step_sizes=[-1, 0, 1],
        **settings,
    )
    expected = [quadratic(0.3 + t, -0.2 + 2 * t) for t in (-1, 0, 1)]
    np.testing.assert_allclose(found.loss.values[0, 0, 0], [expected] * 3, rtol=1e-12)
    assert np.isnan(found.direction_cosine.item())


@pytest.mark.parametrize("second", [None, "random"])
def test_a_range_of_a_path_needs_one(second):
    model = cases.fresh("mlp")
    settings = {"step_sizes": AutoRange(path=True), "sets": "same_batch", **SMALL}
    with pytest.raises(InvalidValueError, match="cover the path"):
        landscape.probe(model, TRAIN, direction="random", direction_2=second, **settings)
    if second is None:  # a line along a direction that no path belongs to
        with pytest.raises(InvalidValueError, match="cover the path"):
            landscape.probe(model, TRAIN, direction="random", trajectory=[model] * 2, **settings)


def test_a_phrase_for_all_checkpoints_says_no_eigenvalue():
    found = landscape.probe(
        cases.fresh("mlp"), TRAIN, direction="ggn-1", direction_2="ggn-2", draws=2, **SMALL
    )
    assert len(set(found["eigenvalue"].values.ravel())) == 2
    assert "eigenvalue" not in found.attrs["direction_about"] + found.attrs["direction_about_2"]
