"""What can go wrong for a user, each kind also a builtin exception.

Every message has one form: what was wrong, the value received, what is allowed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from unicodedata import category

LONGEST = 200  # characters of a value in a message


def shown(value: object) -> str:
    """Show a value in a message: on one line, and not at any length.

    Args:
        value: what was given.

    Returns:
        Its representation, of at most 200 characters.
    """
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an integer of thousands of digits, or a class of a user's own
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def visible(text: str) -> str:
    r"""Show text from elsewhere as it is: what would steer a terminal is written out.

    >>> landscape.errors.visible("red \x1b[31m")
    'red \\x1b[31m'

    Args:
        text: any text.

    Returns:
        The text, with control characters, and those that turn or hide what follows, as escapes;
        spaces and line ends stay.
    """
    return "".join(
        each
        if each == "\n" or each.isprintable() or category(each) == "Zs"
        else each.encode("unicode_escape").decode()
        for each in text
    )


class LandscapeError(Exception):
    """Any error that a user can fix; its message is one line written for them."""


class InvalidValueError(LandscapeError, ValueError):
    """A setting, an array or a name that is not among what is allowed."""


class UnknownNameError(InvalidValueError):
    """A name that is not among those there are; the message suggests the nearest.

    >>> raise landscape.errors.UnknownNameError("metric", "acuracy", ["loss", "accuracy"])
    Traceback (most recent call last):
        ...
    landscape.errors.UnknownNameError: unknown metric 'acuracy' (did you mean 'accuracy'?); ...

    Args:
        what: what it names, for the message.
        received: the name, or whatever was given.
        allowed: the names to choose from.
    """

    def __init__(self, what: str, received: object, allowed: Iterable[str]) -> None:
        # Those that it is made again from, in another process too.
        super().__init__(what, received, tuple(allowed))

    def __str__(self) -> str:
        what, received, names = self.args
        text = received if isinstance(received, str) else shown(received)
        # Of numbers the nearest in spelling is none that was meant.
        near = get_close_matches(text, names, n=1) if not isinstance(received, int) else []
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"unknown {what} {shown(received)}{hint}; choose from {', '.join(names)}"


class MissingFileError(LandscapeError, FileNotFoundError):
    """A file or folder that does not exist."""


class CheckpointError(LandscapeError, ValueError):
    """A file that is not a checkpoint, or a checkpoint that does not fit the model."""


class StoreError(LandscapeError, OSError):
    """A store that cannot be read, written or continued, or a file that cannot be written."""


class DeterminismError(LandscapeError, RuntimeError):
    """Two evaluations of one point that differ, so that no slice can be trusted."""


class TooLargeError(LandscapeError, MemoryError):
    """Samples that must go through the network at once but do not fit into the memory."""


class SlopeWarning(UserWarning):
    """A slice that does not fall as its gradient says."""


class RangeWarning(UserWarning):
    """A slice whose range could not be found, since its loss does not rise."""


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """Run a user's own code, and turn what it raises into one line.

    Args:
        what: what the code does, for the message.

    Yields:
        Nothing.

    Raises:
        LandscapeError: as the code raised it.
        InvalidValueError: for any other exception.
    """
    try:
        yield
    except LandscapeError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        raise InvalidValueError(f"{what} fails: {type(error).__name__}: {reason}") from error
