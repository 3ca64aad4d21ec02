"""What a step of the line searches costs against a step of plain SGD.

    python tests/benchmarks/step_cost.py [--data ROOT] [--pairs 15] [--threads 1] [--only cnn]

Both run in one process, in turns: a block of SGD's steps, one of the candidate's, one of SGD's.
Each line is the median over such pairs of the ratio of their times, in mid-training: every
candidate first trains for ``--warm-up`` steps from the same start and goes on training while it is
timed. With one thread the times are CPU time, else wall time. MNIST is read from ``--data``; where
it is not there the 8×8 digits take its place, enlarged.
"""

import argparse
import copy
import statistics
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from landscape.errors import MissingFileError
from landscape.optimizers.line_search.sls import LossSLS, SGDArmijo, SmoothAccuracySLS
from landscape.tasks.datasets import mnist
from landscape.tasks.models import mlp, small_cnn

SGD_LEARNING_RATE = 0.1

CANDIDATES = {
    "sa-SLS": lambda model, n: SmoothAccuracySLS(model.parameters()),
    "sa-SLS, model=": lambda model, n: SmoothAccuracySLS(model.parameters(), model=model),
    "sa-SLS, search_every=10": lambda model, n: SmoothAccuracySLS(
        model.parameters(), search_every=10
    ),
    "sa-SLS, thesis preset": lambda model, n: SmoothAccuracySLS(
        model.parameters(), preset="thesis"
    ),
    "l-SLS": lambda model, n: LossSLS(model.parameters()),
    "SGD Armijo": lambda model, n: SGDArmijo(model.parameters(), n=n),
}


def digits():
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    return images[:1400], torch.tensor(data.target[:1400])


def images_28(root):
    """The first 20,000 images of MNIST, or the digits enlarged."""
    try:
        return mnist.read("MNIST", root)[0].take(torch.arange(20_000))
    except MissingFileError as missing:
        print(f"{missing}; the digits are enlarged instead")
        images, labels = digits()
        return F.interpolate(images, size=28, mode="bilinear"), labels


class Run:
    """One training run, which goes on where it was."""

    def __init__(self, model, data, batch_size, make=None):
        self.model = copy.deepcopy(model).train()
        self.images, self.labels = data
        self.batch_size = batch_size
        per_epoch = len(self.images) // batch_size
        self.optimizer = make and make(self.model, per_epoch)
        self._sgd = torch.optim.SGD(self.model.parameters(), lr=SGD_LEARNING_RATE)
        self._order = torch.Generator().manual_seed(0)
        self._batches = iter(())

    def batches(self, steps):
        for _ in range(steps):
            chosen = next(self._batches, None)
            if chosen is None or len(chosen) < self.batch_size:
                order = torch.randperm(len(self.images), generator=self._order)
                self._batches = iter(order.split(self.batch_size))
                chosen = next(self._batches)
            yield self.images[chosen], self.labels[chosen]

    def train(self, steps):
        """Seconds for so many steps; the batches are made beforehand."""
        batches = list(self.batches(steps))
        step = self._plain if self.optimizer is None else self._searched
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        started = clock()
        for inputs, labels in batches:
            step(inputs, labels)
        return clock() - started

    def _plain(self, inputs, labels):
        self._sgd.zero_grad()
        F.cross_entropy(self.model(inputs), labels).backward()
        self._sgd.step()

    def _searched(self, inputs, labels):
        self.optimizer.step(lambda: (self.model(inputs), labels))


def compare(title, model, data, batch_size, block, arguments):
    torch.manual_seed(0)
    sgd = Run(model, data, batch_size)
    runs = {name: Run(model, data, batch_size, make) for name, make in CANDIDATES.items()}
    for run in (sgd, *runs.values()):
        run.train(arguments.warm_up)
    before = {name: run.optimizer.counts for name, run in runs.items()}
    ratios, plain = {name: [] for name in runs}, []
    for _ in range(arguments.pairs):
        for name, run in runs.items():
            # Before and after, so that a drift of the machine's speed falls out.
            first, own, last = sgd.train(block), run.train(block), sgd.train(block)
            ratios[name].append(2 * own / (first + last))
            plain += [first, last]
    print(f"{title}: SGD {statistics.median(plain) / block * 1e3:.2f} ms a step", flush=True)
    for name, run in runs.items():
        counts = {key: value - before[name][key] for key, value in run.optimizer.counts.items()}
        quarter, middle, three = statistics.quantiles(ratios[name], n=4)
        print(
            f"  {name:<26} {middle:.3f}  (half of the pairs: {quarter:.3f} to {three:.3f})  "
            f"{counts['forward_passes'] / counts['steps']:.3f} forward passes a step, "
            f"{counts['skipped']} of {counts['steps']} skipped, "
            f"step size {run.optimizer.step_size:.3g}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--warm-up", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=["cnn", "mlp", "digits"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    cases = {
        "cnn": ("small CNN with batch norm, batch 128", small_cnn(), images_28, 128, 5),
        "mlp": ("MLP 784-512-256-10, batch 128", mlp(), images_28, 128, 20),
        "digits": ("MLP 64-128-64-10, batch 64", mlp((64, 128, 64, 10)), None, 64, 40),
    }
    for key, (title, model, read, batch_size, block) in cases.items():
        if arguments.only in (None, key):
            data = digits() if read is None else read(arguments.data)
            compare(title, model, data, batch_size, block, arguments)


if __name__ == "__main__":
    main()
