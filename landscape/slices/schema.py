"""The variables of slices and planes: long names, units, and what older stores called them."""

import xarray as xr

from landscape.metrics import METRICS

# Numbers that a direction may bring -> long name, and that of the second direction's.
NUMBERS = {
    "eigenvalue": ("eigenvalue", "eigenvalue of the second direction"),
    "eigen_residual": (
        "residual of the eigenvector, relative to its eigenvalue",
        "residual of the second eigenvector, relative to its eigenvalue",
    ),
    "explained_variance": (
        "share of the path's variance along the direction",
        "share of the path's variance along the second direction",
    ),
}

# Variable -> (long name, units).
NAMES = {
    "iteration": ("iteration", "1"),
    "epoch": ("epoch", "1"),
    "learning_rate": ("learning rate", "1"),
    "gradient_norm": ("gradient norm", "1"),
    "direction_norm": ("norm of the direction", "1"),
    "direction_slope": ("slope of the loss along the direction", "nat"),
    "direction_norm_2": ("norm of the second direction", "1"),
    "direction_slope_2": ("slope of the loss along the second direction", "nat"),
    "direction_cosine": ("cosine between the directions, as they were taken", "1"),
    **{
        name + of: (long_name, "1")
        for name, both in NUMBERS.items()
        for of, long_name in zip(("", "_2"), both, strict=True)
    },
    "path_iteration": ("iteration along the path", "1"),
    "path_epoch": ("epoch along the path", "1"),
    "path_step_size": ("step size of the path, projected", "1"),
    "path_step_size_2": ("step size of the path along the second direction, projected", "1"),
    "path_distance": ("distance of the path from where it is projected", "1"),
    "path_explained": ("share of the path's variance that the projection keeps", "1"),
    "draw": ("draw", "1"),
    "evaluation_set": ("evaluation set", "1"),
    "kind": ("kind of evaluation set", "1"),
    "samples": ("number of samples", "1"),
    "batch_norm": ("batch-norm policy", "1"),
    "step_size": ("step size", "1"),
    "step_size_2": ("step size", "1"),
    "slope_factor": ("slope factor", "1"),
    "margin": ("margin", "1"),
    "residual": ("residual, output minus target", "1"),
    "target": ("target", "1"),
    "weight": ("weight of the loss", "1"),
    "unit_sample": ("sample of the unit", "1"),
    "index": ("place in the data", "1"),
    **{name: (metric.long_name, metric.units) for name, metric in METRICS.items()},
}

# What schema 2 added.
DERIVED = ("direction_norm", "direction_slope")
# What the name of a direction implies in stores of schema 1: its symbol, and whether its norm is 1
# (normalised) or ‖∇L‖.
_OF_SCHEMA_1 = {"gradient": ("−∇L", False), "normalised-gradient": ("−∇L/‖∇L‖", True)}


def upgraded(dataset: xr.Dataset) -> xr.Dataset:
    """Bring slices of schema 1 to schema 2: add norm, slope and symbol of their direction.

    Args:
        dataset: slices, or any other Dataset.

    Returns:
        The slices of schema 2; what has a norm already, or is not slices, is returned unchanged.
    """
    attributes = dict(dataset.attrs)
    if isinstance(search := attributes.get("search"), dict) and "better" in search:
        symbol, normalised = _OF_SCHEMA_1[search.get("direction", "gradient")]
        attributes["search"] = {
            **{key: value for key, value in search.items() if key != "better"},
            "mode": {"lower": "min", "higher": "max"}[search["better"]],
            "symbol": symbol,
            "normalised": normalised,
        }
        dataset = dataset.assign_attrs(attributes)
    if attributes.get("schema") == 1:  # of which an interrupted upgrade may have left some
        dataset = dataset.drop_vars(DERIVED, errors="ignore")
    name = attributes.get("direction")
    known = "direction_norm" in dataset.coords or "gradient_norm" not in dataset.coords
    if known or name not in _OF_SCHEMA_1:
        return dataset
    symbol, normalised = _OF_SCHEMA_1[name]
    length = dataset["gradient_norm"]
    norm = xr.ones_like(length) if normalised else length
    found = {"direction_norm": norm, "direction_slope": -length * norm}
    return dataset.assign_attrs(direction_symbol=symbol).assign_coords(
        {
            key: values.assign_attrs(long_name=NAMES[key][0], units=NAMES[key][1])
            for key, values in found.items()
        }
    )
