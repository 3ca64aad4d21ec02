"""The accuracy peak of the same batch at ten checkpoints, MNIST (Fig. 10).

Drawn of 51 step sizes, and beside that of the thirteen published ones alone; prints how wide the
peaks are by either.
"""

from pathlib import Path

import landscape
from landscape import plots, statistics
from landscape.probing.settings import STEP_SIZES

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = landscape.open(HERE / "mnist-mlp.zarr.zip")
    published = dataset.sel(step_size=list(STEP_SIZES))
    for against in ("step-size", "distance"):
        drawn = plots.plot_widening(dataset, against=against)
        plots.save(drawn, out / f"widening_{against.replace('-', '_')}.png")
    plots.save(plots.plot_widening(published), out / "widening_published.png")
    print("same batch, by iteration:", dataset["iteration"].values.tolist())
    for metric in ("accuracy", "loss"):
        for count, slices in ((51, dataset), (13, published)):
            found = {
                "width within 10 %": statistics.peak_widths(slices, metric, relative=True)["width"],
                "best step size": statistics.best_steps(slices, metric)["best_step_size"],
                "improvement": statistics.best_steps(slices, metric)["improvement"],
            }
            for name, values in found.items():
                one = values.sel(evaluation_set="same_batch").squeeze("draw").values.round(4)
                print(f"{count} step sizes, {metric}, {name}: {one.tolist()}")


if __name__ == "__main__":
    main()
