"""Areas around the best point: cones, bowls and islands, and a count of fine points."""

import math

import numpy as np
import pytest
import xarray as xr
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.statistics import area, areas

INF, NAN = math.inf, math.nan
AXIS = np.linspace(-1, 1, 41)
S, T = np.meshgrid(AXIS, AXIS, indexing="ij")


def counted(values, s, t, threshold, points):
    """Area and openness of the part ≥ threshold around the best value, by counting fine points.

    Each cell has points² of them, with the value of the triangle in which they lie; neighbours are
    joined one by one.
    """
    u = (np.arange(points) + 0.5) / points
    u, v = np.meshgrid(u, u, indexing="ij")
    fine = np.zeros(((len(s) - 1) * points, (len(t) - 1) * points))
    for i, j in np.ndindex(len(s) - 1, len(t) - 1):
        (a, b), (c, d) = values[i : i + 2, j : j + 2]
        m = (a + b + c + d) / 4
        # In the triangle at the side t = 0 of the cell: a at (0, 0), c at (1, 0), m in the middle.
        below = a + (c - a) * u + (2 * m - a - c) * v
        above = b + (d - b) * u + (2 * m - b - d) * (1 - v)
        left = a + (b - a) * v + (2 * m - a - b) * u
        right = c + (d - c) * v + (2 * m - c - d) * (1 - u)
        across = np.where(np.abs(u - 0.5) > np.abs(v - 0.5), np.where(u < 0.5, left, right), 0)
        own = np.where(np.abs(u - 0.5) > np.abs(v - 0.5), across, np.where(v < 0.5, below, above))
        fine[i * points : (i + 1) * points, j * points : (j + 1) * points] = own
    inside = fine >= threshold
    row, column = np.unravel_index(values.argmax(), values.shape)
    around = [(row * points - i, column * points - j) for i in (0, 1) for j in (0, 1)]
    seen, todo = np.zeros_like(inside), around
    while todo:
        at = todo.pop()
        if not (0 <= at[0] < fine.shape[0] and 0 <= at[1] < fine.shape[1]):
            continue
        if seen[at] or not inside[at]:
            continue
        seen[at] = True
        todo += [(at[0] + i, at[1] + j) for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    cells = np.multiply.outer(np.diff(s), np.diff(t)) / points**2
    return (seen * np.kron(cells, np.ones((points, points)))).sum()


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_number_of_fine_points_around_the_best(seed):
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(5, 4))
    s, t = np.cumsum(rng.uniform(0.5, 1.5, 5)), np.cumsum(rng.uniform(0.5, 1.5, 4))
    tolerance = rng.uniform(0.2, 0.6)
    found = area(values, s, t, tolerance)
    expected = counted(values, s, t, values.max() - tolerance, points=40)
    # Necks that are thinner than the fine points may be cut by them.
    whole = (s[-1] - s[0]) * (t[-1] - t[0])
    assert found.area >= expected - 0.01 * whole
    if abs(found.area - expected) > 0.01 * whole:
        finer = counted(values, s, t, values.max() - tolerance, points=200)
        assert found.area == pytest.approx(finer, abs=0.01 * whole)


def test_circles_and_ellipses():
    bowl = (S**2 + 4 * T**2) / 2
    found = area(bowl, AXIS, AXIS, 0.2, mode="min")
    assert found.area == pytest.approx(2 * np.pi * 0.2 / 2, rel=0.01)  # 2π·tolerance / √det
    assert not found.open
    hat = 0.9 - np.hypot(S, T)
    assert area(hat, AXIS, AXIS, 0.5).area == pytest.approx(np.pi * 0.25, rel=0.01)
    assert area(hat, AXIS, AXIS, 0.5, relative=True).area == pytest.approx(
        np.pi * 0.45**2, rel=0.01
    )
    assert area(hat, AXIS, AXIS, 0.0).area == 0


def test_what_leaves_the_plane_is_open():
    bowl = S**2 + T**2
    within = area(bowl, AXIS, AXIS, 0.99, mode="min")
    beyond = area(bowl, AXIS, AXIS, 1.01, mode="min")
    assert (bool(within.open), bool(beyond.open)) == (False, True)
    assert area(bowl, AXIS, AXIS, 9, mode="min") == (pytest.approx(4), True)


def test_only_the_part_around_the_best_point_counts():
    islands = np.maximum(1 - 4 * np.hypot(S + 0.5, T), 0.9 - 4 * np.hypot(S - 0.5, T))
    own = area(islands, AXIS, AXIS, 0.5)
    assert own.area == pytest.approx(np.pi * 0.125**2, rel=0.05)
    # As soon as the valley between them is within the tolerance, both count.
    assert area(islands, AXIS, AXIS, 1.9).area == pytest.approx(np.pi * 0.475**2, rel=0.05)
    assert area(islands, AXIS, AXIS, 2.1).area > 1.9 * np.pi * 0.5**2
    # Of two equal ones, the one nearer to 0.
    equal = np.where(np.hypot(S - 0.5, T) < 0.26, 1.0, 0.0) + np.where(
        np.hypot(S + 0.6, T) < 0.16, 1.0, 0.0
    )
    assert area(equal, AXIS, AXIS, 0.1).area > 0.15


def test_a_diagonal_joins_through_the_middle_of_a_cell():
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    joined = area(values, [0, 1], [0, 1], 0.5)
    apart = area(values, [0, 1], [0, 1], 0.4)
    assert joined.area == pytest.approx(0.5)
    # Each corner has two triangles, of which 0.4 / 1 of one edge and 0.4 / 0.5 of the other.
    assert apart.area == pytest.approx(2 * 0.25 * 0.4 * 0.8)


def test_what_is_not_finite():
    hat = 0.9 - np.hypot(S, T)
    expected = area(hat, AXIS, AXIS, 0.5)
    far = hat.copy()
    far[0, 0], far[0, 1], far[1, 1] = NAN, -INF, INF
    assert area(far, AXIS, AXIS, 0.5) == expected  # what it does not reach does not count
    hole = hat.copy()
    hole[20, 24] = NAN  # four cells within the circle
    found = area(hole, AXIS, AXIS, 0.5)
    assert found.area == pytest.approx(expected.area - 4 * 0.05**2)
    assert found.open
    hole[20, 24] = -INF
    assert area(hole, AXIS, AXIS, 0.5) == (found.area, False)
    hole[20, 24] = INF
    assert area(hole, AXIS, AXIS, 0.5) == found
    for none in (NAN, INF, -INF):
        nothing = area(np.full((3, 3), none), [0, 1, 2], [0, 1, 2], 0.5, relative=True)
        assert np.isnan(nothing.area)
        assert nothing.open


def test_walls_of_infinity_end_it_at_the_samples_before():
    values = np.full((5, 5), INF)
    values[1:4, 1:4] = 0
    assert area(values, np.arange(5), np.arange(5), 1, mode="min") == (4.0, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance": -1}, "tolerance is -1"),
        ({"tolerance": NAN}, "tolerance is nan"),
        ({"mode": "lower"}, "unknown mode 'lower'"),
        ({"step_sizes": [0, 1]}, "do not fit"),
        ({"step_sizes_2": [0, 2, 1]}, "not finite and ascending"),
        ({"values": [[1, 2, 3]], "step_sizes": [0]}, "at least 2 of each"),
    ],
)
def test_what_is_refused(change, message):
    arguments = {"values": np.eye(3), "step_sizes": [0, 1, 2], "step_sizes_2": [0, 1, 2]} | change
    with pytest.raises(InvalidValueError, match=message):
        area(**arguments)


def test_every_plane_has_its_own():
    dataset = planes.plane(points=41, points_2=33)
    found = areas(dataset, "accuracy", tolerance=0.225)
    assert found["area"].dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(found["area"], np.pi * 0.25, rtol=0.01)  # within a distance of 0.5
    assert not found["open"].any()
    far = areas(dataset, "accuracy", "distance", tolerance=0.225)
    np.testing.assert_allclose(far["area"], 2.0 * 1.5 * found["area"])
    oblique = dataset.assign_attrs(orthogonal=False).assign_coords(
        direction_cosine=(("checkpoint", "draw"), [[0.6, 0.0], [-0.8, 0.6]])
    )
    far = areas(oblique, "accuracy", "distance", tolerance=0.225)
    expected = 3 * found["area"][..., 0] * [[0.8, 1], [0.6, 0.8]]
    np.testing.assert_allclose(far["area"][..., 0], expected)
    # The order of dimensions does not matter, nor do slope factors.
    turned = dataset.transpose("step_size_2", "step_size", ...)
    xr.testing.assert_allclose(areas(turned, tolerance=0.225), found)
    loss = areas(dataset, "loss", tolerance=0.05, relative=True)
    own = area(
        dataset["loss"][1, 1, 1], dataset["step_size"], dataset["step_size_2"], 0.05, True, "min"
    )
    assert (loss["area"][1, 1, 1], loss["open"][1, 1, 1]) == own


def test_slices_and_planes_without_lengths_are_refused():
    with pytest.raises(InvalidValueError, match="not a plane"):
        areas(planes.line([0, 1], [1, 2]))
    with pytest.raises(InvalidValueError, match="unknown value of against"):
        areas(planes.plane(), against="step")
    with pytest.raises(InvalidValueError, match="no direction_norm_2"):
        areas(planes.plane().drop_vars("direction_norm_2"), against="distance")
