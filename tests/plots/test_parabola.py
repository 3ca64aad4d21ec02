import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_parabola

# value + slope · s + curvature/2 · s², with its minimum 1.8 at 0.2
VALUE, SLOPE, CURVATURE = 2.0, -2.0, 10.0


@pytest.fixture
def quadratic(make):
    """Losses that are a parabola, on every set and at every checkpoint."""
    dataset = make(checkpoints=6)
    steps = dataset["step_size"]
    dataset["loss"] = (
        xr.zeros_like(dataset["loss"]) + VALUE + SLOPE * steps + CURVATURE / 2 * steps**2
    )
    dataset["loss"] = dataset["loss"].assign_attrs(long_name="loss", units="nat")
    dataset["gradient_norm"][:] = np.sqrt(-SLOPE)
    return dataset


def drawn(ax, gid):
    (line,) = [line for line in ax.lines if line.get_gid() == gid]
    return line


def note(ax):
    return ax.figure.legends[0].get_title().get_text()


def test_both_parabolas_of_a_parabola_are_it(quadratic):
    panels = plot_parabola(quadratic)
    assert [ax.get_title().splitlines()[0].split(" (")[0] for ax in panels] == [
        f"iteration {i}" for i in quadratic["iteration"].values[[0, 2, 3, 5]]
    ]
    for ax in panels:
        for method in ("mutschler", "least-squares"):
            x, y = drawn(ax, method).get_data()
            np.testing.assert_allclose(y, VALUE + SLOPE * x + CURVATURE / 2 * x**2)
            assert drawn(ax, f"{method} optimum").get_xydata() == pytest.approx(
                np.array([[0.2, 1.8]])
            )
        assert drawn(ax, "best").get_xydata().tolist() == [[0.1, pytest.approx(1.85)]]
        assert ax.get_title().splitlines()[1:] == [
            "best sample at 0.1",
            "minimum at 0.2",
        ]
        assert ax.get_ylabel() == ("loss, same batch (nat)" if ax in panels[::2] else "")
    assert note(panels[0]) == "slope at 0: of the gradient; reach of the parabolas: 0.1"


def test_the_slope_is_the_gradients_where_it_is_known(quadratic):
    quadratic["gradient_norm"][:] = 2.0  # another slope than that of the samples: −4
    (ax,) = plot_parabola(quadratic, checkpoint=100)
    x, y = drawn(ax, "mutschler").get_data()
    point = VALUE + SLOPE * 0.1 + CURVATURE / 2 * 0.01  # at the reach
    curvature = 2 * (point - VALUE + 4 * 0.1) / 0.01
    np.testing.assert_allclose(y, VALUE - 4 * x + curvature / 2 * x**2)
    for changed, options in (
        (quadratic, {"evaluation_set": "validation"}),
        (quadratic.assign_attrs(origin="after-step"), {}),
    ):
        (ax,) = plot_parabola(changed, checkpoint=100, **options)
        assert note(ax).startswith("slope at 0: difference quotient")
        x, y = drawn(ax, "mutschler").get_data()
        np.testing.assert_allclose(y, VALUE + SLOPE * x + CURVATURE / 2 * x**2, atol=1e-6)


def test_the_slice_is_that_of_set_checkpoint_and_draw(make):
    dataset = make(checkpoints=3, draws=3)
    chosen = {"evaluation_set": "big_batch", "draw": 2}
    (ax,) = plot_parabola(dataset, checkpoint=1953 * 2, scale="symlog", metric="accuracy", **chosen)
    expected = dataset["accuracy"].sel(evaluation_set="big_batch")[2, 2]
    np.testing.assert_array_equal(drawn(ax, "curve").get_ydata(), expected)
    assert ax.get_xscale() == "symlog"
    assert ax.figure.get_suptitle() == "synthetic, none, draw 2 of 3"
    fitted = statistics.parabolas(dataset, "accuracy", "least-squares")
    found = fitted.isel(checkpoint=2).sel(chosen)
    x, y = drawn(ax, "least-squares").get_data()
    np.testing.assert_allclose(
        y, found.value.item() + found.slope.item() * x + found.curvature.item() / 2 * x**2
    )
    assert "maximum" in ax.get_title()
    with pytest.raises(InvalidValueError, match="choose from 0, 1, 2"):
        plot_parabola(dataset, draw=3)


def test_a_linear_axis_shows_twice_as_far_as_what_is_marked(quadratic):
    (ax,) = plot_parabola(quadratic, checkpoint=100)
    low, high = ax.get_xlim()
    assert (low, high) == pytest.approx((-0.448, 0.448))
    bottom, top = ax.get_ylim()
    assert 1.6 < bottom < 1.8
    assert 3.75 < top < 4  # the slice is 3.75 at −0.4, between its samples
    # Samples as far as the next ones outside.
    steps = drawn(ax, "curve").get_xdata().tolist()
    assert steps == quadratic["step_size"].values[1:-1].tolist()


def test_what_is_not_finite_is_marked_within_the_axes(quadratic):
    quadratic["loss"][0, 0, 0, 1] = quadratic["loss"][0, 0, 0, -1] = np.inf
    quadratic["loss"][0, 0, 0, 7] = np.nan
    (ax,) = plot_parabola(quadratic, checkpoint=100)
    marks = {
        line.get_gid(): line.get_xdata()[0] for line in ax.lines if line.get_label() == "_mark"
    }
    assert marks == {"nan": 0.0001}
    assert ax.get_title().endswith("best sample at 0.1\nminimum at 0.2")
    assert not np.isfinite(drawn(ax, "least-squares").get_ydata()).any()
    quadratic["loss"][:] = np.nan
    (ax,) = plot_parabola(quadratic, checkpoint=100)
    assert ax.get_title().endswith("no finite value")


@pytest.mark.parametrize("norm", [np.nan, np.inf, 0.0])
def test_a_gradient_that_says_nothing(quadratic, norm):
    quadratic["gradient_norm"][:] = norm
    (ax,) = plot_parabola(quadratic, checkpoint=100)
    assert ax.get_title().endswith("no minimum")
    ax.figure.canvas.draw()


def test_without_samples_near_0_the_reach_is_that_of_three(quadratic):
    far = quadratic.sel(step_size=[-1, -0.5, 0, 0.5, 1])
    (ax,) = plot_parabola(far, checkpoint=100)
    assert note(ax).endswith("reach of the parabolas: 0.5")
    with pytest.raises(InvalidValueError, match=r"within a reach of 0\.1"):
        plot_parabola(far, reach=0.1)
    assert not set(plt.get_fignums()) - {ax.figure.number}


def test_without_0_or_steps_along_descent_there_is_no_parabola(quadratic):
    with pytest.raises(InvalidValueError, match="step size 0 is needed"):
        plot_parabola(quadratic.sel(step_size=[-0.1, 0.1, 0.5]))
    with pytest.raises(InvalidValueError, match="no positive step size"):
        plot_parabola(quadratic.sel(step_size=[-0.1, -0.01, 0]))
