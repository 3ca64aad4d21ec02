import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_batch_bias

KINDS = ("other_batch", "big_batch")


def curves(panel):
    return [line for line in panel.lines if line.get_gid() == "curve"]


def bars(panel):
    return [each for each in panel.collections if each.get_gid() == "bars"]


def ends_of(bar):
    """(bound, place): where the bars of one curve begin and end."""
    return np.array([path[:, 1] for path in bar.get_segments()]).T


def legend(panels):
    (one,) = panels[0].figure.legends
    return one.get_title().get_text(), [text.get_text() for text in one.get_texts()]


def test_left_is_the_bias_along_the_slice_with_its_interval(make):
    dataset = make(checkpoints=4, draws=12)
    left, _ = plot_batch_bias(dataset, checkpoint=3906)
    assert len(curves(left)) == len(bars(left)) == 2
    for kind, line, bar in zip(KINDS, curves(left), bars(left), strict=True):
        bias = statistics.batch_bias(dataset, "loss", kind)["bias"].isel(checkpoint=2)
        np.testing.assert_allclose(line.get_ydata(), bias.mean("draw"))
        ends = statistics.interval(statistics.resample_draws(bias, 2000))
        ends = ends.transpose("bound", "step_size").values
        np.testing.assert_allclose(ends_of(bar), ends)
    assert left.get_title() == "iteration 3906 (epoch 9)"
    assert left.get_xlabel() == "step size along −∇L"
    assert left.get_ylabel() == "batch bias of the loss (nat)"
    assert legend([left]) == (
        "line: mean of 12 draws, bars: its 95 % bootstrap interval",
        ["same minus other batches", "same minus big batch", "at step size 0"],
    )


def test_right_is_the_bias_over_training_at_a_step_size_and_at_0(make):
    dataset = make(checkpoints=4, draws=6)
    _, right = plot_batch_bias(dataset, step_size=-0.5, metric="accuracy")
    lines = iter(curves(right))
    for kind in KINDS:
        bias = statistics.batch_bias(dataset, "accuracy", kind)["bias"].mean("draw")
        for step, dashes in ((0, ":"), (-0.5, None)):
            line = next(lines)
            assert line.get_xdata().tolist() == dataset["iteration"].values.tolist()
            np.testing.assert_allclose(line.get_ydata(), bias.sel(step_size=step))
            assert (line.get_linestyle() == ":") == (dashes == ":")
    assert len(bars(right)) == 4
    assert right.get_title() == "at step size −0.5"
    assert (right.get_xlabel(), right.get_ylabel()) == ("iteration", "batch bias of the accuracy")
    assert not [line for line in right.lines if line.get_gid() == "origin"]


@pytest.mark.parametrize(
    ("learning_rate", "shown"), [(0.1, "0.1"), (0.4, "0.5"), (1e-9, "0.0001"), (np.nan, "0.1")]
)
def test_the_step_size_is_the_one_nearest_to_the_learning_rate(dataset, learning_rate, shown):
    dataset["learning_rate"][1] = learning_rate
    _, right = plot_batch_bias(dataset)
    assert right.get_title() == f"at step size {shown}"


def test_along_the_normalised_gradient_it_is_that_of_the_update(make):
    dataset = make(draws=3, direction="normalised-gradient")
    dataset["gradient_norm"][1] = [4, 5, 900]
    _, right = plot_batch_bias(dataset)
    assert right.get_title() == "at step size 0.5"  # 0.1 · 5
    _, right = plot_batch_bias(dataset.assign_attrs(direction="gradient"))
    assert right.get_title() == "at step size 0.1"


def test_a_step_size_has_to_be_sampled(dataset):
    with pytest.raises(InvalidValueError, match=r"unknown step size 0\.2.* choose from -1, -0\.5"):
        plot_batch_bias(dataset, step_size=0.2)
    _, right = plot_batch_bias(dataset, step_size=0)
    assert right.get_title() == "at step size 0"
    assert len(curves(right)) == 2
    assert legend([right])[1] == ["same minus other batches", "same minus big batch"]


def test_the_interval_is_the_same_each_time(make):
    dataset = make(checkpoints=2, draws=5)
    first, second = (ends_of(bars(plot_batch_bias(dataset)[0])[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_single_draw_has_no_interval_and_says_so(dataset):
    panels = plot_batch_bias(dataset)
    assert not bars(panels[0])
    assert not bars(panels[1])
    assert legend(panels)[0] == "a single draw, so without an interval"
    line = curves(panels[0])[1]
    one = dataset["loss"].isel(checkpoint=1, draw=0)
    expected = one.sel(evaluation_set="same_batch") - one.sel(evaluation_set="big_batch")
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_sets_that_are_missing(dataset):
    kept = ["same_batch", "big_batch", "validation"]
    panels = plot_batch_bias(dataset.sel(evaluation_set=kept))
    assert legend(panels)[1] == ["same minus big batch", "at step size 0"]
    with pytest.raises(InvalidValueError, match="are same_batch, validation; a batch bias needs"):
        plot_batch_bias(dataset.sel(evaluation_set=["same_batch", "validation"]))
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'same_batch'"):
        plot_batch_bias(dataset.sel(evaluation_set=["other_batch_1", "big_batch"]))
    assert set(plt.get_fignums()) == {panels[0].figure.number}


def test_what_is_not_finite_is_marked(make):
    dataset = make(checkpoints=3, draws=4)
    dataset["loss"].loc[{"evaluation_set": "same_batch", "step_size": 1}] = np.inf
    dataset["loss"][1, 2, 1, 0] = np.nan  # one of the other batches in one draw
    left, right = plot_batch_bias(dataset, step_size=1)
    other, big = (line.get_ydata() for line in curves(left))
    assert np.isnan(other[0])
    assert np.isfinite(big[0])
    assert other[-1] == big[-1] == np.inf
    marks = [line.get_gid() for line in left.lines if line.get_label() == "_mark"]
    assert sorted(marks) == ["+inf", "+inf", "nan"]
    assert legend([left])[1][3:] == ["NaN", "+∞"]
    assert len([line for line in right.lines if line.get_gid() == "+inf"]) == 6
    left.figure.canvas.draw()


def test_slope_factor_and_given_axes(make):
    _, axes = plt.subplots(1, 2)
    panels = plot_batch_bias(
        make(checkpoints=2, draws=3), ax=axes, metric="smooth_accuracy", slope_factor=10
    )
    assert list(panels) == list(axes)
    assert axes[0].get_ylabel() == "batch bias of the smooth\naccuracy (s = 10)"
    texts = axes[1].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [
        "same minus other batches",
        "same minus big batch",
        "at step size 0",
    ]


def test_a_few_draws_have_a_range_and_no_interval(make):
    dataset = make(checkpoints=2, draws=3)
    left, _ = plot_batch_bias(dataset)
    bias = statistics.batch_bias(dataset, "loss", "other_batch")["bias"].isel(checkpoint=1)
    np.testing.assert_allclose(ends_of(bars(left)[0]), [bias.min("draw"), bias.max("draw")])
    (note,) = {legend.get_title().get_text() for legend in left.get_figure().legends}
    assert note == "line: mean of 3 draws, too few for an interval; bars: min to max"
