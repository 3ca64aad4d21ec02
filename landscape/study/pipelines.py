"""Whole studies in one call: the pre-study, and the demo."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from landscape import statistics, store
from landscape.arguments import local_path
from landscape.histories import reading
from landscape.histories.layout import SLICES, Run
from landscape.probing.prober import Prober
from landscape.probing.settings import STEP_SIZES, ProbeSettings, spaced
from landscape.runtime.progress import Progress, silent
from landscape.study.checkpoint_probe import probe
from landscape.study.runs import train
from landscape.tasks import Task, load_task
from landscape.training.settings import TrainingSettings


def pre_study(
    task: Task,
    out: Path,
    training: TrainingSettings,
    settings: ProbeSettings,
    *,
    source: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Path:
    """Train into ``out/run`` and probe its checkpoints into ``out/landscape.zarr``.

    It goes on where it stopped; what is finished takes no time.

    Args:
        task: what is trained and probed.
        out: the folder for both.
        training: how the task is trained.
        settings: how its checkpoints are probed.
        source: where the task came from, as :func:`train` takes it.
        device: where the model is trained and probed.
        progress: reports on the training and on the probe.

    Returns:
        The path of the store. Errors are those of :func:`train` and :func:`probe`.
    """
    out = local_path(out)
    # So that bad settings are refused here, and not after hours of training.
    Prober(task.train, task.validation, settings, device=device, **task.how)
    run, slices = out / "run", out / SLICES
    train(task, training, run, source=source, device=device, progress=progress)
    probe(task, [run], slices, settings, device=device, progress=progress)
    return slices


@dataclass(frozen=True)
class Demo:
    """What the demo made and what it shows.

    Attributes:
        task: the task's name.
        run: the run's folder.
        store: the store of its slices.
        accuracy: validation accuracy after the last epoch, from 0 to 1.
        summary: what the slices show, in one sentence.
    """

    task: str
    run: Path
    store: Path
    accuracy: float
    summary: str


def demo(
    out: Path,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Demo:
    """Train ``digits-mlp`` with plain SGD, and probe ten checkpoints with ten draws each.

    Args:
        out: the folder for the run and the store.
        seed: of the training and of the probe.
        device: where the model is trained and probed.
        progress: reports on the training and on the probe.

    Returns:
        The paths, and a summary.
    """
    task, out = load_task("digits-mlp"), local_path(out)
    settings = TrainingSettings.for_task(task, epochs=100, seed=seed)
    # Wide enough for the peak, and fine enough around 0 for the steps of accuracy.
    step_sizes = sorted({*STEP_SIZES, *spaced(11, 2.0)})
    slices = pre_study(
        task,
        out,
        settings,
        ProbeSettings(step_sizes=step_sizes, batch_size=settings.batch_size, draws=10, seed=seed),
        source={"task": task.name},
        device=device,
        progress=progress,
    )
    dataset = store.open_(slices)
    peaks = statistics.peak_widths(dataset, tolerance=0.1, relative=True)
    peaks = peaks.sel(evaluation_set="same_batch")
    accuracy = reading.open_(Run(out / "run").history).validation_accuracy.values[-1]
    first, last = (
        f"{'at least ' if (peak.lower_open | peak.upper_open).any() else ''}"
        f"{peak.width.mean(skipna=False):.2f} wide at iteration {peak.iteration.item()}"
        for peak in (peaks.isel(checkpoint=i) for i in (0, -1))
    )
    summary = (
        "The accuracy peak on the gradient's own batch (the step sizes within 10 % of the best) "
        f"is {first} and {last} (means over {dataset.sizes['draw']} draws)."
    )
    return Demo(task.name, out / "run", slices, float(accuracy), summary)
