"""``landscape probe``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.errors import InvalidValueError
from landscape_cli import options


def probe(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="More checkpoints.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            metavar="PATH",
            help="A run's folder, a folder of checkpoint files, or a file. May be repeated.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Task the checkpoints belong to.", show_default="that of the run"),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="STORE",
            help="Where the slices go.",
            show_default="landscape.zarr, in the run's folder if one",
        ),
    ] = None,
    step_sizes: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="As in -1,0,0.1.", show_default="the thirteen published"),
    ] = None,
    points: Annotated[
        int | None, typer.Option(help="Instead of a list: so many step sizes, an odd number.")
    ] = None,
    range_: Annotated[
        float | None, typer.Option("--range", help="With --points: from −RANGE to RANGE.")
    ] = None,
    spacing: Annotated[str, typer.Option(help="With --points: linear or symlog.")] = "linear",
    draws: Annotated[int, typer.Option(help="Repetitions with fresh gradient batches.")] = 1,
    direction: Annotated[str, typer.Option(help="gradient or normalised-gradient.")] = "gradient",
    origin: Annotated[
        str,
        typer.Option(
            help="before-step: where the gradient was taken. after-step: one optimizer step "
            "later, as in the published pictures."
        ),
    ] = "before-step",
    sets: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Of same-batch, other-batch, big-batch, validation.",
            show_default="all",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples of the gradient's batch.", show_default="that of the training"),
    ] = None,
    other_batches: Annotated[int, typer.Option(help="Number of other batches.")] = 2,
    big_batch: Annotated[
        int | None,
        typer.Option(help="Samples of the big batch.", show_default="1000, or all if fewer"),
    ] = None,
    validation_samples: Annotated[
        int | None, typer.Option(help="The first so many.", show_default="all")
    ] = None,
    batch_norm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=POLICY",
            help="batch, running or recalibrated, as in validation=recalibrated. May be repeated.",
        ),
    ] = None,
    dropout: Annotated[
        bool, typer.Option("--dropout", help="Keep dropout on, with one mask for all points.")
    ] = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Of loss, accuracy, smooth-accuracy, focal-loss, sigmoidal-loss, zero-one-loss.",
            show_default="the first three",
        ),
    ] = None,
    slope_factors: Annotated[str, typer.Option(metavar="LIST", help="Of smooth accuracy.")] = "1",
    samples: Annotated[
        bool, typer.Option("--samples/--no-samples", help="Keep loss and margin of every sample.")
    ] = True,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate of plain SGD, for after-step without a run."),
    ] = None,
    seed: options.Seed = 0,
    data: options.Data = None,
    download: options.Download = False,
    chunk: Annotated[
        int | None,
        typer.Option(
            help="Samples evaluated at once.",
            show_default="what fits a GPU's memory, or a CPU's caches",
        ),
    ] = None,
    precision: options.Precision = "float32",
    compile: options.Compile = False,  # noqa: A002
    channels_last: options.ChannelsLast = None,
    device: options.Device = "auto",
) -> None:
    """Measure loss and accuracy along ±s·∇L at checkpoints. The same command resumes."""
    given = [*(checkpoint or []), *(paths or [])]
    if not given:
        raise InvalidValueError(
            "no checkpoint was given; give --checkpoint with a run's folder, a folder or files"
        )
    chosen = {
        "step_sizes": _step_sizes(step_sizes, points, range_, spacing),
        "sets": None if sets is None else options.names(sets),
        "metrics": None if metrics is None else options.names(metrics),
        "batch_norm": {
            kind.replace("-", "_"): policy
            for kind, policy in options.assignments(batch_norm or [], "batch norm").items()
        },
        "slope_factors": options.numbers(slope_factors, "the slope factors"),
        "draws": draws,
        "direction": direction,
        "origin": origin,
        "batch_size": batch_size,
        "other_batches": other_batches,
        "big_batch": big_batch,
        "validation_samples": validation_samples,
        "dropout": dropout,
        "samples": samples,
        "seed": seed,
        "chunk": chunk,
        "precision": precision,
        "compile": compile,
        "channels_last": channels_last,
    }
    settings = {name: value for name, value in chosen.items() if value is not None}

    from landscape import study
    from landscape.probing.settings import ProbeSettings
    from landscape.runtime import devices
    from landscape.store import progress as rows
    from landscape_cli.bars import bars

    where = devices.choose(device)
    ProbeSettings(**settings)  # what is wrong is said before anything is read
    loaded, trained_with = study.task_of(given, task, data=data, download=download)
    settings.setdefault("batch_size", trained_with)
    out = store or study.default_store(given)
    now = study.probe(
        loaded,
        given,
        out,
        ProbeSettings(**settings),
        learning_rate=float("nan") if lr is None else lr,
        device=where,
        progress=bars,
    )
    finished, _ = rows(out)
    typer.echo(f"{now} checkpoints probed, {finished} in the store")
    typer.echo(f"store: {out}")
    typer.echo(f"next: landscape plot widening {out}")


def _step_sizes(text: str | None, points: int | None, range_: float | None, spacing: str) -> Any:
    if text is not None:
        if points is not None or range_ is not None:
            raise InvalidValueError("both --step-sizes and --points or --range were given; choose")
        return options.numbers(text, "the step sizes")
    if points is None and range_ is None:
        return None
    from landscape.probing.settings import spaced

    return spaced(13 if points is None else points, 1.0 if range_ is None else range_, spacing)
