"""Accuracy close to the origin, in steps of one sample, MNIST (Table 3)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    plots.save(plots.plot_stepwise(dataset), out / "stepwise.png")


if __name__ == "__main__":
    main()
