"""Seconds that statistics, figures and report take: 10 checkpoints, 13 step sizes, 14,000 samples.

    python tests/benchmarks/statistics_cost.py [--resamples 1000] [--checkpoints 10]

The values are made up; their shapes are a pre-study's. Peak memory is the most that numpy and
Python held during the line, as tracemalloc counts it in a run of its own.
"""

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

import landscape
from landscape import plots, report, statistics, store, tables

STEPS = np.array([-1, -0.5, -0.1, -1e-2, -1e-3, -1e-4, 0, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1])
SIZES = {
    "same_batch": 128,
    "other_batch_1": 128,
    "other_batch_2": 128,
    "big_batch": 1000,
    "validation": 12616,
}
KINDS = ["same_batch", "other_batch", "other_batch", "big_batch", "validation"]
DIMS = ("checkpoint", "draw", "step_size", "sample")


def row(iteration, rng):
    """One checkpoint: margins that fall, and losses that rise, away from 0."""
    groups, loss, accuracy = {}, [], []
    for name, size in SIZES.items():
        margin = np.tanh(rng.normal(0.5, 0.5, size) - (STEPS[:, None] - 0.01) ** 2)
        groups[f"/per_sample/{name}"] = xr.Dataset(
            {
                "loss": (DIMS, np.log1p(np.exp(-3 * margin)).astype(np.float32)[None, None]),
                "margin": (DIMS, margin.astype(np.float32)[None, None]),
                "target": (("checkpoint", "draw", "sample"), rng.integers(10, size=(1, 1, size))),
                "index": (("checkpoint", "draw", "sample"), np.arange(size)[None, None]),
            }
        )
        loss.append(np.log1p(np.exp(-3 * margin)).mean(-1))
        accuracy.append((margin > 0).mean(-1))
    dims = ("checkpoint", "draw", "evaluation_set", "step_size")
    root = xr.Dataset(
        {
            "loss": (dims, np.array(loss)[None, None]),
            "accuracy": (dims, np.array(accuracy)[None, None]),
        },
        {
            "iteration": ("checkpoint", [iteration]),
            "epoch": ("checkpoint", [np.nan]),
            "learning_rate": ("checkpoint", [0.1]),
            "gradient_norm": (("checkpoint", "draw"), [[1.0]]),
            "draw": [0],
            "evaluation_set": np.array(list(SIZES), dtype=object),
            "kind": ("evaluation_set", np.array(KINDS, dtype=object)),
            "samples": ("evaluation_set", list(SIZES.values())),
            "batch_norm": ("evaluation_set", np.array(["batch"] * 5, dtype=object)),
            "step_size": STEPS,
        },
        {"direction": "gradient", "origin": "before-step"},
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def write(path, checkpoints):
    rng = np.random.default_rng(0)
    first = row(0, rng)
    writer = store.create(path, first, rows=checkpoints, attributes={"task": "made up"})
    writer.write(first)
    for i in range(1, checkpoints):
        writer.write(row(100 * i, rng))


def measure(name, function):
    started, cpu = time.perf_counter(), time.process_time()
    function()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{name:<52} {cpu:6.2f} s CPU  {wall:6.2f} s  {peak / 2**20:6.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--checkpoints", type=int, default=10)
    arguments = parser.parse_args()
    mpl.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.zarr"
        write(path, arguments.checkpoints)
        slices = landscape.open(path)

        def sets(**options):
            return [landscape.open_samples(path, name, **options) for name in SIZES]

        def every():
            for metric in ("loss", "accuracy"):
                statistics.peak_widths(slices, metric)
                statistics.plateaus(slices, metric)
                statistics.batch_bias(slices, metric)
                statistics.gap(slices, metric)
                statistics.best_steps(slices, metric)
                statistics.armijo(slices, metric)
                for method in ("difference", "mutschler", "least-squares"):
                    statistics.parabolas(slices, metric, method)

        def resampled():
            return statistics.resample_samples(sets(), "loss", arguments.resamples)

        drawn = resampled()
        chunks = {"checkpoint": 1}
        for name, function in {
            "opening": lambda: landscape.open(path),
            "all statistics of loss and accuracy": every,
            "focal loss of all sets": lambda: statistics.rederive(sets(), "focal_loss"),
            "the same, chunk by chunk": lambda: statistics.rederive(
                sets(chunks=chunks), "focal_loss"
            ).compute(scheduler="synchronous"),
            "loss of each class, all sets": (
                lambda: statistics.rederive(sets(), "loss", by_class=True)
            ),
            f"{arguments.resamples} resamples of all sets": resampled,
            "intervals of the batch bias": (
                lambda: statistics.interval(statistics.batch_bias(drawn))
            ),
            "intervals of the peak widths": (
                lambda: statistics.interval(statistics.peak_widths(drawn, "loss"))
            ),
            "table of statistics": lambda: tables.slice_statistics(slices),
            "all figures of slices": lambda: plots.save_all(slices, Path(folder) / "figures"),
            "report": lambda: report.save(slices, Path(folder) / "report.html"),
        }.items():
            measure(name, function)


if __name__ == "__main__":
    main()
