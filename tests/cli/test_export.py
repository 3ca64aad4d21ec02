"""``landscape export``: a plane of a store as files of VTK."""

from pathlib import Path

import meshio
import numpy as np
import pytest
import xarray as xr
from helpers import planes
from helpers.commands import refused, run

import landscape
from landscape import store, tables
from landscape.slices.planes import first_line
from landscape.tables import vtk


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planes")
    for name, dataset in (("plane", planes.plane()), ("line", first_line(planes.plane()))):
        rows = [xr.DataTree(dataset.isel(checkpoint=[i])) for i in range(2)]
        made = store.create(folder / name, rows[0], rows=2, attributes=dataset.attrs)
        for row in rows:
            made.write(row)
    return {"PLANE": folder / "plane", "LINE": folder / "line"}


def test_export(stores):
    result = run("export", stores["PLANE"])
    assert result.stdout == "surface: plane.vtu\npath: plane-path.vtu\n"
    surface = meshio.read("plane.vtu")
    wanted = landscape.open(stores["PLANE"])["loss"][-1, 0, 1]
    np.testing.assert_array_equal(surface.points[:, 2].reshape(wanted.T.shape), wanted.T)


def test_its_options_are_those_of_the_function(stores):
    run(
        *("export", stores["PLANE"], "-o", "a.vtu", "--checkpoint", 400, "--draw", 1),
        *("--metric", "accuracy", "--set", "same-batch", "--against", "distance"),
    )
    run("export", stores["PLANE"], "-o", "c.vtu", "--flat")
    dataset = landscape.open(stores["PLANE"])
    tables.save_plane(
        dataset,
        "b.vtu",
        checkpoint=400,
        draw=1,
        metric="accuracy",
        evaluation_set="same_batch",
        against="distance",
    )
    tables.save_plane(dataset, "d.vtu", flat=True)
    for one, other in ("ab", "cd"):
        for more in ("", "-path"):
            same = [Path(f"{name}{more}.vtu").read_bytes() for name in (one, other)]
            assert same[0] == same[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no store at nowhere"),
        (["LINE"], "not a plane; probe with a second one (--and"),
        (["PLANE", "-o", "a.vtk"], "unknown suffix of a plane '.vtk'"),
        (["PLANE", "-o", "no/a.vtu"], "no folder 'no'"),
        (["PLANE", "--set", "test"], "unknown evaluation set 'test'"),
        (["PLANE", "--metric", "speed"], "unknown metric 'speed'"),
        (["PLANE", "--checkpoint", 1], "unknown checkpoint 1; choose from 400, 800"),
        (["PLANE", "--draw", 9], "unknown draw 9"),
        (["PLANE", "--slope-factor", 1], "loss has none"),
        (["PLANE", "--against", "time"], "unknown value of against 'time'"),
    ],
)
def test_what_is_refused(stores, arguments, message):
    assert message in refused("export", *(stores.get(each, each) for each in arguments))
    assert not list(Path().iterdir())


def test_without_meshio_there_is_one_line(stores, monkeypatch):
    monkeypatch.setattr(vtk, "find_spec", lambda name: None)
    assert "pip install 'accuracy-landscape[vtk]'" in refused("export", stores["PLANE"])


def test_help():
    shown = " ".join(run("export", "--help").stdout.split())
    assert "STORE" in shown
    assert "ParaView" in shown
