import numpy as np
import pytest
from helpers import planes
from matplotlib.figure import Figure

from landscape.accessor import Plots
from landscape.errors import InvalidValueError
from landscape.plots import plot_trajectory
from landscape.plots.drawing import numbers
from landscape.slices.planes import first_line


def shown(ax, name):
    (line,) = [line for line in ax.lines if line.get_gid() == name]
    return np.column_stack(line.get_data())


def boxes(ax):
    ax.figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_gid() == "number"]
    return {text.get_text(): text.get_window_extent() for text in texts}


def test_the_path_of_the_last_checkpoint_and_its_distance_from_the_plane():
    plane = planes.plane(path=6)
    plane["path_step_size"][0] *= 2
    path, away = plot_trajectory(plane)
    one = plane.isel(checkpoint=-1, draw=0)
    points = np.column_stack([one["path_step_size"], one["path_step_size_2"]])
    np.testing.assert_array_equal(shown(path, "path"), points)
    np.testing.assert_array_equal(shown(path, "path start"), points[:1])
    np.testing.assert_array_equal(shown(path, "path end"), points[-1:])
    np.testing.assert_array_equal(shown(path, "origin"), [[0, 0]])
    distances = np.column_stack([one["path_iteration"], one["path_distance"]])
    np.testing.assert_array_equal(shown(away, "distance"), distances)
    assert path.get_title() == "a-task, SGD, draw 0 of 2\n93 % of the path's variance is kept"
    assert away.get_ylabel() == "distance from the plane"
    assert away.get_xlabel() == "iteration"
    assert away.get_legend().get_title().get_text() == "numbers: iteration"
    path, _ = plot_trajectory(plane, checkpoint=400, draw=1)
    np.testing.assert_array_equal(shown(path, "path")[:, 0], plane["path_step_size"][0, 1])


@pytest.mark.parametrize("points", [1, 2, 6, 30, 200])
def test_numbers_do_not_overlap_and_name_both_ends(points):
    path, _ = plot_trajectory(planes.plane(path=points))
    found = boxes(path)
    assert {"0", str(100 * (points - 1))} <= set(found)
    assert min(points, 6) <= len(found) <= numbers.MOST or points == 200
    names = list(found)
    for i, one in enumerate(names):
        assert not any(found[one].overlaps(found[other]) for other in names[:i])
        assert path.bbox.x0 <= found[one].x0
        assert found[one].x1 <= path.bbox.x1


def test_a_number_stands_beside_its_point_and_on_no_other():
    path, _ = plot_trajectory(planes.plane(path=30))
    points = path.transData.transform(shown(path, "path"))
    for word, box in boxes(path).items():
        at = int(word) // 100
        others = np.delete(points, at, axis=0)
        assert at in (0, 29) or not any(box.contains(*each) for each in others)
        center = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
        assert np.hypot(*(center - points[at])) < 25 * path.figure.dpi / 72


def test_axes_say_what_each_direction_keeps_where_it_is_stored():
    share = (("checkpoint", "draw"), np.full((2, 2), 0.8))
    less = (("checkpoint", "draw"), np.full((2, 2), 0.131))
    plane = planes.plane().assign_coords(explained_variance=share, explained_variance_2=less)
    path, _ = plot_trajectory(plane)
    assert path.get_xlabel() == "step size along random direction 1 (80 %)"
    assert path.get_ylabel() == "step size along random direction 2 (13.1 %)"
    path, _ = plot_trajectory(planes.plane())
    assert path.get_xlabel() == "step size along random direction 1"


def test_against_distance_lengths_are_true():
    path, _ = plot_trajectory(planes.plane(), against="distance")
    one = planes.plane().isel(checkpoint=-1, draw=0)
    expected = np.column_stack([2 * one["path_step_size"], 1.5 * one["path_step_size_2"]])
    np.testing.assert_allclose(shown(path, "path"), expected)
    assert path.get_aspect() == 1
    assert path.get_ylabel() == "distance along random direction 2"


def test_along_a_line_the_path_is_drawn_over_iterations():
    line = first_line(planes.plane()).drop_vars("path_step_size_2")
    for against, length in (("step-size", 1), ("distance", 2)):
        path, away = plot_trajectory(line, against=against)
        one = line.isel(checkpoint=-1, draw=0)
        expected = np.column_stack([one["path_iteration"], length * one["path_step_size"]])
        np.testing.assert_array_equal(shown(path, "path"), expected)
        word = against.replace("-", " ")
        assert path.get_ylabel() == f"{word} along random direction 1"
        assert away.get_ylabel() == "distance from the line"


def test_points_that_are_not_finite_are_counted_and_left_out():
    plane = planes.plane(path=6)
    plane["path_step_size"][-1, 0, 2] = np.nan
    path, away = plot_trajectory(plane)
    assert "200" not in boxes(path)
    (label, _) = [text.get_text() for text in away.get_legend().get_texts()]
    assert label == "training path, 1 of 6 points not finite"
    plane["path_step_size"][:] = np.nan
    path, _ = plot_trajectory(plane)
    assert not boxes(path)


def test_what_is_not_there_is_refused(dataset):
    with pytest.raises(InvalidValueError, match="hold no path of a training; probe several"):
        plot_trajectory(dataset)
    for options, message in (
        ({"checkpoint": [400, 800]}, "shows one"),
        ({"against": "time"}, "step-size, distance"),
        ({"draw": 7}, "choose from 0, 1"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            plot_trajectory(planes.plane(), **options)


def test_given_axes_are_used():
    panels = Figure().subplots(2)
    assert [*plot_trajectory(planes.plane(), ax=panels)] == [*panels]


def test_the_accessor_offers_it_where_there_is_a_path(dataset):
    assert "trajectory" in dir(Plots(planes.plane()))
    assert "trajectory" not in dir(Plots(planes.plane(path=0)))
    assert "trajectory" not in dir(Plots(dataset))
