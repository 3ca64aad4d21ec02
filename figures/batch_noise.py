"""The noise between batches against their size, MNIST (Sec. 4.2)."""

from pathlib import Path

import numpy as np

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent
SIZES = (32, 128, 512, 2048)


def main(out=HERE):
    stores = [landscape.open(HERE / f"mnist-mlp-batches-{n}.zarr.zip") for n in SIZES]
    plots.save(plots.plot_batch_noise(stores), out / "batch_noise.png")
    print("exponent of n, fitted at each checkpoint: median, lowest to highest (1/√n: -0.5)")
    for metric in ("loss", "accuracy"):
        noise = [statistics.batch_noise(each, metric) for each in stores]
        for name, step_size in (("value", 0), ("change", 0.1)):
            logs = np.log([each[name].sel(step_size=step_size).values for each in noise])
            slopes = np.polyfit(np.log(SIZES), logs, 1)[0]
            print(
                f"{metric:8} {name:6} at {step_size:3}: {np.median(slopes):.2f},"
                f" {slopes.min():.2f} to {slopes.max():.2f}"
            )


if __name__ == "__main__":
    main()
