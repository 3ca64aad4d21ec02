"""Loss along the gradient and the parabolas that foretell its minimum (Fig. 8)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    mnist = landscape.open(HERE / "mnist-mlp.zarr.zip")
    plots.save(plots.plot_parabola(mnist), out / "parabola_mnist.png")
    digits = landscape.open(HERE / "line-search-loss.zarr.zip")  # sampled more finely
    plots.save(plots.plot_parabola(digits, checkpoint=25), out / "parabola_digits.png")


if __name__ == "__main__":
    main()
