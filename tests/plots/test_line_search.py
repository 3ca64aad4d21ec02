"""One search on its slice: the artists against what was stored."""

import numpy as np
import pytest

from landscape.errors import InvalidValueError
from landscape.plots import plot_line_search

SIZES = np.array([0.0001, 0.001, 0.01, 0.1, 0.5, 1])
STEPS = np.concatenate([-SIZES[::-1], [0], SIZES])
H_0, SLOPE, C = 0.4, 2.0, 0.1


def found(ax, gid):
    return [each for each in [*ax.lines, *ax.patches] if each.get_gid() == gid]


def line(ax, gid):
    (one,) = found(ax, gid)
    return one


def spans(ax, gid):
    return [(p.get_x(), p.get_x() + p.get_width()) for p in found(ax, gid)]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture
def one(make):
    """A search on a slice that falls to 0.2 at 0.1 and rises from there; c · h'(0) = 0.2."""
    dataset = make(checkpoints=1)
    dataset["loss"][0, 0, 0] = np.where(STEPS <= 0, H_0 - STEPS, np.abs(STEPS - 0.1) + 0.2)
    dataset["loss"].loc[{"step_size": 0}] = H_0
    return dataset


def test_slice_line_tangent_and_trials(one):
    ax = plot_line_search(one)
    np.testing.assert_array_equal(line(ax, "curve").get_xdata(), STEPS)
    np.testing.assert_array_equal(line(ax, "curve").get_ydata(), one["loss"][0, 0, 0])
    for gid, slope in (("armijo", -C * SLOPE), ("tangent", -SLOPE)):
        along, values = line(ax, gid).get_data()
        assert (along[0], along[-1]) == (0, 1)
        np.testing.assert_allclose(values, H_0 + slope * along)
    assert line(ax, "tangent").get_linewidth() < line(ax, "armijo").get_linewidth()
    assert [*zip(*line(ax, "rejected").get_data(), strict=True)] == [(0.5, 0.6)]
    assert [*zip(*line(ax, "accepted").get_data(), strict=True)] == [(0.45, 0.2)]
    assert line(ax, "rejected").get_marker() != line(ax, "accepted").get_marker()
    assert ax.get_title().endswith("iteration 100\naccepted: step size 0.45, trial 2 of the search")
    assert ax.get_xlabel() == "step size along −∇L"
    assert ax.get_ylabel() == "loss, same batch (nat)"
    assert {"rejected trial", "accepted trial", "Armijo's line (c = 0.1)"} <= {*legend(ax)}


def test_what_passes_is_shaded_up_to_where_slice_and_line_cross(one):
    # from 0.1 on: s + 0.1 = 0.4 − 0.2 s
    crossing = 0.3 / 1.2
    ax = plot_line_search(one)
    assert spans(ax, "passes") == [pytest.approx((0, crossing))]
    assert spans(ax, "fails") == [pytest.approx((crossing, 1))]
    assert {"passes", "fails"} <= {*legend(ax)}


def test_higher_is_better(one):
    """Upside down, all that is drawn but the labels is upside down."""
    one.attrs["search"] |= {"metric": "smooth_accuracy", "mode": "max", "slope_factor": 10.0}
    one["smooth_accuracy"][0, 0, 0, :, 2] = 1 - one["loss"][0, 0, 0]
    one["search_value"][:] = 1 - H_0
    ax = plot_line_search(one)
    along, values = line(ax, "armijo").get_data()
    np.testing.assert_allclose(values, 1 - H_0 + C * SLOPE * along)
    assert spans(ax, "passes") == [pytest.approx((0, 0.25))]
    assert ax.get_ylabel() == "smooth accuracy (s = 10), same batch"


def test_several_regions_and_values_that_are_not_finite(one):
    """0.5 passes again; on both sides of a NaN nothing is said."""
    values = one["loss"][0, 0, 0]
    values[-2], values[-4] = 0.0, np.nan  # at 0.5 and at 0.01
    ax = plot_line_search(one)
    edges = spans(ax, "passes")
    assert edges[0] == pytest.approx((0, 0.001))
    assert edges[1][0] == 0.1
    assert 0.5 < edges[1][1] < 1
    assert spans(ax, "fails") == [(edges[1][1], 1)]
    values[-4] = 0.2
    values[-3] = 3.0  # at 0.1
    assert len(spans(plot_line_search(one), "passes")) == 2


def test_the_axes_cover_slice_trials_and_line_but_not_the_tangent(one):
    one["trial_step_size"][0] = [1.7, 0.45, np.nan]
    one["trial_value"][0] = [5.0, 0.2, np.nan]
    ax = plot_line_search(one)
    left, right = ax.get_xlim()
    low, high = ax.get_ylim()
    assert -0.1 < left < 0
    assert right > 1.7
    assert high > 5
    assert H_0 - C * SLOPE * 1.7 > low > H_0 - SLOPE * 1.7
    ax = plot_line_search(one, scale="symlog", value_scale="log")
    assert ax.get_xlim()[0] == -0.0001
    assert ax.get_ylim()[0] == pytest.approx(0.2 / 1.5)


def test_an_exhausted_search(one):
    one["search_outcome"][:] = "exhausted"
    one["search_step_size"][:] = 0.07
    ax = plot_line_search(one)
    assert [*line(ax, "rejected").get_xdata()] == [0.5, 0.45]
    assert not found(ax, "accepted")
    assert [*line(ax, "taken").get_xdata()] == [0.07, 0.07]
    assert "exhausted: all 2 trials rejected; step size 0.07" in ax.get_title()
    assert "rejected trials (2)" in legend(ax)


def test_a_skipped_search(one):
    one["search_outcome"][:] = "skipped"
    one["search_slope"][:] = -0.5
    one["trial_step_size"][:] = one["trial_value"][:] = np.nan
    ax = plot_line_search(one)
    assert not found(ax, "rejected") + found(ax, "passes") + found(ax, "fails")
    assert line(ax, "armijo").get_ydata()[-1] == pytest.approx(H_0 + 0.05)
    assert [*line(ax, "taken").get_xdata()] == [0.45, 0.45]
    assert "skipped, as the slope is −0.5; step size 0.45" in ax.get_title()


def test_a_step_without_a_search(one):
    one["search_outcome"][:] = "held"
    for name in ("search_value", "search_slope", "trial_step_size", "trial_value"):
        one[name][:] = np.nan
    ax = plot_line_search(one)
    assert not found(ax, "armijo")
    assert "no search at this step; step size held at 0.45" in ax.get_title()


def test_a_slice_from_after_the_step_is_put_back(one):
    one.attrs["origin"] = "after-step"
    one["gradient_norm"][:] = 4.0
    np.testing.assert_allclose(line(plot_line_search(one), "curve").get_xdata(), STEPS + 0.45)
    one.attrs |= {"origin": "before-step", "direction": "normalised-gradient"}
    ax = plot_line_search(one)
    np.testing.assert_allclose(line(ax, "curve").get_xdata(), STEPS / 4)
    assert ax.get_xlabel() == "step size along −∇L"
    one.attrs |= {"direction": "gradient", "origin": "after-step"}
    one.attrs["search"] |= {"symbol": "−∇L/‖∇L‖", "normalised": True}
    ax = plot_line_search(one)
    np.testing.assert_allclose(line(ax, "curve").get_xdata(), STEPS * 4 + 0.45)
    assert ax.get_xlabel() == "step size along −∇L/‖∇L‖"
    assert "after the step" not in ax.get_title()


def test_a_search_that_saw_another_batch_is_told(one):
    assert plot_line_search(one).get_legend().get_title().get_text() == ""
    one["search_value"][:] = 0.5
    note = plot_line_search(one).get_legend().get_title().get_text()
    assert note == "h(0) is 0.5 in the search, 0.4 on the slice"


def test_stores_without_what_is_needed(one):
    one.attrs["search"] = {}
    with pytest.raises(InvalidValueError, match="the store holds no line search"):
        plot_line_search(one)
    one.attrs["search"] = {"metric": "own", "mode": "min", "c": C}
    with pytest.raises(InvalidValueError, match="unknown metric 'own'"):
        plot_line_search(one)
    one.attrs["search"]["metric"] = "loss"
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'same_batch'"):
        plot_line_search(one.sel(evaluation_set=["validation"]))
