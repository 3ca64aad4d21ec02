"""What the charts of a report draw, as plain lists, texts and numbers for JSON."""

from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray

from landscape.plots.drawing import style
from landscape.slices import wording
from landscape.slices.caption import caption
from landscape.slices.choice import choose_metric, choose_plane
from landscape.slices.planes import SECOND, is_plane, path_shown
from landscape.slices.schema import upgraded
from landscape.statistics import distance, metrics

WIDTH = 2  # of lines, in pixels
DARK = "#16181c"  # --paper of page.css where it is dark
STANDS_OUT = 4.5  # contrast of a curve with the page
# matplotlib's markers and their names in plotly
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "D": "diamond",
    "P": "cross",
    "*": "star",
    "X": "x",
}


def charts(dataset: xr.Dataset) -> dict[str, Any]:
    """Step sizes, distances, styles, labels, captions and values of the report's charts.

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them.

    Returns:
        What JSON can hold. Each of ``metrics`` has ``curves``, one entry for each slope factor,
        with ``mean`` and, of several draws, ``low`` and ``high``: lists over checkpoint, evaluation
        set and step size, in the units of the metric. Of planes an entry is a list over draw,
        checkpoint, evaluation set, second and first step size. Numbers that are not finite are
        strings: "NaN", "Infinity", "-Infinity".
    """
    steps = dataset["step_size"]
    checkpoints = [dataset.isel(checkpoint=i) for i in range(dataset.sizes["checkpoint"])]
    looks = style.sequential_styles(len(checkpoints))
    return {
        "draws": dataset.sizes["draw"],
        "steps": _numbers(steps.values),
        "step_label": wording.step_label(steps, dataset),
        **(_second(dataset) if is_plane(dataset) else _distances(dataset)),
        "factors": dataset["slope_factor"].values.tolist()
        if "slope_factor" in dataset.coords
        else [],
        "places": wording.checkpoints_note(dataset),
        "checkpoints": [
            {
                "iteration": one["iteration"].item(),
                "label": wording.checkpoint_label(one),
                "short": wording.checkpoint_label(one, short=True),
                **_look(look),
                "dark": color,
            }
            for one, look, color in zip(
                checkpoints, looks, _dark_sequence(len(checkpoints)), strict=True
            )
        ],
        "sets": [
            {"name": name, "label": wording.name_label(name), **_look(look)}
            for name, look in style.set_styles(dataset).items()
        ],
        "metrics": {name: _metric(dataset, name) for name in sorted(metrics(dataset))},
    }


def _metric(dataset: xr.Dataset, name: str) -> dict[str, Any]:
    sloped = "slope_factor" in dataset[name].dims
    factors = dataset["slope_factor"].values.tolist() if sloped else [None]
    choose = choose_plane if is_plane(dataset) else choose_metric
    slices = [choose(dataset, name, factor) for factor in factors]
    sets = [str(each) for each in dataset["evaluation_set"].values]
    return {
        "name": str(dataset[name].attrs.get("long_name", name)),
        "sloped": sloped,
        "units": str(dataset[name].attrs.get("units", "")),
        "labels": [wording.value_label(each) for each in slices],
        "curves": [_planes(each) if is_plane(dataset) else _curves(each) for each in slices],
        "caption": caption(dataset, name),
        "captions": [caption(dataset, name, each) for each in sets],
    }


def _curves(values: xr.DataArray) -> dict[str, Any]:
    array = values.transpose("draw", "checkpoint", "evaluation_set", "step_size").values
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        mean = _numbers(array.mean(0))
    if len(array) == 1:
        return {"mean": mean}
    return {"mean": mean, "low": _numbers(array.min(0)), "high": _numbers(array.max(0))}


def _planes(values: xr.DataArray) -> list[Any]:
    order = ("draw", "checkpoint", "evaluation_set", SECOND, "step_size")
    return _numbers(values.transpose(*order).values)


def _second(dataset: xr.Dataset) -> dict[str, Any]:
    """Step sizes along the second direction, and the training path, over draw and checkpoint."""
    steps = dataset[SECOND]
    found = {
        "steps_2": _numbers(steps.values),
        "step_label_2": wording.step_label(steps, dataset),
        "draw_numbers": dataset["draw"].values.tolist(),
    }
    if path_shown(dataset):
        found["path"] = {
            "labels": _path_labels(dataset),
            **{
                name: _numbers(
                    dataset[f"path_{name}"].transpose("draw", "checkpoint", "path").values
                )
                for name in ("step_size", "step_size_2", "distance")
            },
        }
    return found


def _path_labels(dataset: xr.Dataset) -> list[str]:
    """What each point of the path is called."""
    path = xr.Dataset(
        coords={
            "iteration": ("path", dataset["path_iteration"].values, dataset["iteration"].attrs),
            "epoch": ("path", dataset["path_epoch"].values),
        }
    )
    return [wording.checkpoint_label(path.isel(path=i)) for i in range(path.sizes["path"])]


def _distances(dataset: xr.Dataset) -> dict[str, Any]:
    """Distances over checkpoint and step size, means over draws; nothing where no norm is known."""
    if "direction_norm" not in upgraded(dataset).coords:
        return {}
    along = distance(dataset)
    label = wording.step_label(along, dataset)
    with np.errstate(invalid="ignore"):
        return {
            "distances": _numbers(along.mean("draw", skipna=False).values),
            "distance_label": f"mean {label}" if dataset.sizes["draw"] > 1 else label,
        }


def _look(look: style.Style) -> dict[str, Any]:
    dashes = "" if look.linestyle == "-" else [f"{WIDTH * each}px" for each in look.linestyle[1]]
    return {
        "color": to_hex(look.color),
        "dark": _lightened(look.color),
        "dash": ",".join(dashes) or "solid",
        "symbol": SYMBOLS.get(look.marker, "circle"),
    }


def _dark_sequence(count: int) -> list[str]:
    """Colours of checkpoints in order, from dark to light, none too dark for a dark page."""
    return [to_hex(color) for color in mpl.colormaps["viridis"](np.linspace(0.35, 1, count))]


def _lightened(color: Any) -> str:
    """A colour, mixed with as much white as it needs to stand out from a dark page."""
    red, green, blue = to_rgb(color)
    while contrast((red, green, blue), DARK) < STANDS_OUT:
        red, green, blue = (0.95 * part + 0.05 for part in (red, green, blue))
    return to_hex((red, green, blue))


def contrast(color: Any, other: Any) -> float:
    """The contrast of two colours as the Web Content Accessibility Guidelines 2 define it.

    Args:
        color: a colour of matplotlib.
        other: another.

    Returns:
        From 1, of the same, to 21, of black and white.
    """

    def luminance(one: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(one)]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    # contrast = (L₁ + 0.05) / (L₂ + 0.05), L₁ ≥ L₂
    low, high = sorted(map(luminance, (color, other)))
    return (high + 0.05) / (low + 0.05)


def _numbers(array: NDArray[np.float64]) -> list[Any]:
    """Nested lists of numbers with nine digits, which tell any two of float32 apart."""

    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(each) for each in value]
        if np.isfinite(value):
            return float(f"{value:.9g}")
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"

    return [number(each) for each in array.tolist()]
