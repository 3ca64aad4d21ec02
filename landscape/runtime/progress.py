"""How long work reports its progress: to nobody here, to a bar or a log on the command line."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """What reports that work went on.

    ``advance()`` is called once a unit of work, and ``advance(0, "epoch 3 of 20", {"loss": 0.3})``
    where something was reached that is worth a line of a log.
    """

    def __call__(
        self, units: int = 1, reached: str = "", values: Mapping[str, float] | None = None
    ) -> object:
        """Report.

        Args:
            units: how many units of work were done since the last call, at least 0.
            reached: where the work is, in words; "" where there is nothing to say.
            values: what was measured there, by name.

        Returns:
            Nothing that anyone reads.
        """


Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""``with progress(what, total) as advance:``, where ``total`` is the number of units of work."""


def unheard(units: int = 1, reached: str = "", values: Mapping[str, float] | None = None) -> None:
    """Report to nobody; an :class:`Advance`.

    Args:
        units: how many units of work were done.
        reached: where the work is.
        values: what was measured there.
    """


@contextmanager
def silent(what: str, total: int) -> Iterator[Advance]:  # noqa: ARG001
    """Report to nobody.

    Args:
        what: what is being done, for a bar's label.
        total: how many units of work there are.

    Yields:
        A function that does nothing.
    """
    yield unheard
