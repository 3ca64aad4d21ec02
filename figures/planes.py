"""Planes through training paths, and lines between minima: two networks, three optimizers.

    python figures/planes.py [MNIST_RUNS CIFAR10_RUNS]

With the folders of the runs, their last checkpoints are probed first, and the stores packed beside
this script: of these, of sgd, adam and sa-sls, and the first also of sgd with --seed 1:

    landscape train mnist-mlp --epochs 15 --optimizer OPTIMIZER --out MNIST_RUNS/OPTIMIZER-SEED
    landscape train cifar10-resnet20 --dataset cifar10.npz --train-samples 5000 --epochs 10
        --optimizer OPTIMIZER --out CIFAR10_RUNS/OPTIMIZER-0

The planes are those of the first two principal components of the ten checkpoints, around the last:
25 × 25 points on the first 1,000 validation images of MNIST, 15 × 15 on 200 of CIFAR-10, there with
the statistics of these images in batch norm. One more plane is of random directions. Slices along
the gradient of all three, and along the Hessian's first eigenvector at all ten checkpoints of SGD,
are drawn too.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import landscape
from landscape import plots, statistics, store, study
from landscape.probing.settings import AutoRange, ProbeSettings, between, spaced

HERE = Path(__file__).parent
OPTIMIZERS = ("sgd", "adam", "sa-sls")
NETWORKS = {"mnist-mlp": "MLP on MNIST", "cifar10-resnet20": "ResNet20 on CIFAR-10 (JPEG)"}
ENDS = {"sgd-1": "another seed", "adam-0": "Adam", "sa-sls-0": "sa-SLS"}


def main(out=HERE):
    for network, title in NETWORKS.items():
        for optimizer in OPTIMIZERS:
            plane = opened(f"{network}-plane-{optimizer}")
            name = f"planes_{network}_{optimizer}".replace("-", "_")
            plots.save(plots.plot_plane(plane, metric="loss"), out / f"{name}.png")
            path = statistics.anisotropy(plane, "loss").isel(checkpoint=0, draw=0)
            share = plane["path_explained"].item()
            length = np.hypot(plane["path_step_size"], plane["path_step_size_2"]).max().item()
            print(
                f"{title}, {optimizer}: the plane keeps {100 * share:.1f} % of the path's "
                f"variance; from the first checkpoint to the last {length:.2f}; curvatures "
                f"{path['largest'].values[-1]:.3g} and {path['smallest'].values[-1]:.3g} nat"
            )
    plane = opened("cifar10-resnet20-plane-sgd")
    plots.save(plots.plot_trajectory(plane), out / "planes_trajectory.png")
    plane = landscape.open(kept("mnist-mlp-plane-random"))
    plots.save(plots.plot_plane(plane, metric="accuracy", caption=True), out / "planes_random.png")
    lines = {end: landscape.open(kept(f"mnist-mlp-towards-{end}")) for end in ENDS}
    drawn = plots.plot_interpolation([lines["sgd-1"]])
    plots.save(drawn, out / "planes_interpolation_seed.png")
    drawn = plots.plot_interpolation([lines["sa-sls-0"]])
    plots.save(drawn, out / "planes_interpolation_optimizer.png")
    slices = [landscape.open(kept(f"mnist-mlp-slice-{optimizer}")) for optimizer in OPTIMIZERS]
    drawn = plots.plot_overlay(slices, metric="loss", value_scale="log", scale="symlog")
    plots.save(drawn, out / "planes_overlay.png")
    hessian = landscape.open(kept("mnist-mlp-hessian-sgd"))
    drawn = plots.plot_sharpness(hessian, evaluation_set="big_batch")
    plots.save(drawn, out / "planes_sharpness.png")
    eigenvalues = hessian["eigenvalue"].isel(draw=0).values
    print("largest eigenvalue over the training of SGD:", eigenvalues.round(2).tolist())
    for end, line in lines.items():
        for metric in ("loss", "accuracy"):
            found = statistics.barriers(line, metric).isel(checkpoint=0, draw=0)
            heights = found["barrier"].round(4).to_series().to_dict()
            print(f"barrier of the {metric} from SGD to {ENDS[end]}: {heights}")


def opened(name):
    """Planes, with the name of their data, which a file does not say."""
    title = next(each for network, each in NETWORKS.items() if name.startswith(network))
    return landscape.open(kept(name)).assign_attrs(task=title)


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
    for optimizer in OPTIMIZERS:
        probe(
            found(mnist, f"{optimizer}-0"),
            f"mnist-mlp-slice-{optimizer}",
            direction="normalised-gradient",
            step_sizes=AutoRange(41),
            validation_samples=2000,
            **small,
        )
    probe(
        found(mnist, "sgd-0"),
        "mnist-mlp-hessian-sgd",
        at=None,
        direction="hessian-1:big_batch",
        step_sizes=spaced(9, 0.05),
        big_batch=2000,
        sets=["big_batch"],
        samples=False,
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


def probe(run, name, at=(-1,), **settings):
    task, batch_size = study.task_of([run], None)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "s.zarr"
        study.probe(task, [run], out, ProbeSettings(batch_size=batch_size, **settings), at=at)
        writer = store.resume(out)
        # Without the places of the machine that made it.
        told = writer.attributes["run"].items()
        writer.set_attributes({"run": {n: v for n, v in told if n not in ("data", "dataset")}})
        store.pack(out, kept(name))
    print(name, file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(*map(Path, sys.argv[1:3]))
    main()
