"""What a probe costs in this tree against another checkout, in lockstep.

    python tests/benchmarks/probe_against.py CHECKOUT [--repeats 15]

Two processes of one thread each, one a tree, take turns at the same probe: 13 points on 10,000
images of 1×28×28, as in ``probe_cost.py``. Each line is the median of the ratios, new to old, of
CPU time, with the quartiles; a drift of the machine's speed falls out.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
NETWORKS = ("mlp", "cnn")
KINDS = ("loss only", "everything, into a store")


def worker():
    """Probe as often as a line asks for it, and print the CPU time."""
    import probe_cost
    import torch

    from landscape import store

    torch.set_num_threads(1)
    torch.manual_seed(0)
    models = {name: getattr(probe_cost, name)() for name in NETWORKS}
    samples = probe_cost.data()
    probers = [probe_cost.prober(everything, samples) for everything in (False, True)]
    with tempfile.TemporaryDirectory() as folder:
        writers = {}
        for name, model in models.items():
            row = probers[1](model)
            writers[name] = store.create(Path(folder) / f"{name}.zarr", row, rows=1, attributes={})
        for line in sys.stdin:
            name, kind = line.strip().split(" ", 1)
            started = time.process_time()
            row = probers[KINDS.index(kind)](models[name])
            if kind == KINDS[1]:
                writers[name].write(row)
            print(time.process_time() - started, flush=True)


def start(tree):
    benchmarks = HERE / "tests/benchmarks"
    return subprocess.Popen(
        [sys.executable, __file__, "--worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tree, benchmarks)))},
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if arguments.worker:
        worker()
        return
    processes = [start(tree) for tree in (HERE, arguments.checkout.resolve())]

    def seconds(process, name, kind):
        process.stdin.write(f"{name} {kind}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    for name in NETWORKS:
        for kind in KINDS:
            ratios = []
            for i in range(arguments.repeats + 1):
                pair = processes if i % 2 else processes[::-1]
                taken = {p: seconds(p, name, kind) for p in pair}
                ratios.append(taken[processes[0]] / taken[processes[1]])
            low, middle, high = statistics.quantiles(ratios[1:], n=4)
            print(f"{name}, {kind:<26} {middle:.3f}  ({low:.3f} to {high:.3f})", flush=True)
    for process in processes:
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
