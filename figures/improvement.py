"""How much better the best step size is than 0 over the training, MNIST: five sets, 20 draws."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    for store, name in (("mnist-mlp", "sets"), ("mnist-mlp-draws", "draws")):
        drawn = plots.plot_improvement(landscape.open(HERE / f"{store}.zarr.zip"))
        plots.save(drawn, out / f"improvement_{name}.png")


if __name__ == "__main__":
    main()
