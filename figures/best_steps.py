"""The best step size of every slice over the training, MNIST: five sets, and 20 draws."""

from pathlib import Path

import landscape
from landscape import plots, statistics

HERE = Path(__file__).parent
SHOWN = ["same_batch", "validation"]  # of five sets, which side by side cannot be read


def main(out=HERE):
    for store, name in (("mnist-mlp", "sets"), ("mnist-mlp-draws", "draws")):
        dataset = landscape.open(HERE / f"{store}.zarr.zip")
        shown = dataset.sel(evaluation_set=SHOWN) if name == "sets" else dataset
        plots.save(plots.plot_best_steps(shown), out / f"best_steps_{name}.png")
        for metric in ("loss", "accuracy"):
            best = statistics.best_steps(dataset, metric)["best_step_size"]
            steps = best.sel(evaluation_set="same_batch")
            print(
                f"{store}, {metric}, same batch: of {steps.size} slices the best step size is"
                f" above 0 in {int((steps > 0).sum())}, 0 in {int((steps == 0).sum())};"
                f" median over draws {steps.median('draw').values.round(3).tolist()}"
            )


if __name__ == "__main__":
    main()
