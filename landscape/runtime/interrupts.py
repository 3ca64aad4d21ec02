"""Ctrl-C, and the signal of a scheduler that wants to stop, held back until they can do no harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

received: list[int] = []  # the numbers of the signals that stop() has handled


class Stopped(KeyboardInterrupt):
    """A signal, raised as Ctrl-C is: what stops for one of them stops for the other.

    Args:
        number: the signal's; the exit status is 128 more.

    Attributes:
        number: the same.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """Handle SIGTERM, or Ctrl-C, by an exception.

    A program has that done with ``signal.signal(signal.SIGTERM, stop)``, as the command line does;
    the library itself installs no handler.

    Args:
        number: the signal's.
        frame: where it came.

    Raises:
        Stopped: always.
    """
    received.append(number)
    raise Stopped(number)


@contextmanager
def interrupts_held() -> Iterator[list[KeyboardInterrupt]]:
    """Hold Ctrl-C and SIGTERM back inside; a second one is raised at once.

    Only in the main thread, and only where Python's own handler of Ctrl-C, or :func:`stop`, is in
    place: a caller's handler stays.

    Yields:
        A list to which the exception is added instead of raising it.
    """
    interrupts: list[KeyboardInterrupt] = []
    usual = (signal.default_int_handler, stop)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    main = threading.current_thread() is threading.main_thread()
    held = {number: handler for number, handler in before.items() if main and handler in usual}

    def hold(number: int, frame: FrameType | None) -> None:
        try:
            held[signal.Signals(number)](number, frame)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)
            if len(interrupts) > 1:
                raise

    for number in held:
        signal.signal(number, hold)
    try:
        yield interrupts
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
