"""``landscape export``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli import completion, options


def export(
    store: options.Store,
    out: Annotated[Path, options.place("FILE", "File to write: .vtu.")] = Path("plane.vtu"),
    checkpoint: Annotated[int | None, options.option("checkpoint", "the last")] = None,
    draw: Annotated[int | None, options.option("draw")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.metric,
            help="Metric that is the height of the surface.",
            show_default="loss, or else accuracy",
        ),
    ] = None,
    evaluation_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="NAME",
            autocompletion=completion.sets,
            help="Evaluation set whose values are the height.",
            show_default="validation, or else the first",
        ),
    ] = None,
    slope_factor: Annotated[float | None, options.option("slope_factor")] = None,
    against: Annotated[str | None, options.option("against", "step-size")] = None,
    flat: Annotated[bool, typer.Option("--flat", help="Leave every point at height 0.")] = False,
) -> None:
    """Write a plane as a surface for ParaView and other readers of VTK.

    All metrics on all evaluation sets are in the file, to colour the surface by; the training path,
    where the store has one, becomes a second file, FILE with -path in its name.
    """
    from landscape import tables

    written = tables.save_plane(
        options.open_slices(store),
        out,
        flat=flat,
        **options.given(
            checkpoint=checkpoint,
            draw=draw,
            metric=None if metric is None else options.stored_name(metric),
            evaluation_set=None if evaluation_set is None else options.stored_name(evaluation_set),
            slope_factor=slope_factor,
            against=against,
        ),
    )
    for what, path in zip(("surface", "path"), written, strict=False):
        typer.echo(f"{what}: {path}")
