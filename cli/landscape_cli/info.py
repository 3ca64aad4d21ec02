"""``landscape info``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli import options


def info(
    store: Annotated[
        Path,
        typer.Argument(
            metavar="STORE", help="A store, or the folder of a run.", callback=options.local
        ),
    ],
) -> None:
    """Show what a store contains."""
    from landscape.tables.summary import describe_store

    for line in describe_store(store, options.width() or 80):
        options.say(line)
