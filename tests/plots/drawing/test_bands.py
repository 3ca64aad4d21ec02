import numpy as np
import pytest
from helpers.slices import slices
from matplotlib import pyplot as plt

from landscape import plots, statistics
from landscape.errors import InvalidValueError


def values():
    made = slices(draws=5)["accuracy"].sel(evaluation_set="same_batch")
    return made + 0.01 * np.arange(5) ** 2 * (made["draw"] > 1)


def edges(ax, at=-1):
    """The lower and the upper end of a band, by horizontal place."""
    vertices = ax.collections[at].get_paths()[0].vertices
    return [
        (x, min(vertices[vertices[:, 0] == x, 1]), max(vertices[vertices[:, 0] == x, 1]))
        for x in np.unique(vertices[:, 0])
    ]


def test_it_is_the_mean_with_its_interval_or_the_median_with_the_quartiles():
    _, ax = plt.subplots()
    one = values().isel(checkpoint=0)
    plots.band(one, ax, "a")
    plots.band(one, ax, "b", quartiles=True)
    mean, median = ax.lines
    found = statistics.mean_interval(one)
    np.testing.assert_array_equal(mean.get_xdata(), one["step_size"])
    np.testing.assert_array_equal(mean.get_ydata(), found["mean"])
    np.testing.assert_allclose([e[1] for e in edges(ax, 0)], found["lower"])
    np.testing.assert_allclose([e[2] for e in edges(ax, 0)], found["upper"])
    np.testing.assert_array_equal(median.get_ydata(), one.median("draw"))
    ranks = np.sort(one.transpose("draw", "step_size").values, axis=0)
    np.testing.assert_allclose([e[1] for e in edges(ax)], ranks[1])
    np.testing.assert_allclose([e[2] for e in edges(ax)], ranks[3])
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert [line.get_color() for line in ax.lines] == list(plots.COLORS[:2])
    assert mean.get_linestyle() != median.get_linestyle()
    assert mean.get_marker() != median.get_marker()


def test_checkpoints_are_drawn_by_iteration_and_nan_leaves_a_gap():
    _, ax = plt.subplots()
    over = values().sel(step_size=[0])
    over[{"checkpoint": 1, "draw": 3}] = np.nan
    plots.band(over, ax)
    (line,) = ax.lines
    assert line.get_xdata().tolist() == over["iteration"].values.tolist()
    assert np.isnan(line.get_ydata()).tolist() == [False, True]


def test_more_dimensions_are_refused():
    _, ax = plt.subplots()
    with pytest.raises(InvalidValueError, match=r"lie over .*; give draw and one other dimension"):
        plots.band(values(), ax)
    with pytest.raises(InvalidValueError, match="one other dimension"):
        plots.band(values().isel(draw=0, checkpoint=0), ax)
