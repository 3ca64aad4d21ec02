"""``landscape tasks``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import InvalidValueError
from landscape.runtime.atomic import atomic_write, require_place
from landscape.tasks.registry import BUILTIN, DATASETS, MODELS, BuiltinTask, DataSet, Network
from landscape_cli import options
from landscape_cli.commands import App

LISTED: Mapping[str, Mapping[str, BuiltinTask | DataSet | Network]] = {
    "Tasks:": BUILTIN,
    "Data sets, for --dataset, which also takes a file of arrays (.npz):": DATASETS,
    "Models, for --model; each works with each data set, also as DATASET-MODEL:": MODELS,
}

app = App(help="List tasks, data sets and models, or start a task.")


@app.callback(invoke_without_command=True)
def tasks(context: typer.Context) -> None:
    """List tasks, data sets and models.

    `landscape tasks new` starts a task of your own.
    """
    if context.invoked_subcommand is None:
        width = max(map(len, BUILTIN))
        for heading, table in LISTED.items():
            typer.echo(heading)
            for entry in table.values():
                typer.echo(f"  {entry.name:{width}}  {entry.summary}")


@app.command()
def new(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="File to write.", callback=options.local),
    ] = Path("my_task.py"),
) -> None:
    """Write a commented example task, ready to run, to start your own from."""
    from importlib.resources import files

    if path.exists():
        raise InvalidValueError(f"{path} exists already; give another name")
    if path.suffix != ".py":
        raise InvalidValueError(f"the file is {path}; give a name that ends in .py")
    require_place(path)
    with atomic_write(path) as partial:
        partial.write_text(files("landscape.tasks").joinpath("example.py").read_text())
    typer.echo(f"task: {path}")
    typer.echo(f"next: landscape train {path}:task --out runs/{path.stem}")
