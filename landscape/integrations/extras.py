"""What is said where a framework is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(package: str) -> Iterator[None]:
    """Name the extra that brings a package, where importing it inside fails.

    Args:
        package: its name, which is that of the extra too.

    Yields:
        Nothing; the package is imported inside.

    Raises:
        ModuleNotFoundError: where the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(
            f"landscape.integrations.{package} needs {package}, which is not installed; "
            f"pip install 'accuracy-landscape[{package}]'",
            name=package,
        ) from error
