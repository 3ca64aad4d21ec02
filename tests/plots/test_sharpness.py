import numpy as np
import pytest
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.plots import plot_sharpness

STEPS = np.linspace(-0.5, 1, 31)
CURVATURES = np.array([5.0, 10.0, 40.0])  # per squared distance, of the three checkpoints
GRADIENT = 0.5


def parabolas(direction_norm=GRADIENT, draws=1, slope=None):
    """1 + g·(s·d) + ½ h ‖s·d‖² along −∇L of norm 0.5, or along a multiple of it."""
    slope = -GRADIENT * direction_norm if slope is None else slope
    along = STEPS * GRADIENT / direction_norm
    away = along * direction_norm
    loss = 1 - GRADIENT * away + 0.5 * CURVATURES[:, None] * away**2
    loss = loss[:, None, None, :]
    assert len(along) == len(STEPS)
    made = planes.line(along, loss, draws=draws, checkpoints=3, symbol="−∇L")
    made["gradient_norm"][:], made["direction_norm"][:] = GRADIENT, direction_norm
    made["direction_slope"][:] = slope
    return made


def curve(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line.get_ydata()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("direction_norm", [GRADIENT, 1.0, 7.0])
def test_on_a_parabola_all_measures_are_its_curvature_whatever_the_norm(direction_norm):
    ax = plot_sharpness(parabolas(direction_norm))
    # 2/η, with the loss linear between samples 0.05 apart
    np.testing.assert_allclose(curve(ax, "2/critical step size"), CURVATURES, rtol=0.05)
    np.testing.assert_allclose(curve(ax, "curvature along −∇L"), CURVATURES, rtol=1e-9)
    np.testing.assert_array_equal(curve(ax, "_2/learning rate"), [20, 20, 20])
    assert legend(ax) == ["2/critical step size", "curvature along −∇L", "2/learning rate"]
    assert ax.get_xlabel() == "iteration"
    assert ax.get_ylabel() == "sharpness of the loss, same batch\n(nat per squared distance)"


def test_the_learning_rate_of_adam_is_no_reference():
    ax = plot_sharpness(parabolas().assign_attrs(optimizer="adam"))
    assert legend(ax) == ["2/critical step size", "curvature along −∇L"]
    np.testing.assert_allclose(curve(ax, "2/critical step size"), CURVATURES, rtol=0.05)


def test_across_the_gradient_there_is_no_critical_learning_rate():
    ax = plot_sharpness(parabolas(slope=-0.1))
    assert legend(ax) == ["curvature along −∇L", "2/learning rate"]
    colours = [line.get_color() for line in ax.lines if line.get_label() == "curvature along −∇L"]
    other = [
        line.get_color()
        for line in plot_sharpness(parabolas()).lines
        if line.get_label() == "curvature along −∇L"
    ]
    assert colours == other


def test_an_eigenvalue_is_drawn_where_it_is_stored():
    values = CURVATURES[:, None] * [1.5, 2.5]
    dataset = parabolas(draws=2).assign_coords(eigenvalue=(("checkpoint", "draw"), values))
    ax = plot_sharpness(dataset)
    np.testing.assert_allclose(curve(ax, "eigenvalue"), 2 * CURVATURES)
    assert ax.get_legend().get_title().get_text() == "line: mean of 2 draws, band: min to max"
    (band,) = [
        each for each in ax.collections if np.isclose(each.get_paths()[0].vertices[:, 1], 100).any()
    ]
    np.testing.assert_allclose(sorted(set(band.get_paths()[0].vertices[:, 1]))[-1], 100)


def test_where_the_loss_does_not_rise_it_is_an_upper_bound():
    dataset = parabolas().isel(step_size=slice(0, 14))  # up to 0.15
    ax = plot_sharpness(dataset)
    (mark,) = [line for line in ax.lines if line.get_gid() == "open"]
    np.testing.assert_allclose(mark.get_xdata(), [400, 800])
    np.testing.assert_allclose(mark.get_ydata(), [2 / 0.15] * 2)
    assert "hollow ▽: at most" in ax.get_legend().get_title().get_text()


def test_with_samples_on_one_side_there_is_no_curvature_at_0():
    ax = plot_sharpness(parabolas().isel(step_size=slice(10, None)))
    assert legend(ax) == ["2/critical step size", "2/learning rate"]


def test_the_reference_of_one_checkpoint_is_a_line():
    dataset = parabolas()
    ax = plot_sharpness(dataset, checkpoint=int(dataset["iteration"][-1]))
    (line,) = [each for each in ax.lines if each.get_gid() == "reference"]
    np.testing.assert_allclose(line.get_ydata(), 2 / dataset["learning_rate"].values[-1])


def test_without_a_learning_rate_there_is_no_reference():
    dataset = parabolas()
    dataset["learning_rate"][:] = np.nan
    assert legend(plot_sharpness(dataset))[-1] == "curvature along −∇L"
    dataset["learning_rate"][:] = 0
    assert legend(plot_sharpness(dataset))[-1] == "curvature along −∇L"


def test_what_is_infinitely_sharp_is_marked():
    dataset = parabolas()
    dataset["loss"][1, :, :, 11:] = 9.0  # it rises at once
    ax = plot_sharpness(dataset)
    assert np.isposinf(curve(ax, "2/critical step size")[1])
    assert "+∞" in legend(ax)


def test_checkpoints_and_the_set_can_be_chosen():
    dataset = parabolas()
    dataset["loss"][:, :, 1] = 2 * dataset["loss"][:, :, 1]
    ax = plot_sharpness(dataset, checkpoint=[1200, 400], evaluation_set="validation")
    np.testing.assert_allclose(curve(ax, "curvature along −∇L"), 2 * CURVATURES[[0, 2]])
    assert "validation" in ax.get_ylabel()


def test_of_a_plane_it_is_that_of_the_first_direction():
    ax = plot_sharpness(planes.plane())
    # s·H·s / ‖d‖² with H = 2 and ‖d‖ = 2
    np.testing.assert_allclose(curve(ax, "curvature along random direction 1"), [0.5, 0.5])


def test_what_is_not_there_is_refused():
    with pytest.raises(InvalidValueError, match="unknown metric 'loss'"):
        plot_sharpness(parabolas().drop_vars("loss"))
    with pytest.raises(InvalidValueError, match="did you mean 'validation'"):
        plot_sharpness(parabolas(), evaluation_set="validaton")
    with pytest.raises(InvalidValueError, match="step size 0"):
        plot_sharpness(parabolas().isel(step_size=slice(12, None)))
