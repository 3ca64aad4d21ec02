import numpy as np
import pytest
from helpers import planes
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError
from landscape.plots import plot_interpolation

STEPS = np.linspace(-0.5, 1.5, 9)
HUMP = np.array([0.1, 0.2, 0.3, 1.0, 2.0, 1.5, 0.7, 0.8, 0.9])  # 0.3 at 0, 0.7 at 1


def line(values=HUMP, **attributes):
    """The same loss on both sets but 0.5 more on validation; accuracy is 1 / (1 + loss)."""
    made = planes.line(STEPS, values)
    made["loss"][:, :, 1] += 0.5
    made["accuracy"][:] = 1 / (1 + made["loss"])
    return made.assign_attrs(attributes)


def lines(ax, name):
    return [each for each in ax.lines if each.get_gid() == name]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def reference(values, worse):
    """The largest distance on the wrong side of the chord, by looking at each sample."""
    at_0, at_1 = values[STEPS.tolist().index(0)], values[STEPS.tolist().index(1)]
    found = 0.0
    for s, value in zip(STEPS, values, strict=True):
        if 0 <= s <= 1:
            found = max(found, worse * (value - (at_0 + s * (at_1 - at_0))))
    return found


def test_loss_and_accuracy_of_every_set_with_the_straight_line_and_the_barrier():
    dataset = line()
    loss, accuracy = plot_interpolation([dataset])
    assert loss.get_legend() is None
    told = []
    for ax, metric, worse in ((loss, "loss", 1), (accuracy, "accuracy", -1)):
        values = dataset[metric].isel(checkpoint=0, draw=0).values
        shown = [each.get_ydata() for each in lines(ax, "curve")]
        np.testing.assert_array_equal(shown, values)
        barriers = [reference(each, worse) for each in values]
        told.append([f"{each:.3g} ({metric})" for each in barriers])
        for mark, height in zip(lines(ax, "barrier"), barriers, strict=True):
            ends = mark.get_ydata()
            assert abs(ends[1] - ends[0]) == pytest.approx(height)
        for straight, each in zip(lines(ax, "straight"), values, strict=True):
            assert straight.get_xdata()[[0, -1]].tolist() == [0, 1]
            np.testing.assert_allclose(straight.get_ydata()[[0, -1]], each[[2, 6]])
            np.testing.assert_allclose(np.diff(straight.get_ydata(), 2), 0, atol=1e-12)
    assert [each.replace("\n", " ") for each in legend(accuracy)] == [
        *(
            f"{n}: barrier {a}, {b}"
            for n, a, b in zip(("same batch", "validation"), *told, strict=True)
        ),
        "straight line",
    ]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss (nat)", "accuracy")
    assert accuracy.get_xlabel() == "step size along θ_b − θ"
    assert loss.get_title() == "a-task, SGD, iteration 400 (epoch 4)"


def test_the_barrier_is_where_the_curve_is_worst_above_the_line():
    (ax,) = plot_interpolation([line()], metric="loss", evaluation_set="same_batch")
    (mark,) = lines(ax, "barrier")
    np.testing.assert_allclose(mark.get_xdata(), [0.5, 0.5])
    np.testing.assert_allclose(mark.get_ydata(), [0.5, 2.0])
    assert legend(ax)[0] == "same batch: barrier 1.5"
    assert ax.get_ylabel() == "loss, same batch (nat)"


def test_what_lies_outside_of_0_and_1_makes_no_barrier():
    values = np.array([9, 9, 1, 0.5, 0.2, 0.5, 1, 9, np.nan])
    (ax,) = plot_interpolation([line(values)], metric="loss")
    assert legend(ax)[:2] == ["same batch: no barrier", "validation: no barrier"]
    assert not lines(ax, "barrier")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [2, 4, 6])
def test_values_that_are_not_finite_make_no_number_up(bad, at):
    values = HUMP.copy()
    values[at] = bad
    (ax,) = plot_interpolation([line(values)], metric="loss", evaluation_set="validation")
    known = bad == np.inf and at == 4
    assert legend(ax)[0] == f"validation: barrier {'inf' if known else 'unknown'}"
    assert not lines(ax, "barrier")
    assert len(lines(ax, "straight")) == (at == 4)
    ax.figure.canvas.draw()


def test_on_a_logarithmic_axis_the_line_is_still_that_of_the_values():
    (ax,) = plot_interpolation(
        [line(HUMP * 100)], metric="loss", evaluation_set="same_batch", value_scale="log"
    )
    assert ax.get_yscale() == "log"
    (straight,) = lines(ax, "straight")
    np.testing.assert_allclose(straight.get_ydata()[50], 50)


def test_several_stores_are_told_apart():
    runs = [line(), line(HUMP[::-1].copy(), run={"optimizer": "adam"})]
    loss, last = plot_interpolation(runs)
    assert [each.split(":")[0] for each in legend(last)[:2]] == ["SGD", "Adam"]
    assert loss.get_ylabel() == "loss, validation (nat)"
    np.testing.assert_array_equal(lines(loss, "curve")[1].get_ydata(), HUMP[::-1] + 0.5)
    assert len({each.get_color() for each in lines(loss, "curve")}) == 2
    assert loss.get_title() == "a-task, iteration 400 (epoch 4)"
    _, last = plot_interpolation([line(), line()])
    assert [each.split(":")[0] for each in legend(last)[:2]] == ["store 1", "store 2"]


def test_draws_are_a_mean_with_a_band():
    dataset = planes.line(STEPS, HUMP, draws=3)
    dataset["loss"][:] += np.array([0, 1, 5])[None, :, None, None]
    (ax,) = plot_interpolation([dataset], metric="loss", evaluation_set="validation")
    np.testing.assert_allclose(lines(ax, "curve")[0].get_ydata(), HUMP + 2)
    assert [each.get_gid() for each in ax.collections] == ["band"]
    assert ax.get_legend().get_title().get_text() == "line: mean of 3 draws, band: min to max"


def test_without_both_ends_there_is_no_barrier():
    with pytest.raises(InvalidValueError, match=r"both ends, but 1 is not among .*--step-sizes"):
        plot_interpolation([line().isel(step_size=slice(0, 6))])
    with pytest.raises(InvalidValueError, match="give at least one"):
        plot_interpolation([])
    with pytest.raises(InvalidValueError, match="did you mean 'loss'"):
        plot_interpolation([line()], metric="los")


def test_given_axes_are_used():
    panels = Figure().subplots(2)
    assert [*plot_interpolation([line()], ax=panels)] == [*panels]


def test_of_a_plane_it_shows_the_first_direction():
    plane = planes.plane().isel(step_size=slice(None))
    (ax,) = plot_interpolation([plane], metric="loss", evaluation_set="same_batch", checkpoint=400)
    curve = lines(ax, "curve")[0]
    np.testing.assert_allclose(curve.get_ydata(), planes.loss(plane["step_size"], 0) + 0.05)


def test_the_axis_is_that_of_the_values_between_the_ends():
    values = HUMP.copy()
    values[0] = 8.0
    (ax,) = plot_interpolation([line(values)], metric="loss", evaluation_set="same_batch")
    low, high = ax.get_ylim()
    assert low < 0.2
    assert 2 < high < 4
    assert "not on the axis" in ax.get_legend().get_title().get_text()
    np.testing.assert_array_equal(lines(ax, "curve")[0].get_ydata(), values)
    (ax,) = plot_interpolation([line()], metric="loss", evaluation_set="same_batch")
    assert ax.get_ylim()[0] < 0.1  # beyond the ends, and near
    assert "not on the axis" not in ax.get_legend().get_title().get_text()


def test_stores_of_one_name_keep_their_own_barriers():
    pair = [line(), line(HUMP - HUMP[[2]] * 0.5 * (STEPS == 0.5))]
    third = line(run={"optimizer": "adam"})
    _, last = plot_interpolation([*pair, third])
    told = [each.replace("\n", " ") for each in legend(last)]
    heights = [each.split("barrier ")[1].split(" ")[0] for each in told[:3]]
    expected = [reference(HUMP, 1), reference(HUMP, 1) - 0.15, reference(HUMP, 1)]
    assert heights == [f"{each:.3g}" for each in expected]
