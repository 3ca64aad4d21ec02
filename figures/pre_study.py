"""The pre-study on MNIST: train, probe, and keep the aggregates beside the figures.

    python figures/pre_study.py DATA_ROOT [SCRATCH]

40 epochs of plain SGD at 0.1, ten checkpoints, the thirteen published step sizes, five sets with
all 10,000 validation images. Writes ``mnist-mlp.zarr.zip`` (without per-sample values) here and
the run and the whole store into SCRATCH (default ``runs/mnist-mlp``); prints what it took.
"""

import shutil
import sys
import time
from pathlib import Path

from landscape import runs, statistics, store, study
from landscape.settings import ProbeSettings
from landscape.tasks import load_task
from landscape.training import TrainingSettings

HERE = Path(__file__).parent


def main(data, scratch="runs/mnist-mlp"):
    started = time.perf_counter()
    task, run = load_task("mnist-mlp", data=Path(data)), Path(scratch)
    runs.train(task, TrainingSettings.of(task), run, source={"task": task.name})
    trained = time.perf_counter()
    study.probe(task, [run], run / "landscape.zarr", ProbeSettings())
    probed = time.perf_counter()
    study.probe(task, [run], run / "aggregates.zarr", ProbeSettings(samples=False))
    shutil.make_archive(str(HERE / "mnist-mlp.zarr"), "zip", run / "aggregates.zarr")

    accuracy = store.open_(run / "history.zarr").validation_accuracy.values
    widths = statistics.peak_widths(store.open_(run / "landscape.zarr"), relative=True)
    same = widths.isel(draw=0).sel(evaluation_set="same_batch")
    print(f"training {trained - started:.0f} s, probing {probed - trained:.0f} s")
    print(f"validation accuracy: {accuracy[-1]:.4f} at the end, {accuracy.max():.4f} at best")
    for one in (same.isel(checkpoint=i) for i in range(same.sizes["checkpoint"])):
        open_end = " or more" if one.lower_open or one.upper_open else ""
        print(f"iteration {one.iteration.item():6}: peak width {one.width.item():.3f}{open_end}")


if __name__ == "__main__":
    main(*sys.argv[1:])
