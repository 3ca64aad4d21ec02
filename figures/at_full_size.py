"""The thesis's networks at full size, on a GPU: a piece at a time, each a command of its own.

    python figures/at_full_size.py PIECE [--cifar10 cifar10.npz] [--hundred FILE] --out FOLDER
        [--minutes 7.5] [--tiny]

Every piece leaves small files in FOLDER: the machine, what was printed, and packed histories and
slices. A training that does not fit into the minutes ends after its last whole epoch, and goes on
when the command is given again with the same FOLDER. ``--tiny`` is the same on a few samples, to
try a piece where there is no GPU. The pieces:

* ``works``: the tests that need a GPU, then what training and probing reach of it;
* ``pre-study``: ResNet34 on CIFAR-10, 50 epochs of SGD at 0.1, ten checkpoints, five sets, all
  validation images, ten draws of the small sets, from before and after the step;
* ``table-1:OPTIMIZER``: ResNet34 with one of the published optimizers, 200 epochs;
* ``seeds:I``: ResNet20, 200 epochs, seed I of every optimizer, side by side;
* ``densenet121:OPTIMIZER`` and ``hundred:OPTIMIZER``: as table-1, on DenseNet121, and of ResNet34
  on the hundred classes, 50 epochs.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from landscape import store, study
from landscape.errors import InvalidValueError
from landscape.histories import collection as histories
from landscape.probing.settings import ProbeSettings, spaced
from landscape.runtime import devices
from landscape.tasks import load_task
from landscape.training import TrainingSettings

HERE = Path(__file__).parent
BENCHMARK = HERE.parent / "tests" / "benchmarks" / "gpu.py"
# The published ones, plain SGD as the thesis trains it, and the default search.
OPTIMIZERS = (
    "sgd",
    "sgd-schedule",
    "adam",
    "sgd-armijo",
    "l-sls",
    "a-sls",
    "sa-sls-thesis",
    "sa-sls",
)
COSINE = {
    "optimizer": "sgd",
    "options": {"momentum": 0.9, "weight_decay": 5e-4},
    "schedule": "cosineannealinglr",
}
NAMES = (*OPTIMIZERS, "sgd-cosine")


class OutOfTimeError(KeyboardInterrupt):
    """The minutes are over: what was finished is kept, as after Ctrl-C."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("piece")
    parser.add_argument("--cifar10", type=Path, default=Path("cifar10.npz"))
    parser.add_argument("--hundred", type=Path, default=Path("tiny_imagenet100.npz"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    given.device = devices.choose("auto")
    given.ends = time.monotonic() + 60 * given.minutes
    name, _, chosen = given.piece.partition(":")
    pieces = {
        "works": works,
        "pre-study": pre_study,
        "table-1": table_1,
        "seeds": seeds,
        "densenet121": densenet121,
        "hundred": hundred,
    }
    if name not in pieces:
        parser.error(f"the piece is {given.piece!r}; choose from {', '.join(pieces)}")
    given.out.mkdir(parents=True, exist_ok=True)
    machine = devices.versions(given.device) | {"piece": given.piece, "tiny": given.tiny}
    (given.out / "machine.json").write_text(json.dumps(machine, indent=2) + "\n")
    pieces[name](given, chosen)


def how(given):
    """How networks are run: as fast as the device can with training's accuracy."""
    if given.device.type != "cuda":
        return {}
    return {"precision": "bfloat16", "compile": True, "channels_last": True}


def task_of(given, name, data=None):
    samples = 256 if given.tiny else None
    task = load_task(name, dataset=data or given.cifar10, train_samples=samples)
    if not given.tiny:
        return task
    few = task.validation.take(torch.arange(100))
    return replace(task, validation=replace(task.validation, inputs=few[0], targets=few[1]))


def settings_of(given, task, optimizer, epochs, seed=0, **more):
    epochs = 2 if given.tiny else epochs
    settings = {"optimizer": optimizer}
    if optimizer == "sgd-cosine":
        settings = {**COSINE, "schedule_options": {"T_max": epochs}}
    return TrainingSettings.for_task(
        task, epochs=epochs, seed=seed, **settings, **how(given), **more
    )


def log(given, name, text):
    print(text, flush=True)
    with (given.out / f"{name}.log").open("a") as file:
        file.write(f"{text}\n")


def pack(runs, kept):
    """Keep the histories of runs, of those that have finished an epoch."""
    try:
        histories.pack(histories.collect(runs), kept)
    except InvalidValueError as error:
        print(error, flush=True)


def until(ends):
    """Progress that says each step, and stops when the time is over."""

    @contextmanager
    def progress(what, total):
        done, started = 0, time.monotonic()

        def advance(units=1, reached="", values=None):
            nonlocal done
            done += units
            if reached:
                measured = ", ".join(f"{n} {v:.4g}" for n, v in (values or {}).items())
                print(f"{what}: {reached} {measured}", flush=True)
            if time.monotonic() > ends and done < total:
                raise OutOfTimeError(f"{what}: {done} of {total}")

        yield advance
        print(f"{what}: {done} of {total} in {time.monotonic() - started:.0f} s", flush=True)

    return progress


def works(given, _):
    """The tests that need a GPU, and what part of it training and probing reach."""
    tests = HERE.parent / "tests" / "test_gpu.py"
    where = "cuda" if given.device.type == "cuda" else "cpu"
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    said = subprocess.run(
        run, capture_output=True, text=True, check=False, env=os.environ | {"GPU_TESTS": where}
    )
    log(given, "works", said.stdout[-6000:])
    for task in ("cifar10-resnet34", "cifar10-resnet20"):
        for compiled in ([], ["--compile"]):
            command = [sys.executable, str(BENCHMARK), "--repeats", "3", *compiled]
            if given.tiny:
                command += ["--task", "digits-cnn", "--precision", "float32"]
            else:
                command += ["--task", task, "--data", str(given.cifar10)]
            left = given.ends - time.monotonic()
            try:
                measured = subprocess.run(
                    command, capture_output=True, text=True, timeout=max(left, 1), check=False
                )
                log(
                    given,
                    "works",
                    f"{' '.join(compiled)}\n{measured.stdout}{measured.stderr[-2000:]}",
                )
            except subprocess.TimeoutExpired:
                log(given, "works", f"{task}: no time was left")
            if given.tiny:
                return


def pre_study(given, _):
    """Figures 9 to 11, 19 and 20 on the thesis's own network."""
    task = task_of(given, "cifar10-resnet34")
    training = settings_of(given, task, "sgd", 50, checkpoints=2 if given.tiny else 10)
    progress, run = until(given.ends), given.out / "run"
    try:
        study.train(task, training, run, device=given.device, progress=progress)
        small = {"validation_samples": 64, "big_batch": 64} if given.tiny else {}
        sets = {"batch_size": 64 if given.tiny else training.batch_size, **small, **how(given)}
        for origin in ("before-step", "after-step"):
            steps = {"step_sizes": [-0.1, 0, 0.1]} if given.tiny else {}
            settings = ProbeSettings(origin=origin, samples=False, **steps, **sets)
            study.probe(
                task, [run], given.out / f"{origin}.zarr", settings,
                device=given.device, progress=progress,
            )  # fmt: skip
        settings = ProbeSettings(
            sets=["same_batch", "other_batch"],
            draws=2 if given.tiny else 10,
            step_sizes=spaced(5 if given.tiny else 51, 2.0),
            samples=False,
            **sets,
        )
        study.probe(
            task, [run], given.out / "draws.zarr", settings, device=given.device, progress=progress
        )
    except OutOfTimeError as over:
        log(given, "pre-study", f"out of time: {over}; give the command again")
    pack([run], given.out / "run.zarr.zip")
    for name in ("before-step", "after-step", "draws"):
        if (slices := given.out / f"{name}.zarr").exists():
            store.pack(slices, given.out / f"{name}.zarr.zip")


def table_1(given, optimizer):
    trained(given, task_of(given, "cifar10-resnet34"), optimizer, 200)


def densenet121(given, optimizer):
    trained(given, task_of(given, "cifar10-densenet121"), optimizer, 50)


def hundred(given, optimizer):
    trained(given, task_of(given, "cifar10-resnet34", given.hundred), optimizer, 50)


def trained(given, task, optimizer, epochs):
    """One optimizer on one network, as many epochs as fit."""
    if optimizer not in NAMES:
        sys.exit(f"the optimizer is {optimizer!r}; choose from {', '.join(NAMES)}")
    one_run(given, task, optimizer, 0, epochs)
    pack([given.out / f"{optimizer}-0"], given.out / f"{optimizer}.zarr.zip")


def one_run(given, task, optimizer, seed, epochs):
    settings = settings_of(given, task, optimizer, epochs, seed, checkpoints=0)
    out = given.out / f"{optimizer}-{seed}"
    try:
        study.train(task, settings, out, device=given.device, progress=until(given.ends))
    except OutOfTimeError as over:
        log(given, optimizer, f"{optimizer}, seed {seed}, out of time: {over}")


def seeds(given, seed):
    """Every optimizer with one seed, side by side on one device."""
    if not seed.isdecimal():
        sys.exit(f"the seed is {seed!r}; give the piece as seeds:0")
    names = OPTIMIZERS[:2] if given.tiny else OPTIMIZERS
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=alone, args=(given, each, int(seed))) for each in names]
    started = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    log(given, "seeds", f"{len(names)} runs side by side: {time.monotonic() - started:.0f} s")
    pack([given.out / f"{each}-{seed}" for each in names], given.out / f"seed-{seed}.zarr.zip")


def alone(given, optimizer, seed):
    torch.set_num_threads(1)
    one_run(given, task_of(given, "cifar10-resnet20"), optimizer, seed, 200)


if __name__ == "__main__":
    main()
