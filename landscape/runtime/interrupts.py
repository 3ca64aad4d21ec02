"""Ctrl-C, and the signal of a scheduler that wants to stop, held back until they can do no harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised as Ctrl-C is: what stops for one of them stops for the other.

    A program has it raised with ``signal.signal(signal.SIGTERM, terminate)``, as the command line
    does; the library itself installs no handler.

    Attributes:
        number: the signal's; the exit status is 128 more.
    """

    number = signal.SIGTERM


def terminate(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """Handle SIGTERM as Python handles Ctrl-C, by an exception.

    Args:
        number: the signal's.
        frame: where it came.

    Raises:
        Terminated: always.
    """
    raise Terminated


# The signals that are held back, where this handler is in place, and what it would have raised.
_HELD = {
    signal.SIGINT: (signal.default_int_handler, KeyboardInterrupt),
    signal.SIGTERM: (terminate, Terminated),
}


@contextmanager
def interrupts_held() -> Iterator[list[KeyboardInterrupt]]:
    """Hold Ctrl-C and SIGTERM back inside; a second one is raised at once.

    Only in the main thread, and only where Python's own handler of Ctrl-C, or :func:`terminate`, is
    in place: a caller's handler stays.

    Yields:
        A list to which the exception is added instead of raising it.
    """
    interrupts: list[KeyboardInterrupt] = []

    def hold(number: int, _: object) -> None:
        interrupts.append(_HELD[signal.Signals(number)][1]())
        if len(interrupts) > 1:
            raise interrupts[-1]

    main = threading.current_thread() is threading.main_thread()
    held = [s for s, (usual, _) in _HELD.items() if main and signal.getsignal(s) is usual]
    for each in held:
        signal.signal(each, hold)
    try:
        yield interrupts
    finally:
        for each in held:
            signal.signal(each, _HELD[each][0])
