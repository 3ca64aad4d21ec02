"""The ablations of sa-SLS: its slope factor, and another batch to search on (Figs. 16-18, 21).

    python figures/ablations.py [RUNS]

The runs of ``landscape study benchmark`` (the commands are in README.md beside this) are in
RUNS/slope-factors, RUNS/mnist-slope-factors and RUNS/search-batches; with RUNS, they are packed
here first.
"""

import json
import sys
from pathlib import Path

import numpy as np

from landscape import plots
from landscape.histories import collection as histories

HERE = Path(__file__).parent
SHOWN = [1, 5, 10]  # slope factors, of seven
PACKED = {
    "slope-factors": HERE / "ablation-slope-factors.zarr.zip",
    "search-batches": HERE / "ablation-search-batches.zarr.zip",
}


def main(out=HERE):
    factors, batches = (histories.collect(path) for path in PACKED.values())
    plots.save(plots.plot_slope_search(factors), out / "ablations_slope_factor.png")
    published = np.isin(factors["optimizer"], "sa-sls-thesis") & (factors["task"] == "digits-mlp")
    published &= np.isin(
        [json.loads(o).get("slope_factor", 1) for o in factors["options"].values], SHOWN
    )
    drawn = plots.plot_training(factors.isel(run=published.values), accuracy_from=0.9)
    plots.save(drawn, out / "ablations_slope_factor_training.png")
    for optimizer in ("l-sls", "sa-sls-thesis"):
        drawn = plots.plot_training(batches.isel(run=batches["optimizer"].values == optimizer))
        plots.save(drawn, out / f"ablations_search_batch_{optimizer.replace('-', '_')}.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        runs = Path(sys.argv[1])
        factors = [runs / "slope-factors", runs / "mnist-slope-factors"]
        histories.pack(histories.collect(factors), PACKED["slope-factors"])
        histories.pack(histories.collect(runs / "search-batches"), PACKED["search-batches"])
    main()
