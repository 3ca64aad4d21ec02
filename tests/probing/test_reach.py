"""How far an automatic range goes: where a loss in closed form has risen, in few passes."""

import math
import warnings

import numpy as np
import pytest
import torch
from helpers import cases, scalars

import landscape
from landscape.data import as_data
from landscape.errors import InvalidValueError, RangeWarning
from landscape.probing import AutoRange, Prober, ProbeSettings
from landscape.probing.evaluation import Evaluator
from landscape.probing.reach import PASSES, Reach, Reaches, choose, find_reach
from landscape.probing.settings import STEP_SIZES

NAN = math.nan
EIGHTH = 2 ** (1 / 8) * 1.06  # an eighth of a doubling, and what two digits round


def counted(loss):
    asked = []

    def ask(distance):
        asked.append(distance)
        return loss(distance)

    return ask, asked


# One side


@pytest.mark.parametrize("first", [0.1, 0.7, 1, 3, 30, 500])
@pytest.mark.parametrize("limit", [0.25, 9, 250])
def test_the_first_rise_of_a_parabola(first, limit):
    loss, asked = counted(lambda s: s**2)
    reach = find_reach(loss, limit, first)
    assert reach.problem == ""
    assert loss(reach.distance) >= limit
    assert len(asked) - 1 <= PASSES == 10
    coarse = EIGHTH if abs(math.log2(first / math.sqrt(limit))) < 4 else 2.1
    assert math.sqrt(limit) <= reach.distance <= math.sqrt(limit) * coarse


@pytest.mark.parametrize("exponent", range(-40, 41, 3))
def test_never_more_than_ten_passes(exponent):
    for loss in (lambda s: s, lambda s: NAN, lambda s: 0.0, lambda s: s if s < 9 else NAN):
        ask, asked = counted(loss)
        find_reach(ask, 5.0, 2.0**exponent)
        assert 1 <= len(asked) <= 10


def test_the_first_rise_counts_though_the_loss_falls_later():
    assert 1 <= find_reach(lambda s: 9.0 if 1 < s < 3 else 0.0, 5, 0.3).distance < 1.2


@pytest.mark.parametrize(
    ("loss", "reach"),
    [
        (lambda s: 0.0, Reach(NAN, "does not rise up to a distance of 130000")),
        (lambda s: 9.0, Reach(7.6e-6, "has risen at a distance of 7.6e-06 already, the smallest")),
        (lambda s: NAN, Reach(NAN, "is not finite at a distance of 7.6e-06")),
        (lambda s: 0.0 if s < 3 else math.inf, Reach(2.8, "is not finite at a distance of 3.1")),
        (lambda s: s if s < 9 else NAN, Reach(5.2)),
    ],
)
def test_what_is_no_rise(loss, reach):
    found = find_reach(loss, 5.0, 1.0)
    assert found.problem.startswith(reach.problem)
    assert bool(found.problem) == bool(reach.problem)
    np.testing.assert_equal(found.distance, reach.distance)


def test_no_distance_is_tried_that_the_parameters_cannot_hold():
    loss, asked = counted(lambda s: 0.0)
    assert math.isnan(find_reach(loss, 1, 1e9, most=65504).distance)
    assert max(asked) <= 65504


# A model


def probed(weight, loss, **settings):
    settings = {"batch_size": 8, "sets": "same_batch", "step_sizes": "auto", **settings}
    return landscape.probe(scalars.Weight(weight), scalars.DATA, loss=loss, **settings)


@pytest.mark.parametrize(("weight", "rise"), [(2.0, 1.0), (2.0, 3.0), (0.1, 1.0), (30.0, 1.0)])
def test_a_quadratic_is_probed_to_where_it_has_risen(weight, rise):
    slices = probed(weight, scalars.square, step_sizes=AutoRange(rise=rise))
    start = weight**2
    # (1 − 2s)² · L(0) = L(0) + rise · max(L(0), 1)
    root = math.sqrt(1 + rise * max(start, 1) / start)
    for end, true in ((0, (1 - root) / 2), (-1, (1 + root) / 2)):
        measured = slices.step_size.values[end]
        assert 1 <= measured / true <= EIGHTH
    limit = start + rise * max(start, 1)
    ends = slices.loss.isel(step_size=[0, -1]).values
    assert (ends >= limit).all()
    assert (slices.loss.isel(step_size=slice(1, -1)).values < limit).all()
    assert slices.sizes["step_size"] == 21
    assert 0.0 in slices.step_size.values


def test_ten_passes_a_side_and_a_model_left_alone(monkeypatch):
    calls = []
    values = Evaluator.values
    monkeypatch.setattr(Evaluator, "values", lambda *a: calls.append(a[1]) or values(*a))
    model = cases.fresh("cnn")
    train, validation = (as_data(each) for each in cases.digits())
    before = cases.state(model)
    settings = ProbeSettings(step_sizes="auto", batch_size=64)
    prober = Prober(train, validation, settings)
    (reaches,) = prober.reaches(model, iteration=3)
    cases.assert_same_state(before, cases.state(model))
    assert {each.name for each in calls} == {"same_batch"}
    assert len(calls) <= 2 + 1 + 2 * 10  # the guards', that at 0, and both sides
    # The batch of the first draw, whatever else is measured.
    tree = prober(model, iteration=3)
    cases.assert_same_state(before, cases.state(model))
    same = tree["loss"].sel(evaluation_set="same_batch").squeeze()
    limit = float(same.sel(step_size=0)) + max(float(same.sel(step_size=0)), 1)
    assert (same[[0, -1]].values >= limit * (1 - 1e-6)).all()
    assert same.step_size.values[0] == -reaches.negative.distance
    assert same.step_size.values[-1] == reaches.positive.distance
    again = prober.with_settings(step_sizes=tree["step_size"].values)(model, iteration=3)
    np.testing.assert_array_equal(again["loss"].values, tree["loss"].values)


@pytest.mark.parametrize("settings", [{"dropout": True}, {"origin": "after-step"}])
def test_dropout_and_the_point_after_a_step(settings):
    model = cases.fresh("dropout")
    before = cases.state(model)
    slices = landscape.probe(
        model,
        cases.digits()[0],
        step_sizes="auto",
        sets="same_batch",
        batch_size=64,
        learning_rate=0.5,
        **settings,
    )
    cases.assert_same_state(before, cases.state(model))
    same = slices.loss.squeeze()
    limit = float(same.sel(step_size=0)) + max(float(same.sel(step_size=0)), 1)
    assert (same[[0, -1]].values >= limit * (1 - 1e-6)).all()


def test_a_side_that_ends_in_nan_goes_to_the_last_finite_loss():
    with pytest.warns(RangeWarning, match="towards positive .* is not finite at a distance of"):
        slices = probed(2.0, scalars.root)
    assert np.isfinite(slices.loss.values).all()
    end = 2 / (0.5 / math.sqrt(2))  # where the weight is 0
    assert end / EIGHTH <= slices.step_size.values[-1] <= end


def test_without_a_rise_the_other_side_decides_and_else_1():
    none, some = Reach(NAN, "does not rise up to a distance of 8"), Reach(0.5)
    with pytest.warns(RangeWarning, match="towards negative .* rise .* iteration 7; .* at -0.5"):
        chosen = choose(AutoRange(), {7: Reaches(none, some)})
    assert (chosen.step_sizes[0], chosen.step_sizes[-1]) == (-0.5, 0.5)
    assert chosen.summary == "21 step sizes from -0.5 (the loss does not rise) to 0.5"
    with pytest.warns(RangeWarning, match="does not rise") as said:
        slices = probed(1.0, scalars.bounded)
    assert len(said) == 2
    assert slices.step_size.values[[0, -1]].tolist() == [-1, 1]


def test_a_loss_that_is_not_finite_at_0_has_no_range():
    with pytest.warns(RangeWarning, match="is not finite at step size 0"):
        slices = probed(-1.0, scalars.root)
    assert slices.step_size.values[[0, -1]].tolist() == [-1, 1]


def test_the_largest_reach_holds_for_all_and_is_said_once():
    none = Reach(NAN, "does not rise")
    found = {
        0: Reaches(Reach(1.0), none),
        10: Reaches(Reach(4.0), Reach(0.5)),
        20: Reaches(Reach(2.0), none),
    }
    with pytest.warns(RangeWarning, match="iteration 0 and 1 more") as said:
        chosen = choose(AutoRange(), found)
    assert len(said) == 1
    assert chosen.summary == (
        "21 step sizes from -4 (iteration 10 needs that) to 0.5 (iteration 10 needs that)"
    )
    steps = np.array(chosen.step_sizes)
    assert (np.diff(steps) > 0).all()
    # The checkpoint with the smallest reach is resolved too.
    assert steps[9] == pytest.approx(-0.02)
    assert steps[11] == pytest.approx(0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert choose(AutoRange(), dict(reversed(found.items()))).step_sizes == chosen.step_sizes


# Settings


def test_auto_is_an_automatic_range():
    assert ProbeSettings().step_sizes == tuple(sorted(STEP_SIZES))
    assert ProbeSettings(step_sizes="auto").step_sizes == AutoRange()
    steps = AutoRange(points=5, spacing="linear").step_sizes([1.0], [3.0, 4.0])
    assert steps == (-1, -0.5, 0, 2, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rise": 0}, "rise is 0; give"),
        ({"rise": NAN}, "rise is nan"),
        ({"points": 4}, "odd number of at least 3"),
        ({"points": 1}, "odd number of at least 3"),
        ({"spacing": "log"}, "unknown spacing 'log'"),
    ],
)
def test_what_an_automatic_range_does_not_allow(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        AutoRange(**changes)


def test_step_sizes_that_are_not_known_yet_are_no_numbers():
    with pytest.raises(InvalidValueError, match="step sizes are 'auto', which is found at"):
        _ = ProbeSettings(step_sizes="auto").fixed_step_sizes
    optimizer = torch.optim.SGD(scalars.Weight().parameters(), lr=0.1)
    with pytest.raises(InvalidValueError, match="step sizes are 'auto', which is found at"):
        landscape.Recorder("s.zarr", scalars.Weight(), optimizer, scalars.DATA, step_sizes="auto")
