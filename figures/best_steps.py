"""The best step size of every slice over the training, MNIST: five sets, and 20 draws."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    for store, name in (("mnist-mlp", "sets"), ("mnist-mlp-draws", "draws")):
        drawn = plots.plot_best_steps(landscape.open(HERE / f"{store}.zarr.zip"))
        plots.save(drawn, out / f"best_steps_{name}.png")


if __name__ == "__main__":
    main()
