import math
from itertools import pairwise

import numpy as np
import pytest

from landscape.optimizers.line_search.armijo import (
    armijo_line,
    backtrack,
    finite_difference,
    search,
)


def quadratic(curvature):
    """h(s) = f(x − s·f'(x)) of f = curvature · x² / 2 at x = 1; its slope is curvature²."""
    return lambda s: curvature * (1 - s * curvature) ** 2 / 2


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("curvature", [0.3, 1.0, 7.0, 400.0])
@pytest.mark.parametrize(("c", "beta"), [(0.1, 0.9), (0.5, 0.5), (0.9, 0.99)])
def test_accepted_step_is_the_first_below_the_line(curvature, c, beta, mode):
    f = quadratic(curvature)
    sign = 1 if mode == "min" else -1
    found = backtrack(
        lambda s: sign * f(s),
        10.0,
        sign * f(0),
        curvature**2,
        mode=mode,
        c=c,
        beta=beta,
        max_trials=1000,
    )

    def holds(s):
        return f(s) <= f(0) - c * s * curvature**2

    assert found.outcome == "accepted"
    assert holds(found.step_size)
    assert found.step_size == 10.0 or not holds(found.step_size / beta)
    # Known: the condition holds exactly up to 2 (1 − c) / curvature.
    bound = 2 * (1 - c) / curvature
    assert min(10, beta * bound) * (1 - 1e-12) <= found.step_size <= bound * (1 + 1e-12)
    assert found.trials == tuple((s, sign * f(s)) for s, _ in found.trials)
    np.testing.assert_allclose(
        [s for s, _ in found.trials], 10 * beta ** np.arange(found.rejected + 1)
    )


def test_no_start_is_tried_twice_and_the_first_is_the_start_itself():
    seen = []
    found = backtrack(lambda s: seen.append(s) or -s, 1.0, 0.0, 1.0)
    assert seen == [1.0]
    assert (found.step_size, found.rejected, found.outcome) == (1.0, 0, "accepted")


@pytest.mark.parametrize("value", [1.0, math.nan, math.inf])
def test_exhausted_after_so_many_trials(value):
    found = backtrack(lambda s: value, 2.0, 0.0, 1.0, max_trials=100)
    assert (found.outcome, len(found.trials), found.rejected) == ("exhausted", 100, 100)
    assert found.trials[-1][0] == pytest.approx(2 * 0.9**99)
    assert found.step_size == pytest.approx(2 * 0.9**100)


def test_equality_passes():
    for mode in ("min", "max"):
        assert backtrack(lambda s: 5.0, 1.0, 5.0, 0.0, mode=mode).outcome == "accepted"


@pytest.mark.parametrize(("mode", "sign"), [("min", -1), ("max", 1)])
def test_line_and_slope_have_the_signs_of_the_text(mode, sign):
    assert armijo_line(2.0, 3.0, 0.5, 0.1, mode) == 2 + sign * 0.15
    assert finite_difference(2.0, 2 + sign * 0.03, 0.01, mode) == pytest.approx(3)
    assert finite_difference(2.0, 2 - sign * 0.03, 0.01, mode) == pytest.approx(-3)


def test_cut_off():
    assert finite_difference(0.0, 0.9e-7, 1e-4, "max", 1e-3) == 0
    assert finite_difference(0.0, 1.1e-7, 1e-4, "max", 1e-3) == pytest.approx(1.1e-3)
    assert finite_difference(0.0, -1.0, 1e-4, "max", 1e-3) == 0
    assert finite_difference(0.0, 0.9e-7, 1e-4, "max") == pytest.approx(0.9e-3)


def test_a_slope_at_the_cut_off_counts():
    for mode, sign in (("min", 1), ("max", -1)):
        # Powers of 2, so that nothing is rounded.
        found = finite_difference(sign * 2.0**-20, 0.0, 2.0**-10, mode, cut_off=2.0**-10)
        assert found == 2.0**-10


def test_a_fall_to_a_third_is_believed():
    found = search(lambda s: -s if s < 2 else s, 3.0, 0.0, 1.0, beta=1 / 3)
    assert (found.step_size, found.next_step_size, found.provisional) == (1.0, 1.0, False)


def test_growth_then_cap():
    def found(**settings):
        return search(lambda s: -s, 1.0, 0.0, 1.0, **settings).step_size

    assert found(growth=1.5) == 1.5
    assert found(growth=1.5, max_step_size=1.2) == 1.2
    assert found(max_step_size=0.5) == 0.5


@pytest.mark.parametrize("slope", [0.0, -1.0, math.nan])
def test_robust_search_skips_where_nothing_is_to_be_won(slope):
    def h(step_size):
        raise AssertionError

    found = search(h, 0.3, 0.0, slope, growth=1.1)
    assert (found.outcome, found.step_size, found.trials) == ("skipped", 0.3, ())
    assert search(h, 0.3, 0.0, slope, max_step_size=0.2).step_size == 0.2


def test_exhausted_robust_search_keeps_its_step_size_and_the_published_one_does_not():
    for provisional in (False, True):
        found = search(
            lambda s: 1.0, 0.3, 0.0, 1.0, growth=1.1, max_trials=7, provisional=provisional
        )
        assert (found.outcome, found.next_step_size, found.rejected) == ("exhausted", 0.3, 7)
        assert found.step_size == pytest.approx(0.33 * 0.9**7)
    found = search(lambda s: 1.0, 0.3, 0.0, 1.0, growth=1.1, max_trials=7, robust=False)
    assert (found.outcome, found.rejected) == ("exhausted", 7)
    assert found.step_size == found.next_step_size == pytest.approx(0.33 * 0.9**7)
    found = search(lambda s: 1.0, 0.3, 0.0, 0.0, robust=False, mode="max")
    assert (found.outcome, found.next_step_size) == ("accepted", 0.3)


@pytest.mark.parametrize(
    ("passes_below", "robust", "provisional", "kept"),
    [
        (0.11, True, False, None),
        (0.09, True, False, 0.3),
        (0.09, True, True, None),
        (0.09, False, False, None),
    ],
)
def test_a_fall_below_a_third_is_taken_and_kept_only_if_the_one_before_was_such_too(
    passes_below, robust, provisional, kept
):
    found = search(
        lambda s: -s if s <= passes_below else s,
        0.3,
        0.0,
        1.0,
        robust=robust,
        provisional=provisional,
    )
    assert found.outcome == "accepted"
    assert 0.9 * passes_below < found.step_size <= passes_below
    assert found.next_step_size == (kept or found.step_size)
    assert found.provisional is (kept is not None)


def test_a_step_of_the_accuracy_within_eps_leaves_no_step_above_eps_over_c():
    def accuracy(s):
        return 0.5 + (s > 0) / 128

    slope = finite_difference(accuracy(0), accuracy(1e-4), 1e-4, "max")
    found = search(accuracy, 1.0, accuracy(0), slope, mode="max", robust=False)
    assert 0.9e-3 < found.step_size <= 1e-3


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def rosenbrock_gradient(x):
    inner = x[1] - x[0] ** 2
    return np.array([-2 * (1 - x[0]) - 400 * x[0] * inner, 200 * inner])


def beale(x):
    return sum((a - x[0] * (1 - x[1] ** k)) ** 2 for k, a in ((1, 1.5), (2, 2.25), (3, 2.625)))


def beale_gradient(x):
    rest = [(k, a - x[0] * (1 - x[1] ** k)) for k, a in ((1, 1.5), (2, 2.25), (3, 2.625))]
    return np.array(
        [
            sum(-2 * r * (1 - x[1] ** k) for k, r in rest),
            sum(2 * r * x[0] * k * x[1] ** (k - 1) for k, r in rest),
        ]
    )


@pytest.mark.parametrize(
    ("f", "gradient", "start", "minimum"),
    [
        (rosenbrock, rosenbrock_gradient, (-1.2, 1.0), (1, 1)),
        (beale, beale_gradient, (1.0, 1.0), (3, 0.5)),
    ],
)
def test_descent_converges_on_known_functions(f, gradient, start, minimum):
    x, step_size, values = np.array(start), 1.0, [f(np.array(start))]
    for _ in range(20_000):
        g = gradient(x)
        if g @ g < 1e-12:
            break
        found = search(lambda s, x=x, g=g: f(x - s * g), step_size, f(x), g @ g, growth=2.0)
        step_size = found.step_size
        x = x - step_size * g
        values.append(f(x))
    assert np.allclose(x, minimum, atol=1e-4)
    assert all(after < before for before, after in pairwise(values))
