"""Planes, and slices along any direction, of a quadratic whose answers are known by heart."""

import numpy as np
import xarray as xr

from landscape.slices.schema import NAMES

HESSIAN = np.array([[2.0, 0.6], [0.6, 5.0]])  # of the loss in the plane's own coordinates
GRADIENT = np.array([-0.4, 0.3])
SETS = {"same_batch": 64, "validation": 360}
DIMS = ("checkpoint", "draw", "evaluation_set", "step_size", "step_size_2")


def loss(s, t, hessian=HESSIAN, gradient=GRADIENT, start=1.0):
    """start + g·x + ½ x·H x at x = (s, t)."""
    first = gradient[0] * s + gradient[1] * t
    return (
        start
        + first
        + 0.5 * (hessian[0, 0] * s**2 + 2 * hessian[0, 1] * s * t)
        + (0.5 * hessian[1, 1] * t**2)
    )


def accuracy(s, t):
    """A round hat of height 0.9 above the origin, half as high at a distance of 1."""
    return 0.9 - 0.45 * np.hypot(s, t)


def plane(
    points=11,
    points_2=9,
    reach=1.0,
    reach_2=0.8,
    draws=2,
    checkpoints=2,
    orthogonal=True,
    path=5,
    **kwargs,
):
    """Planes: the loss rises by 1 from set to set, by 0.1 from draw to draw.

    With a ``path`` of so many checkpoints, which comes from the corner and ends at the origin of
    the last.
    """
    s, t = np.linspace(-reach, reach, points), np.linspace(-reach_2, reach_2, points_2)
    more = (
        np.arange(len(SETS))[None, None, :, None, None]
        + 0.1 * np.arange(draws)[None, :, None, None, None]
        + np.zeros((checkpoints, 1, 1, 1, 1))
    )
    values = {
        "loss": loss(s[:, None], t[None, :], **kwargs) + more,
        "accuracy": accuracy(s[:, None], t[None, :]) - 0.1 * more,
    }
    each = ("checkpoint", "draw")
    coordinates = {
        **_common(checkpoints, draws, s),
        "step_size_2": t,
        "direction_norm_2": (each, np.full((checkpoints, draws), 1.5)),
        "direction_slope_2": (each, np.full((checkpoints, draws), GRADIENT[1])),
        "direction_cosine": (each, np.full((checkpoints, draws), 0.02)),
    }
    if path:
        along = np.linspace(1, 0, path)
        shape = (checkpoints, draws, path)
        at = (*each, "path")
        coordinates |= {
            "path_iteration": ("path", np.arange(path) * 100),
            "path_epoch": ("path", np.arange(path) * 1.0),
            "path_step_size": (at, np.broadcast_to(-0.9 * reach * along, shape).copy()),
            "path_step_size_2": (at, np.broadcast_to(-0.8 * reach_2 * along**2, shape).copy()),
            "path_distance": (at, np.broadcast_to(0.1 * along * (1 - along), shape).copy()),
            "path_explained": (each, np.full((checkpoints, draws), 0.93)),
        }
    variables = {name: (DIMS, array) for name, array in values.items()}
    made = xr.Dataset(variables, coordinates, _attributes())
    made.attrs |= {
        "direction_2": "random",
        "direction_symbol_2": "random direction 2",
        "direction_about_2": ABOUT,
        "orthogonal": orthogonal,
    }
    return _named(made)


ABOUT = "random direction, each filter with the norm of the network's own; biases stay"


def line(steps, values, draws=1, checkpoints=1, direction="towards:b", symbol="θ_b − θ", **coords):
    """Slices with these losses, (step_size,) or (checkpoint, draw, set, step_size)."""
    values = np.broadcast_to(values, (checkpoints, draws, len(SETS), len(steps))).copy()
    made = xr.Dataset(
        {"loss": (DIMS[:4], values), "accuracy": (DIMS[:4], 1 / (1 + values))},
        _common(checkpoints, draws, np.asarray(steps, float)) | coords,
        _attributes() | {"direction": direction, "direction_symbol": symbol},
    )
    return _named(made)


def _common(checkpoints, draws, s):
    each = ("checkpoint", "draw")
    full = (checkpoints, draws)
    return {
        "iteration": ("checkpoint", 400 * np.arange(1, checkpoints + 1)),
        "epoch": ("checkpoint", 4.0 * np.arange(1, checkpoints + 1)),
        "learning_rate": ("checkpoint", np.full(checkpoints, 0.1)),
        "gradient_norm": (each, np.full(full, 0.5)),
        "direction_norm": (each, np.full(full, 2.0)),
        "direction_slope": (each, np.full(full, GRADIENT[0])),
        "draw": np.arange(draws),
        "evaluation_set": np.array(list(SETS), dtype=object),
        "kind": ("evaluation_set", np.array(list(SETS), dtype=object)),
        "samples": ("evaluation_set", list(SETS.values())),
        "batch_norm": ("evaluation_set", np.array(["batch", "running"], dtype=object)),
        "step_size": s,
    }


def _attributes():
    return {
        "task": "a-task",
        "optimizer": "sgd",
        "direction": "random",
        "direction_symbol": "random direction 1",
        "direction_about": ABOUT,
        "origin": "before-step",
        "seed": 0,
        "along": "checkpoint",
        "schema": 2,
        "run": {"learning_rate": 0.1, "options": {}, "optimizer": "sgd", "seed": 0},
    }


def _named(dataset):
    for name, variable in dataset.variables.items():
        variable.attrs["long_name"], variable.attrs["units"] = NAMES[str(name)]
    return dataset


def samples(dataset, name="validation", count=25, spread=0.3):
    """Per-sample losses of a set whose mean is the stored loss, and whose curvatures differ.

    Sample n has the loss of the set, and e_n · (1 + s² + t²) with Σ e_n = 0.
    """
    noise = np.random.default_rng([7, *name.encode()]).normal(0, spread, count)
    noise = xr.DataArray(noise - noise.mean(), dims="sample")
    square = sum(dataset[each] ** 2 for each in ("step_size", "step_size_2") if each in dataset)
    own = dataset["loss"].sel(evaluation_set=name)
    loss = (own + noise * (1 + square)).transpose("checkpoint", "draw", ..., "sample")
    target = xr.DataArray(np.zeros(count, dtype=int), dims="sample")
    made = xr.Dataset({"loss": loss, "margin": -loss, "target": target}, attrs=dataset.attrs)
    return made.assign_coords(evaluation_set=name)
