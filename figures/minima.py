"""Are the minima that sa-SLS finds wider? An MLP on MNIST, three optimizers, four seeds.

    python figures/minima.py [RUNS]

RUNS is the folder that this command fills:

    landscape study benchmark mnist-mlp --optimizer sgd,adam,sa-sls --seeds 4 --epochs 15 --out RUNS

Its last checkpoints are then probed in three directions: random ones with the norms of the
network's filters (five draws), the gradient's of a batch of 128 (five draws, of norm 1), and the
first eigenvector of the Hessian of 2,000 training samples. The widths of what is found are written
to minima.csv beside this script. Draws them, and prints means over seeds with 95 % intervals of
Student's t, since four seeds are too few to resample.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy import stats

import landscape
from landscape import plots, statistics, study
from landscape.plots.drawing.theme import theme
from landscape.probing.settings import AutoRange, ProbeSettings, spaced

HERE = Path(__file__).parent
TABLE = HERE / "minima.csv"
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "sa-sls": "sa-SLS"}
COLORS, MARKERS = ("#005A9C", "#D55E00", "#000000"), "os^"
SETS = {"big_batch": 2000, "validation": 2000}
DIRECTIONS = {
    "random": {"step_sizes": spaced(41, 2.5), "draws": 5},
    "normalised-gradient": {"step_sizes": AutoRange(41, rise=4.0), "draws": 5},
    "hessian-1:big_batch": {"step_sizes": AutoRange(41, rise=4.0)},
}
# What counts as the minimum: within 0.1 nat of the lowest loss, within 10 % of the best accuracy.
WITHIN = {
    "loss": {"tolerance": 0.1, "relative": False},
    "accuracy": {"tolerance": 0.1, "relative": True},
}
PANELS = {
    "random": "random\n(norms of filters)",
    "normalised-gradient": "gradient\n(distance)",
    "hessian-1:big_batch": "eigenvector\n(distance)",
}


def make(runs):
    """Probe the last checkpoint of every run, and write the widths."""
    rows = []
    for optimizer in OPTIMIZERS:
        for run in sorted(runs.rglob(f"{optimizer}-[0-9]")):
            task, batch_size = study.task_of([run], None)
            for direction, how in DIRECTIONS.items():
                settings = ProbeSettings(
                    direction=direction,
                    sets=[*SETS],
                    big_batch=SETS["big_batch"],
                    validation_samples=SETS["validation"],
                    batch_size=batch_size,
                    samples=False,
                    **how,
                )
                with tempfile.TemporaryDirectory() as folder:
                    store = Path(folder) / "s.zarr"
                    study.probe(task, [run], store, settings, at=[-1])
                    slices = landscape.open(store)
                rows += measured(slices, optimizer, run.name.rpartition("-")[2], direction)
            print(run.name, file=sys.stderr)
    pd.DataFrame(rows).to_csv(TABLE, index=False, float_format="%.6g", lineterminator="\n")


def measured(slices, optimizer, seed, direction):
    """One row for each draw, set and metric."""
    for metric, within in WITHIN.items():
        found = statistics.peak_widths(slices, metric, **within).isel(checkpoint=0)
        for draw in slices["draw"].values:
            for name in SETS:
                at = {"draw": draw, "evaluation_set": name}
                one, there = found.sel(at), slices.isel(checkpoint=0).sel(at)
                yield {
                    "optimizer": optimizer,
                    "seed": seed,
                    "direction": direction,
                    "draw": draw,
                    "set": name,
                    "metric": metric,
                    "width": one["width"].item(),
                    "open": bool(one["lower_open"] | one["upper_open"]),
                    "norm": there["direction_norm"].item(),
                    "eigenvalue": there.coords.get("eigenvalue", np.array(np.nan)).item(),
                    "loss": there["loss"].sel(step_size=0).item(),
                    "accuracy": there["accuracy"].sel(step_size=0).item(),
                }


def main(out=HERE):
    table = pd.read_csv(TABLE)
    by_seed = table.groupby(["metric", "set", "direction", "optimizer", "seed"])["width"].mean()
    for metric, set_ in (("loss", "big_batch"), ("accuracy", "validation")):
        shown = by_seed[metric, set_]
        print(f"\n{metric} on the {set_.replace('_', ' ')}: mean width and 95 % interval")
        for direction in DIRECTIONS:
            for optimizer, name in OPTIMIZERS.items():
                low, mean, high = interval(shown[direction, optimizer])
                print(f"  {direction:22} {name:8} {mean:.3f}  ({low:.3f} to {high:.3f})")
        draw(shown, metric, set_.replace("_", " "), out)
    alone = table.query("metric == 'loss' and direction == 'hessian-1:big_batch'")
    print("\nlargest eigenvalue of the Hessian of the big batch")
    eigenvalues = alone.query("set == 'big_batch'").groupby(["optimizer", "seed"])["eigenvalue"]
    for optimizer, name in OPTIMIZERS.items():
        low, mean, high = interval(eigenvalues.mean()[optimizer])
        print(f"  {name:8} {mean:.2f}  ({low:.2f} to {high:.2f})")
    print(f"\nopen ends: {int(table['open'].sum())} of {len(table)} widths")
    at_zero = table.query("direction == 'random' and draw == 0 and metric == 'loss'")
    print(at_zero.groupby(["set", "optimizer"])[["loss", "accuracy"]].mean().round(4).to_string())


def interval(values):
    """Mean and 95 % interval over seeds, by Student's t."""
    mean, error = values.mean(), stats.sem(values)
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    return mean - reach, mean, mean + reach


def draw(widths, metric, set_, out):
    """A panel for each direction: each seed's width, and the interval of the mean."""
    with theme():
        figure, panels = plt.subplots(1, len(PANELS), figsize=(3.5, 2.2), layout="constrained")
        for panel, (direction, title) in zip(panels, PANELS.items(), strict=True):
            for i, (optimizer, color) in enumerate(zip(OPTIMIZERS, COLORS, strict=True)):
                values = widths[direction, optimizer]
                low, mean, high = interval(values)
                panel.plot([i, i], [low, high], color=color, lw=1)
                panel.plot(i, mean, "_", color=color, ms=9, mew=1.5)
                offsets = np.linspace(-0.2, 0.2, len(values))
                panel.plot(
                    i + offsets, values, MARKERS[i], color=color, ms=3, mfc="white", mew=0.7, ls=""
                )
            panel.set_title(title, fontsize=6.5)
            panel.set_xticks(range(len(OPTIMIZERS)), OPTIMIZERS.values(), fontsize=6, rotation=45)
            panel.set_xlim(-0.5, len(OPTIMIZERS) - 0.5)
            panel.set_ylim(0, 1.08 * panel.get_ylim()[1])
        within = "0.1 nat of the lowest loss" if metric == "loss" else "10 % of the best accuracy"
        panels[0].set_ylabel(f"width within {within},\n{set_}", fontsize=6)
        plots.save(panels, out / f"minima_{metric}.png")
        plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]))
    main()
