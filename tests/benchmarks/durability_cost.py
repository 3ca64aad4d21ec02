"""What it costs that files wait for the disk: the same writes with and without fsync.

Run it on the disk that matters: `python tests/benchmarks/durability_cost.py [FOLDER]`.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest.mock import patch

import torch

from landscape import store
from landscape.probing import Prober, ProbeSettings
from landscape.tasks import load_task
from landscape.training import Training, TrainingSettings, checkpoints

REPEATS = 9


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compared(what, work, instead=lambda _: None):
    """Median time with fsync and without, in turns, since others use the disk too."""
    durable, plain = [], []
    for _ in range(REPEATS):
        durable.append(seconds(work))
        with patch.object(os, "fsync", instead):
            plain.append(seconds(work))
    a, b = 1000 * median(durable), 1000 * median(plain)
    print(f"{what:34} {a:9.1f} ms  without {b:9.1f} ms  +{a - b:7.1f} ms  ratio {a / b:.2f}")
    return a - b


def main(folder):
    torch.set_num_threads(1)
    task = load_task("digits-mlp")
    training = Training(task, TrainingSettings.for_task(task, epochs=1, checkpoints=0))
    state = training.checkpoint()
    prober = Prober(task.train, task.validation, ProbeSettings(batch_size=64))
    row = prober(training.model)
    fresh = iter(range(10**6))

    compared("a checkpoint", lambda: checkpoints.write(folder / "latest.pt", state))
    compared(
        "a new store",
        lambda: store.create(folder / f"{next(fresh)}.zarr", row, rows=1, attributes={}),
    )
    writer = store.create(folder / "rows.zarr", row, rows=20, attributes={})
    cost = compared("a row of slices", lambda: writer.write(row))
    probe = 1000 * median(seconds(lambda: prober(training.model)) for _ in range(5))
    print(f"the smallest probe of a checkpoint takes {probe:.0f} ms: +{cost / probe:.1%}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as place:
        main(Path(place))
