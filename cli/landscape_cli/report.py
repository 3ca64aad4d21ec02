"""``landscape report``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli import options


def report(
    stores: options.Stores,
    out: Annotated[Path, options.place("FILE", "HTML file to write.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Heading of the page.", show_default="task and optimizer")
    ] = None,
) -> None:
    """Write one HTML page about the slices of one or several stores.

    It has charts, statistics and provenance, contains everything it needs and loads nothing, so it
    can be mailed or put anywhere. What it shows stands in its address, which can be shared.
    """
    from landscape import report

    typer.echo(
        f"report: {report.save([options.open_slices(store) for store in stores], out, title)}"
    )
