"""What stands below a chart."""

import xarray as xr

from landscape.slices.planes import is_plane
from landscape.slices.selection import metric_values
from landscape.slices.wording import name_label, with_units


def caption(
    dataset: xr.Dataset, metric: str | None = None, evaluation_set: str | None = None
) -> str:
    """Say what a chart shows: the directions, the metric, the sets and their batch norm.

    Args:
        dataset: slices or planes, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the metric that is shown; None to leave it out.
        evaluation_set: name of the set that is shown; None for all.

    Returns:
        Sentences, as plain text.
    """
    told = []
    for second, name in (
        ("", "first direction" if is_plane(dataset) else "direction"),
        ("_2", "second direction"),
    ):
        if about := dataset.attrs.get(f"direction_about{second}"):
            told.append(f"The {name}: {about}.")
    chosen = dataset if evaluation_set is None else dataset.sel(evaluation_set=[evaluation_set])
    sets = chosen["evaluation_set"]
    norms = sets["batch_norm"].values if "batch_norm" in sets.coords else [""] * sets.size
    sizes = sets["samples"].values if "samples" in sets.coords else [""] * sets.size
    each = [
        name_label(str(name)) + (f" ({size} samples, batch norm: {norm})" if norm else "")
        for name, size, norm in zip(sets.values, sizes, norms, strict=True)
    ]
    what = "Measured"
    if metric is not None:
        values = metric_values(dataset, metric)
        label = str(values.attrs.get("long_name", name_label(metric)))
        what = with_units(label[:1].upper() + label[1:], str(values.attrs.get("units", "1")))
    return " ".join([*told, f"{what} on {', '.join(each)}."])
