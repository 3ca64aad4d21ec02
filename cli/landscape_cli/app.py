"""The command ``landscape``: its subcommands, and where errors become a single line."""

import os
import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from landscape.errors import InvalidValueError, shown
from landscape_cli import (
    check,
    demo,
    export,
    info,
    options,
    plot,
    probe,
    report,
    study,
    table,
    tasks,
    train,
)
from landscape_cli.commands import App
from landscape_cli.messages import one_line


class Commands(TyperGroup):
    """Turn whatever ends a command early into one line and an exit status."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse what stands before the subcommand."""
        with one_line():
            for word in args:
                if re.search("[\ud800-\udfff]", word):  # bytes that Python could not decode
                    raise InvalidValueError(f"{shown(word)} is no text; give it in UTF-8")
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        with one_line():
            return super().invoke(ctx)


app = App(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text, at once: the boxes of rich take longer to load than we do
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": options.current,
    },
)


def _version(wanted: bool) -> None:
    if wanted:
        from landscape import __version__

        typer.echo(f"landscape {__version__}")
        raise typer.Exit


@app.callback()
def landscape(
    version: Annotated[  # noqa: ARG001 -- its callback has shown it
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Loss and accuracy landscapes of neural networks, along the gradient or any direction.

    Start with `landscape demo`, which trains, probes and plots on handwritten digits.
    """
    # Figures are files; another backend, as a notebook exports its own, may not even load here.
    os.environ["MPLBACKEND"] = "Agg"
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].use("Agg")


app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("probe")(probe.probe)
app.add_typer(plot.app, name="plot")
app.add_typer(table.app, name="table")
app.add_typer(study.app, name="study")
app.command("report")(report.report)
app.command("export")(export.export)
app.command("info")(info.info)
app.command("check")(check.check)
app.add_typer(tasks.app, name="tasks")
