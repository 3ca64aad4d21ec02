"""What a line search saw: loss (Fig. 5) and smooth accuracy (Fig. 12), a CNN on the digits.

    python figures/line_search.py           # draws from the stores beside it
    python figures/line_search.py record    # trains, records and packs them (a minute or less)

Five epochs each, without augmentation; recorded are three of the steps whose searches rejected the
most trials.
"""

import sys
import tempfile
from pathlib import Path

import torch

import landscape
from landscape import plots, store
from landscape.optimizers.line_search.sls import SGDArmijo, SmoothAccuracySLS

HERE = Path(__file__).parent
BATCH, EPOCHS = 64, 5
# metric -> optimizer, its first step size, iterations recorded (the first is drawn), step sizes
RUNS = {
    "loss": (SGDArmijo, 1.0, (25, 72, 102), [i / 16 for i in range(-8, 41)]),
    "smooth_accuracy": (SmoothAccuracySLS, 8.0, (88, 1, 105), [i / 8 for i in range(-8, 53)]),
}


def packed(metric):
    return HERE / f"line-search-{metric.replace('_', '-')}.zarr.zip"


def record():
    task = landscape.load_task("digits-cnn")
    steps = len(task.train) // BATCH
    for metric, (optimizer, lr, iterations, step_sizes) in RUNS.items():
        torch.manual_seed(0)
        model = task.model()
        optimizer = optimizer(model.parameters(), lr=lr, n=steps)
        with tempfile.TemporaryDirectory() as folder:
            recorder = landscape.Recorder(
                Path(folder) / "run.zarr",
                model,
                optimizer,
                task.train,
                task.validation,
                at=iterations,
                task=task.name,
                step_sizes=step_sizes,
                sets=["same_batch", "validation"],
                samples=False,
            )
            train(model, optimizer, recorder, task.train, steps)
            store.pack(recorder.path, packed(metric))


def train(model, optimizer, recorder, data, steps):
    for epoch in range(EPOCHS):
        order = torch.randperm(len(data))
        for i in range(steps):
            indices = order[i * BATCH : (i + 1) * BATCH]
            inputs, targets = data.take(indices)
            with recorder(inputs, targets, indices=indices, epoch=epoch + i / steps):
                optimizer.step(lambda x=inputs, y=targets: (model(x), y))


def main(out=HERE):
    for metric, (_, _, iterations, _) in RUNS.items():
        drawn = plots.plot_line_search(landscape.open(packed(metric)), checkpoint=iterations[0])
        plots.save(drawn, out / f"line_search_{metric}.png")


if __name__ == "__main__":
    record() if sys.argv[1:] == ["record"] else main()
