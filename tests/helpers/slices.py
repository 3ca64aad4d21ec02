"""A small Dataset of slices whose statistics are known by heart."""

import numpy as np
import xarray as xr

from landscape.slices.schema import NAMES

STEPS = [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]
SETS = ["same_batch", "other_batch_1", "big_batch", "validation"]


def slices(draws: int = 1) -> xr.Dataset:
    """Two checkpoints: accuracies are hats around 0, 0.5 and 1 wide, losses parabolas around 0.5.

    From set to set the accuracy falls by 0.1 and the loss rises by 1; from draw to draw the
    accuracy rises by 0.02. The learning rates are 0.25 and 5.
    """
    s = np.array(STEPS)
    e = np.arange(len(SETS))[:, None]
    d = np.arange(draws)[:, None, None]
    fall = np.array([0.4, 0.2]).reshape(2, 1, 1, 1)
    accuracy = 0.9 - 0.1 * e + 0.02 * d - fall * np.abs(s)
    loss = 1 + (s - 0.5) ** 2 + e + 0 * accuracy
    smooth = accuracy[..., None] * np.array([0.5, 1.0, 0.25])
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    dataset = xr.Dataset(
        {
            "loss": (dims, loss),
            "accuracy": (dims, accuracy),
            "smooth_accuracy": ((*dims, "slope_factor"), smooth),
        },
        {
            "iteration": ("checkpoint", [10, 200]),
            "epoch": ("checkpoint", [0.5, 10.0]),
            "learning_rate": ("checkpoint", [0.25, 5.0]),
            "gradient_norm": (("checkpoint", "draw"), np.full((2, draws), [[2.0], [0.5]])),
            "draw": np.arange(draws),
            "evaluation_set": np.array(SETS, dtype=object),
            "kind": (
                "evaluation_set",
                np.array([SETS[0], "other_batch", *SETS[2:]], dtype=object),
            ),
            "samples": ("evaluation_set", [64, 64, 1000, 360]),
            "batch_norm": (
                "evaluation_set",
                np.array(["batch", "batch", "batch", "running"], dtype=object),
            ),
            "step_size": s,
            "slope_factor": [0.5, 1.0, 10.0],
        },
        {
            "task": "a-task",
            "optimizer": "sgd",
            "direction": "gradient",
            "origin": "before-step",
            "seed": 7,
            "along": "checkpoint",
            "schema": 1,
            "run": {"learning_rate": 0.25, "options": {"momentum": 0.9}},
            "torch": "2.14",
            "digests": {"10": "d10d10", "200": "d200d200"},
        },
    )
    for name, variable in dataset.variables.items():
        variable.attrs["long_name"], variable.attrs["units"] = NAMES[str(name)]
    return dataset
