import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError
from landscape.plots import plot_approximations

ABOVE = slice(7, None)  # step sizes above 0
CONSTANTS = (0.1, 0.3, 0.5, 0.9)


def drawn(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def largest(values, steps, slope, sign=1):
    """The largest c that each step size above 0 satisfies, by the letter of Eq. 29; 0 for none."""
    start = values[steps == 0].item()
    return {
        s: max([c for c in CONSTANTS if sign * v <= sign * (start + c * slope * s)], default=0)
        for s, v in zip(steps, values, strict=True)
        if s > 0
    }


def marked(ax):
    gids = {0: "none"} | {c: f"c = {c:g}" for c in CONSTANTS}
    found = [(c, line) for c, gid in gids.items() for line in drawn(ax, gid)]
    return {x: (c, y) for c, line in found for x, y in line.get_xydata().tolist()}


def test_lines_start_at_the_value_with_c_times_the_slope(dataset):
    left, _ = plot_approximations(dataset)
    slope = -(dataset["gradient_norm"][1, 0].item() ** 2)
    start = dataset["loss"].sel(evaluation_set="same_batch", step_size=0)[1, 0].item()
    for c in CONSTANTS:
        (line,) = drawn(left, f"line {c:g}")
        x, y = line.get_data()
        assert (x[0], x[-1]) == (0, 1)
        np.testing.assert_allclose(y, start + c * slope * x)
    assert left.get_title().splitlines() == [
        "synthetic, none",
        "iteration 1953 (epoch 4)",
        f"slope at 0: −{-slope:.3g}, of the gradient",
    ]
    assert left.get_ylabel() == "loss, same batch (nat)"
    assert entries(left)[:5] == ["slice", *(f"c = {c:g}" for c in CONSTANTS)]


@pytest.mark.parametrize("checkpoint", [0, 1, 5, 9])
def test_a_sample_has_the_marker_of_the_largest_c_it_satisfies(dataset, checkpoint):
    dataset["gradient_norm"][:] = 0.4
    values = dataset["loss"].values[checkpoint, 0, 0]
    values[ABOVE] = (
        values[6] - np.array([0.16, 0.05, 0.1, 0.02, 0.001, -1]) * dataset.step_size[ABOVE]
    )
    left, _ = plot_approximations(dataset, checkpoint=dataset["iteration"][checkpoint].item())
    expected = largest(values, dataset["step_size"].values, -(0.4**2))
    assert set(expected.values()) == {0, 0.1, 0.3, 0.5, 0.9}
    found = marked(left)
    assert {s: c for s, (c, _) in found.items()} == expected
    np.testing.assert_array_equal([y for _, y in (found[s] for s in expected)], values[ABOVE])
    np.testing.assert_array_equal(drawn(left, "curve")[0].get_ydata(), values[6:])
    assert "none" in entries(left)


def test_of_accuracy_higher_is_better_and_the_slope_a_difference_quotient(dataset):
    accuracy = dataset["accuracy"][1, 0, 0]
    steps = dataset["step_size"].values
    accuracy[:] = 0.5 + 0.4 * np.clip(steps, -1, 0.1) - 0.5 * np.clip(steps - 0.1, 0, 1)
    left, _ = plot_approximations(dataset, metric="accuracy")
    assert "slope at 0: 0.4, difference quotient" in left.get_title()
    expected = largest(accuracy.values, steps, 0.4, sign=-1)
    assert {s: c for s, (c, _) in marked(left).items()} == expected
    assert set(expected.values()) == {0, 0.9}


def test_after_the_step_the_gradient_says_nothing_of_the_slope(dataset):
    left, _ = plot_approximations(dataset.assign_attrs(origin="after-step"))
    assert "difference quotient" in left.get_title()


def test_the_draw_and_the_constants_can_be_chosen(make):
    dataset = make(checkpoints=2, draws=3)
    left, _ = plot_approximations(dataset, draw=2, c=[0.7, 0.2])
    expected = dataset["loss"].sel(evaluation_set="same_batch")[1, 2, 6:]
    np.testing.assert_array_equal(drawn(left, "curve")[0].get_ydata(), expected)
    assert left.get_title().startswith("synthetic, none, draw 2 of 3\n")
    assert entries(left)[1:3] == ["c = 0.2", "c = 0.7"]
    assert len(plot_approximations(dataset, c=0.5)) == 2
    for bad in (1.0, 0.0, -0.1, [0.1, 2]):
        with pytest.raises(InvalidValueError, match=r"c is .*; give a number above 0 and below 1"):
            plot_approximations(dataset, c=bad)
    with pytest.raises(InvalidValueError, match="names no constant"):
        plot_approximations(dataset, c=[])


def test_the_axes_fit_the_slice_and_the_flattest_line(dataset):
    dataset["loss"][1, 0, 0] = 2.0
    dataset["gradient_norm"][:] = 3.0
    left, _ = plot_approximations(dataset)
    low, high = left.get_ylim()
    assert 2 - 1.1 * 0.9 < low < 2 - 0.9  # c · slope is 0.9
    assert 2 < high < 2.1
    assert left.get_xlim() == pytest.approx((-0.03, 1.03))


def test_what_is_not_finite_satisfies_nothing(dataset):
    dataset["loss"][1, 0, 0, -1] = np.inf
    dataset["loss"][1, 0, 0, 8] = np.nan
    left, _ = plot_approximations(dataset)
    assert set(marked(left)) == set(dataset["step_size"].values[[7, 9, 10, 11]])
    assert {"NaN", "+∞"} <= set(entries(left))
    dataset["gradient_norm"][:] = np.inf
    left, _ = plot_approximations(dataset)
    left.figure.canvas.draw()


def test_smooth_accuracy_at_several_slope_factors_and_its_limit(dataset):
    _, right = plot_approximations(dataset)
    curves = drawn(right, "curve")
    assert [line.get_label() for line in curves] == [f"s = {s}" for s in (0.1, 0.5, 1, 2, 5, 10)]
    for line in curves:
        margin, values = line.get_data()
        factor = float(line.get_label().split()[-1])
        np.testing.assert_allclose(values, 1 / (1 + np.exp(-factor * margin)))
        assert (margin[0], margin[-1]) == (-1, 1)
    assert [line.get_xydata().tolist() for line in drawn(right, "step")] == [
        [[-1, 0], [0, 0]],
        [[0, 1], [1, 1]],
    ]
    assert drawn(right, "value")[0].get_xydata().tolist() == [[0, 0]]
    assert entries(right)[-1] == "accuracy"


def test_into_axes_that_are_given(dataset):
    given = Figure().subplots(1, 2)
    assert [*plot_approximations(dataset, ax=given)] == [*given]


def test_without_0_or_steps_along_descent_there_is_no_line(dataset):
    with pytest.raises(InvalidValueError, match="step size 0 is needed"):
        plot_approximations(dataset.sel(step_size=[-0.1, 0.1, 0.5]))
    with pytest.raises(InvalidValueError, match="give a store with one above 0"):
        plot_approximations(dataset.sel(step_size=[-0.1, -0.01, 0]))


def test_the_axis_ends_twice_as_far_as_any_step_that_passes(dataset):
    steps = dataset["step_size"].values
    # L(s) = 1 − s + 10 s², whose slope is −1: with c = 0.1 it passes up to s = 0.09.
    dataset["loss"][:] = 1 - steps + 10 * steps**2
    dataset["gradient_norm"][:] = 1
    left, _ = plot_approximations(dataset)
    passing = steps[(steps > 0) & (steps <= 0.09)].max()
    last = steps[steps >= 2 * passing].min()
    assert last < steps.max()
    assert left.get_xlim()[1] == pytest.approx(last, rel=0.04)
    assert left.get_ylim()[1] < 1 - last + 11 * last**2
