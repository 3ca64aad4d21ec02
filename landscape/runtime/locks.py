"""One process at a time in a folder that is written to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landscape.errors import StoreError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is there, against other processes that would hold it.

    The system lets go of it when the process ends, however it ends. Where a system has no such
    locks (Windows, some network folders), nothing is held.

    Raises :class:`StoreError` where another holds it.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"another process is writing into {folder}; wait for it, or give another place"
            ) from error
        except OSError:
            pass
        yield
    finally:
        # Before it is closed: a process that was forked meanwhile has it too.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
