"""Numbers of arrays of slices whose answers are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import InvalidValueError
from landscape.statistics import (
    Interval,
    armijo_slack,
    best_step,
    difference_parabola,
    fitted_parabola,
    mutschler_parabola,
    odd_even,
    peak_width,
)

INF, NAN = math.inf, math.nan
STEPS = np.array([-1, -0.5, -0.1, -0.01, 0, 0.01, 0.1, 0.5, 1])

finite = st.floats(-100, 100)
symmetric = st.integers(1, 5).flatmap(
    lambda n: st.lists(finite, min_size=2 * n + 1, max_size=2 * n + 1)
)


def spread(values):
    n = len(values) // 2
    return np.arange(-n, n + 1) / 8


# Asymmetry


def test_asymmetry_is_the_middle_over_half_the_width():
    assert Interval(-1, 3, False, False).asymmetry == 0.5
    assert Interval(-2, 2, False, False).asymmetry == 0
    assert Interval(0, 2, False, False).asymmetry == 1
    assert Interval(-2, 0, False, False).asymmetry == -1
    assert Interval(1, 3, False, False).asymmetry == 2


@pytest.mark.parametrize(
    "found", [Interval(-1, 3, True, False), Interval(-1, 3, False, True), Interval(0, 0, 0, 0)]
)
def test_asymmetry_is_unknown_of_an_open_peak_and_of_none(found):
    assert math.isnan(found.asymmetry)


# Best step size


def test_best_step_of_a_parabola_and_how_much_it_improves():
    found = best_step([(STEPS - 0.5) ** 2, STEPS**2], STEPS, "min")
    np.testing.assert_array_equal(found.step_size, [0.5, 0])
    np.testing.assert_array_equal(found.value, [0, 0])
    np.testing.assert_array_equal(found.improvement, [0.25, 0])
    assert not found.open.any()


def test_of_several_best_the_one_nearest_to_0_and_positive():
    assert best_step([1, 1, 0, 1, 1], [-2, -1, 0, 1, 2]).step_size == 1
    assert best_step([1, 1, 0, 0, 1], [-2, -1, 0, 1, 2]).step_size == -1


def test_a_best_value_at_the_edge_is_open():
    assert best_step([0, 1, 2], [-1, 0, 1]).open
    assert best_step([2, 1, 0], [-1, 0, 1]).open
    assert not best_step([0, 1, 0], [-1, 0, 1]).open


def test_nan_is_nowhere_best_and_leaves_the_answer_open():
    found = best_step([[NAN, 0, 1, 2, 1], [0, 2, NAN, 1, 0], [NAN] * 5], [-2, -1, 0, 1, 2])
    np.testing.assert_array_equal(found.step_size, [1, -1, NAN])
    np.testing.assert_array_equal(found.value, [2, 2, NAN])
    np.testing.assert_array_equal(found.improvement, [1, NAN, NAN])
    assert found.open.all()
    assert best_step([INF, 3, 1], [-1, 0, 1], "min").improvement == 2


# Odd and even part


def test_odd_and_even_part_of_a_polynomial():
    odd, even = odd_even(3 + 2 * STEPS + STEPS**2, STEPS)
    np.testing.assert_allclose(odd, 2 * STEPS, atol=1e-15)
    np.testing.assert_allclose(even, 3 + STEPS**2)


def test_where_the_opposite_step_size_was_not_sampled_there_are_no_parts():
    odd, even = odd_even([1.0, 2, 3, 4], [-1, 0, 1, 2])
    np.testing.assert_array_equal(odd, [-1, 0, 1, NAN])
    np.testing.assert_array_equal(even, [2, 2, 2, NAN])
    for part in odd_even([NAN, 1, 2], [-1, 0, 1]):
        np.testing.assert_array_equal(np.isnan(part), [True, False, True])
    assert np.isnan(odd_even([INF, 1, INF], [-1, 0, 1])[0][0])


@settings(deadline=None)
@given(symmetric)
def test_odd_plus_even_is_the_whole(values):
    odd, even = odd_even(values, spread(values))
    np.testing.assert_allclose(odd + even, values, atol=1e-12)
    np.testing.assert_array_equal(odd[::-1], -odd)
    np.testing.assert_array_equal(even[::-1], even)


# Parabolas


@pytest.mark.parametrize("fit", [difference_parabola, mutschler_parabola, fitted_parabola])
@settings(deadline=None)
@given(finite, finite, st.floats(-100, 100), st.sampled_from([0.1, 0.5, 1.0]))
def test_a_parabola_is_found_again(fit, value, slope, curvature, reach):
    y = value + slope * STEPS + curvature / 2 * STEPS**2
    found = fit([y, 2 * y], STEPS, reach)
    np.testing.assert_allclose(found.value, [value, 2 * value], atol=1e-9)
    np.testing.assert_allclose(found.slope, [slope, 2 * slope], atol=1e-8)
    np.testing.assert_allclose(found.curvature, [curvature, 2 * curvature], atol=1e-6)
    np.testing.assert_allclose(found(STEPS), [y, 2 * y], atol=1e-6)


def test_differences_on_uneven_steps_are_lagranges():
    # Through (−1, 2), (0, 1), (2, 5): 1 + s/3 · … solved by hand.
    found = difference_parabola([2, 1, 5], [-1, 0, 2])
    assert found.curvature == pytest.approx(2)
    assert found.slope == pytest.approx(0)


def test_reach_chooses_the_samples():
    y = np.abs(STEPS) ** 3
    assert difference_parabola(y, STEPS).curvature == pytest.approx(2 * 0.01)
    assert difference_parabola(y, STEPS, 0.3).curvature == pytest.approx(2 * 0.1)
    # f(0) = f'(0) = 0, so f(m) = curvature/2 · m²
    assert mutschler_parabola(y, STEPS, 0.6).curvature == pytest.approx(2 * 0.5)


def test_mutschlers_parabola_takes_a_known_slope():
    y = np.exp(-STEPS)
    found = mutschler_parabola([y, y], STEPS, 0.5, slope=[-1, -2])
    np.testing.assert_allclose(found.slope, [-1, -2])
    np.testing.assert_allclose(found([0, 0.5]), [[1, math.exp(-0.5)]] * 2)


def test_the_optimum_is_where_there_is_one():
    lines = [(STEPS - 0.3) ** 2 + 5, -((STEPS - 0.3) ** 2) + 5, 2 * STEPS]
    found = fitted_parabola(lines, STEPS, 1)._replace(curvature=np.array([2.0, -2.0, 0.0]))
    step, value = found.optimum("min")
    np.testing.assert_allclose(step, [0.3, NAN, NAN])
    np.testing.assert_allclose(value, [5, NAN, NAN])
    step, value = found.optimum("max")
    np.testing.assert_allclose(step, [NAN, 0.3, NAN])
    np.testing.assert_allclose(value, [NAN, 5, NAN])


def test_a_nan_makes_nan_of_the_parabola_that_needs_it():
    y = np.stack([STEPS**2] * 3)
    y[0, STEPS == 0.1], y[1, STEPS == 0], y[2, STEPS == 1] = NAN, NAN, NAN
    np.testing.assert_array_equal(
        np.isnan(mutschler_parabola(y, STEPS, 0.1).curvature), [True, True, False]
    )
    np.testing.assert_array_equal(
        np.isnan(fitted_parabola(y, STEPS, 0.5).curvature), [True, True, False]
    )
    np.testing.assert_array_equal(
        np.isnan(difference_parabola(y, STEPS).curvature), [False, True, False]
    )


@settings(deadline=None)
@given(symmetric, st.sampled_from([0.25, 0.5, 4.0]))
def test_parabolas_scale_with_the_step_sizes(values, factor):
    steps = spread(values)
    for fit in (difference_parabola, mutschler_parabola, fitted_parabola):
        one, scaled = fit(values, steps, 0.5), fit(values, steps * factor, 0.5 * factor)
        np.testing.assert_allclose(scaled.slope * factor, one.slope, rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(scaled.curvature * factor**2, one.curvature, atol=1e-5)


# Armijo's condition


def test_armijo_of_a_parabola():
    # (s − 1)² ≤ 1 − 2cs for 0 ≤ s ≤ 2 (1 − c)
    steps = np.linspace(-1, 3, 401).round(2)
    for c in (0.1, 0.5, 0.9):
        slack = armijo_slack((steps - 1) ** 2, steps, -2, c, "min")
        holds = steps[(slack >= 0) & (steps > 0)]
        assert (holds[0], holds[-1]) == pytest.approx((0.01, 2 * (1 - c)), abs=0.011)
        np.testing.assert_array_equal(slack, armijo_slack(-((steps - 1) ** 2), steps, 2, c, "max"))


def test_armijo_takes_a_slope_for_each_slice_and_keeps_nan():
    slack = armijo_slack([[1, 0.5], [NAN, 0.5], [1, NAN]], [0, 1], [-1, -1, -1], 0.5, "min")
    np.testing.assert_array_equal(slack, [[0, 0], [NAN, NAN], [0, NAN]])


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_step([1, 2], [1, 2]), "step size 0 is needed, .* among \\[1.0, 2.0\\]"),
        (lambda: best_step([1, 2], [0, 1], "up"), "unknown mode 'up'"),
        (lambda: best_step([1, 2], [0, 1, 2]), "do not fit"),
        (lambda: odd_even([1, 2], [1, 0]), "ascending"),
        (lambda: armijo_slack([1, 2], [0, 1], 1, c=1), "c is 1"),
        (lambda: armijo_slack([1, 2], [0, 1], 1, c=0), "c is 0"),
        (lambda: difference_parabola([1, 2], [0, 1]), "no negative step size is among"),
        (lambda: mutschler_parabola(STEPS, STEPS, 0.001), "no positive step size within a reach"),
        (
            lambda: fitted_parabola(STEPS, STEPS, 0.001),
            "1 of the step sizes .* lie within a reach of 0.001",
        ),
        (
            lambda: fitted_parabola([1, 2, 3], [0, 1, 2], 1),
            "2 of the step sizes .* lie within a reach of 1",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()


@settings(deadline=None)
@given(symmetric, st.sampled_from([0.25, 2.0]))
def test_asymmetry_does_not_depend_on_the_scale(values, factor):
    steps = spread(values)
    one, scaled = (peak_width(values, s, 1.0).asymmetry for s in (steps, steps * factor))
    np.testing.assert_allclose(one, scaled, atol=1e-9)
