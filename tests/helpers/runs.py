"""Runs' folders as training leaves them, with histories that are made up."""

import json

import numpy as np
import xarray as xr

from landscape import store

UNITS = {"loss": "nat", "validation_loss": "nat", "seconds": "s"}
STEPS = 20  # an epoch


def write(folder, accuracy, *, asked=None, counts=(), **changes):
    """A run whose validation accuracy was ``accuracy``, (epochs done,); returns its folder.

    ``counts`` are further variables. ``changes`` are to its record and, where they are arrays or
    named after a variable, to its history.
    """
    accuracy = np.asarray(accuracy, dtype=float)
    done = len(accuracy)
    epochs = np.arange(1, done + 1)
    values = {
        "iteration": STEPS * epochs,
        "loss": 1 / epochs,
        "validation_loss": 2 / epochs,
        "validation_accuracy": accuracy,
        "step_size": np.full(done, 0.5),
        "forward_passes": np.full(done, 3 * STEPS),
        "backward_passes": np.full(done, STEPS),
        "seconds": np.full(done, 60.0),
        **dict(counts),
    }
    for name in set(changes) & set(values):
        values[name] = np.broadcast_to(changes.pop(name), (done,))
    record = {
        "task": "digits-mlp",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "options": {},
        "epochs": asked or done,
        "batch_size": 64,
        "seed": 0,
        "checkpoints": 10,
        **changes,
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    if not done:
        return folder
    history = xr.Dataset(
        {
            name: (
                "epoch",
                each,
                {"long_name": name.replace("_", " "), "units": UNITS.get(name, "1")},
            )
            for name, each in values.items()
        },
        {"epoch": epochs},
    )
    history["finished"] = "epoch", np.full(done, True)
    machine = {"device_name": "CPU", "torch": "2", "landscape": "0", "data": "/data", "folder": "/"}
    history.attrs = {"schema": store.SCHEMA, "along": "epoch", **machine, **record}
    history.to_zarr(folder / "history.zarr", zarr_format=3, consolidated=False)
    return folder
