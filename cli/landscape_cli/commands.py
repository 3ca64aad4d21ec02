"""What every command has: help in panels, and errors that name its options."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from landscape.errors import LandscapeError
from landscape.probing.settings import ProbeSettings

Function = TypeVar("Function", bound=Callable[..., Any])

# Heading of the help -> the options below it, by parameter; those that are not here are the how.
PANELS = {
    "What": (
        *("task", "model", "dataset", "train_samples", "checkpoint", "at", "weights", "allow"),
        *("optimizer", "lr", "set_", "schedule", "schedule_set", "search_batch"),
        *("direction", "and_", "orthogonal", "origin", "sets", "metrics", "slope_factors"),
        *("metric", "evaluation_set", "slope_factor", "draw", "step_size", "c"),
    ),
    "Where": ("out", "data", "download", "device", "format_"),
    "How": (),
    "Precision": ("precision", "compile", "channels_last", "eval_batch_size"),
    "Help": ("help",),
}
# Types as typer writes them -> as people do.
WORDS = {"int": "INTEGER", "float": "NUMBER", "str": "TEXT", "path": "PATH", "Path": "PATH"}
# Arguments of functions -> the parameters of commands that have another name.
PARAMETERS = {"learning_rate": "lr", "direction_2": "and_"}


class Command(TyperCommand):
    """A command whose help is grouped, and whose errors name its own options."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LandscapeError as error:
            raise LandscapeError(with_options(str(error), self.params)) from error

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line: STORE, [PATH]..., with one pair of brackets and dots."""
        return [_usage(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, in panels."""
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{n: [] for n in PANELS}}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                name, text = record
                if param.param_type_name == "argument":
                    panels["Arguments"].append((_usage(name.partition(" <")[0]), text))
                else:
                    panels[_panel(param.name)].append((_worded(name), text))
        for heading, records in panels.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class App(typer.Typer):
    """A typer application whose commands are :class:`Command`."""

    def command(self, *args: Any, **options: Any) -> Callable[[Function], Function]:
        """Add a command."""
        return super().command(*args, **{"cls": Command, **options})


def _panel(name: str | None) -> str:
    return next((panel for panel, names in PANELS.items() if name in names), "How")


def _worded(name: str) -> str:
    """Write the type of an option as a word: "--draws <int>" becomes "--draws INTEGER"."""

    def word(found: re.Match[str]) -> str:
        return WORDS.get(found[1], found[1].upper())

    return re.sub(r"<(?:list\[)?(\w+)\]?(?: range)?>", word, name)


def _usage(piece: str) -> str:
    word = re.sub(r"[][{}.]", "", piece)
    bracketed = f"[{word}]" if piece.startswith("[") else word
    return bracketed + "..." * ("..." in piece)


def with_options(message: str, params: Iterable[Any]) -> str:
    """Name the options of a command where a message names arguments of functions.

    Names with an underscore are those of arguments; others are words like any, except where the
    message begins with one and says what it is.

    Args:
        message: a message that names arguments, as "batch_size is 0; give …".
        params: the parameters of the command.

    Returns:
        The message, with "--batch-size" for "batch_size" outside of quotation marks.
    """
    flags = {p.name: max(p.opts, key=len) for p in params if p.param_type_name == "option"}
    flags |= {name: flags[own] for name, own in PARAMETERS.items() if own in flags}
    if "probe_set" in flags:
        for name in ProbeSettings.__dataclass_fields__:
            flags.setdefault(name, f"--probe-set {name}")

    def option(found: re.Match[str]) -> str:
        name = found[0]
        first = found.start() == 0 and message[found.end() :].startswith((" is ", " are "))
        return flags[name] if name in flags and ("_" in name or first) else name

    return re.sub(r"(?<![\w'\"./:=-])[a-z]\w*(?![\w'\"./:=(-])", option, message)
