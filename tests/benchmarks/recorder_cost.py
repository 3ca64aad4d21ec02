"""What a Recorder costs a training between its probes, and what a probe costs in steps.

    python tests/benchmarks/recorder_cost.py [--repeats 15] [--steps 200]

All in one process and on one thread, in CPU time. Blocks of steps with a recorder that is never
due, and without, take turns; each line is the median over the repeats of the ratio to the mean of
the blocks without before and after it, and below it the same for blocks without against each
other: what cannot be told from it is not measurable.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import landscape
from landscape.optimizers.line_search.sls import SmoothAccuracySLS

BATCH = 64


def data():
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)


def made(searching):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))  # fmt: skip  # noqa: E501
    if searching:
        return model, SmoothAccuracySLS(model.parameters())
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def block(model, optimizer, batches, recorder, steps):
    """CPU seconds of the first so many steps of a training."""
    fresh_model, fresh_optimizer = made(isinstance(optimizer, SmoothAccuracySLS))
    model.load_state_dict(fresh_model.state_dict())
    optimizer.load_state_dict(fresh_optimizer.state_dict())
    started = time.process_time()
    for i in range(steps):
        inputs, targets = batches[i % len(batches)]
        if recorder is None:
            step(model, optimizer, inputs, targets)
        else:
            with recorder(inputs, targets):
                step(model, optimizer, inputs, targets)
    return time.process_time() - started


def step(model, optimizer, inputs, targets):
    if isinstance(optimizer, SmoothAccuracySLS):
        optimizer.step(lambda: (model(inputs), targets))
        return
    optimizer.zero_grad()
    F.cross_entropy(model(inputs), targets).backward()
    optimizer.step()


def compare(name, searching, repeats, steps):
    inputs, labels = data()
    batches = [*zip(inputs[:1408].split(BATCH), labels[:1408].split(BATCH), strict=True)]
    model, optimizer = made(searching)
    with tempfile.TemporaryDirectory() as folder:
        recorder = landscape.Recorder(
            Path(folder) / "s.zarr", model, optimizer, (inputs, labels), at=[]
        )
        run = {
            "without, against itself": lambda: block(model, optimizer, batches, None, steps),
            "with a recorder": lambda: block(model, optimizer, batches, recorder, steps),
        }
        plain = run["without, against itself"]
        plain()
        ratios = {candidate: [] for candidate in run}
        for _ in range(repeats):
            for candidate, measure in run.items():
                before, own, after = plain(), measure(), plain()
                ratios[candidate].append(own / ((before + after) / 2))
        a_step = plain() / steps
        print(f"{name}: a step takes {a_step * 1e6:.0f} µs CPU")
        for candidate, values in reversed(ratios.items()):
            low, _, high = statistics.quantiles(values, n=4)
            print(
                f"  {candidate:<26} {statistics.median(values):.4f}  "
                f"(half of them {low:.4f} to {high:.4f})"
            )
        passing = cost_of_passing(recorder, *batches[0])
        print(
            f"  the block by itself        {passing * 1e6:.2f} µs, {passing / a_step:.2%} of a step"
        )
        validation = inputs[1408:], labels[1408:]
        recorder = landscape.Recorder(
            Path(folder) / "p.zarr", model, optimizer, (inputs, labels), validation, every=1
        )
        block(model, optimizer, batches, recorder, 1)
        probes = (block(model, optimizer, batches, recorder, 5) - 5 * a_step) / 5
        print(
            f"  a probe, into the store    {probes * 1e3:.0f} ms CPU, {probes / a_step:.0f} steps"
        )


def cost_of_passing(recorder, inputs, targets, times=100_000):
    started = time.process_time()
    for _ in range(times):
        with recorder(inputs, targets):
            pass
    return (time.process_time() - started) / times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, searching in {"SGD": False, "SmoothAccuracySLS": True}.items():
        compare(f"digits, MLP 64-128-64-10, {name}", searching, arguments.repeats, arguments.steps)


if __name__ == "__main__":
    main()
