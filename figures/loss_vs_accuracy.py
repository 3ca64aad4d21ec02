"""Loss and accuracy along the gradient, MNIST (Fig. 9)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    plots.save(plots.plot_loss_vs_accuracy(dataset), out / "loss_vs_accuracy.png")


if __name__ == "__main__":
    main()
