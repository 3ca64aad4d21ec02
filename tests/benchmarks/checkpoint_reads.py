"""How often a probe reads each checkpoint file, and what share of its time that takes.

Trains ResNet20 on digits for ten checkpoints, probes them at a single step size, and counts
``torch.load``. To compare with another commit, put its checkout first on PYTHONPATH.

    python tests/benchmarks/checkpoint_reads.py

The store is named by the older option, which both trees understand.
"""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from typer.testing import CliRunner

from landscape_cli.app import app

REPEATS = 5


def run(*arguments):
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output


def main():
    torch.set_num_threads(1)
    load, spent = torch.load, []

    def timed(*arguments, **options):
        started = time.process_time()
        try:
            return load(*arguments, **options)
        finally:
            spent.append(time.process_time() - started)

    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "run"
        run(
            "train", "--model", "resnet20", "--dataset", "digits", "--train-samples", 512,
            "--epochs", 2, "--batch-size", 32, "--checkpoints", 10, "--device", "cpu",
            "--out", trained,
        )  # fmt: skip
        files = len(list((trained / "checkpoints").iterdir()))
        torch.load = timed
        shares = []
        for repeat in range(REPEATS):
            spent.clear()
            started = time.process_time()
            run(
                "probe", trained, "--step-sizes", "0", "--sets", "same-batch", "--batch-size", 32,
                "--device", "cpu", "--store", Path(folder) / f"{repeat}.zarr",
            )  # fmt: skip
            shares.append(sum(spent) / (time.process_time() - started))
        print(f"{files} checkpoint files, {len(spent)} reads")
        print(
            f"reading: {statistics.median(shares):.1%} of the CPU time of a probe at one step "
            f"size ({min(shares):.1%} to {max(shares):.1%} in {REPEATS} repeats)"
        )


if __name__ == "__main__":
    main()
