"""``landscape table``: runs compared in numbers, and a store's slices in numbers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from landscape_cli import completion, options
from landscape_cli.commands import App
from landscape_cli.options import Runs, Store, given, open_slices

app = App(no_args_is_help=True, help="Print or save a table of runs, or of a store's slices.")

Out = Annotated[
    Path | None, options.place("FILE", "File to write: .csv, .md, .tex or .txt.", "the terminal")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format: csv (unrounded numbers; words that begin like a formula get an apostrophe), "
        "markdown, latex (with booktabs), plain, or narrow (plain, in 80 columns).",
        autocompletion=completion.of(("csv", "markdown", "latex", "plain", "narrow")),
        show_default="by the suffix of --out",
    ),
]

Sets = Annotated[list[str] | None, options.option("evaluation_set", "all")]
SlopeFactor = Annotated[float | None, options.option("slope_factor")]


@app.command()
def benchmark(runs: Runs, out: Out = None, format_: Format = None) -> None:
    """Best and final validation accuracy of each run, and its time.

    Each row is an optimizer on a task, with the settings that differ. Runs that differ only in
    their seed share a row. The best accuracy is the maximum over the epochs, the published measure;
    the final mean is the mean accuracy after the last epoch.
    """
    from landscape import tables
    from landscape.histories import collection as histories

    _show(tables.benchmark(histories.collect(runs)), out, format_)


@app.command()
def passes(runs: Runs, out: Out = None, format_: Format = None) -> None:
    """Forward and backward passes per step, trials per search.

    Also how many searches were skipped or exhausted, per 1000 steps.
    """
    from landscape import tables
    from landscape.histories import collection as histories

    _show(tables.passes(histories.collect(runs)), out, format_)


@app.command("slice")
def slice_(
    store: Store,
    checkpoint: Annotated[int | None, options.option("checkpoint", "the second")] = None,
    evaluation_set: Sets = None,
    metric: Annotated[list[str] | None, options.option("metric")] = None,
    slope_factor: SlopeFactor = None,
    draw: Annotated[int | None, options.option("draw", "the mean of all")] = None,
    out: Out = None,
    format_: Format = None,
) -> None:
    """The values of one checkpoint at all step sizes, to six digits."""
    from landscape import tables

    frame = tables.slice_values(
        open_slices(store),
        **given(
            checkpoint=checkpoint,
            evaluation_set=_names(evaluation_set),
            metric=_names(metric),
            slope_factor=slope_factor,
            draw=draw,
        ),
    )
    _show(frame, out, format_)


@app.command()
def statistics(
    store: Store,
    checkpoint: Annotated[list[int] | None, options.option("checkpoint", "all")] = None,
    evaluation_set: Sets = None,
    metric: Annotated[str | None, options.option("metric")] = None,
    slope_factor: SlopeFactor = None,
    against: Annotated[str | None, options.option("against", "step-size")] = None,
    tolerance: Annotated[float | None, options.option("tolerance")] = None,
    relative: Annotated[bool | None, options.option("relative")] = None,
    out: Out = None,
    format_: Format = None,
) -> None:
    """Peak width, plateau, best step size, batch bias and gap."""
    from landscape import tables

    frame = tables.slice_statistics(
        open_slices(store),
        **given(
            checkpoint=checkpoint or None,
            evaluation_set=_names(evaluation_set),
            metric=None if metric is None else options.stored_name(metric),
            slope_factor=slope_factor,
            against=against,
            tolerance=tolerance,
            relative=relative,
        ),
    )
    _show(frame, out, format_)


@app.command()
def shape(
    store: Store,
    checkpoint: Annotated[list[int] | None, options.option("checkpoint", "all")] = None,
    evaluation_set: Sets = None,
    metric: Annotated[str | None, options.option("metric", "loss")] = None,
    slope_factor: SlopeFactor = None,
    out: Out = None,
    format_: Format = None,
) -> None:
    """Critical step size, sharpness, curvature, convexity, barrier."""
    from landscape import tables

    frame = tables.slice_shapes(
        open_slices(store),
        **given(
            checkpoint=checkpoint or None,
            evaluation_set=_names(evaluation_set),
            metric=None if metric is None else options.stored_name(metric),
            slope_factor=slope_factor,
        ),
    )
    _show(frame, out, format_)


@app.command()
def plane(
    store: Store,
    metric: Annotated[str | None, options.option("metric")] = None,
    slope_factor: SlopeFactor = None,
    out: Out = None,
    format_: Format = None,
) -> None:
    """Best point of each plane, the area around it, and curvatures.

    Also how much of the path of the training each plane keeps.
    """
    from landscape import tables

    frame = tables.plane_statistics(
        open_slices(store),
        **given(
            metric=None if metric is None else options.stored_name(metric),
            slope_factor=slope_factor,
        ),
    )
    _show(frame, out, format_)


def _names(given: list[str] | None) -> list[str] | None:
    return [options.stored_name(name) for name in given] if given else None


def _show(frame: Any, out: Path | None, format_: str | None) -> None:
    from landscape.tables import formats as table_formats

    if out is not None:
        typer.echo(f"table: {table_formats.save(frame, out, format_)}")
    elif format_ is not None:
        typer.echo(table_formats.text(frame, format_), nl=False)
    else:
        typer.echo(table_formats.plain(frame, options.width()), nl=False)
