"""Which share of a probe's CPU time goes into what it only checks.

    python tests/benchmarks/guards_cost.py [--repeats 15]

The slice of ``probe_cost.py``, 13 points on 10,000 images, on one thread. Each line is the median
over the repeats, with the quartiles: time in the guard over the time of the whole probe. "before"
stands for what a probe did before there were any: one pass for the shape, two for determinism.
"""

import argparse
import statistics
import time
from collections import defaultdict

import probe_cost
import torch

from landscape.network.point import Point
from landscape.probing import prober as module
from landscape.probing.evaluation import Evaluator

GUARDS = {
    "samples whole and in parts, the loss's mean, a first pass": (Evaluator, "check"),
    "the batch again after the gradient": (Evaluator, "confirm"),
    "the slope by a finite difference": (module, "check_slope"),
    "parameters read back at both ends": (Evaluator, "require_at"),
    "buffers and attributes put back before each chunk": (Point, "reset_buffers"),
}
inside = []


def timed(owner, name, spent, label):
    """Count the time of the outermost of them alone."""
    function = getattr(owner, name)

    def counted(*arguments, **named):
        if inside:
            return function(*arguments, **named)
        inside.append(label)
        started = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            spent[label] += time.process_time() - started
            inside.pop()

    setattr(owner, name, counted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    spent = defaultdict(float)
    for label, (owner, name) in GUARDS.items():
        timed(owner, name, spent, label)
    samples = probe_cost.data()
    for network in ("mlp", "cnn"):
        model, prober = getattr(probe_cost, network)(), probe_cost.prober(True, samples)
        shares = defaultdict(list)
        for i in range(arguments.repeats + 1):
            spent.clear()
            started = time.process_time()
            prober(model)
            whole = time.process_time() - started
            if i:
                for label in GUARDS:
                    shares[label].append(spent[label] / whole)
                shares["all guards"].append(sum(spent.values()) / whole)
                batch = samples.inputs[:128]
                started = time.process_time()
                with torch.no_grad():
                    for _ in range(3):
                        model(batch)
                shares["before"].append((time.process_time() - started) / whole)
        print(network)
        for label, values in shares.items():
            low, middle, high = statistics.quantiles(values, n=4)
            print(f"  {label:<60} {middle:.2%}  ({low:.2%} to {high:.2%})")


if __name__ == "__main__":
    main()
