"""``landscape train``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import InvalidValueError
from landscape.histories.layout import Run
from landscape_cli import options


def train(
    task: options.TaskName = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.")],
    optimizer: options.Optimizer = "sgd",
    lr: options.LearningRate = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Another setting of the optimizer: momentum=0.9."
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="constant, milestones, ramp-cosine, or any of torch.optim.lr_scheduler by name; "
            "stepped once an epoch.",
            show_default="the optimizer's",
        ),
    ] = None,
    schedule_set: Annotated[
        list[str] | None,
        typer.Option(
            "--schedule-set", metavar="NAME=VALUE", help="A setting of the schedule: step_size=10."
        ),
    ] = None,
    search_batch: Annotated[
        int | None,
        typer.Option(
            metavar="SAMPLES",
            help="Let a line search look at a fresh batch of so many samples.",
            show_default="the gradient's batch",
        ),
    ] = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    checkpoints: Annotated[int, typer.Option(help="How many iterations are kept to probe.")] = 10,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Also probe on the way, on the batches and searches of the updates."
        ),
    ] = False,
    probe_set: options.ProbeSet = None,
    seed: options.Seed = 0,
    model: options.Model = None,
    dataset: options.Dataset = None,
    train_samples: options.TrainSamples = None,
    data: options.Data = None,
    download: options.Download = False,
    precision: options.Precision = "float32",
    compile: options.Compile = False,  # noqa: A002
    channels_last: options.ChannelsLast = None,
    device: options.Device = "auto",
) -> None:
    """Train a task, keeping ten checkpoints to probe. The same command resumes a stopped run."""
    from landscape.histories.reading import open_
    from landscape.optimizers.named import is_line_search
    from landscape.runtime import devices
    from landscape.study import runs
    from landscape.training import TrainingSettings
    from landscape_cli.bars import bars

    where = devices.choose(device)
    loaded, source = options.load(task, model, dataset, data, download, train_samples)
    settings = TrainingSettings.of(
        loaded,
        optimizer=optimizer,
        options=options.assignments(set_ or [], "an optimizer's setting"),
        schedule=schedule,
        schedule_options=options.assignments(schedule_set or [], "a schedule's setting"),
        search_batch=search_batch,
        checkpoints=checkpoints,
        seed=seed,
        precision=precision,
        compile=compile,
        channels_last=channels_last,
        **options.given(learning_rate=lr, epochs=epochs, batch_size=batch_size),
    )
    if probe_set and not probe:
        raise InvalidValueError(f"--probe-set {probe_set[0]} was given; give --probe with it")
    probed = options.probe_settings(probe_set) if probe else None
    training = runs.train(
        loaded, settings, out, source=source, probe=probed, device=where, progress=bars
    )
    history = open_(Run(out).history)
    accuracy = history.validation_accuracy.values
    typer.echo(
        f"{loaded.name}: {training.iteration} iterations, validation accuracy {accuracy[-1]:.4f} "
        f"(best {accuracy.max():.4f})"
    )
    typer.echo(f"run: {out}")
    if probe and not Run(out).recording.exists():
        typer.echo("nothing was probed: no update was made at an iteration that is kept")
    elif probe:
        figure = "line-search" if is_line_search(optimizer) else "widening"
        typer.echo(f"slices: {Run(out).recording}")
        typer.echo(f"next: landscape plot {figure} {Run(out).recording}")
    else:
        typer.echo(f"next: landscape probe --checkpoint {out}")
