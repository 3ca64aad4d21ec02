"""Curvatures of a quadratic whose Hessian is known."""

import math

import numpy as np
import pytest
import xarray as xr
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.statistics import curvatures

NAN = math.nan
# A loss in four parameters, and a direction.
HESSIAN = np.diag([9.0, 4.0, 1.0, -2.0]) + 0.5
DIRECTION = np.array([0.3, -1.0, 0.2, 0.7])
GRADIENT = np.array([1.0, 0.5, -0.3, 0.1])
STEPS = [-0.5, -0.1, 0.0, 0.2, 1.0]


def along(direction, steps=STEPS, **more):
    """Slices of the quadratic along a direction of these parameters."""
    values = [
        1 + GRADIENT @ (s * direction) + s**2 * direction @ HESSIAN @ direction / 2 for s in steps
    ]
    made = planes.line(steps, values, **more)
    norm = np.full_like(made["direction_norm"], np.linalg.norm(direction))
    return made.assign_coords(direction_norm=(("checkpoint", "draw"), norm))


def test_curvature_is_that_of_the_hessian_per_distance():
    d = DIRECTION
    found = curvatures(along(d, draws=2, checkpoints=3))
    assert set(found) == {"curvature", "per_step"}
    assert found["curvature"].dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(found["per_step"], d @ HESSIAN @ d)
    np.testing.assert_allclose(found["curvature"], d @ HESSIAN @ d / (d @ d))
    # How long the direction is does not matter per distance.
    longer = curvatures(along(10 * d, np.array(STEPS) / 10))
    np.testing.assert_allclose(longer["curvature"], d @ HESSIAN @ d / (d @ d))
    assert found["curvature"].attrs == {
        "long_name": "curvature of the loss per distance²",
        "units": "nat",
    }


def test_only_samples_within_the_reach_count():
    dataset = along(DIRECTION)
    expected = curvatures(dataset)
    dataset["loss"][..., [1, 3]] += 1.0  # those nearest to 0
    assert (curvatures(dataset)["curvature"] > expected["curvature"] + 1).all()
    xr.testing.assert_allclose(curvatures(dataset, reach=1.0), expected)


def test_along_an_eigenvector_the_share_is_1():
    values, vectors = np.linalg.eigh(HESSIAN)
    for value, vector in zip(values, vectors.T, strict=True):
        dataset = along(vector, draws=2).assign_coords(
            eigenvalue=(("checkpoint", "draw"), [[value, 2 * value]])
        )
        share = curvatures(dataset)["share"]
        np.testing.assert_allclose(share[0], [[1, 1], [0.5, 0.5]])
    # Of another metric, or after a step, the eigenvalue is not that of the point.
    assert "share" not in curvatures(dataset, "accuracy")
    assert "share" not in curvatures(dataset.assign_attrs(origin="after-step"))


def measured_elsewhere(draws=1):
    """Eigenvalues 10, 20, … of iterations 1200, 400 and 2000, and 1 more for each draw."""
    values = 10.0 * np.arange(1, 4)[:, None] + np.arange(draws)
    return planes.line(STEPS, np.zeros(5), draws=draws, checkpoints=3).assign_coords(
        eigenvalue=(("checkpoint", "draw"), values),
        iteration=("checkpoint", [1200, 400, 2000]),
    )


def test_a_top_eigenvalue_measured_elsewhere_is_matched_by_iteration():
    dataset = along(DIRECTION, checkpoints=3, draws=2)  # iterations 400, 800, 1200
    curvature = DIRECTION @ HESSIAN @ DIRECTION / (DIRECTION @ DIRECTION)
    share = curvatures(dataset, top=measured_elsewhere())["share"]
    assert share.dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(share[:, 1, 0], curvature / np.array([20, NAN, 10]))
    each = curvatures(dataset, top=measured_elsewhere(draws=2)["eigenvalue"])["share"]
    np.testing.assert_allclose(each[:, 1, 1], curvature / np.array([21, NAN, 11]))
    np.testing.assert_allclose(each[:, 0, 1], curvature / np.array([20, NAN, 10]))
    # By number, not by place; an own one does not count beside it.
    own = dataset.assign_coords(eigenvalue=(("checkpoint", "draw"), np.ones((3, 2))))
    second = curvatures(own, top=measured_elsewhere(draws=3).isel(draw=[2, 1]))["share"]
    np.testing.assert_allclose(second[:, 1, 0], curvature / np.array([21, NAN, 11]))
    assert second[:, 0].isnull().all()
    of_checkpoints = measured_elsewhere()["eigenvalue"].isel(draw=0, drop=True)
    xr.testing.assert_allclose(curvatures(dataset, top=of_checkpoints)["share"], share)


def test_of_a_plane_it_is_the_slice_through_the_origin():
    dataset = planes.plane()
    found = curvatures(dataset)
    assert found["curvature"].dims == ("checkpoint", "draw", "evaluation_set")
    np.testing.assert_allclose(found["per_step"], planes.HESSIAN[0, 0])
    np.testing.assert_allclose(found["curvature"], planes.HESSIAN[0, 0] / 2.0**2)


def test_what_is_not_finite():
    dataset = along(DIRECTION, draws=4)
    for draw, (place, value) in enumerate([(1, NAN), (2, NAN), (3, math.inf), (4, NAN)]):
        dataset["loss"][:, draw, :, place] = value
    found = curvatures(dataset)["curvature"][0, :, 0]
    np.testing.assert_array_equal(np.isnan(found), [True, True, False, False])
    assert found[2] == math.inf
    still = dataset.assign_coords(direction_norm=0 * dataset["direction_norm"])
    assert np.isinf(curvatures(still)["curvature"][0, 3]).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d.isel(step_size=[0, 1, 3]), {}, "0 is not among"),
        (lambda d: d.isel(step_size=[2, 3]), {}, "no negative step size"),
        (lambda d: d.drop_vars("direction_norm"), {}, "no direction_norm.*of each draw"),
        (lambda d: d, {"top": along(DIRECTION)}, "along 'towards:b' have no eigenvalue"),
        (lambda d: d, {"top": xr.DataArray([1.0], dims="draw")}, "coordinate iteration"),
        (
            lambda d: d.isel(checkpoint=[0]),
            {"top": measured_elsewhere()[{"checkpoint": [0]}]},
            r"iterations \[1200\], and the slices are of \[400\]",
        ),
        (lambda d: d, {"top": measured_elsewhere(), "metric": "accuracy"}, "show 'accuracy'"),
        (
            lambda d: d.assign_attrs(origin="after-step"),
            {"top": measured_elsewhere()},
            "origin 'after-step'",
        ),
    ],
)
def test_what_is_refused(change, options, message):
    dataset = change(along(DIRECTION, checkpoints=3))
    with pytest.raises(InvalidValueError, match=message):
        curvatures(dataset, **options)
