"""How long work reports its progress: to nobody here, to a bar on the command line."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[], object]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""``with progress(what, total) as advance:`` and then ``advance()`` once a unit of work."""


@contextmanager
def silent(what: str, total: int) -> Iterator[Advance]:  # noqa: ARG001
    """Report to nobody.

    Args:
        what: what is being done, for a bar's label.
        total: how many units of work there are.

    Yields:
        A function that does nothing.
    """
    yield lambda: None
