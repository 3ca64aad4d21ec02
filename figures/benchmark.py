"""Optimizers x seeds: eight on MNIST, three on a residual network (Tables 2 and 6).

    python figures/benchmark.py [MNIST_RUNS [CIFAR10_RUNS]]

With the folders of the runs, they are packed beside this script first: of
``landscape study benchmark mnist-mlp`` with four seeds, and of

    landscape study benchmark cifar10-resnet20 --dataset cifar10.npz --train-samples 10000
        --epochs 15 --optimizer sa-sls,sgd,adam --seeds 2

Prints both tables of each and draws step size and accuracy of all runs.
"""

import sys
from pathlib import Path

from landscape import plots, tables
from landscape.histories import collection as histories
from landscape.tables import formats as table_formats

HERE = Path(__file__).parent
# Of eight; training.py compares the line searches.
SHOWN = ["sgd", "sgd-schedule", "adam", "sa-sls"]
RUNS = {name: HERE / f"{name}-benchmark.zarr.zip" for name in ("mnist-mlp", "cifar10-resnet20")}


def main(out=HERE):
    for name, runs in RUNS.items():
        dataset = histories.collect(runs)
        for table in (tables.benchmark, tables.passes):
            print(table_formats.markdown(table(dataset)))
        shown = dataset.isel(run=dataset["optimizer"].isin(SHOWN).values)
        named = {"title": "ResNet20 on CIFAR-10 (JPEG)"} if name == "cifar10-resnet20" else {}
        drawn = plots.plot_training(shown, accuracy_from="auto", **named)
        plots.save(drawn, out / f"benchmark_{name.replace('-', '_')}.png")


if __name__ == "__main__":
    for folder, kept in zip(sys.argv[1:], RUNS.values(), strict=False):
        histories.pack(histories.collect(folder), kept)
    main()
