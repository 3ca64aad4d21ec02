"""How a forward pass may be run, as settings name it. No torch."""

from landscape import arguments

PRECISIONS = ("float32", "tf32", "bfloat16")


def check_forward(precision: str, compile: object, channels_last: object) -> None:  # noqa: A002
    """Refuse settings of a forward pass that are not among those allowed.

    Args:
        precision: one of :data:`PRECISIONS`.
        compile: true or false.
        channels_last: true, false or None.

    Raises:
        InvalidValueError: for anything else.
    """
    arguments.one_of("precision", precision, PRECISIONS)
    arguments.flag("compile", compile)
    if channels_last is not None:
        arguments.flag("channels_last", channels_last)
