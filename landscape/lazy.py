"""Packages whose public names load on first use, so that what needs torch loads late."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def lazily(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package that loads its names on first use.

    Its modules are loaded alike, ``package.module`` without an import of its own.

    Args:
        package: the package's ``__name__``.
        homes: public name -> where it is, relative to the package: "module" for the module
            itself, "module:" for the attribute of the same name, "module:attribute" for another.

    Returns:
        ``__getattr__`` and ``__dir__``, to be assigned at the package's top level.
    """

    def load(name: str) -> Any:
        # What is no public name may still be a module of the package.
        module, colon, attribute = homes.get(name, name).partition(":")
        if name not in homes and (name.startswith("_") or not find_spec(f"{package}.{name}")):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: Any = import_module(f"{package}.{module}")
        if colon:
            found = getattr(found, attribute or name)
        setattr(sys.modules[package], name, found)
        return found

    return load, lambda: sorted(homes)
