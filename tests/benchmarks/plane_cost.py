"""What a plane costs against the least loop, and what other tools make of the same plane.

    python tests/benchmarks/plane_cost.py [--repeats 5] [--points 25] [--samples 2000] [--peers]

A plane of two filter-normalised random directions on random images of 1×28×28 (the cost does not
depend on them), all in one process and on one thread, in CPU time. Each line is the median over the
repeats of the ratio to the minimal loop of the same repeat, which moves parameters in place and
computes the loss alone. Ours has loss, accuracy and smooth accuracy and keeps the loss and margin
of every sample; the peers compute the loss. ``--peers`` needs loss-landscapes 3.0.6 and
loss-landscape-3d 0.1.3, the second with the DataLoader of its own examples, and with tensors in
its place. It first compares values: the largest difference from those of the minimal loop.
"""

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from probe_cost import cnn, mlp
from torch.nn import functional as F

from landscape import store
from landscape.data import TensorData
from landscape.probing import Prober, ProbeSettings


def steps_of(points):
    return np.linspace(-1, 1, points)


def data(samples):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, 1, 28, 28, generator=generator)
    return TensorData(inputs, torch.randint(10, (samples,), generator=generator))


def prober_of(samples, points, chunk):
    settings = ProbeSettings(
        direction="random",
        direction_2="random",
        orthogonal=False,
        step_sizes=steps_of(points),
        sets=["validation"],
        eval_batch_size=chunk,
    )
    return Prober(samples, samples, settings)


def minimal(model, samples, directions, points, chunk):
    """Parameters moved in place, tensors cached, no autograd; the loss and nothing else."""
    model.eval()
    parameters = dict(model.named_parameters())
    start = {name: p.detach().clone() for name, p in parameters.items()}
    moved = [[parameters[name] for name in each] for each in directions]
    along = [list(each.values()) for each in directions]
    losses = np.empty((points, points))
    with torch.inference_mode():
        for i, s in enumerate(steps_of(points)):
            for j, t in enumerate(steps_of(points)):
                torch._foreach_copy_(list(parameters.values()), list(start.values()))
                torch._foreach_add_(moved[0], along[0], alpha=float(s))
                torch._foreach_add_(moved[1], along[1], alpha=float(t))
                total = 0.0
                for at in range(0, len(samples), chunk):
                    part = slice(at, at + chunk)
                    logits = model(samples.inputs[part])
                    total += F.cross_entropy(logits, samples.targets[part], reduction="sum").item()
                losses[i, j] = total / len(samples)
        torch._foreach_copy_(list(parameters.values()), list(start.values()))
    return losses


def with_loss_landscapes(model, samples, directions, points):
    """From θ − d_1 − d_2 over (0, 2)²; in every other row its points are shifted by one."""
    import loss_landscapes
    import loss_landscapes.metrics

    corner = at(model, directions, -1, -1)
    ends = [at(corner, directions, 2, 0), at(corner, directions, 0, 2)]
    metric = loss_landscapes.metrics.Loss(F.cross_entropy, samples.inputs, samples.targets)
    with torch.no_grad():
        return loss_landscapes.planar_interpolation(corner, *ends, metric, points, True)


def in_memory(samples, chunk):
    """As small a loader as can be: the tensors themselves, in chunks."""
    return [
        (samples.inputs[i : i + chunk], samples.targets[i : i + chunk])
        for i in range(0, len(samples), chunk)
    ]


def loader_of(samples):
    dataset = torch.utils.data.TensorDataset(samples.inputs, samples.targets)
    return torch.utils.data.DataLoader(dataset, batch_size=128)


def with_loss_landscape_3d(model, loader, directions, points):
    from loss_landscape_3d import LossLandscapeCalculator

    calculator = LossLandscapeCalculator(copy.deepcopy(model), loader, F.cross_entropy)
    state = {n: t.clone() for n, t in model.state_dict().items()}
    steps = steps_of(points)
    return calculator.calculate(steps, steps, *directions, state)


def at(model, directions, s, t):
    moved = copy.deepcopy(model).eval()
    with torch.no_grad():
        for name, p in moved.named_parameters():
            for step, each in zip((s, t), directions, strict=True):
                if name in each:
                    p += step * each[name]
    return moved


def cost(function):
    started = time.process_time()
    found = function()
    return time.process_time() - started, found


def compare(name, model, arguments):
    samples, points = data(arguments.samples), arguments.points
    chunk = min(1000, arguments.samples)
    prober = prober_of(samples, points, chunk)
    key = torch.arange(128)
    batch = (*samples.take(key), key)
    given = prober.directions(model, batch)
    directions = [dict(each.tangent) for each in given]

    def ours():
        with tempfile.TemporaryDirectory() as folder:
            row = prober(model, batch=batch, directions=given)
            store.create(Path(folder) / "s.zarr", row, rows=1, attributes={}).write(row)
            return row["loss"].values[0, 0, 0]

    candidates = {"landscape, three metrics, every sample, into a store": ours}
    if arguments.peers:
        candidates |= {
            "loss-landscapes 3.0.6, loss alone": lambda: with_loss_landscapes(
                model, samples, directions, points
            ),
            "loss-landscape-3d 0.1.3, loss alone": lambda: with_loss_landscape_3d(
                model, loader_of(samples), directions, points
            ),
            "the same, of tensors in memory": lambda: with_loss_landscape_3d(
                model, in_memory(samples, chunk), directions, points
            ),
        }
    reference = minimal(model, samples, directions, points, chunk)
    ratios = {candidate: [] for candidate in candidates}
    seconds = []
    for repeat in range(arguments.repeats):
        for candidate, run in candidates.items():
            before, _ = cost(lambda: minimal(model, samples, directions, points, chunk))
            own, found = cost(run)
            after, _ = cost(lambda: minimal(model, samples, directions, points, chunk))
            seconds.append(before)
            ratios[candidate].append(own / ((before + after) / 2))
            if repeat == 0:
                report(candidate, found, reference, model, samples, directions)
    print(f"{name}, {points} × {points}: minimal loop {statistics.median(seconds):.2f} s CPU")
    for candidate, values in ratios.items():
        print(
            f"  {candidate:<55} {statistics.median(values):.3f}  "
            f"({min(values):.3f} to {max(values):.3f})"
        )


def report(candidate, found, reference, model, samples, directions):
    """How far the values are from ours, relative, on the points that both have."""
    if "loss-landscapes" not in candidate:
        print(f"  {candidate}: values differ by {off(found, reference):.1e}")
        return
    # Its rows go to and fro, and it evaluates after it has moved: forwards at steps 1 … n, and
    # backwards at n − 1 … 0, of n that end at 2 (n − 1)/n − 1 there.
    points = len(found)
    steps = 2 * np.arange(points + 1) / points - 1
    with torch.no_grad():
        for rows, shift in ((0, 1), (1, 0)):
            expected = [
                [
                    F.cross_entropy(
                        at(model, directions, steps[i], steps[j + shift])(samples.inputs),
                        samples.targets,
                    ).item()
                    for j in (0, points // 2, points - 1)
                ]
                for i in range(rows, points, 2)
            ]
            there = found[rows::2][:, [0, points // 2, points - 1]]
            which = "forwards" if shift else "backwards"
            print(f"  {candidate}: rows {which} differ by {off(there, np.array(expected)):.1e}")


def off(found, expected):
    return float(np.max(np.abs(found - expected) / np.abs(expected)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--points", type=int, default=25)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {"MLP 784-512-256-10": mlp().eval(), "small CNN with batch norm": cnn().eval()}
    for name, model in networks.items():
        compare(name, model, arguments)


if __name__ == "__main__":
    main()
