"""Principal curvatures of planes through a quadratic in many parameters."""

import math

import numpy as np
import pytest
import xarray as xr
from helpers import planes

from landscape.errors import InvalidValueError
from landscape.statistics import anisotropy, fitted_quadratic

NAN = math.nan
S, T = np.array([-0.6, -0.2, 0.0, 0.1, 0.5]), np.array([-0.3, 0.0, 0.3, 0.4])
HESSIAN = np.array([[2.0, 0.6, -1.0], [0.6, 5.0, 0.3], [-1.0, 0.3, -1.5]])
FIRST, SECOND = np.array([1.0, 2.0, -0.5]), np.array([0.4, -0.2, 3.0])
EACH = ("checkpoint", "draw")


def quadratic(hessian, gradient=(0.7, -0.2), value=3.0, s=S, t=T):
    at = np.stack(np.meshgrid(s, t, indexing="ij"), -1)
    return value + at @ np.array(gradient) + np.einsum("...i,ij,...j", at, hessian, at) / 2


def spanned(first, second, orthogonal=False, hessian=HESSIAN):
    """The plane of two directions through a quadratic; the second made orthogonal if asked for."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    if orthogonal:
        second = second - (second @ first) / (first @ first) * first
    basis = np.stack([first, second])
    values = quadratic(basis @ hessian @ basis.T)
    made = planes.plane(len(S), len(T), draws=1, checkpoints=1, orthogonal=orthogonal)
    made = made.assign_coords(step_size=S, step_size_2=T)
    made["loss"][:] = values
    return made.assign_coords(
        direction_norm=(EACH, [[np.linalg.norm(first)]]),
        direction_norm_2=(EACH, [[np.linalg.norm(second)]]),
        direction_cosine=(EACH, [[cosine]]),
    )


@pytest.mark.parametrize("reach", [None, 0.55, 9.0])
def test_a_quadratic_is_fitted_exactly(reach):
    hessian = np.array([[2.0, -1.5], [-1.5, -0.5]])
    values = np.stack([quadratic(hessian), quadratic(3 * hessian, (0.0, 1.0), -1.0)])
    found = fitted_quadratic(values, S, T, reach)
    np.testing.assert_allclose(found.hessian, [hessian, 3 * hessian], atol=1e-9)
    np.testing.assert_allclose(found.slope, [(0.7, -0.2), (0, 1)], atol=1e-9)
    np.testing.assert_allclose(found.value, [3, -1])
    np.testing.assert_allclose(found.residual, 0, atol=1e-9)


def test_the_residual_is_that_of_the_best_fit():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4))
    found = fitted_quadratic(values, S, T, 9.0)
    s, t = (each.ravel() for each in np.meshgrid(S, T, indexing="ij"))
    powers = np.stack([s**0, s, t, s**2 / 2, s * t, t**2 / 2], -1)
    expected, (square,), *_ = np.linalg.lstsq(powers, values.ravel(), rcond=None)
    np.testing.assert_allclose(found.residual, np.sqrt(square / 20))
    np.testing.assert_allclose(found.hessian[0, 1], expected[4])
    np.testing.assert_allclose(np.diag(found.hessian), expected[[3, 5]])


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_curvatures_are_those_of_the_hessian_in_the_plane(orthogonal, scale):
    found = anisotropy(spanned(FIRST, scale * SECOND, orthogonal))
    # An orthonormal basis of the same plane, the second towards the second direction.
    e1 = FIRST / np.linalg.norm(FIRST)
    e2 = SECOND - (SECOND @ e1) * e1
    basis = np.stack([e1, e2 / np.linalg.norm(e2)])
    values, vectors = np.linalg.eigh(basis @ HESSIAN @ basis.T)
    for name, value in zip(("smallest", "largest"), values, strict=True):
        assert found[name].dims == ("checkpoint", "draw", "evaluation_set")
        np.testing.assert_allclose(found[name], value, rtol=1e-6)
    np.testing.assert_allclose(found["ratio"], values[1] / values[0], rtol=1e-6)
    assert (found["ratio"] < 0).all()  # a saddle
    axis = np.arctan(vectors[1, 1] / vectors[0, 1])
    np.testing.assert_allclose(found["angle"], axis, rtol=1e-6)
    assert found["largest"].attrs["units"] == "nat"
    assert found["angle"].attrs["units"] == "rad"


def test_a_round_bowl_has_the_ratio_1_however_it_is_spanned():
    found = anisotropy(spanned(FIRST, SECOND, hessian=3 * np.eye(3)))
    np.testing.assert_allclose(found["ratio"], 1)
    np.testing.assert_allclose(found["largest"], 3)


def test_what_is_not_finite():
    dataset = planes.plane()
    dataset["loss"][0, 0, 0, 5, 4] = NAN
    dataset["loss"][1, 0, 0, 0, 0] = NAN  # far from 0
    dataset["loss"][0, 1, 0, 5, 4] = math.inf
    found = anisotropy(dataset)
    expected = np.zeros((2, 2, 2), bool)
    expected[0, :, 0] = True
    for name in ("largest", "smallest", "ratio", "residual"):
        np.testing.assert_array_equal(~np.isfinite(found[name]), expected)
    assert anisotropy(dataset, reach=9.0)["largest"].isnull()[1, 0, 0]


def test_the_known_plane():
    found = anisotropy(planes.plane())
    scale = np.diag([1 / 2.0, 1 / 1.5])
    values = np.linalg.eigvalsh(scale @ planes.HESSIAN @ scale)
    np.testing.assert_allclose(found["largest"], values[1])
    np.testing.assert_allclose(found["smallest"], values[0])
    turned = planes.plane().transpose("step_size_2", "step_size", ...)
    xr.testing.assert_allclose(anisotropy(turned), found)


@pytest.mark.parametrize(
    ("dataset", "reach", "message"),
    [
        (planes.line([0, 1], [1, 2]), None, "not a plane"),
        (planes.plane(), 0.1, "1 of the step sizes .* a reach of 0.1.*larger reach"),
        (planes.plane(), 0, "reach is 0"),
        (planes.plane().isel(step_size=slice(5, None)), None, "on both sides of 0"),
        (planes.plane().isel(step_size_2=slice(5, None)), None, "0 is not among"),
        (planes.plane().drop_vars("direction_cosine"), None, "no direction_cosine"),
        (planes.plane().drop_vars("direction_norm"), None, "no direction_norm"),
    ],
)
def test_what_is_refused(dataset, reach, message):
    with pytest.raises(InvalidValueError, match=message):
        anisotropy(dataset, reach=reach)


@pytest.mark.parametrize("place", [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_no_quadratic_is_nearest_to_an_infinite_value(place, infinite):
    values = np.ones((2, 3, 3))
    values[0][place] = infinite
    found = fitted_quadratic(values, [-1, 0, 1], [-1, 0, 1])
    for each in found:
        assert np.isnan(each[0]).all()
        assert np.isfinite(each[1]).all()
