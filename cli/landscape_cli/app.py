"""The command ``landscape``: its subcommands, and where errors become a single line."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from landscape.errors import LandscapeError, visible
from landscape_cli import (
    check,
    demo,
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


class Commands(TyperGroup):
    """Turn an error that a user can fix into one line and exit status 2; Ctrl-C into 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a user's mistake never shows a traceback."""
        try:
            return super().invoke(ctx)
        except LandscapeError as error:
            _say(str(error))
            raise typer.Exit(2) from error
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _say(f"{where}{error.strerror or error}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as stop:
            typer.echo("stopped; the same command resumes from here", err=True)
            raise typer.Exit(130) from stop
        except Exception as error:
            # A usage error, from whichever click typer uses; without arguments, the help.
            message = getattr(error, "format_message", None)
            if message is None or type(error).__name__ == "NoArgsIsHelpError":
                raise
            _say(f"{message()} (see landscape --help)")
            raise typer.Exit(2) from error


def _say(message: str) -> None:
    typer.echo(f"error: {visible(' '.join(message.split()))}", err=True)


app = typer.Typer(
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
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Loss and accuracy landscapes of neural networks along the gradient.

    Start with `landscape demo`, which trains, probes and plots on handwritten digits.
    """


app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("probe")(probe.probe)
app.add_typer(plot.app, name="plot")
app.add_typer(table.app, name="table")
app.add_typer(study.app, name="study")
app.command("report")(report.report)
app.command("info")(info.info)
app.command("check")(check.check)
app.add_typer(tasks.app, name="tasks")
