"""Planes through training paths, and lines between minima: two networks, three optimizers.

    python figures/planes.py [MNIST_RUNS CIFAR10_RUNS]

With the folders of the runs, their last checkpoints are probed first, and the stores packed beside
this script: of the runs of minima.py, seeds 0 and 1, and of

    landscape study benchmark cifar10-resnet20 --dataset cifar10.npz --train-samples 5000
        --epochs 10 --optimizer sgd,adam,sa-sls --seeds 1 --out CIFAR10_RUNS

The planes are those of the first two principal components of the ten checkpoints, around the last:
25 × 25 points on the first 1,000 validation images of MNIST, 15 × 15 on 200 of CIFAR-10, there with
the statistics of these images in batch norm. One more plane is of random directions.
"""

import sys
import tempfile
from pathlib import Path

import landscape
from landscape import plots, statistics, store, study
from landscape.probing.settings import AutoRange, ProbeSettings, between

HERE = Path(__file__).parent
OPTIMIZERS = ("sgd", "adam", "sa-sls")
NETWORKS = {"mnist-mlp": "MLP on MNIST", "cifar10-resnet20": "ResNet20 on CIFAR-10 (JPEG)"}
ENDS = {"sgd-1": "another seed", "adam-0": "Adam", "sa-sls-0": "sa-SLS"}


def kept(name):
    return HERE / f"{name}.zarr.zip"


def make(mnist, cifar10):
    small = {"sets": ["validation"], "samples": False}
    plane = {"direction": "principal-1", "direction_2": "principal-2"}
    for optimizer in OPTIMIZERS:
        probe(
            found(mnist, f"{optimizer}-0"),
            f"mnist-mlp-plane-{optimizer}",
            step_sizes=AutoRange(25, path=True),
            validation_samples=1000,
            **plane,
            **small,
        )
        probe(
            found(cifar10, f"{optimizer}-0"),
            f"cifar10-resnet20-plane-{optimizer}",
            step_sizes=AutoRange(15, path=True),
            validation_samples=200,
            batch_norm={"validation": "batch"},
            **plane,
            **small,
        )
    probe(
        found(mnist, "sgd-0"),
        "mnist-mlp-plane-random",
        direction="random",
        direction_2="random",
        step_sizes=between(25, -1, 1),
        validation_samples=1000,
        **small,
    )
    for end in ENDS:
        probe(
            found(mnist, "sgd-0"),
            f"mnist-mlp-towards-{end}",
            direction=f"towards:{found(mnist, end)}",
            step_sizes=between(31, -0.25, 1.25),
            validation_samples=2000,
            big_batch=2000,
            sets=["big_batch", "validation"],
            samples=False,
        )


def found(runs, name):
    return next(runs.rglob(name))


def probe(run, name, **settings):
    task, batch_size = study.task_of([run], None)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "s.zarr"
        study.probe(task, [run], out, ProbeSettings(batch_size=batch_size, **settings), at=[-1])
        store.pack(out, kept(name))
    print(name, file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(*map(Path, sys.argv[1:3]))
    main()
