"""What a probe costs against the least loop that could do its work, and against other tools.

    python tests/benchmarks/probe_cost.py [--repeats 5] [--peers]

All in one process and on one thread, in CPU time; each line is the median over the repeats of
the ratio to the minimal loop of the same repeat. The slice has 13 points on 10,000 images of
1×28×28 (random pixels; the cost does not depend on them). ``--peers`` needs the extra
``benchmarks``. Peak memory is read off separate processes.
"""

import argparse
import copy
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from landscape import store
from landscape.data import TensorData
from landscape.probing import Prober
from landscape.probing.settings import STEP_SIZES, ProbeSettings

SAMPLES, CHUNK = 10_000, 1000


def mlp(width=512):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU(),
        nn.Linear(width // 2, 10),
    )  # fmt: skip


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLES, 1, 28, 28, generator=generator)
    return TensorData(inputs, torch.randint(10, (SAMPLES,), generator=generator))


def minimal(model, images, labels, chunk=CHUNK):
    """Parameters moved in place, tensors cached, no autograd; the loss and nothing else."""
    model.eval()
    parameters = list(model.parameters())
    loss = F.cross_entropy(model(images[:128]), labels[:128])
    direction = [-g for g in torch.autograd.grad(loss, parameters)]
    start = [p.detach().clone() for p in parameters]
    losses = []
    with torch.inference_mode():
        for step_size in STEP_SIZES:
            torch._foreach_copy_(parameters, start)
            torch._foreach_add_(parameters, direction, alpha=step_size)
            total = 0.0
            for i in range(0, len(labels), chunk):
                part = slice(i, i + chunk)
                total += F.cross_entropy(model(images[part]), labels[part], reduction="sum").item()
            losses.append(total / len(labels))
        torch._foreach_copy_(parameters, start)
    return losses


def prober(everything, samples, chunk=CHUNK):
    names = ["loss", "accuracy", "smooth_accuracy"] if everything else ["loss"]
    settings = ProbeSettings(
        sets=["validation"], metrics=names, samples=everything, eval_batch_size=chunk
    )
    return Prober(samples, samples, settings)


def cost(function, *arguments):
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def compare(name, model, repeats, peers):
    samples = data()
    images, labels = samples.inputs, samples.targets
    loss_only, full = prober(False, samples), prober(True, samples)

    def created(folder):
        row = full(model)
        store.create(folder / "s.zarr", row, rows=1, attributes={}).write(row)

    with tempfile.TemporaryDirectory() as standing:
        everything = full(model)
        writer = store.create(Path(standing) / "s.zarr", everything, rows=1, attributes={})
        candidates = {
            "probe, loss only": lambda _: loss_only(model),
            "probe, everything, into a store": lambda _: writer.write(full(model)),
            "probe, everything, creating the store too": created,
        }
        measure(name, model, images, labels, candidates, repeats, peers)


def measure(name, model, images, labels, candidates, repeats, peers, chunk=CHUNK):
    if peers:
        candidates |= peer_candidates(model, images, labels)
    ratios = {candidate: [] for candidate in candidates}
    minimal(model, images, labels, chunk)
    seconds = []
    for _ in range(repeats):
        for candidate, run in candidates.items():
            # Before and after, so that a drift of the machine's speed falls out.
            with tempfile.TemporaryDirectory() as folder:
                before = cost(minimal, model, images, labels, chunk)
                own = cost(run, Path(folder))
                after = cost(minimal, model, images, labels, chunk)
            seconds.append(before)
            ratios[candidate].append(own / ((before + after) / 2))
    print(f"{name}: minimal loop {statistics.median(seconds):.2f} s CPU")
    for candidate, values in ratios.items():
        print(
            f"  {candidate:<50} {statistics.median(values):.3f}  "
            f"({min(values):.3f} to {max(values):.3f})"
        )


def peer_candidates(model, images, labels):
    """The same line, by other tools: from θ + d to θ − d, loss alone, all samples at once."""
    import loss_landscapes
    import loss_landscapes.metrics
    from nngeom import lossland
    from nngeom.models import Model

    ends = [copy.deepcopy(model).eval() for _ in range(2)]
    loss = F.cross_entropy(model.eval()(images[:128]), labels[:128])
    for sign, end in zip((1, -1), ends, strict=True):
        with torch.no_grad():
            for p, g in zip(
                end.parameters(), torch.autograd.grad(loss, model.parameters(), retain_graph=True),
                strict=True,
            ):  # fmt: skip
                p += sign * g
    metric = loss_landscapes.metrics.Loss(F.cross_entropy, images, labels)
    wrapped = [Model(end, lambda m, b: F.cross_entropy(m(b[0]), b[1])) for end in ends]

    def run_loss_landscapes(_):
        with torch.no_grad():
            loss_landscapes.linear_interpolation(*ends, metric, len(STEP_SIZES), True)

    return {
        "loss-landscapes 3.0.6, linear_interpolation": run_loss_landscapes,
        "nngeom 0.2.0, linear_interpolation": lambda _: lossland.linear_interpolation(
            *wrapped, (images, labels), steps=len(STEP_SIZES)
        ),
    }


def peak_memory(kind):
    """MB that ``kind`` adds, at its peak, to a wide MLP and its data (Linux alone)."""
    torch.set_num_threads(1)
    model, samples = mlp(4096), data()
    with torch.no_grad():
        model(samples.inputs[:8])
    run = prober(kind == "full", samples) if kind != "minimal" else None
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    if run is None:
        minimal(model, samples.inputs, samples.targets)
    else:
        run(model)
    return resident("VmHWM") - before


def resident(field):
    """A line of the process's status, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--memory", choices=["minimal", "loss", "full"])
    arguments = parser.parse_args()
    if arguments.memory:
        print(peak_memory(arguments.memory))
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for name, model in {"MLP 784-512-256-10": mlp(), "small CNN with batch norm": cnn()}.items():
        compare(name, model, arguments.repeats, arguments.peers)
    used = {
        kind: statistics.median(
            float(
                subprocess.check_output(
                    [sys.executable, __file__, "--memory", kind],
                    # What is freed goes back at once, and is not counted twice.
                    env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"},
                )
            )
            for _ in range(3)
        )
        for kind in ("minimal", "loss", "full")
    }
    model = sum(p.numel() for p in mlp(4096).parameters()) * 4 / 2**20
    print(f"MLP 784-4096-2048-10: minimal loop adds {used['minimal']:.0f} MB to {model:.0f} MB")
    for kind, label in {"loss": "probe, loss only", "full": "probe, everything"}.items():
        ratio = (model + used[kind]) / (model + used["minimal"])
        print(f"  peak memory, {label:<37} {ratio:.3f}")


if __name__ == "__main__":
    main()
