"""The pre-study at full size on a residual network, on a CPU.

    python figures/full_size.py [STUDY]

STUDY is the folder that this command fills (see README, "The networks of the thesis", for the
arrays):

    landscape study pre-study cifar10-resnet20 --dataset cifar10.npz --channels-last --out STUDY

that is ResNet20 on all 50,000 images, 50 epochs of SGD at 0.1, ten checkpoints, thirteen step
sizes, five sets with all 10,000 validation images. Its slices and history are packed beside this
script first. Draws them, and prints what training took and the statistics of two sets.
"""

import sys
from pathlib import Path

from landscape import histories, plots, store, table_formats, tables
from landscape.history import HISTORY

HERE = Path(__file__).parent
SLICES, RUN = HERE / "cifar10-resnet20-full-size.zarr.zip", HERE / "cifar10-resnet20-run.zarr.zip"

SHOWN = ["same_batch", "validation"]


def main(out=HERE):
    slices, runs = store.open_(SLICES), histories.collect(RUN)
    for name in ("widening", "batches", "gap", "loss_vs_accuracy"):
        plots.save(getattr(plots, f"plot_{name}")(slices), out / f"full_size_{name}.png")
    drawn = plots.plot_overview(slices, metric="accuracy")
    plots.save(drawn, out / "full_size_overview.png")
    plots.save(plots.plot_training(runs), out / "full_size_training.png")

    print(
        f"training: {runs['seconds'].sum() / 60:.0f} min, {runs['seconds'].median():.0f} s an epoch"
    )
    print(table_formats.markdown(tables.benchmark(runs)))
    for against in ("step-size", "distance"):
        table = tables.slice_statistics(slices, evaluation_set=SHOWN, against=against)
        print(table_formats.markdown(table))


def pack(study):
    store.pack(study / "landscape.zarr", SLICES)
    histories.pack(histories.collect(study / "run" / HISTORY), RUN)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pack(Path(sys.argv[1]))
    main()
