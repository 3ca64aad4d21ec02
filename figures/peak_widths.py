"""The width of the peak over the training, MNIST: five sets, and 20 draws."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent
SHOWN = ["same_batch", "validation"]  # of five sets, which side by side cannot be read


def main(out=HERE):
    for store, name, against in (
        ("mnist-mlp", "sets", "step-size"),
        ("mnist-mlp-draws", "draws", "step-size"),
        ("mnist-mlp-draws", "draws_distance", "distance"),
    ):
        dataset = landscape.open(HERE / f"{store}.zarr.zip")
        if name == "sets":
            dataset = dataset.sel(evaluation_set=SHOWN)
        drawn = plots.plot_peak_widths(dataset, against=against)
        plots.save(drawn, out / f"peak_widths_{name}.png")


if __name__ == "__main__":
    main()
