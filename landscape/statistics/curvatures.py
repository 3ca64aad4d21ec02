"""The curvature of the loss along a direction, per distance, and its share of an eigenvalue."""

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.slices.planes import first_line
from landscape.slices.selection import labelled, norm
from landscape.statistics.points import parabolas

# What a float's rounding does to a loss, relative to it; and how many times that a bend has to be.
ROUNDING = {"float64": 1e-14, "float32": 1e-6, "bfloat16": 1e-2, "float16": 1e-3}
RESOLVED = 10


def curvatures(
    dataset: xr.Dataset,
    metric: str = "loss",
    reach: float | None = None,
    top: xr.Dataset | xr.DataArray | None = None,
) -> xr.Dataset:
    """Measure the curvature at 0 of every slice.

    With the second difference f''(0) of the parabola through 0 and a sample on either side
    (:func:`difference_parabola`),

        per_step = f''(0) ≈ d · H d        curvature = per_step / ‖d‖²
        share = curvature / λ

    where λ is an eigenvalue of the Hessian: that of the direction, where the slices store one
    (``eigenvalue``), or that of ``top``. Along the eigenvector itself the share is 1, up to the
    error of the difference: a check of both. Along another direction it says how much of the top
    curvature that direction feels. λ belongs to the batch of the gradient, so that on other
    evaluation sets the share compares their curvature with the batch's.

    A parabola that is narrow enough for f'' can be too narrow for the rounding of f: of losses of a
    float32 network the curvature is known to about 10⁻⁶ · f(0) / s². So each slice takes the
    samples nearest to 0 that bend it by ten times as much, or else the furthest.

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-0.01, 0, 0.01])
    >>> found = landscape.statistics.curvatures(slices)
    >>> ratio = found["per_step"] / found["curvature"]  # ‖d‖², here that of the gradient
    >>> bool(abs(ratio / slices["gradient_norm"] ** 2 - 1).max() < 1e-9)
    True

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them; of planes, the
            slices along the first direction through the origin.
        metric: name of the variable.
        reach: largest step size that is used, as in :func:`difference_parabola`; by default the
            nearest to 0 that show the curvature.
        top: slices with the coordinate ``eigenvalue``, as along hessian-1, or eigenvalues with the
            coordinate ``iteration`` along checkpoint. Each checkpoint takes the eigenvalue of the
            same iteration, and each draw that of the same draw, or the only one; NaN where there
            is none.

    Returns:
        ``curvature`` per distance² and ``per_step`` per step size², in units of the metric, and
        ``share`` where λ is known of slices of the loss that start before the step; with the
        dimensions of the metric without step_size. They are NaN where one of the three values is.

    Raises:
        InvalidValueError: for an unknown metric, step sizes without 0 or on one side of it alone,
            slices without a norm of their direction, and a ``top`` without eigenvalues, without a
            common iteration, or for slices of another metric or origin.
    """
    dataset = first_line(dataset)
    # The optimum of these parabolas is not used, so that the mode does not matter.
    per_step = (
        _resolved(dataset, metric)
        if reach is None
        else parabolas(dataset, metric, "difference", reach, mode="min")["curvature"]
    )
    length = norm(dataset).compute()
    with np.errstate(divide="ignore", invalid="ignore"):  # where ‖d‖ is 0
        curvature = per_step / length**2
    values = dataset[metric]
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    found = {
        "curvature": (curvature, f"curvature of the {of} per distance²", units),
        "per_step": (per_step, f"curvature of the {of} per step size²", units),
    }
    comparable = metric == "loss" and dataset.attrs.get("origin") == "before-step"
    if top is not None and not comparable:
        raise InvalidValueError(
            f"the slices show {metric!r} with the origin {dataset.attrs.get('origin')!r}; "
            "eigenvalues compare with the curvature of 'loss' with the origin 'before-step'"
        )
    if comparable and (top is not None or "eigenvalue" in dataset.coords):
        eigenvalue = dataset["eigenvalue"].compute() if top is None else _matched(top, dataset)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = curvature / eigenvalue
        found["share"] = (share, "curvature as a share of the eigenvalue", "1")
    return labelled(values, **found).assign_attrs(metric=metric)


def _resolved(dataset: xr.Dataset, metric: str) -> xr.DataArray:
    """f''(0) of each slice, by the nearest samples that show it beyond the rounding of f."""
    steps = dataset["step_size"].values
    sides = (-steps[steps < 0][::-1], steps[steps > 0])
    if 0 not in steps or not all(side.size for side in sides):  # which is refused there
        return parabolas(dataset, metric, "difference", mode="min")["curvature"]
    rounding = ROUNDING.get(str(dataset.attrs.get("dtype")), ROUNDING["float32"])
    start = abs(dataset[metric].sel(step_size=0, drop=True))
    found, settled = None, None
    for pair in zip(*sides, strict=False):
        each = parabolas(dataset, metric, "difference", max(pair), mode="min")["curvature"]
        shown = abs(each) * min(pair) ** 2 >= RESOLVED * rounding * start
        shown |= each.isnull()  # a NaN stays one
        found = each if found is None else found.where(settled, each)
        settled = shown if settled is None else settled | shown
    assert found is not None
    return found


def _matched(top: xr.Dataset | xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    """The eigenvalues at the checkpoints and draws of the slices, NaN where there is none."""
    if isinstance(top, xr.Dataset):
        if "eigenvalue" not in top.coords:
            raise InvalidValueError(
                f"the slices along {top.attrs.get('direction', 'unknown')!r} have no eigenvalue; "
                "give slices along hessian-1 or ggn-1"
            )
        top = top["eigenvalue"]
    if "checkpoint" not in top.dims or "iteration" not in top.coords:
        raise InvalidValueError(
            f"top has the dimensions {list(top.dims)} and the coordinates {list(top.coords)}; give "
            "eigenvalues along checkpoint, with the coordinate iteration"
        )
    there, wanted = top["iteration"].values.tolist(), dataset["iteration"].values.tolist()
    if not set(there) & set(wanted):
        raise InvalidValueError(
            f"top has eigenvalues at the iterations {there}, and the slices are of {wanted}; give "
            "those of the same checkpoints"
        )
    places = xr.DataArray(
        [there.index(each) if each in there else -1 for each in wanted], dims="checkpoint"
    )
    values = top.compute().reset_coords(drop=True).assign_coords(_labels(top))
    if "draw" in values.dims:
        values = (
            values.isel(draw=0, drop=True)
            if values.sizes["draw"] == 1
            else values.reindex(draw=dataset["draw"].values)
        )
    return values.isel(checkpoint=places).where(places >= 0)


def _labels(array: xr.DataArray) -> dict[str, xr.DataArray]:
    return {"draw": array["draw"]} if "draw" in array.dims else {}
