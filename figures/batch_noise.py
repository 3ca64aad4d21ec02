"""The noise between batches against their size, MNIST (Sec. 4.2)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    sizes = (32, 128, 512, 2048)
    stores = [landscape.open(HERE / f"mnist-mlp-batches-{n}.zarr.zip") for n in sizes]
    plots.save(plots.plot_batch_noise(stores), out / "batch_noise.png")


if __name__ == "__main__":
    main()
