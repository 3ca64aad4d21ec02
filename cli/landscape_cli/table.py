"""``landscape table``: runs compared in numbers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from landscape_cli.options import Runs

app = typer.Typer(no_args_is_help=True, help="Compare runs in a table.")

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help=".csv, .md or .tex.", show_default="the terminal"),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="csv (numbers unrounded), markdown or latex (with booktabs).",
        show_default="as the suffix says",
    ),
]


@app.command()
def benchmark(runs: Runs, output: Output = None, format_: Format = None) -> None:
    """Best validation accuracy of each run, mean ± sd, final accuracy and time.

    A row is an optimizer on a task; where settings differ, they are named. Runs that differ in
    their seed alone share a row. The best accuracy is the published measure, the maximum over
    the epochs; the final mean is that after the last epoch.
    """
    _show("benchmark", runs, output, format_)


@app.command()
def passes(runs: Runs, output: Output = None, format_: Format = None) -> None:
    """Forward and backward passes a step, trials a search, searches skipped and exhausted."""
    _show("passes", runs, output, format_)


def _show(table: str, runs: list[Path], output: Path | None, format_: str | None) -> None:
    from landscape import histories, table_formats, tables

    frame = getattr(tables, table)(histories.collect(runs))
    if output is not None:
        typer.echo(f"table: {table_formats.save(frame, output, format_)}")
    elif format_ is not None:
        typer.echo(table_formats.text(frame, format_), nl=False)
    else:
        _print(frame)


def _print(frame: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    from landscape import table_formats

    header, rows = table_formats.cells(frame)
    table = Table(box=box.SIMPLE, show_edge=False)
    for name in header:
        words = name in frame.index.names
        table.add_column(Text(name), justify="left" if words else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width to keep to
        wide = Console(width=9999)
        needed = Measurement.get(wide, wide.options, table).maximum
        console = Console(width=max(80, needed))
    console.print(table)
    console.print(Text(table_formats.note(frame)))
