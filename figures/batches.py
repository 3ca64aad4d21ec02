"""All sets at one checkpoint, accuracy and loss, MNIST (Figs. 11 and 20)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    for metric in ("accuracy", "loss", "smooth_accuracy"):
        drawn = plots.plot_batches(dataset, metric=metric)
        plots.save(drawn, out / f"batches_{metric}.png")


if __name__ == "__main__":
    main()
