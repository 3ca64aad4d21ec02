"""``landscape tasks``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import InvalidValueError
from landscape.tasks.registry import BUILTIN

app = typer.Typer(help="List the built-in tasks, or start one of your own.")


@app.callback(invoke_without_command=True)
def tasks(context: typer.Context) -> None:
    """List the built-in tasks, or start one of your own with `landscape tasks new`."""
    if context.invoked_subcommand is None:
        width = max(map(len, BUILTIN))
        for task in BUILTIN.values():
            typer.echo(f"{task.name:{width}}  {task.summary}")


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path(
        "my_task.py"
    ),
) -> None:
    """Write a commented example of a task of your own, ready to run."""
    from importlib.resources import files

    if path.exists():
        raise InvalidValueError(f"{path} exists already; give another name")
    if path.suffix != ".py":
        raise InvalidValueError(f"the file is {path}; give a name that ends in .py")
    path.write_text(files("landscape.tasks").joinpath("example.py").read_text())
    typer.echo(f"task: {path}")
    typer.echo(f"next: landscape train {path}:task --out runs/{path.stem}")
