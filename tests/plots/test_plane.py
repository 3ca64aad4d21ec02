import numpy as np
import pytest
from helpers import planes
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.path import Path

from landscape import plots
from landscape.accessor import Plots
from landscape.errors import InvalidValueError
from landscape.plots import plot_plane
from landscape.plots.drawing.fields import Frame, draw_field, levels
from landscape.slices.planes import first_line


def marks(ax, name):
    return [line for line in ax.lines if line.get_gid() == name]


def at(ax, name):
    (line,) = marks(ax, name)
    return np.column_stack(line.get_data())


def field(ax):
    return next(each for each in ax.collections if each.get_gid() == "field")


def bands_at(ax, x, y):
    """Which bands of the field cover a point: an odd number of a band's outlines is around it."""
    outlines = [path.to_polygons() for path in field(ax).get_paths()]
    inside = [sum(Path(each).contains_point((x, y)) for each in band) for band in outlines]
    return [i for i, count in enumerate(inside) if count % 2]


def filled_at(ax, x, y):
    return bool(bands_at(ax, x, y))


def legend(ax):
    return [text.get_text() for text in ax.figure.legends[0].get_texts()]


def test_the_last_checkpoint_on_validation_is_shown_with_origin_and_best_point():
    plane = planes.plane()
    (ax,) = plot_plane(plane, metric="loss")
    values = plane["loss"].sel(evaluation_set="validation").isel(checkpoint=-1, draw=0)
    best = values.where(values == values.min(), drop=True)
    where, where_2 = best["step_size"].item(), best["step_size_2"].item()
    np.testing.assert_array_equal(at(ax, "origin"), [[0, 0]])
    np.testing.assert_array_equal(at(ax, "best sampled"), [[where, where_2]])
    assert ax.get_title() == f"iteration 800 (epoch 8)\nbest {best.item():.3g} at (0.2, 0)"
    assert ax.get_xlabel() == "step size along random direction 1"
    assert ax.get_ylabel() == "step size along random direction 2"
    bar = ax.figure.axes[-1]
    assert bar.get_ylabel() == "loss, validation (nat)"
    assert ax.figure.get_suptitle() == "a-task, SGD, draw 0 of 2"
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 1), (-0.8, 0.8))


def test_bands_hold_the_values_that_lie_in_them():
    plane = planes.plane(points=41, points_2=41)
    (ax,) = plot_plane(plane, metric="loss", evaluation_set="same_batch", checkpoint=400, draw=1)
    bounds = field(ax).levels
    rng = np.random.default_rng(0)
    for s, t in rng.uniform(-0.75, 0.75, (50, 2)):
        value = planes.loss(s, t) + 0.1
        (band,) = bands_at(ax, s, t)
        assert bounds[band] - 0.01 < value < bounds[band + 1] + 0.01


def test_the_path_is_drawn_with_the_share_that_it_keeps():
    plane = planes.plane()
    (ax,) = plot_plane(plane)
    one = plane.isel(checkpoint=-1, draw=0)
    np.testing.assert_array_equal(
        at(ax, "path"), np.column_stack([one["path_step_size"], one["path_step_size_2"]])
    )
    np.testing.assert_array_equal(at(ax, "path end"), [[0, 0]])
    assert legend(ax) == ["origin", "best sampled", "training path (93 % of its variance)"]
    (ax,) = plot_plane(plane, path=False)
    assert not marks(ax, "path")
    assert legend(ax) == ["origin", "best sampled"]
    (ax,) = plot_plane(planes.plane(path=0))
    assert not marks(ax, "path")


def test_points_of_the_path_that_are_not_seen_are_counted():
    plane = planes.plane()
    plane["path_step_size"][-1, 0, :2] = [-7, np.nan]
    (ax,) = plot_plane(plane)
    assert legend(ax)[-1].endswith(", 2 of 5 points outside")
    assert ax.get_xlim() == (-1, 1)


def test_an_origin_that_was_not_sampled_is_not_marked():
    plane = planes.plane()
    plane = plane.isel(step_size=plane["step_size"] > 0)
    (ax,) = plot_plane(plane)
    assert not marks(ax, "origin")
    assert "origin" not in legend(ax)


def test_values_that_are_not_finite_are_marked_and_never_bridged():
    plane = planes.plane()
    plane["loss"][-1, 0, 1, 5, 4] = np.nan
    plane["loss"][-1, 0, 1, 0, 0] = np.inf
    plane["loss"][-1, 0, 1, 10, 8] = -np.inf
    (ax,) = plot_plane(plane, metric="loss")
    np.testing.assert_allclose(at(ax, "NaN"), [[0, 0]], atol=1e-15)
    np.testing.assert_array_equal(at(ax, "+∞"), [[-1, -0.8]])
    np.testing.assert_array_equal(at(ax, "−∞"), [[1, 0.8]])
    assert not any(filled_at(ax, x, y) for x in (-0.19, 0.05, 0.19) for y in (-0.19, 0.01, 0.19))
    assert all(filled_at(ax, x, 0.01) for x in (-0.21, 0.21))
    assert legend(ax)[-4:] == ["NaN", "+∞", "−∞", "cells without a value"]
    assert "best 1.96 at (0.2, 0)" in ax.get_title()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 0.7])
@pytest.mark.parametrize("value_scale", ["auto", "linear", "log"])
@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_what_is_the_same_everywhere_can_be_drawn(value, value_scale, metric):
    plane = planes.plane()
    plane[metric][:] = value
    (ax,) = plot_plane(plane, metric=metric, value_scale=value_scale)
    ax.figure.canvas.draw()
    assert len(marks(ax, "best sampled")) == np.isfinite(value)


def test_of_equally_good_points_the_nearest_to_the_origin_is_marked():
    plane = planes.plane()
    plane["accuracy"][:] = 1.0
    (ax,) = plot_plane(plane)
    np.testing.assert_allclose(at(ax, "best sampled"), [[0, 0]], atol=1e-15)


@pytest.mark.parametrize(
    ("values", "scale", "units", "expected"),
    [
        ([0.1, 0.95], "auto", "1", np.arange(0.1, 1.05, 0.1)),
        ([0.001, 0.9], "auto", "1", np.arange(0, 0.95, 0.1)),
        ([0.3, 2.2], "auto", "nat", np.arange(0.25, 2.5, 0.25)),
        ([0.03, 40], "auto", "nat", [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]),
        ([0.03, 40], "linear", "nat", np.arange(0, 41, 5)),
        ([1, 3], "log", "nat", [1, 2, 5]),
        ([1e-7, 1e3], "auto", "nat", 10.0 ** np.arange(-7, 4)),
        ([1e-30, 1e3], "auto", "nat", 10.0 ** np.arange(-30, 7, 4)),
        ([0, 0.1, 15], "auto", "nat", [0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]),
        ([-2, 0.01], "auto", "nat", [-2, -1, -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01]),
        ([2, 2], "log", "nat", [2, 5]),
    ],
)
def test_levels_are_round_and_hold_all_values(values, scale, units, expected):
    values = np.array([*values, np.nan, np.inf])
    found = levels(values, scale, units)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(200))
def test_levels_hold_any_values(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=9) * 10.0 ** rng.uniform(-9, 9) * 10 ** rng.uniform(-4, 4, size=9)
    values = np.abs(values) if seed % 2 else values
    for scale in ("auto", "linear", "log"):
        found = levels(values, scale)
        assert (np.diff(found) > 0).all()
        assert found[0] <= values.min() * (1 + 1e-9 * np.sign(-values.min()))
        assert found[-1] >= values.max() * (1 - 1e-9 * np.sign(values.max()))
        assert len(found) <= 30


def test_several_checkpoints_share_levels_and_one_bar():
    plane = planes.plane(checkpoints=4)
    plane["loss"][1] *= 30
    panels = plot_plane(plane, metric="loss", checkpoint=[400, 800, 1600])
    assert [ax.get_title().splitlines()[0] for ax in panels] == [
        "iteration 400 (epoch 4)",
        "iteration 800 (epoch 8)",
        "iteration 1600 (epoch 16)",
    ]
    for ax in panels[1:]:
        np.testing.assert_array_equal(field(ax).levels, field(panels[0]).levels)
    assert len(panels[0].figure.axes) == 4
    assert [bool(ax.get_ylabel()) for ax in panels] == [True, False, False]


def test_against_distance_lengths_and_angles_are_those_of_the_parameters():
    plane = planes.plane(orthogonal=False)
    plane["direction_cosine"][:] = 0.6
    (ax,) = plot_plane(plane, metric="loss", against="distance")
    # Norms 2 and 1.5; (s, t) is at (2s + 1.5t · 0.6, 1.5t · 0.8).
    values = plane["loss"].isel(checkpoint=-1, draw=0, evaluation_set=1)
    best = values.where(values == values.min(), drop=True)
    s, t = best["step_size"].item(), best["step_size_2"].item()
    np.testing.assert_allclose(at(ax, "best sampled"), [[2 * s + 0.9 * t, 1.2 * t]], atol=1e-12)
    one = plane.isel(checkpoint=-1, draw=0)
    x, y = at(ax, "path").T
    lengths = np.hypot(x, y) ** 2
    a, b = 2 * one["path_step_size"], 1.5 * one["path_step_size_2"]
    np.testing.assert_allclose(lengths, a**2 + b**2 + 2 * 0.6 * a * b, atol=1e-12)
    assert ax.get_aspect() == 1
    assert ax.get_xlabel() == "distance along random direction 1"
    assert ax.get_ylabel() == "distance across"
    (ax,) = plot_plane(planes.plane(), against="distance")
    assert ax.get_ylabel() == "distance along random direction 2"
    np.testing.assert_allclose((ax.get_xlim(), ax.get_ylim()), [(-2, 2), (-1.2, 1.2)])


@pytest.mark.parametrize("name", ["direction_norm", "direction_norm_2", "direction_cosine"])
def test_without_finite_norms_there_are_no_distances(name):
    plane = planes.plane(orthogonal=False)
    plane[name][:] = np.nan
    with pytest.raises(InvalidValueError, match=r"nan.*show it against step-size"):
        plot_plane(plane, against="distance")
    plot_plane(plane)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "los"}, "did you mean 'loss'"),
        ({"evaluation_set": "validaton"}, "did you mean 'validation'"),
        ({"checkpoint": 7}, "choose from 400, 800"),
        ({"draw": 7}, "choose from 0, 1"),
        ({"against": "time"}, "step-size, distance"),
        ({"value_scale": "lin"}, "did you mean 'linear'"),
        ({"slope_factor": 1.0}, "leave it out"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(options, message):
    with pytest.raises(InvalidValueError, match=message):
        plot_plane(planes.plane(), **options)
    assert not plt.get_fignums()


def test_slices_are_no_plane(dataset):
    with pytest.raises(InvalidValueError, match=r"not a plane; probe with a second one"):
        plot_plane(dataset)
    with pytest.raises(InvalidValueError, match=r"at least 2 step sizes .* has 11 and 1"):
        plot_plane(planes.plane().isel(step_size_2=[4]))
    with pytest.raises(InvalidValueError, match="no checkpoint"):
        plot_plane(planes.plane().isel(checkpoint=slice(0)))


def test_given_axes_are_used():
    panels = Figure(layout="constrained").subplots(1, 2)
    used = plot_plane(planes.plane(), ax=panels, checkpoint=[400, 800])
    assert [*used] == [*panels]
    assert not plt.get_fignums()
    (ax,) = plot_plane(planes.plane(), ax=Figure().add_subplot())
    ax.figure.canvas.draw()


def test_a_metric_of_which_the_better_values_are_not_known_has_no_best_point():
    plane = planes.plane()
    plane["mine"] = plane["loss"]
    plane["mine"].attrs = {"long_name": "mine", "units": "1"}
    (ax,) = plot_plane(plane, metric="mine")
    assert not marks(ax, "best sampled")


def test_the_accessor_offers_it_of_planes_alone(dataset):
    assert "plane" in dir(Plots(planes.plane()))
    assert "plane" not in dir(Plots(dataset))
    assert "plane" not in dir(Plots(first_line(planes.plane())))


def test_pictures_of_all_figures_leave_it_out(tmp_path):
    files, _ = plots.saving.save_all(planes.plane(), tmp_path)
    assert "plane" not in {file.stem for file in files}


@pytest.mark.parametrize("norms", [(1, 3), (3, 1)])
def test_against_distance_no_plane_is_cut_off_by_the_axes_of_another(norms):
    plane = planes.plane()
    plane["direction_norm"][:] = np.array(norms)[:, None]
    panels = plot_plane(plane, against="distance", checkpoint=[400, 800])
    for ax in panels:
        np.testing.assert_allclose((ax.get_xlim(), ax.get_ylim()), [(-3, 3), (-1.2, 1.2)])
    assert [bands_at(panels[norms.index(1)], x, 0.01) != [] for x in (0.99, 1.01)] == [True, False]
    width, height = panels[0].figure.get_size_inches()
    assert height < 0.75 * width


def test_a_field_shows_its_own_plane():
    figure = plt.figure()
    ax = figure.add_subplot()
    s, t = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    draw_field(ax, Frame(), s, t, np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([0.0, 2.0, 4.0]))
    assert ax.get_xlim() == (0, 1)
