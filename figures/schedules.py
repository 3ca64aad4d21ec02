"""The learning rates of the standard optimizers, MNIST; cosine annealing by itself (Fig. 4)."""

from pathlib import Path

from landscape import plots
from landscape.histories import collection as histories

HERE = Path(__file__).parent


def main(out=HERE):
    dataset = histories.collect(HERE / "mnist-mlp-benchmark.zarr.zip")
    for name, optimizers, scale in (
        ("schedules", ["sgd", "sgd-schedule", "adam"], "log"),
        ("schedules_cosine", ["adam"], "linear"),
    ):
        chosen = dataset.isel(run=dataset["optimizer"].isin(optimizers).values)
        plots.save(plots.plot_schedules(chosen, value_scale=scale), out / f"{name}.png")


if __name__ == "__main__":
    main()
