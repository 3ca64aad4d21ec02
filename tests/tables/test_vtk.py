"""A plane that was written for VTK, read back by meshio, against the Dataset."""

import meshio
import numpy as np
import pytest
from helpers import planes

from landscape import tables
from landscape.errors import InvalidValueError, MissingFileError, UnknownNameError
from landscape.slices.planes import first_line
from landscape.tables import vtk


def written(dataset, tmp_path, **options):
    """The surface and the path, as meshio reads them; None without a path."""
    files = tables.save_plane(dataset, tmp_path / "plane.vtu", **options)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    meshes = [meshio.read(each) for each in files]
    return meshes if len(meshes) == 2 else (*meshes, None)


def corners(mesh):
    """For each cell the points at its corners."""
    (block,) = mesh.cells
    return mesh.points[block.data]


def test_points_are_step_sizes_and_the_value_and_every_value_is_there(tmp_path):
    dataset = planes.plane()
    surface, _ = written(dataset, tmp_path)
    last = dataset.isel(checkpoint=-1, draw=0)
    place = 0
    for t in dataset["step_size_2"].values:
        for s in dataset["step_size"].values:
            here = last.sel(step_size=s, step_size_2=t)
            height = here["loss"].sel(evaluation_set="validation")
            np.testing.assert_array_equal(surface.points[place], [s, t, height])
            for metric in ("loss", "accuracy"):
                for each in planes.SETS:
                    found = surface.point_data[f"{metric}/{each}"][place]
                    assert found == here[metric].sel(evaluation_set=each)
            place += 1
    assert place == len(surface.points)
    assert len(surface.point_data) == 4


def test_cells_are_the_rectangles_between_neighbours(tmp_path):
    surface, _ = written(planes.plane(points=4, points_2=3), tmp_path, flat=True)
    assert surface.cells[0].type == "quad"
    assert len(surface.cells[0].data) == 3 * 2
    assert (surface.points[:, 2] == 0).all()
    x, y = corners(surface)[..., 0], corners(surface)[..., 1]
    # The area between the corners in their order (Gauss), which is positive counterclockwise.
    area = 0.5 * (x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1)
    np.testing.assert_allclose(area, 2 / 3 * 0.8)


def test_what_is_chosen_is_written(tmp_path):
    dataset = planes.plane(draws=2, checkpoints=2)
    dataset["accuracy"][0] += 7
    surface, _ = written(
        dataset, tmp_path, checkpoint=400, draw=1, metric="accuracy", evaluation_set="same_batch"
    )
    wanted = dataset["accuracy"][0, 1, 0].transpose("step_size_2", "step_size")
    np.testing.assert_array_equal(surface.points[:, 2], wanted.values.ravel())
    other = dataset["loss"][0, 1, 0].transpose("step_size_2", "step_size")
    np.testing.assert_array_equal(surface.point_data["loss/same_batch"], other.values.ravel())


def test_slope_factors_have_names_of_their_own(tmp_path):
    dataset = planes.plane(checkpoints=1, draws=1)
    smooth = dataset["accuracy"].expand_dims(slope_factor=[0.5, 2.0], axis=-1).copy()
    dataset["smooth_accuracy"] = smooth * smooth["slope_factor"]
    surface, _ = written(dataset, tmp_path, metric="smooth_accuracy", slope_factor=2)
    assert {n for n in surface.point_data if n.startswith("smooth")} == {
        f"smooth_accuracy(s={factor})/{each}" for factor in ("0.5", "2") for each in planes.SETS
    }
    wanted = 2 * surface.point_data["accuracy/validation"]
    np.testing.assert_array_equal(surface.points[:, 2], wanted)


def test_what_is_not_finite_stays_and_leaves_a_gap(tmp_path):
    dataset = planes.plane(points=5, points_2=5, draws=1, checkpoints=1)
    dataset["loss"][0, 0, 1, 0, 0] = np.nan
    dataset["loss"][0, 0, 1, 4, 4] = np.inf
    dataset["loss"][0, 0, 0, 2, 2] = -np.inf
    surface, _ = written(dataset, tmp_path)
    for i, each in enumerate(planes.SETS):
        wanted = dataset["loss"][0, 0, i].transpose("step_size_2", "step_size")
        np.testing.assert_array_equal(surface.point_data[f"loss/{each}"], wanted.values.ravel())
    assert np.flatnonzero(np.isnan(surface.points[:, 2])).tolist() == [0, 24]
    assert np.isfinite(corners(surface)).all()
    assert len(surface.cells[0].data) == 16 - 2
    assert len(written(dataset, tmp_path, flat=True)[0].cells[0].data) == 16


def test_a_plane_without_any_value_is_only_flat(tmp_path):
    nothing = planes.plane(draws=1) * np.nan
    surface, path = written(nothing, tmp_path, flat=True)
    assert len(corners(surface)) == 10 * 8
    assert np.isnan(surface.point_data["loss/validation"]).all()
    assert (path.points[:, 2] == 0).all()
    with pytest.raises(InvalidValueError, match="no four neighbouring points with finite loss"):
        written(nothing, tmp_path)
    with pytest.raises(InvalidValueError, match="no four neighbouring points"):
        written(planes.plane().isel(step_size=[3]), tmp_path, flat=True)


def test_a_path_beside_the_surface_has_no_file(tmp_path):
    dataset = planes.plane()
    dataset["path_step_size"] += 7
    assert written(dataset, tmp_path)[1] is None


def test_the_path_lies_on_the_surface(tmp_path):
    dataset = planes.plane()
    _, path = written(dataset, tmp_path)
    one = dataset.isel(checkpoint=-1, draw=0)
    np.testing.assert_array_equal(path.points[:, 0], one["path_step_size"])
    np.testing.assert_array_equal(path.points[:, 1], one["path_step_size_2"])
    height = one["loss"].sel(evaluation_set="validation")
    for (s, t, z), distance in zip(path.points, one["path_distance"].values, strict=True):
        assert z == pytest.approx(bilinear(height, s, t), rel=1e-12)
        assert distance in path.point_data["distance"]
    assert path.point_data["iteration"].tolist() == [0, 100, 200, 300, 400]
    assert path.point_data["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert path.cells[0].type == "line"
    assert path.cells[0].data.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert written(dataset, tmp_path, flat=True)[1].points[:, 2].tolist() == [0] * 5


def bilinear(height, s, t):
    """The mean of the four samples around (s, t), weighted by the opposite areas."""
    a, b = (np.searchsorted(height[n], x, side="right") - 1 for n, x in AXES(s, t))
    a, b = min(a, height.sizes["step_size"] - 2), min(b, height.sizes["step_size_2"] - 2)
    steps, steps_2 = height["step_size"].values, height["step_size_2"].values
    u = (s - steps[a]) / (steps[a + 1] - steps[a])
    v = (t - steps_2[b]) / (steps_2[b + 1] - steps_2[b])
    weights = {(0, 0): (1 - u) * (1 - v), (1, 0): u * (1 - v), (0, 1): (1 - u) * v, (1, 1): u * v}
    return sum(
        w * float(height.isel(step_size=a + i, step_size_2=b + j)) for (i, j), w in weights.items()
    )


def AXES(s, t):
    return ("step_size", s), ("step_size_2", t)


def test_a_path_that_leaves_the_plane_has_a_gap_there(tmp_path):
    dataset = planes.plane(checkpoints=1, draws=1)
    dataset["path_step_size"][0, 0, 1] = -1.5
    _, path = written(dataset, tmp_path)
    assert np.isnan(path.points[:, 2]).tolist() == [False, True, False, False, False]
    assert path.cells[0].data.tolist() == [[2, 3], [3, 4]]
    assert path.points[1, 0] == -1.5


def test_without_a_path_there_is_one_file(tmp_path):
    _, path = written(planes.plane(path=0), tmp_path)
    assert path is None


@pytest.mark.parametrize("orthogonal", [True, False])
def test_distances_are_those_of_the_parameters(tmp_path, orthogonal):
    dataset = planes.plane(orthogonal=orthogonal, draws=1, checkpoints=1)
    dataset["direction_cosine"][:] = -0.6
    surface, path = written(dataset, tmp_path, against="distance")
    # Two vectors of the norms 2 and 1.5, at right angles or with the cosine −0.6 between them.
    d1 = np.array([0, 2.0, 0])
    d2 = 1.5 * (np.array([0, 0, 1.0]) if orthogonal else np.array([0.8, -0.6, 0]))
    steps, steps_2 = (dataset[n].values for n in ("step_size", "step_size_2"))
    parameters = np.array([s * d1 + t * d2 for t in steps_2 for s in steps])
    far = np.linalg.norm(parameters[:, None] - parameters, axis=-1)
    flat = surface.points[:, :2]
    np.testing.assert_allclose(np.linalg.norm(flat[:, None] - flat, axis=-1), far, atol=1e-12)
    np.testing.assert_allclose(flat[steps.size * 4 :][: steps.size, 0], 2 * steps)
    last = np.array(path.points[0, :2])
    start = dataset["path_step_size"][0, 0, 0].item() * d1
    start = start + dataset["path_step_size_2"][0, 0, 0].item() * d2
    assert np.linalg.norm(last) == pytest.approx(np.linalg.norm(start))


def test_names_from_a_store_are_no_markup(tmp_path):
    dataset = planes.plane(draws=1, checkpoints=1)
    evil = '<a b="c"> & \x1b'
    dataset["evaluation_set"] = np.array([evil, "validation"], dtype=object)
    surface, _ = written(dataset, tmp_path)
    assert set(surface.point_data) == {
        f"{metric}/{each}"
        for metric in ("loss", "accuracy")
        for each in ('<a b="c"> & \\x1b', "validation")
    }


def test_without_validation_the_height_is_that_of_the_first_set(tmp_path):
    dataset = planes.plane().isel(evaluation_set=[0])
    surface, _ = written(dataset, tmp_path)
    np.testing.assert_array_equal(surface.points[:, 2], surface.point_data["loss/same_batch"])


def test_what_is_refused_leaves_nothing(tmp_path):
    plane = planes.plane()
    for dataset, name, options, error, message in (
        (first_line(plane), "a.vtu", {}, InvalidValueError, "not a plane"),
        (plane.isel(step_size=0), "a.vtu", {}, InvalidValueError, "lack step_size"),
        (plane, "a.vtk", {}, UnknownNameError, r"unknown suffix of a plane '\.vtk'.*\.vtu"),
        (plane, "no/a.vtu", {}, MissingFileError, "no folder"),
        (plane, "a.vtu", {"checkpoint": 1}, UnknownNameError, "choose from 400, 800"),
        (plane, "a.vtu", {"draw": 2}, UnknownNameError, "unknown draw 2"),
        (plane, "a.vtu", {"metric": "speed"}, UnknownNameError, "unknown metric"),
        (plane, "a.vtu", {"evaluation_set": "x"}, UnknownNameError, "unknown evaluation set"),
        (plane, "a.vtu", {"slope_factor": 2}, InvalidValueError, "loss has none"),
        (plane, "a.vtu", {"against": "time"}, UnknownNameError, "unknown value of against"),
        (
            plane.drop_vars("direction_norm_2"),
            *("a.vtu", {"against": "distance"}, InvalidValueError, "no direction_norm_2"),
        ),
        (plane.isel(checkpoint=slice(0)), "a.vtu", {}, InvalidValueError, "no checkpoint"),
    ):
        with pytest.raises(error, match=message):
            tables.save_plane(dataset, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    surface, path = tables.save_plane(planes.plane(), tmp_path / "a.vtu")
    before = surface.read_bytes(), path.read_bytes()
    write = meshio.Mesh.write

    def full(self, name, **options):
        write(self, name, **options)
        if self.cells[0].type == "line":
            raise OSError("no space left")

    monkeypatch.setattr(meshio.Mesh, "write", full)
    (tmp_path / "b-path.vtu").mkdir()
    with pytest.raises(InvalidValueError, match="is a folder"):
        tables.save_plane(planes.plane(), tmp_path / "b.vtu")
    (tmp_path / "b-path.vtu").rmdir()
    with pytest.raises(OSError, match="no space"):
        tables.save_plane(planes.plane(), surface, flat=True)
    assert (surface.read_bytes(), path.read_bytes()) == before
    assert sorted(tmp_path.iterdir()) == [path, surface]


def test_without_meshio_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(vtk, "find_spec", lambda name: None)
    with pytest.raises(InvalidValueError, match=r"pip install 'accuracy-landscape\[vtk\]'"):
        tables.save_plane(planes.plane(), tmp_path / "a.vtu")
