"""``landscape report``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli import options


def report(
    store: options.Store,
    out: Annotated[Path, options.place("FILE", "HTML file to write.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Heading of the page.", show_default="task and optimizer")
    ] = None,
) -> None:
    """Write one HTML page about the slices of a store.

    It has charts, statistics and provenance, contains everything it needs and loads nothing, so it
    can be mailed or put anywhere.
    """
    from landscape import report

    typer.echo(f"report: {report.save(options.open_slices(store), out, title)}")
