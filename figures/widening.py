"""The accuracy peak of the same batch at ten checkpoints, MNIST (Fig. 10)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    for against in ("step-size", "distance"):
        drawn = plots.plot_widening(dataset, against=against)
        plots.save(drawn, out / f"widening_{against.replace('-', '_')}.png")


if __name__ == "__main__":
    main()
