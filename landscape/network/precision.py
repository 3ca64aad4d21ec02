"""How a forward pass may be run, as settings name it. No torch."""

from landscape import arguments

PRECISIONS = ("float32", "tf32", "bfloat16")


def check_forward(precision: str, compile: object, channels_last: object) -> None:  # noqa: A002
    """Refuse what says nothing about how a forward pass is run."""
    arguments.one_of("precision", precision, PRECISIONS)
    arguments.flag("compile", compile)
    if channels_last is not None:
        arguments.flag("channels_last", channels_last)
