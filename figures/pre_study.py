"""The pre-study on MNIST: train, probe, and keep the aggregates beside the figures.

    python figures/pre_study.py DATA_ROOT [SCRATCH]

40 epochs of plain SGD at 0.1, ten checkpoints, the thirteen published step sizes, five sets with
all 10,000 validation images; then the same batch alone over 20 draws and a wider range, for the
peak widths. Writes ``mnist-mlp.zarr.zip`` (without per-sample values) and
``mnist-mlp-draws.zarr.zip`` here, the run and the whole store into SCRATCH (default
``runs/mnist-mlp``), and prints what it took and found.
"""

import shutil
import sys
import time
from pathlib import Path

from landscape import runs, statistics, store, study
from landscape.settings import STEP_SIZES, ProbeSettings, spaced
from landscape.tasks import load_task
from landscape.training import TrainingSettings

HERE = Path(__file__).parent


def keep(task, run, name, settings):
    """Probe into a store without per-sample values and pack it beside the figures."""
    study.probe(task, [run], run / f"{name}.zarr", settings)
    shutil.make_archive(str(HERE / f"{name}.zarr"), "zip", run / f"{name}.zarr")


def main(data, scratch="runs/mnist-mlp"):
    started = time.perf_counter()
    task, run = load_task("mnist-mlp", data=Path(data)), Path(scratch)
    runs.train(task, TrainingSettings.of(task), run, source={"task": task.name})
    trained = time.perf_counter()
    study.probe(task, [run], run / "landscape.zarr", ProbeSettings())
    probed = time.perf_counter()
    accuracy = store.open_(run / "history.zarr").validation_accuracy.values
    print(f"training {trained - started:.0f} s, probing {probed - trained:.0f} s")
    print(f"validation accuracy: {accuracy[-1]:.4f} at the end, {accuracy.max():.4f} at best")

    keep(task, run, "mnist-mlp", ProbeSettings(samples=False))
    wide = ProbeSettings(
        step_sizes=sorted({*STEP_SIZES, *spaced(17, 4.0)}),
        sets=["same_batch"],
        draws=20,
        samples=False,
    )
    keep(task, run, "mnist-mlp-draws", wide)
    slices = store.open_(run / "mnist-mlp-draws.zarr")
    print("iteration  peak width in step size  in distance  gradient norm  (means of 20 draws)")
    widths, distances = (
        statistics.peak_widths(slices, against=against, relative=True).sel(
            evaluation_set="same_batch"
        )
        for against in ("step-size", "distance")
    )
    for i, iteration in enumerate(slices.iteration.values):
        one = widths.isel(checkpoint=i)
        bound = ">" if bool((one.lower_open | one.upper_open).any()) else " "
        print(
            f"{iteration:9} {bound}{one.width.mean().item():10.2f}"
            f"  {distances.width[i].mean().item():24.2f}"
            f"  {slices.gradient_norm[i].mean().item():13.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
