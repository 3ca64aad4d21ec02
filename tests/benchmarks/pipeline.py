"""How fast training data comes, and what a probe of a residual network costs.

    python tests/benchmarks/pipeline.py [--data FILE.npz] [--repeats 5] [--workers 0 2 4]

First, images a second of CIFAR-10's shape (cropped, flipped, normalised, in batches of 128): a
data set in memory as bytes, against torchvision's usual transforms in a DataLoader, with so many
worker processes (``--workers`` without a number leaves this out). Each line is the median over
the repeats; the ratio is that of the same repeat. Wall-clock time, on one thread a process, and
on the GPU too if there is one. Then ResNet20: a probe of 13 points, loss alone and with
everything, in CPU time, against the least loop that could do its work (see probe_cost.py) with as
many images at once; and that loop with images laid out channels last, as the probe does, and with
1000 at once. Without ``--data``, the pixels are random.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from probe_cost import measure, minimal, prober
from torch.utils.data import DataLoader, Dataset

from landscape import store
from landscape.network.chunking import EvalBatchSize
from landscape.network.forward import Forward
from landscape.runtime.randomness import generator
from landscape.tasks.datasets import arrays
from landscape.tasks.datasets.images import colour_images
from landscape.tasks.models import resnet20

BATCH, BATCHES = 128, 60


def images(path):
    if path is not None:
        return arrays.read(path)[0]
    pixels = torch.randint(256, (20_000, 3, 32, 32), dtype=torch.uint8)
    return colour_images(pixels, torch.arange(20_000) % 10, augmented=True)


class Images(Dataset):
    """As torchvision's CIFAR10: arrays, made images and transformed one by one."""

    def __init__(self, data):
        from torchvision import transforms

        self.pixels = np.ascontiguousarray(data.inputs.permute(0, 2, 3, 1).numpy())
        self.labels = data.targets.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.prepare.mean, data.prepare.sd),
            ]
        )

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def speed(batches):
    """Images a second, after the first batch (which starts workers and fills caches)."""
    next(batches)
    started = time.perf_counter()
    for _ in range(BATCHES):
        next(batches)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return BATCH * BATCHES / (time.perf_counter() - started)


def in_memory(data, seed):
    order = torch.randperm(len(data), generator=generator(seed)).to(data.inputs.device)
    for i in range(len(data) // BATCH):
        yield data.take(order[i * BATCH : (i + 1) * BATCH], generator(seed, i))


def throughput(data, repeats, workers):
    dataset = Images(data)
    candidates = {"in memory, on the CPU": lambda i: in_memory(data, i)}
    if torch.cuda.is_available():
        there = data.to(torch.device("cuda"))
        candidates["in memory, on the GPU"] = lambda i: in_memory(there, i)
    loaders = {
        f"DataLoader, {count} workers": DataLoader(
            dataset, BATCH, shuffle=True, num_workers=count, drop_last=True
        )
        for count in workers
    }
    candidates |= {name: lambda _, made=made: iter(made) for name, made in loaders.items()}
    found = {name: [] for name in candidates}
    for i in range(repeats):
        for name, batches in candidates.items():
            found[name].append(speed(batches(i)))
    own = found["in memory, on the CPU"]
    print(f"{len(data):,} images of {tuple(data.inputs.shape[1:])}, batches of {BATCH}")
    for name, values in found.items():
        ratios = [a / b for a, b in zip(own, values, strict=True)]
        print(
            f"  {name:<28} {statistics.median(values):>10,.0f} images/s; in memory on the CPU is "
            f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to "
            f"{max(ratios):.2f})"
        )


def probe(data, samples, repeats):
    model = resnet20()
    inputs, targets = data.take(torch.arange(samples))
    part = type(data)(inputs, targets)
    last = inputs.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        chunk = EvalBatchSize().choose(Forward(model.eval()), inputs)
    loss_only, full = prober(False, part, chunk), prober(True, part, chunk)
    with tempfile.TemporaryDirectory() as folder:
        row = full(model)
        writer = store.create(Path(folder) / "s.zarr", row, rows=1, attributes={})
        measure(
            f"ResNet20, 13 points on {samples:,} images, {chunk} at once",
            model,
            inputs,
            targets,
            {
                "probe, loss only": lambda _: loss_only(model),
                "probe, everything, into a store": lambda _: writer.write(full(model)),
                "minimal loop, channels last": lambda _: minimal(model, last, targets, chunk),
                "minimal loop, 1000 at once": lambda _: minimal(model, inputs, targets, 1000),
            },
            repeats,
            peers=False,
            eval_batch_size=chunk,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2, 4])
    parser.add_argument("--probe-samples", type=int, default=2000)
    arguments = parser.parse_args()
    # More workers than cores are compared on purpose.
    warnings.filterwarnings("ignore", "This DataLoader will create")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = images(arguments.data)
    if arguments.workers:
        throughput(data, arguments.repeats, arguments.workers)
    probe(data, arguments.probe_samples, arguments.repeats)


if __name__ == "__main__":
    main()
