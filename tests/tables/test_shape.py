import numpy as np
import pytest
from helpers import planes
from helpers.commands import run

import landscape
from landscape import statistics, store, tables
from landscape.errors import InvalidValueError

STEPS = np.array([-0.5, -0.25, 0, 0.25, 0.5, 1.0])


def valley(**coords):
    """3 (s − 0.2)² in step sizes of norm 2, and the same 0.5 higher on validation."""
    made = planes.line(STEPS, 3 * (STEPS - 0.2) ** 2, checkpoints=2, draws=2, **coords)
    made["loss"][:, :, 1] += 0.5
    made["loss"][1, 1] *= 3
    return made


def test_a_row_for_every_slice_against_what_a_parabola_has():
    frame = tables.slice_shapes(valley())
    assert frame.index.tolist() == [
        (at, name) for at in (400, 800) for name in ("same batch", "validation")
    ]
    one = frame.loc[400, "same batch"]
    # Linear between samples: f(0.25) < f(0) < f(0.5) gives 0.25 + 0.25 · (f(0) − f(0.25)) / …
    f = 3 * (STEPS - 0.2) ** 2
    critical = 0.25 + 0.25 * (f[2] - f[3]) / (f[4] - f[3])
    assert one["mean critical step size"] == pytest.approx(critical)
    assert one["mean 2/critical (nat)"] == pytest.approx(2 / critical)
    assert one["mean curvature (nat)"] == pytest.approx(6 / 2**2)
    assert one["mean convex"] == 1
    assert one["mean rise (nat)"] == 0
    assert one["mean barrier (nat)"] == 0
    assert frame.loc[800, "same batch"]["sd curvature (nat)"] == pytest.approx(6 / 2**2)
    note = frame.attrs["note"]
    assert "Curvature: per squared distance" in note
    assert "Means over 2 draws" in note
    assert "eigenvalue" not in note


def test_the_share_of_an_eigenvalue_where_there_is_one():
    each = ("checkpoint", "draw")
    frame = tables.slice_shapes(valley(eigenvalue=(each, np.full((2, 2), 3.0))))
    assert frame.loc[400, "same batch"]["mean share of eigenvalue"] == pytest.approx(0.5)
    assert "Share of eigenvalue" in frame.attrs["note"]


def test_a_barrier_between_0_and_1():
    values = np.array([1, 1, 1, 3, 2, 0.5])
    frame = tables.slice_shapes(planes.line(STEPS, values), evaluation_set="validation")
    (row,) = (row for _, row in frame.iterrows())
    assert row["barrier (nat)"] == pytest.approx(3 - (0.75 * 1 + 0.25 * 0.5))
    assert row["critical step size"] == 0
    assert row["convex"] < 1


def test_of_a_plane_it_is_the_slice_along_the_first_direction():
    frame = tables.slice_shapes(planes.plane(draws=1, checkpoints=1))
    curvature = planes.HESSIAN[0, 0] / 2**2
    assert frame["curvature (nat)"].tolist() == pytest.approx([curvature] * 2)
    assert "Of a plane: the slice along random direction 1" in frame.attrs["note"]


def test_bad_input():
    with pytest.raises(InvalidValueError, match="0 is not among"):
        tables.slice_shapes(valley().isel(step_size=slice(3, None)))
    with pytest.raises(InvalidValueError, match="unknown evaluation set"):
        tables.slice_shapes(valley(), evaluation_set="valid")


def test_rounding_of_float32_is_no_curvature():
    """With step sizes so small that the losses differ by their rounding alone."""
    steps = np.array([-0.1, -1e-4, 0, 1e-4, 0.1])
    rounded = (1 + 2 * steps**2).astype(np.float32).astype(float)
    noise = np.array([0, 6e-8, 0, -1.2e-7, 0])
    made = planes.line(steps, rounded + noise)
    found = statistics.curvatures(made)["per_step"].values
    np.testing.assert_allclose(found, 4, rtol=1e-4)
    exact = made.assign_attrs(dtype="float64")
    assert abs(statistics.curvatures(exact)["per_step"].values - 4).max() > 1
    frame = tables.slice_shapes(made)
    assert (frame["convex"] == 1).all()


def test_the_commands(tmp_path):
    for name, dataset in (("line", valley()), ("plane", planes.plane())):
        dataset.attrs["settings"] = {}
        row = landscape.probing.dataset.xr.DataTree(dataset.isel(checkpoint=[0]))
        store.create(tmp_path / f"{name}.zarr", row, rows=1, attributes={}).write(row)
    said = run("table", "shape", tmp_path / "line.zarr", "--set", "same-batch", "--format", "csv")
    assert said.stdout.splitlines()[0].startswith(
        "iteration,evaluation set,mean critical step size"
    )
    said = run("table", "plane", tmp_path / "plane.zarr", "--metric", "loss", "--format", "csv")
    assert "largest curvature (nat)" in said.stdout.splitlines()[0]
