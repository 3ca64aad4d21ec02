"""Eight optimizers, four seeds each, MNIST (Tables 2 and 6).

    python figures/benchmark.py [RUNS]

With the folder of the runs, they are packed into ``mnist-mlp-benchmark.zarr.zip`` here first.
Prints both tables and draws step size and accuracy of all runs.
"""

import sys
from pathlib import Path

from landscape import histories, plots, table_formats, tables

HERE = Path(__file__).parent
RUNS = HERE / "mnist-mlp-benchmark.zarr.zip"


def main(out=HERE):
    dataset = histories.collect(RUNS)
    for table in (tables.benchmark, tables.passes):
        print(table_formats.markdown(table(dataset)))
    drawn = plots.plot_training(dataset, accuracy_from="auto")
    plots.save(drawn, out / "benchmark.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        histories.pack(histories.collect(sys.argv[1]), RUNS)
    main()
