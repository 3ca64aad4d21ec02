"""Why sa-SLS as published dies, and does not by default: a table over 20 seeds on the digits.

    python figures/collapse.py [SEEDS] [OUT]

MLP 64-128-64-10, batches of 64, 91 epochs (2002 updates). Two hard settings: slope factor 10, and
slope factor 1 with 20 % of the training labels replaced by wrong ones. A run is dead whose last
step size is below 1e-4. Writes collapse.csv into OUT (default: here) and prints it; the last line
of a setting sums up.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from landscape.runtime.randomness import generator
from landscape.tasks import load_task
from landscape.training import EpochRecord, Training, TrainingSettings

HERE = Path(__file__).parent
DEAD = 1e-4
SETTINGS = {"slope factor 10": (10.0, 0.0), "slope factor 1, 20 % of labels wrong": (1.0, 0.2)}
PRESETS = {"as published": "thesis", "default": "robust"}


def with_wrong_labels(task, share, seed):
    """The task with a share of its training labels replaced by one of the other nine."""
    labels, random = task.train.targets.clone(), generator(1, seed)
    chosen = torch.randperm(len(labels), generator=random)[: round(share * len(labels))]
    labels[chosen] = (labels[chosen] + torch.randint(1, 10, chosen.shape, generator=random)) % 10
    return replace(task, train=replace(task.train, targets=labels))


def run(setting, preset, seed, epochs):
    slope_factor, share = SETTINGS[setting]
    task = with_wrong_labels(load_task("digits-mlp"), share, seed)
    settings = TrainingSettings(
        optimizer="sa-sls",
        options={"slope_factor": slope_factor, "preset": PRESETS[preset]},
        batch_size=64,
        epochs=epochs,
        checkpoints=0,
        seed=seed,
    )
    records = [e for e in Training(task, settings).run() if isinstance(e, EpochRecord)]
    steps = records[-1].iteration
    return {
        "setting": setting,
        "preset": preset,
        "seed": seed,
        "last step size": f"{records[-1].step_size:.3g}",
        "validation accuracy": f"{records[-1].validation_accuracy:.4f}",
        "forward passes per step": f"{sum(r.forward_passes for r in records) / steps:.3f}",
        "skipped": sum(r.skipped for r in records),
        "exhausted": sum(r.exhausted for r in records),
    }


def main(seeds=20, out=HERE, epochs=91):
    torch.set_num_threads(1)  # the network is too small for more
    rows = []
    print(f"{'setting':38}{'preset':14}{'dead':>9}{'mean':>9}{'worst':>9}{'passes':>9}")
    for setting in SETTINGS:
        for preset in PRESETS:
            some = [run(setting, preset, seed, epochs) for seed in range(int(seeds))]
            rows += some
            steps, accuracies, passes = (
                np.array([float(row[name]) for row in some])
                for name in ("last step size", "validation accuracy", "forward passes per step")
            )
            print(
                f"{setting:38}{preset:14}{f'{(steps < DEAD).sum()} of {len(some)}':>9}"
                f"{accuracies.mean():9.4f}{accuracies.min():9.4f}{passes.mean():9.3f}",
                flush=True,
            )
    with (Path(out) / "collapse.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
