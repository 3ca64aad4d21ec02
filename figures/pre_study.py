"""The pre-study on MNIST: train, probe, and keep the aggregates beside the figures.

    python figures/pre_study.py DATA_ROOT [SCRATCH]

40 epochs of plain SGD at 0.1, ten checkpoints, 51 step sizes (the thirteen published ones and 38
between them, so that peaks are resolved), five sets with all 10,000 validation images:
``mnist-mlp``. Then the same checkpoints in many draws: these step sizes and others up to ±4 on the
same batch, for the peak widths (``-draws``); at the thirteen published ones, eight other batches
from both origins, for the batch bias (``-bias``, ``-bias-after-step``), and other batches of
several sizes, for the noise between them (``-batches-N``). Each is packed here without per-sample
values; the run and the whole stores are in SCRATCH (default ``runs/mnist-mlp``), where what is
there is not made again. Prints what it took and found.
"""

import sys
import time
from pathlib import Path

from landscape import statistics, store, study
from landscape.probing.settings import STEP_SIZES, ProbeSettings, spaced
from landscape.study import runs
from landscape.tasks import load_task
from landscape.training import TrainingSettings

HERE = Path(__file__).parent
RESOLVED = sorted({*STEP_SIZES, *spaced(41, 1.0, "symlog", smallest=0.005)})
OTHERS = ["same_batch", "other_batch"]
# Name of the store -> what is probed.
PROBES = {
    "": {"step_sizes": RESOLVED},
    "-draws": {
        "step_sizes": sorted({*RESOLVED, *spaced(17, 4.0)}),
        "sets": ["same_batch"],
        "draws": 20,
    },
    "-bias": {"sets": [*OTHERS, "big_batch"], "other_batches": 8, "draws": 20},
    "-bias-after-step": {
        "origin": "after-step",
        "sets": [*OTHERS, "big_batch"],
        "other_batches": 8,
        "draws": 20,
    },
    **{
        f"-batches-{n}": {"batch_size": n, "sets": OTHERS, "other_batches": 8, "draws": 10}
        for n in (32, 128, 512, 2048)
    },
}


def main(data, scratch="runs/mnist-mlp"):
    started = time.perf_counter()
    task, run = load_task("mnist-mlp", data=Path(data)), Path(scratch)
    runs.train(task, TrainingSettings.for_task(task), run, source={"task": task.name})
    print(f"training {time.perf_counter() - started:.0f} s")
    accuracy = store.open_(run / "history.zarr").validation_accuracy.values
    print(f"validation accuracy: {accuracy[-1]:.4f} at the end, {accuracy.max():.4f} at best")
    for name, settings in PROBES.items():
        started, slices = time.perf_counter(), run / f"mnist-mlp{name}.zarr"
        study.probe(task, [run], slices, ProbeSettings(samples=not name, **settings))
        print(f"mnist-mlp{name}: probed in {time.perf_counter() - started:.0f} s")
        store.pack(slices, HERE / f"{slices.name}.zip")
    print_widths(store.open_(run / "mnist-mlp-draws.zarr"))


def print_widths(slices):
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
            f"{iteration:9} {bound}{one.width.mean(skipna=False).item():10.2f}"
            f" {bound}{distances.width[i].mean(skipna=False).item():12.2f}"
            f"  {slices.gradient_norm[i].mean(skipna=False).item():13.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
