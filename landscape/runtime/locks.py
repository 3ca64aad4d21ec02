"""One process at a time in a folder that is written to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landscape.errors import StoreError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes that would lock it.

    The system unlocks it when the process ends, however it ends. Where there are no locks of this
    kind (Windows, some network folders), nothing is locked.

    Args:
        folder: an existing folder.

    Yields:
        Nothing; the folder is locked inside.

    Raises:
        StoreError: where another process holds it.
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
        # Closing alone would not unlock it while a process forked meanwhile has it open too.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
