"""The batch bias with its intervals, from both origins, MNIST (Sec. 4.2)."""

from pathlib import Path

import landscape
from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    for name in ("", "-after-step"):
        dataset = landscape.open(HERE / f"mnist-mlp-bias{name}.zarr.zip")
        picture = f"batch_bias{name.replace('-', '_')}.png"
        plots.save(plots.plot_batch_bias(dataset), out / picture)


if __name__ == "__main__":
    main()
