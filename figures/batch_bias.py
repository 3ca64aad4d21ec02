"""The batch bias with its intervals, from both origins, MNIST (Sec. 4.2)."""

from pathlib import Path

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent
RATE = 0.1


def main(out=HERE):
    for name in ("", "-after-step"):
        dataset = landscape.open(HERE / f"mnist-mlp-bias{name}.zarr.zip")
        picture = f"batch_bias{name.replace('-', '_')}.png"
        plots.save(plots.plot_batch_bias(dataset), out / picture)
        print_bias(dataset)


def print_bias(dataset):
    """The bias of the loss at 0 and at the learning rate, and what that step gains."""
    bias = statistics.batch_bias(dataset, "loss", against="other_batch")["bias"]
    gain = dataset["loss"].sel(step_size=0) - dataset["loss"].sel(step_size=RATE)
    others = gain.isel(evaluation_set=dataset["kind"].values == "other_batch")
    columns = {
        "bias at 0": bias.sel(step_size=0),
        f"bias at {RATE}": bias.sel(step_size=RATE),
        "gain, same batch": gain.sel(evaluation_set="same_batch"),
        "gain, other batches": others.mean("evaluation_set", skipna=False),
    }
    print(f"origin {dataset.attrs['origin']}; loss in nat, means of draws with 95 % intervals")
    print("iteration" + "".join(f"{name:>28}" for name in columns))
    for i, iteration in enumerate(dataset["iteration"].values):
        print(f"{iteration:9}" + "".join(f"{stated(each[i]):>28}" for each in columns.values()))


def stated(values):
    low, high = statistics.interval(statistics.resample_draws(values, 2000)).values
    return f"{values.mean(skipna=False):.4f} [{low:.4f}, {high:.4f}]"


if __name__ == "__main__":
    main()
