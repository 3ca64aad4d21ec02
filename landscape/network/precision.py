"""How a forward pass may be run, as settings name it. No torch."""

from typing import Any

from landscape import arguments

PRECISIONS = ("float32", "tf32", "bfloat16")


def forward_settings(
    precision: Any,
    compile: Any,  # noqa: A002
    channels_last: Any,
) -> dict[str, Any]:
    """Check the settings of a forward pass.

    Args:
        precision: one of :data:`PRECISIONS`.
        compile: true or false.
        channels_last: true, false or None.

    Returns:
        Name -> value, as Python's own.

    Raises:
        InvalidValueError: for anything else.
    """
    return {
        "precision": arguments.one_of("precision", precision, PRECISIONS),
        "compile": arguments.flag("compile", compile),
        "channels_last": None
        if channels_last is None
        else arguments.flag("channels_last", channels_last),
    }
