import json
import math
import re

import numpy as np
import pytest
import torch
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.probing.settings import STEP_SIZES, AutoRange, ProbeSettings, comparable, spaced


def test_defaults_are_the_published_ones():
    settings = ProbeSettings()
    assert len(settings.step_sizes) == 13
    assert settings.step_sizes == tuple(sorted(STEP_SIZES))
    assert settings.batch_size is None  # a loader's or a task's, or else 128
    assert settings.for_sizes(1000, 0).gradient_batch == 128
    assert settings.for_sizes(1000, 0, 32).gradient_batch == 32
    assert (settings.other_batches, settings.draws) == (2, 1)
    assert settings.batch_norm["validation"] == "running"
    assert settings.batch_norm["big_batch"] == "batch"


def test_step_sizes_are_sorted_and_never_minus_zero():
    settings = ProbeSettings(step_sizes=[1, -0.0, -2])
    assert settings.step_sizes == (-2, 0, 1)
    assert math.copysign(1, settings.step_sizes[1]) == 1


def test_kinds_left_out_keep_their_policy():
    settings = ProbeSettings(batch_norm={"validation": "recalibrated"})
    assert settings.batch_norm["validation"] == "recalibrated"
    assert settings.batch_norm["same_batch"] == "batch"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_sizes": []}, "at least one"),
        ({"step_sizes": [0, math.inf]}, "finite"),
        ({"step_sizes": [0, math.nan]}, "finite"),
        ({"step_sizes": [0.1, 0.1]}, "only once"),
        ({"sets": ["test"]}, "unknown evaluation set 'test'; choose from same_batch"),
        ({"sets": []}, "no evaluation set was chosen"),
        ({"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
        ({"direction": "randm"}, "unknown direction 'randm'"),
        ({"direction": "gradient:3"}, "gradient takes nothing after a colon"),
        ({"direction": "gradient", "direction_2": "gradient"}, "which span none"),
        ({"direction": "hessian-1", "direction_2": "hessian-1"}, "which span none"),
        ({"step_sizes_2": [0, 1]}, "second direction were given without one"),
        ({"direction_2": "random", "step_sizes_2": [0, 0]}, "give each only once"),
        ({"orthogonal": 2}, "orthogonal is 2; give true or false"),
        ({"origin": "after"}, "unknown origin 'after'"),
        ({"batch_norm": {"validation": "frozen"}}, "unknown batch-norm policy 'frozen'"),
        ({"batch_norm": {"test": "batch"}}, "unknown evaluation set 'test'"),
        ({"batch_size": 0}, "batch_size is 0; give an integer of at least 1"),
        ({"draws": 1.5}, "draws is 1.5; give an integer"),
        ({"draws": 0}, "draws is 0; give an integer of at least 1"),
        ({"seed": -1}, "seed is -1; give an integer of at least 0"),
        ({"slope_factors": []}, "slope factors"),
        ({"slope_factors": [math.inf]}, "slope factors"),
    ],
)
def test_what_is_not_allowed_is_refused(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        ProbeSettings(**changes)


LIST = "give a list of numbers, as in [0.5, 1]"
POLICIES = 'give policies by kind of evaluation set, as in {"validation": "recalibrated"}'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_sizes": "abc"}, f"the step sizes are 'abc'; {LIST}"),
        ({"step_sizes": 0.1}, f"the step sizes are 0.1; {LIST}"),
        ({"step_sizes": np.array(0.1)}, f"the step sizes are 0.1; {LIST}"),
        ({"step_sizes": [[0, 1], [2]]}, f"the step sizes are [[0, 1], [2]]; {LIST}"),
        ({"step_sizes": np.zeros((1, 2))}, f"the step sizes are [[0.0, 0.0]]; {LIST}"),
        ({"step_sizes": [True, False]}, f"the step sizes are [True, False]; {LIST}"),
        ({"step_sizes": ["0.1"]}, f"the step sizes are ['0.1']; {LIST}"),
        ({"step_sizes": [10**400]}, "all must be finite"),
        ({"slope_factors": 5}, f"the slope factors are 5; {LIST}"),
        ({"slope_factors": "12"}, f"the slope factors are '12'; {LIST}"),
        ({"slope_factors": ["a"]}, f"the slope factors are ['a']; {LIST}"),
        ({"slope_factors": {1: 2}}, f"the slope factors are {{1: 2}}; {LIST}"),
        ({"slope_factors": [1, 1.0]}, "the slope factors are [1, 1.0]; give each only once"),
        ({"metrics": 5}, "unknown metric 5; choose from loss, accuracy"),
        ({"metrics": [["loss"]]}, "unknown metric ['loss']"),
        ({"sets": 5}, "unknown evaluation set 5; choose from same_batch"),
        ({"sets": {"validation": "batch"}}, "unknown evaluation set {'validation': 'batch'}"),
        ({"batch_norm": "running"}, f"batch norm is 'running'; {POLICIES}"),
        ({"batch_norm": None}, f"batch norm is None; {POLICIES}"),
        ({"batch_norm": {"validation": ["batch"]}}, "unknown batch-norm policy ['batch']"),
        ({"batch_size": "8"}, "batch_size is '8'; give an integer of at least 1"),
        ({"other_batches": "2"}, "other_batches is '2'; give an integer of at least 0"),
        ({"recalibration_batches": None}, "recalibration_batches is None; give an integer"),
        ({"draws": None}, "draws is None; give an integer of at least 1"),
        ({"draws": True}, "draws is True; give an integer of at least 1"),
        ({"seed": None}, "seed is None; give an integer of at least 0"),
        ({"seed": np.array([1, 2])}, "seed is [1, 2]; give an integer"),
        ({"eval_batch_size": "many"}, "eval_batch_size is 'many'; give an integer of at least 1"),
        ({"big_batch": False}, "big_batch is False; give an integer of at least 1"),
        ({"dropout": "yes"}, "dropout is 'yes'; give true or false"),
        ({"dropout": 1}, "dropout is 1; give true or false"),
        ({"samples": None}, "samples is None; give true or false"),
        ({"direction": 5}, "direction is 5; give a name, as 'gradient', a function"),
        ({"origin": np.array(["a", "b"])}, "unknown origin ['a', 'b']; choose from before-step"),
        ({"precision": ["float32"]}, "unknown precision ['float32'] (did you mean 'float32'?)"),
    ],
)
def test_values_of_another_type_are_refused(changes, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)) as refusal:
        ProbeSettings(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, xr.DataArray, iter, set])
def test_numbers_in_any_kind_of_list(kind):
    settings = ProbeSettings(step_sizes=kind([0.5, -0.25]), slope_factors=kind([2]))
    assert settings.step_sizes == (-0.25, 0.5)
    assert settings.slope_factors == (2.0,)
    assert {*map(type, settings.step_sizes + settings.slope_factors)} == {float}


@pytest.mark.parametrize("kind", [list, np.array, iter, set])
def test_names_in_any_kind_of_list(kind):
    settings = ProbeSettings(sets=kind(["validation", "same_batch"]), metrics="loss")
    assert settings.sets == ("same_batch", "validation")
    assert settings.metrics == ("loss",)


def test_slope_factors_keep_their_order_and_may_be_any_finite_number():
    assert ProbeSettings(slope_factors=[10, -1, 0]).slope_factors == (10, -1, 0)


def test_numpys_numbers_are_recorded_as_pythons():
    numbers = {"batch_size": np.int32(7), "seed": np.uint8(3), "step_sizes": [np.float32(0.5), 0]}
    recorded = ProbeSettings(**numbers).as_dict()
    assert json.loads(json.dumps(recorded)) == recorded
    assert (recorded["batch_size"], recorded["seed"], recorded["step_sizes"]) == (7, 3, [0, 0.5])


@pytest.mark.parametrize("spacing", ["linear", "symlog"])
def test_spaced_is_symmetric_around_an_exact_zero(spacing):
    steps = np.array(spaced(21, 2.0, spacing))
    assert len(steps) == 21
    assert steps[10] == 0
    assert steps[-1] == 2
    np.testing.assert_array_equal(steps, -steps[::-1])
    positive = steps[11:]
    gaps = np.diff(positive) if spacing == "linear" else np.diff(np.log(positive))
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 1.0), "4 points"),
        ((1, 1.0), "1 points"),
        ((5, 0.0), "range is 0.0"),
        ((5, math.inf), "range is inf"),
        ((5, 1.0, "log"), "unknown spacing 'log'"),
    ],
)
def test_spaced_refuses(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        spaced(*arguments)


def test_sizes_left_open_are_filled_in():
    assert ProbeSettings().for_sizes(5000, 300).big_batch == 1000
    small = ProbeSettings().for_sizes(600, 300)
    assert (small.big_batch, small.validation_samples) == (472, 300)
    assert ProbeSettings(big_batch=7).for_sizes(5000, 0).big_batch == 7


def test_what_has_to_agree_for_a_store_to_go_on():
    """Neither what changes rounding alone, nor what an older version had no word for."""

    def counts(settings):
        return comparable({"task": "digits", "settings": settings})

    asked = ProbeSettings(draws=2).as_dict()
    older = {k: v for k, v in asked.items() if k not in ("precision", "compile", "channels_last")}
    for other in (
        older | {"eval_batch_size": 1000},
        ProbeSettings(draws=2, eval_batch_size=7, compile=True, channels_last=False).as_dict(),
    ):
        assert counts(other) == counts(asked)
    for other in (ProbeSettings(draws=3), ProbeSettings(draws=2, precision="bfloat16")):
        assert counts(other.as_dict()) != counts(asked)
    # A mask depends on how many samples it goes over.
    masks = (ProbeSettings(dropout=True, eval_batch_size=size).as_dict() for size in (7, 8))
    assert counts(next(masks)) != counts(next(masks))
    assert counts(asked)["task"] == "digits"


def test_what_is_recorded_is_pythons_own_whatever_was_given():
    plain = ProbeSettings(
        direction="normalised-gradient",
        origin="after-step",
        precision="float32",
        compile=False,
        channels_last=True,
        dropout=True,
        batch_norm={"validation": "batch"},
        batch_size=64,
    )
    arrays = ProbeSettings(
        direction=np.array("normalised-gradient"),
        origin=np.str_("after-step"),
        precision=np.array("float32"),
        compile=np.False_,
        channels_last=np.bool_(True),
        dropout=np.array(True),
        batch_norm={np.str_("validation"): np.array("batch")},
        batch_size=np.int64(64),
    )
    assert arrays == plain
    assert json.loads(json.dumps(arrays.as_dict())) == json.loads(json.dumps(plain.as_dict()))


def test_no_metric_has_the_name_of_a_variable():
    from landscape.metrics import METRICS
    from landscape.probing.settings import RESERVED
    from landscape.slices.schema import NAMES

    assert {*NAMES} - {*METRICS} <= {*RESERVED}

    def explained_variance(outputs, targets):
        return outputs[:, 0]

    with pytest.raises(InvalidValueError, match="give it a name of its own"):
        ProbeSettings(metrics=explained_variance)


def test_step_sizes_suit_the_direction_unless_they_are_given():
    def steps(direction, second=None, **settings):
        return ProbeSettings(direction=direction, direction_2=second, **settings).axes

    assert steps("gradient") == steps("update") == (STEP_SIZES,)
    assert steps("hessian-1") == (AutoRange(),)
    assert steps("principal-1", "principal-2") == (AutoRange(25, path=True),) * 2
    (towards,) = steps("towards")
    assert towards[0] == -0.25
    assert towards[-1] == 1.25
    assert {0.0, 1.0} < set(towards)
    plane = steps("random", "gradient")
    assert plane[0][0] == -1
    assert len(plane[0]) == 25
    assert plane[1] == AutoRange(25, "linear")
    assert steps("random", "gradient", step_sizes=[0, 1]) == ((0, 1), (0, 1))


def test_a_plane_through_other_checkpoints_keeps_their_places():
    assert ProbeSettings(direction="random", direction_2="random").orthogonal is True
    assert ProbeSettings(direction="towards:a", direction_2="random").orthogonal is False
    assert ProbeSettings(direction="towards:a", direction_2="random", orthogonal=True).orthogonal
