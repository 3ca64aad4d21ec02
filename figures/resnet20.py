"""The pre-study on a residual network, and what batch norm and the origin do to its slices.

    python figures/resnet20.py [CIFAR10.npz [SCRATCH]]

With the arrays of CIFAR-10 (see README, "The networks of the thesis") the study is made first:
ResNet20 on the first 10,000 training images, 15 epochs of SGD at 0.1, ten checkpoints, 51 step
sizes with the thirteen published ones among them, 2,000 validation images. SCRATCH (default
``runs/resnet20``) gets the run; what is made there already is not made again. Draws the pictures
and prints the numbers of the paragraphs beside them.

The six stores of batch norm and origin, of one checkpoint of an earlier run, are drawn as they are:
an earlier version made them, which took the gradient by the statistics of the batch whatever the
policy of the sets. A probe now takes it by the policy of the same batch, to whose slope it belongs.
"""

import sys
from itertools import product
from pathlib import Path

from landscape import plots, statistics, store, study
from landscape.probing.settings import ORIGINS, POLICIES, STEP_SIZES, ProbeSettings, spaced
from landscape.tasks import load_task
from landscape.training import TrainingSettings

HERE = Path(__file__).parent
VARIANTS = [f"{origin}-{policy}" for origin, policy in product(ORIGINS, POLICIES)]


def kept(variant=""):
    return HERE / f"cifar10-resnet20{variant}.zarr.zip"


def make(arrays, scratch):
    """Train, probe, and pack the aggregates beside this script."""
    task = load_task(model="resnet20", dataset=arrays, train_samples=10_000)
    training = TrainingSettings.for_task(task, epochs=15)
    # The thirteen published step sizes, and 38 between them.
    resolved = sorted({*STEP_SIZES, *spaced(41, 1.0, "symlog", smallest=0.005)})
    settings = ProbeSettings(step_sizes=resolved, validation_samples=2000)
    source = {"train_samples": 10_000}
    store.pack(study.pre_study(task, scratch, training, settings, source=source), kept())


def opened(path):
    """Slices, with the name of their data, which the file does not say."""
    return store.open_(path).assign_attrs(task="ResNet20 on CIFAR-10 (JPEG)")


def main(out=HERE):
    slices = opened(kept())
    for name in ("widening", "batches", "gap", "loss_vs_accuracy"):
        plots.save(getattr(plots, f"plot_{name}")(slices), out / f"resnet20_{name}.png")
    print_study(slices)
    variants = {name: opened(kept(f"-{name}")) for name in VARIANTS}
    for metric in ("accuracy", "loss"):
        drawn = plots.plot_compare([*variants.values()], metric=metric)
        plots.save(drawn, out / f"resnet20_batch_norm_{metric}.png")
    print_numbers(variants)


def print_study(slices):
    print("iterations", slices["iteration"].values.tolist())
    print("norm of the gradient", slices["gradient_norm"].squeeze("draw").values.round(2).tolist())
    widths = statistics.peak_widths(slices, relative=True)["width"]
    best = statistics.best_steps(slices, "accuracy")["best_step_size"]
    for name, values in (("peak width", widths), ("best step size of the accuracy", best)):
        for set_ in ("same_batch", "validation"):
            one = values.sel(evaluation_set=set_).squeeze("draw").values.round(3)
            print(f"{name}, {set_}: {one.tolist()}")


def print_numbers(variants):
    print("means of 8 draws; bias and gap in points of accuracy, with 95 % intervals over draws")
    print(
        f"{'':26}{'bias at 0':>21}{'gap at 0':>21}   validation accuracy at 0, best; loss at 0, 1"
    )
    for name, dataset in variants.items():
        zero = dataset.isel(checkpoint=0).sel(step_size=[0.0])
        validation = (
            dataset.isel(checkpoint=0).sel(evaluation_set="validation").mean("draw", skipna=False)
        )
        accuracy, loss = validation["accuracy"], validation["loss"]
        print(
            f"{name:26}{points(bias_at_0(dataset))}{points(statistics.gap(zero))}"
            f"   {accuracy.sel(step_size=0):.3f}, {accuracy.max():.3f};"
            f" {loss.sel(step_size=0):.2f}, {loss.sel(step_size=1):.2f}"
        )

    for policy in POLICIES:
        before, after = (bias_at_0(variants[f"{origin}-{policy}"]) for origin in ORIGINS)
        print(f"{policy:12} the step adds to the bias at 0: {points(after - before)}")
    peaks = [
        statistics.peak_widths(variants[f"before-step-{policy}"], relative=True)["width"]
        .isel(checkpoint=0)
        .sel(evaluation_set="validation")
        for policy in ("running", "recalibrated")
    ]
    print(
        "validation peak width, running and recalibrated:",
        [round(p.mean(skipna=False).item(), 3) for p in peaks],
    )
    wider = peaks[1] - peaks[0]
    low, high = statistics.interval(statistics.resample_draws(wider, 2000)).values
    print(f"wider with recalibrated: {wider.mean(skipna=False):.3f} [{low:.3f}, {high:.3f}]")


def bias_at_0(dataset):
    zero = dataset.isel(checkpoint=0).sel(step_size=[0.0])
    return statistics.batch_bias(zero, "accuracy", against="other_batch")["bias"]


def points(values):
    values = 100 * values.isel(step_size=0)
    low, high = statistics.interval(statistics.resample_draws(values, 2000)).values
    return f"{f'{values.mean(skipna=False):.1f} [{low:.1f}, {high:.1f}]':>21}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "runs/resnet20"))
    main()
