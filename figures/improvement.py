"""How much better the best step size is than 0 over the training, MNIST: five sets, 20 draws."""

from pathlib import Path

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent


def main(out=HERE):
    for store, name in (("mnist-mlp", "sets"), ("mnist-mlp-draws", "draws")):
        dataset = landscape.open(HERE / f"{store}.zarr.zip")
        plots.save(plots.plot_improvement(dataset), out / f"improvement_{name}.png")
        for metric in ("loss", "accuracy"):
            gain = statistics.best_steps(dataset, metric)["improvement"]
            medians = (
                gain.sel(evaluation_set="same_batch").median("draw", skipna=False).values.round(4)
            )
            print(f"{store}, {metric}, same batch, median over draws: {medians.tolist()}")


if __name__ == "__main__":
    main()
