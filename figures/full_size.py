"""The pre-study at full size on a residual network, on a CPU.

    python figures/full_size.py [STUDY]

STUDY is the folder that this command fills (see README, "The networks of the thesis", for the
arrays):

    landscape study pre-study cifar10-resnet20 --dataset cifar10.npz --channels-last --out STUDY

that is ResNet20 on all 50,000 images, 50 epochs of SGD at 0.1, ten checkpoints, thirteen step
sizes, five sets with all 10,000 validation images. The same checkpoints are then probed at 51 step
sizes, the thirteen among them, on the first 2,000 validation images; and in ten draws, on the same
batch alone and up to ±2. Slices and history are packed beside this script. Draws them, and prints
the norms of the weights (with STUDY), what training took, and statistics.
"""

import sys
from pathlib import Path

import torch

from landscape import plots, statistics, store, study, tables
from landscape.histories import collection as histories
from landscape.histories.layout import HISTORY
from landscape.probing.settings import STEP_SIZES, ProbeSettings, spaced
from landscape.tables import formats as table_formats
from landscape.training import checkpoints

HERE = Path(__file__).parent
SLICES, RESOLVED, DRAWS, RUN = (
    HERE / f"cifar10-resnet20-full-size{name}.zarr.zip"
    for name in ("", "-resolved", "-draws", "-run")
)
FINE = sorted({*STEP_SIZES, *spaced(41, 1.0, "symlog", smallest=0.005)})

SHOWN = ["same_batch", "validation"]


def opened(path):
    """Slices, with the name of their data, which the file does not say."""
    return store.open_(path).assign_attrs(task="ResNet20 on CIFAR-10 (JPEG)")


def main(out=HERE):
    slices, fine, runs = opened(SLICES), opened(RESOLVED), histories.collect(RUN)
    for name in ("widening", "batches", "gap", "loss_vs_accuracy"):
        plots.save(getattr(plots, f"plot_{name}")(fine), out / f"full_size_{name}.png")
    plots.save(plots.plot_widening(slices), out / "full_size_published.png")
    drawn = plots.plot_overview(fine, metric="accuracy")
    plots.save(drawn, out / "full_size_overview.png")
    # Names without the settings of the probes, on which the same batch does not depend.
    mnist = store.open_(HERE / "mnist-mlp.zarr.zip").assign_attrs(settings={})
    drawn = plots.plot_widening([mnist, fine.assign_attrs(settings={})], together=True)
    plots.save(drawn, out / "full_size_beside_mnist.png")
    draws = opened(DRAWS)
    for against in ("step-size", "distance"):
        drawn = plots.plot_peak_widths(draws, metric="accuracy", against=against)
        plots.save(drawn, out / f"full_size_peak_widths_{against.replace('-', '_')}.png")

    print(
        f"training: {runs['seconds'].sum() / 60:.0f} min, {runs['seconds'].median():.0f} s an epoch"
    )
    print(table_formats.markdown(tables.benchmark(runs)))
    best = statistics.best_steps(draws, "accuracy")["best_step_size"].median("draw")
    print(
        "best step size of the accuracy, median of ten draws:",
        best.values.ravel().round(3).tolist(),
    )
    for dataset, shown in ((slices, SHOWN), (fine, SHOWN), (draws, SHOWN[0])):
        for against in ("step-size", "distance"):
            table = tables.slice_statistics(dataset, evaluation_set=shown, against=against)
            print(table_formats.markdown(table))


def make(folder):
    """Probe once more, and pack what there is beside this script."""
    run = folder / "run"
    task, batch_size = study.task_of([run], None)
    more = {"batch_size": batch_size, "samples": False}
    settings = ProbeSettings(step_sizes=FINE, validation_samples=2000, **more)
    study.probe(task, [run], folder / "resolved.zarr", settings)
    settings = ProbeSettings(
        step_sizes=sorted({*FINE, *spaced(21, 2.0)}), sets=["same_batch"], draws=10, **more
    )
    study.probe(task, [run], folder / "draws.zarr", settings)
    for name, packed in (("landscape", SLICES), ("resolved", RESOLVED), ("draws", DRAWS)):
        store.pack(folder / f"{name}.zarr", packed)
    histories.pack(histories.collect(run / HISTORY), RUN)
    for path in checkpoints.find([run]):
        checkpoint = checkpoints.read(path)
        weights = [v for v in checkpoint.model.values() if v.ndim > 1]
        norm = torch.cat([w.flatten() for w in weights]).norm()
        print(f"iteration {checkpoint.iteration:5}: norm of all weights {norm:.1f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]))
    main()
