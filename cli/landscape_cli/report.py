"""``landscape report``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli.options import Store, open_slices


def report(
    store: Store,
    output: Annotated[Path, typer.Option("--output", "-o", help=".html.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Heading of the page.", show_default="task and optimizer")
    ] = None,
) -> None:
    """One HTML page to look into a store's slices: charts, statistics, provenance.

    It holds all it needs and loads nothing, so that it may be mailed or put anywhere.
    """
    import matplotlib

    matplotlib.use("Agg")
    from landscape import report

    typer.echo(f"report: {report.save(open_slices(store), output, title)}")
