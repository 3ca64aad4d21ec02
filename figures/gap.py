"""The gap between big batch and validation, MNIST (Fig. 19)."""

from pathlib import Path

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    plots.save(plots.plot_gap(dataset), out / "gap.png")
    gaps = statistics.gap(dataset).sel(step_size=0).mean("draw", skipna=False).values.round(4)
    print("gap at 0:", dict(zip(dataset["iteration"].values.tolist(), gaps.tolist(), strict=True)))


if __name__ == "__main__":
    main()
