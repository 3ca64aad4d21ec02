"""What each precision costs: how far a slice is from the same slice in float64.

    python tests/benchmarks/precision.py [--task digits-cnn --task mnist-mlp --data ROOT]

On the GPU if there is one, else on the CPU. The network is trained for ``--epochs`` in float32,
then probed at the thirteen published step sizes on all sets. All slices go along the same
direction, that of float64, from the same point, over the same samples: what differs is the
evaluation. Printed are the largest and the median absolute difference over step sizes and sets, of
loss (relative to 1 + loss) and accuracy, and how far the direction of each precision itself is
off: its angle to that of float64.
"""

import argparse
import copy
import math
from pathlib import Path

import torch

from landscape.data import TensorData
from landscape.errors import InvalidValueError
from landscape.network.precision import PRECISIONS, check_precision
from landscape.probing import Prober
from landscape.probing.settings import ProbeSettings
from landscape.runtime import devices
from landscape.tasks import load_task
from landscape.training import Training, TrainingSettings


def plain(data, samples, dtype):
    """The first ``samples``, prepared and not augmented, as tensors of ``dtype``."""
    inputs, targets = data.take(torch.arange(min(samples, len(data))))
    return TensorData(inputs.to(dtype), targets)


def degrees(first, second):
    """Between two tangents, in float64."""
    a, b = (torch.cat([t.double().flatten() for t in each.values()]) for each in (first, second))
    return math.degrees(math.acos(min(1.0, float(a @ b / (a.norm() * b.norm())))))


def compare(task, device, epochs, samples):
    training = Training(
        task,
        TrainingSettings.for_task(task, epochs=epochs, checkpoints=0, learning_rate=0.05),
        device,
    )
    *_, last = training.run()
    print(f"{task.name} after {epochs} epochs (validation accuracy {last.validation_accuracy:.4f})")
    batch_size = training.settings.batch_size

    def slices(model, dtype, precision, direction=None):
        train, validation = (plain(d, samples, dtype) for d in (task.train, task.validation))
        prober = Prober(
            train, validation, ProbeSettings(batch_size=batch_size, precision=precision),
            loss=task.loss, device=device,
        )  # fmt: skip
        indices = torch.arange(batch_size)
        batch = (*train.take(indices), indices)
        (own,) = prober.directions(model, batch)
        along = own if direction is None else copy.copy(direction)
        found = prober(model, batch=batch, direction=along).to_dataset()
        return own, found

    double = copy.deepcopy(training.model).double()
    exact, reference = slices(double, torch.float64, "float32")
    print(f"  {'':<10}{'loss, largest':>15}{'median':>10}{'accuracy, largest':>20}{'median':>10}"
          f"{'direction':>12}")  # fmt: skip
    for precision in PRECISIONS:
        try:
            check_precision(precision, device)
        except InvalidValueError:
            continue
        narrow = copy.copy(exact)
        tangent = {name: t.float() for name, t in exact.tangent.items()}
        object.__setattr__(narrow, "tangent", tangent)
        own, found = slices(training.model, torch.float32, precision, narrow)
        loss = abs(found.loss - reference.loss) / (1 + reference.loss)
        accuracy = abs(found.accuracy - reference.accuracy)
        print(
            f"  {precision:<10}{loss.max().item():>15.1e}{loss.median().item():>10.1e}"
            f"{accuracy.max().item():>20.1e}{accuracy.median().item():>10.1e}"
            f"{degrees(own.tangent, exact.tangent):>11.1e}°"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", action="append")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--train-samples", type=int)
    parser.add_argument("--samples", type=int, default=2000, help="of each of the data sets")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = devices.choose(arguments.device)
    print(f"on {devices.versions(device)['device_name']}, torch {torch.__version__}")
    for name in arguments.task or ["digits-cnn"]:
        task = load_task(name, data=arguments.data, train_samples=arguments.train_samples)
        compare(task, device, arguments.epochs, arguments.samples)


if __name__ == "__main__":
    main()
