"""``landscape check``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError, StoreError
from landscape_cli import options


def check(
    store: Annotated[
        Path,
        typer.Argument(
            metavar="STORE", help="A store, or the folder of a run.", callback=options.local
        ),
    ],
) -> None:
    """Read every value of a store or a run; list what is damaged.

    Ends with status 0 where all is whole, and with 2 where anything is damaged.
    """
    from landscape.histories.layout import Run
    from landscape.store import find_damage, has_checksums

    run = Run(store)
    damaged = 0
    stores = run.stores if run.exists else [store]
    for path in stores:
        try:
            found = [str(each) for each in find_damage(path)]
            remedy = _remedy(path) if found else ""
            told = "" if has_checksums(path) else ", as far as a store without checksums tells"
        except LandscapeError as error:
            found, remedy = [str(error)], ""
        for each in found:
            options.say(each if str(path) in each else f"{path}: {each}")
        if remedy:
            options.say(remedy)
        if found:
            damaged += 1
        else:
            options.say(f"{path}: whole{told}")
    if damaged:
        raise StoreError(f"{damaged} of {len(stores)} stores damaged, as listed above")


def _remedy(path: Path) -> str:
    """What to do about a store with damaged values."""
    from landscape.histories.layout import SLICES, Run
    from landscape.store.metadata import read

    metadata = read(path)
    if metadata.along == "checkpoint" and "search" not in metadata.attributes and path.is_dir():
        given = f"CHECKPOINTS --out {shlex.quote(str(path))}"
        if path.name == SLICES and Run(path.parent).exists:
            given = shlex.quote(str(path.parent))
        return f"next: landscape probe --checkpoint {given} --redo"
    made = "train into another folder" if path.is_dir() else "pack it again"
    return f"what is in {path} cannot be probed again; put a copy in its place, or {made}"
