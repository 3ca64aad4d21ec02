"""Accuracy and loss of all evaluation sets at ten checkpoints, MNIST, and of a residual network."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    for store, metric in (
        ("mnist-mlp", "accuracy"),
        ("mnist-mlp", "loss"),
        ("cifar10-resnet20", "accuracy"),
    ):
        dataset = landscape.open(HERE / f"{store}.zarr.zip")
        if store == "cifar10-resnet20":  # whose file does not say that it went through JPEG
            dataset = dataset.assign_attrs(task="ResNet20 on CIFAR-10 (JPEG)")
        drawn = plots.plot_overview(dataset, metric=metric)
        plots.save(drawn, out / f"overview_{store.replace('-', '_')}_{metric}.png")


if __name__ == "__main__":
    main()
