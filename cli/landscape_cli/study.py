"""``landscape study``: many runs in one command."""

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError
from landscape_cli import bars, completion, options
from landscape_cli.commands import App

app = App(
    no_args_is_help=True,
    help="Train and probe many runs with one command.",
)


@app.callback()
def study() -> None:
    """Train and probe many runs with one command."""


@app.command("pre-study")
@options.grouped
def pre_study(
    *,
    task: options.TaskOptions,
    out: Annotated[Path, options.place("FOLDER", "Folder for all results.")],
    optimizer: options.OptimizerOptions,
    run: options.RunOptions,
    probe_set: options.ProbeSet = None,
    device: options.Device = "auto",
) -> None:
    """Train, probe ten checkpoints, and draw all figures of slices.

    As published: SGD for the task's epochs, five evaluation sets, thirteen step sizes, all
    validation samples. Precision, compilation and memory format are those of the training;
    --probe-set sets those of the probe. The same command resumes where it stopped.
    """
    bars.starting()
    from landscape import plots, store
    from landscape import study as library
    from landscape.probing import ProbeSettings
    from landscape.runtime import devices
    from landscape.training import TrainingSettings

    where = devices.choose(device)
    probed = options.probe_settings(probe_set)
    loaded, source = task.load()
    settings = TrainingSettings.for_task(loaded, **optimizer.settings(), **run.settings())
    probed = {"batch_size": settings.batch_size, "seed": settings.seed, **probed}
    slices = library.pre_study(
        loaded,
        out,
        settings,
        ProbeSettings.from_mapping(probed),
        source=source,
        device=where,
        progress=bars.bars,
    )
    figures, left_out = plots.save_all(store.open_(slices), out)
    typer.echo(f"store: {slices}  (landscape info {slices})")
    typer.echo(f"figures: {', '.join(map(str, figures))}")
    for name, reason in left_out.items():
        typer.echo(f"not drawn: {name}; {reason}")


@app.command()
@options.grouped
def benchmark(
    *,
    task: options.TaskOptions,
    out: Annotated[Path, options.place("FOLDER", "Folder for all runs.")],
    optimizer: Annotated[
        list[str],
        typer.Option(
            metavar="LIST",
            autocompletion=completion.optimizers,
            help="Optimizers, separated by commas, each NAME or NAME:SETTING=VALUE:... A setting "
            "is an option of the optimizer, or learning_rate, schedule, schedule_options, "
            "search_batch, epochs, batch_size, precision.",
        ),
    ],
    seeds: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many seeds, counted from 0.")
    ] = 4,
    run: options.RunOptions,
    part: Annotated[
        str,
        typer.Option(
            metavar="I/N",
            help="Part of the runs to do here, all optimizers with some of the seeds: 1/2 and 2/2 "
            "on two machines.",
        ),
    ] = "1/1",
    status: Annotated[bool, typer.Option("--status", help="Only show what is finished.")] = False,
    device: options.Device = "auto",
) -> None:
    """Train every optimizer with every seed on a task.

    Each run has its folder, FOLDER/TASK/OPTIMIZER-SEED.

    For example: --optimizer 'sgd,sa-sls:slope_factor=10,adam:betas=[0.9,0.99]'

    All settings are tested before any training starts. A failed run does not stop the others. The
    same command continues with the unfinished runs.
    """
    bars.starting()
    from landscape.runtime import devices
    from landscape.study import benchmark as library

    # Showing what is finished needs no device.
    where = None if status else devices.choose(device)
    loaded, source = task.load()
    runs = library.benchmark_runs(
        loaded,
        [each for text in optimizer for each in library.split(text)],
        range(seeds),
        out,
        source=source,
        checkpoints=0,
        **run.settings(),
    )
    todo = library.shard(runs, part)
    failures: dict[Path, str] = {}
    if where is not None:
        for one, failure in library.benchmark(todo, device=where, progress=bars.bars):
            bars.started()
            if failure is not None:
                failures[one.folder] = failure
            said = failure or f"best validation accuracy {one.state()[1]:.4f}"
            typer.echo(f"{one.folder.name}: {said}")
    bars.started()
    width = max(len(one.folder.name) for one in runs)
    typer.echo(f"{'run':{width}}  epochs     best validation accuracy")
    for one in runs:
        try:
            done, best = one.state()
            row = f"{f'{done} of {one.settings.epochs}':10} {best:.4f}"
        except LandscapeError as error:
            failures.setdefault(one.folder, str(error))
            row = f"{'?':10} ?     "
        mark = "  failed" if one.folder in failures else ""
        typer.echo(f"{one.folder.name:{width}}  {row}{mark}")
    typer.echo(f"next: landscape table benchmark {out}")
    for folder, failure in failures.items():
        typer.echo(f"failed: {folder.name}: {failure}", err=True)
    if failures:
        raise LandscapeError(f"{len(failures)} of {len(runs)} runs failed, for the reasons above")
