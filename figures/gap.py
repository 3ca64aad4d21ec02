"""The gap between big batch and validation, MNIST (Fig. 19)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    plots.save(plots.plot_gap(dataset), out / "gap.png")


if __name__ == "__main__":
    main()
