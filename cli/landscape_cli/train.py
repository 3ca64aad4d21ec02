"""``landscape train``."""

from math import isnan
from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import InvalidValueError
from landscape_cli import bars, options


@options.grouped
def train(
    *,
    task: options.TaskOptions,
    out: Annotated[Path, options.place("RUN", "Folder of the run.")],
    optimizer: options.OptimizerOptions,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of the optimizer, for example momentum=0.9; may be repeated.",
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Learning-rate schedule, stepped once per epoch: constant, milestones, "
            "ramp-cosine, or any of torch.optim.lr_scheduler by name.",
            show_default="the optimizer's",
        ),
    ] = options.TRAINING.schedule,
    schedule_set: Annotated[
        list[str] | None,
        typer.Option(
            "--schedule-set",
            metavar="NAME=VALUE",
            help="A setting of the schedule, for example step_size=10; may be repeated.",
        ),
    ] = None,
    search_batch: Annotated[
        int | None,
        typer.Option(
            metavar="SAMPLES",
            help="Let a line search try its step sizes on a fresh batch of this size.",
            show_default="the gradient's batch",
        ),
    ] = options.TRAINING.search_batch,
    run: options.RunOptions,
    checkpoints: Annotated[
        int, typer.Option(help="How many checkpoints to keep for probing.")
    ] = options.TRAINING.checkpoints,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also probe during training, on the batches and line searches of the updates.",
        ),
    ] = False,
    probe_set: options.ProbeSet = None,
    device: options.Device = "auto",
) -> None:
    """Train a task and keep checkpoints to probe. Run it again to resume a stopped run."""
    bars.starting()
    from landscape import histories, study
    from landscape.optimizers.named import is_line_search
    from landscape.runtime import devices
    from landscape.tasks.loading import is_own
    from landscape.training import TrainingSettings

    where = devices.choose(device)
    loaded, source = task.load()
    settings = TrainingSettings.for_task(
        loaded,
        options=options.assignments(set_, "an optimizer's setting"),
        schedule=schedule,
        schedule_options=options.assignments(schedule_set, "a schedule's setting"),
        search_batch=search_batch,
        checkpoints=checkpoints,
        **optimizer.settings(),
        **run.settings(),
    )
    if probe_set and not probe:
        raise InvalidValueError(f"--probe-set {probe_set[0]} was given; give --probe with it")
    probed = options.probe_settings(probe_set) if probe else None
    training = study.train(
        loaded, settings, out, source=source, probe=probed, device=where, progress=bars.bars
    )
    files = histories.Run(out)
    history = histories.open_(files.history)
    accuracy, loss = history.validation_accuracy.values, history.validation_loss.values
    reached = f"accuracy {accuracy[-1]:.4f} (best {accuracy.max():.4f})"
    if all(map(isnan, accuracy)):  # as where there are no classes
        reached = f"loss {loss[-1]:.4g} (best {loss.min():.4g})"
    typer.echo(f"{loaded.name}: {training.iteration} iterations, validation {reached}")
    typer.echo(f"run: {out}")
    if probe and not files.recording.exists():
        typer.echo("nothing was probed: there was no update at an iteration that is kept")
    elif probe:
        figure = "line-search" if is_line_search(optimizer.optimizer) else "widening"
        typer.echo(f"slices: {files.recording}")
        typer.echo(f"next: landscape plot {figure} {files.recording}")
    else:
        # Code is not run because a file names it.
        own = f" --task {task.task}" if is_own(task.task or "") else ""
        typer.echo(f"next: landscape probe --checkpoint {out}{own}")
