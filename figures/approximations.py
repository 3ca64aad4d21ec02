"""Armijo's line at several c, and smooth accuracy at several slope factors (Fig. 13)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "line-search-loss.zarr.zip")
    drawn = plots.plot_approximations(dataset, checkpoint=25)
    plots.save(drawn, out / "approximations.png")


if __name__ == "__main__":
    main()
