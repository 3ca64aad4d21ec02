"""Step size and accuracy over the epochs, MNIST (Figs. 14, 15 and 22 on one task)."""

from pathlib import Path

from landscape import plots
from landscape.histories import collection as histories

HERE = Path(__file__).parent
SHOWN = {
    "loss_searches": ["sgd-armijo", "l-sls"],
    "smooth_accuracy_searches": ["sa-sls-thesis", "sa-sls"],
}


def main(out=HERE):
    dataset = histories.collect(HERE / "mnist-mlp-benchmark.zarr.zip")
    for name, optimizers in SHOWN.items():
        chosen = dataset.isel(run=dataset["optimizer"].isin(optimizers).values)
        plots.save(plots.plot_training(chosen), out / f"training_{name}.png")


if __name__ == "__main__":
    main()
