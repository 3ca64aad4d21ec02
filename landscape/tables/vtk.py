"""A plane as a file of VTK (.vtu), which ParaView, PyVista and the like open.

It is here, with what turns a Dataset into files of numbers for other programs, and needs no
network. The package meshio writes the file (the extra ``vtk`` installs it).
"""

import os
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, UnknownNameError, visible
from landscape.runtime.atomic import atomic_write, require_place
from landscape.slices.choice import (
    at_slope_factor,
    choose_checkpoints,
    choose_draw,
    main_metric,
)
from landscape.slices.planes import SECOND, cosine, path_shown, require_plane
from landscape.statistics import AGAINST, metrics, require_slices, set_name

if TYPE_CHECKING:
    import meshio

SUFFIX = ".vtu"
Floats = NDArray[np.float64]


def save_plane(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    checkpoint: int | None = None,
    draw: int | None = None,
    metric: str | None = None,
    evaluation_set: str | None = None,
    slope_factor: float | None = None,
    against: str = "step-size",
    flat: bool = False,
) -> list[Path]:
    """Write a plane as a surface, and the training path on it, completely or not at all.

    Every metric on every set is in the file of the surface, as point data called "loss/validation"
    or "smooth_accuracy(s=1)/validation"; what is not finite stays as it is. A point whose height is
    not finite has none (NaN) and belongs to no cell, which leaves a gap. The path is a polyline in
    a second file, where the store has one: its places are the projections of the training's
    checkpoints, its heights those of the surface there, linear between samples (the network was
    not measured on the path), and it has gaps where the surface has some or ends; of a path with
    no part on the surface there is no file. Its point data are ``iteration``, ``epoch`` and
    ``distance`` (from the plane).

    Args:
        dataset: planes, as ``landscape.probe`` and ``landscape.open`` give them.
        path: the file of the surface, which ends in .vtu; an existing one is replaced. The path's
            file has "-path" before that.
        checkpoint: iteration to write; by default the last.
        draw: draw to write; by default the first.
        metric: metric that is the height; by default the loss, or else the accuracy.
        evaluation_set: set whose values are the height; by default validation, or else the first.
        slope_factor: that of smooth accuracy as the height; by default the nearest to 1.
        against: how the sides are measured: "step-size", where points are (s, t), or "distance",
            where their distances from each other are those of the parameters: the angle between
            the directions is then that of the picture.
        flat: whether every height is 0.

    Returns:
        The files that were written.

    Raises:
        InvalidValueError: for slices that are no plane, an unknown checkpoint, draw, metric, set,
            slope factor or value of ``against``, a plane without a surface, a path that is a
            folder, and where meshio is not installed.
        MissingFileError: where the folder to write to does not exist.
        UnknownNameError: for another suffix, and for a name that is not known.
    """
    path = local_path(path)
    if path.suffix.lower() != SUFFIX:
        raise UnknownNameError("suffix of a plane", path.suffix, [SUFFIX])
    require_slices(dataset)
    require_plane(dataset)
    if against not in AGAINST:
        raise UnknownNameError("value of against", against, AGAINST)
    require_place(path)
    _require_meshio()
    at = choose_checkpoints(dataset, checkpoint)[-1]
    one = dataset.isel(checkpoint=at, draw=choose_draw(dataset, draw))
    name = metric or ("loss" if "loss" in metrics(dataset) else main_metric(dataset))
    names = [str(each) for each in dataset["evaluation_set"].values]
    shown = "validation" if "validation" in names else names[0]
    chosen = set_name(dataset, shown if evaluation_set is None else evaluation_set)
    height = _grid(at_slope_factor(one, name, slope_factor), chosen)
    meshes = {path: _surface(one, np.zeros_like(height) if flat else height, against)}
    if not _size(meshes[path]):
        raise InvalidValueError(
            f"the plane has no four neighbouring points with finite {name} on {chosen!r}, so there "
            "is no surface; give another metric or set, or --flat (flat=True)"
        )
    if path_shown(dataset) and _size(line := _path(one, None if flat else height, against)):
        beside = path.with_name(f"{path.stem}-path{path.suffix}")
        require_place(beside)
        meshes[beside] = line
    with ExitStack() as files:
        partials = [files.enter_context(atomic_write(each)) for each in meshes]
        for partial, mesh in zip(partials, meshes.values(), strict=True):
            mesh.write(partial, file_format="vtu")
    return list(meshes)


def _surface(one: xr.Dataset, height: Floats, against: str) -> "meshio.Mesh":
    """Quadrilaterals between the samples; ``height`` is (step_size_2, step_size)."""
    s, t = one["step_size"].values, one[SECOND].values
    along, along_2 = np.meshgrid(s, t)
    x, y = _sides(one, along, along_2, against)
    place = np.arange(height.size).reshape(height.shape)
    corners = (place[:-1, :-1], place[:-1, 1:], place[1:, 1:], place[1:, :-1])
    cells = np.stack([each.ravel() for each in corners], axis=-1)
    return _mesh(x, y, height, ("quad", cells), _values(one))


def _path(one: xr.Dataset, height: Floats | None, against: str) -> "meshio.Mesh":
    """The projected path on the surface, a line from each of its points to the next."""
    s, t = one["path_step_size"].values, one["path_step_size_2"].values
    x, y = _sides(one, s, t, against)
    z = np.zeros_like(s)
    if height is not None:
        z = _between(height, one["step_size"].values, one[SECOND].values, s, t)
    data = {
        name: one[f"path_{name}"].values
        for name in ("iteration", "epoch", "distance")
        if f"path_{name}" in one.coords
    }
    place = np.arange(len(s))
    return _mesh(x, y, z, ("line", np.stack([place[:-1], place[1:]], axis=-1)), data)


def _sides(one: xr.Dataset, s: Floats, t: Floats, against: str) -> tuple[Floats, Floats]:
    """The two coordinates in the plane of the points s·d₁ + t·d₂."""
    if against == "step-size":
        return s, t
    # With d₁ along x and the cosine c between the directions:
    # x = s·‖d₁‖ + t·‖d₂‖·c,  y = t·‖d₂‖·√(1 − c²), so that ‖(x, y)‖ = ‖s·d₁ + t·d₂‖.
    missing = [n for n in ("direction_norm", "direction_norm_2") if n not in one.coords]
    if missing:
        raise InvalidValueError(
            f"the plane has no {missing[0]}, so its distances are not known; "
            "give --against step-size (against='step-size')"
        )
    norm, norm_2 = (float(one[n]) for n in ("direction_norm", "direction_norm_2"))
    c = float(cosine(one))
    return s * norm + t * norm_2 * c, t * norm_2 * np.sqrt(1 - c**2)


def _between(height: Floats, s: Floats, t: Floats, at_s: Floats, at_t: Floats) -> Floats:
    """Heights (step_size_2, step_size) at places (path,), linear along both; NaN outside."""
    # z(s, t) = Σᵢⱼ zᵢⱼ·hᵢ(s)·hⱼ(t), with h the hats between the samples: first along s, then t.
    rows = [[np.interp(x, s, row, np.nan, np.nan) for row in height] for x in at_s]
    pairs = zip(at_t, rows, strict=True)
    return np.array([np.interp(y, t, column, np.nan, np.nan) for y, column in pairs])


def _grid(values: xr.DataArray, evaluation_set: str) -> Floats:
    """The values on one set, (step_size_2, step_size)."""
    found = values.sel(evaluation_set=evaluation_set).transpose(SECOND, "step_size")
    return found.values.astype(np.float64)


def _values(one: xr.Dataset) -> dict[str, NDArray[Any]]:
    """Every metric on every set, over the points of the surface, by a name that XML can hold."""
    found = {}
    for name in sorted(metrics(one)):
        sloped = "slope_factor" in one[name].dims
        for factor in one["slope_factor"].values.tolist() if sloped else [None]:
            values = at_slope_factor(one, name, factor)
            label = name if factor is None else f"{name}(s={factor:g})"
            for each in map(str, one["evaluation_set"].values):
                found[f"{label}/{each}"] = _grid(values, each).ravel()
    return {escape(visible(name), {'"': "&quot;"}): array for name, array in found.items()}


def _mesh(
    x: Floats, y: Floats, z: Floats, cells: tuple[str, NDArray[np.int64]], data: dict[str, Any]
) -> "meshio.Mesh":
    """Points and those cells between them whose corners all have a place."""
    import meshio

    points = np.stack([each.ravel() for each in (x, y, z)], axis=-1).astype(np.float64)
    placed = np.isfinite(points)
    points[~placed] = np.nan
    kind, corners = cells
    whole = np.all(placed[corners], axis=(1, 2))  # (cell, corner, coordinate)
    return meshio.Mesh(points, [(kind, corners[whole])], point_data=data)


def _size(mesh: "meshio.Mesh") -> int:
    return sum(len(each.data) for each in mesh.cells)


def _require_meshio() -> None:
    if find_spec("meshio") is None:
        raise InvalidValueError(
            "a file of VTK needs meshio, which is not installed; "
            "pip install 'accuracy-landscape[vtk]'"
        )
