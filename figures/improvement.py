"""How much better the best step size is than 0 over the training, MNIST: five sets, 20 draws."""

from pathlib import Path

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent
SHOWN = ["same_batch", "validation"]  # of five sets, which side by side cannot be read


def main(out=HERE):
    for store, name in (("mnist-mlp", "sets"), ("mnist-mlp-draws", "draws")):
        dataset = landscape.open(HERE / f"{store}.zarr.zip")
        shown = dataset.sel(evaluation_set=SHOWN) if name == "sets" else dataset
        plots.save(plots.plot_improvement(shown), out / f"improvement_{name}.png")
        for metric in ("loss", "accuracy"):
            gain = statistics.best_steps(dataset, metric)["improvement"]
            medians = (
                gain.sel(evaluation_set="same_batch").median("draw", skipna=False).values.round(4)
            )
            print(f"{store}, {metric}, same batch, median over draws: {medians.tolist()}")


if __name__ == "__main__":
    main()
