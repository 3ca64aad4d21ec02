"""How much of the device's speed training and probing reach.

    python tests/benchmarks/gpu.py [--task cifar10-resnet34 --data ROOT] [--precision bfloat16]

On the GPU if there is one, else on one thread of the CPU and in CPU time. In one run, and so at one
clock: the rate at which the device multiplies large matrices in each precision; images a second of
the bare forward pass and of the bare training step (no data, no optimizer: forward and backward),
on tensors that lie ready; and of the probe and the training as they are. What a network needs in
floating-point operations is counted by torch.utils.flop_counter, with two for a multiplication and
its addition. Each line is the median over the repeats. With ``--processes N``, N trainings run side
by side as well, as N parts of a benchmark would: what all of them reach together (on a GPU; in CPU
time that says nothing).
"""

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from landscape.errors import InvalidValueError
from landscape.network.forward import Forward, check_precision
from landscape.network.precision import PRECISIONS
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings
from landscape.runtime import devices
from landscape.tasks import load_task
from landscape.training import Training, TrainingSettings
from landscape.training.validation import validate


def seconds(function, device):
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    started = clock()
    function()
    if on_gpu:
        torch.cuda.synchronize(device)
    return clock() - started


def median(function, device, repeats):
    function()  # compiles, and fills caches
    return statistics.median(seconds(function, device) for _ in range(repeats))


def matrix_rate(precision, device, repeats):
    """Floating-point operations a second in a product of large matrices."""
    size = 8192 if device.type == "cuda" else 1024
    linear = torch.nn.Linear(size, size, bias=False, device=device)
    forward = Forward(linear, precision)
    inputs = torch.rand(size, size, device=device)
    if precision == "bfloat16":  # without the casts
        forward, inputs = Forward(linear.bfloat16()), inputs.bfloat16()
    with torch.no_grad(), forward.precision_context():
        return 2 * size**3 / median(lambda: forward(inputs), device, repeats)


def operations(model, inputs, targets, backward):
    """Floating-point operations an image."""
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        loss = F.cross_entropy(model(inputs), targets)
        if backward:
            loss.backward()
    return counter.get_total_flops() / len(targets)


def rates(task, precision, device, arguments):
    """Name -> (images a second, floating-point operations an image)."""
    how = {
        "precision": precision,
        "compile": arguments.compile,
        "channels_last": arguments.channels_last,
    }
    settings = TrainingSettings.for_task(task, checkpoints=0, **how)
    training = Training(task, replace(settings, epochs=arguments.repeats + 1), device)
    batch = settings.batch_size
    model, forward = training.model, Forward(training.model, **how)
    probed = ProbeSettings(
        sets=["validation"], batch_size=batch, eval_batch_size=arguments.chunk, **how
    )
    prober = Prober(task.train, task.validation, probed, device=device)
    inputs, targets = task.validation.to(device).take(torch.arange(len(task.validation)))
    model.eval()
    with torch.no_grad(), forward.precision_context():
        forward.choose_memory_format(inputs)
    chunk = arguments.chunk
    parts = [slice(i, i + chunk) for i in range(0, len(targets), chunk)]
    steps = 20

    def bare():
        with torch.no_grad(), forward.precision_context():
            for _ in probed.step_sizes:
                for part in parts:
                    F.cross_entropy(forward(inputs[part]), targets[part])

    def bare_step():
        with forward.precision_context():
            for _ in range(steps):
                model.zero_grad()
                F.cross_entropy(forward(inputs[:batch]), targets[:batch]).backward()

    repeats = arguments.repeats
    model.eval()
    few = inputs[:8], targets[:8]
    once, twice = (operations(model, *few, backward) for backward in (False, True))
    passes = len(targets) * len(probed.step_sizes)
    found = {"bare forward pass": (passes / median(bare, device, repeats), once)}
    probe_time = median(lambda: prober(model), device, repeats)
    found["probe"] = (passes / probe_time, once)
    model.train()
    found["bare training step"] = (steps * batch / median(bare_step, device, repeats), twice)
    found["training"] = (trained(task, training, repeats), twice)
    if arguments.processes > 1:
        name = f"training, {arguments.processes} at once"
        found[name] = (side_by_side(precision, arguments), twice)
    return found


def trained(task, training, repeats):
    """Images a second of training: an epoch at a time, validation apart; the first compiles."""
    run = training.run()
    taken = median(lambda: next(run), training.device, repeats)
    model, forward = training.model, training._forward
    taken -= median(
        lambda: validate(model, task.validation, task.loss, forward=forward),
        training.device,
        repeats,
    )
    return training.steps_per_epoch * training.settings.batch_size / taken


def side_by_side(precision, arguments):
    """Images a second of all processes together, each of which trains a run of its own."""
    options = {
        "--task": arguments.task,
        "--data": arguments.data,
        "--train-samples": arguments.train_samples,
        "--device": arguments.device,
        "--repeats": arguments.repeats,
        "--precision": precision,
    }
    command = [sys.executable, __file__, "--training-alone"]
    command += [str(part) for pair in options.items() if pair[1] is not None for part in pair]
    command += ["--compile"] * arguments.compile
    if arguments.channels_last is not None:
        command += ["--channels-last" if arguments.channels_last else "--no-channels-last"]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(arguments.processes)
    ]
    return sum(float(process.communicate()[0]) for process in processes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", default="digits-cnn")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--train-samples", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action=argparse.BooleanOptionalAction)
    parser.add_argument("--chunk", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--training-alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = devices.choose(arguments.device)
    task = load_task(arguments.task, data=arguments.data, train_samples=arguments.train_samples)
    if arguments.training_alone:
        how = {"precision": arguments.precision[0], "compile": arguments.compile}
        how["channels_last"] = arguments.channels_last
        settings = TrainingSettings.for_task(
            task, checkpoints=0, epochs=arguments.repeats + 1, **how
        )
        print(trained(task, Training(task, settings, device), arguments.repeats))
        return
    named = devices.versions(device)
    print(f"{task.name} on {named['device_name']}, torch {named['torch']}")
    for precision in arguments.precision:
        try:
            check_precision(precision, device)
        except InvalidValueError as error:
            print(error)
            continue
        rate = matrix_rate(precision, device, arguments.repeats)
        print(f"{precision}: {rate / 1e12:.3g} T operations/s in a product of matrices")
        found = rates(task, precision, device, arguments)
        for name, (images, operations_each) in found.items():
            bare = found["bare training step" if "training" in name else "bare forward pass"][0]
            print(
                f"  {name:<20}{images:>12,.0f} images/s{images / bare:>8.1%} of bare"
                f"{images * operations_each / rate:>8.1%} of the rate at "
                f"{operations_each / 1e6:.4g} M operations an image"
            )


if __name__ == "__main__":
    main()
