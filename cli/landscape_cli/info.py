"""``landscape info``."""

from pathlib import Path
from typing import Annotated

import typer


def info(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store, or a run's folder.")],
) -> None:
    """Say what is inside a store."""
    from landscape.tables.summary import account

    for line in account(store):
        typer.echo(line)
