"""Options that several commands share, and how their texts are read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.errors import InvalidValueError

Data = Annotated[
    Path | None, typer.Option("--data", metavar="ROOT", help="Folder of the data sets.")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set if it is missing.")]
Device = Annotated[
    str, typer.Option("--device", help="cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn at random.")]


def numbers(text: str, what: str) -> list[float]:
    """Read "-1,0,0.1"."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InvalidValueError(
            f"{what} are {text!r}; give numbers with commas between, as in -1,0,0.1"
        ) from error


def names(text: str) -> list[str]:
    """Read "same-batch,validation"; hyphens and underscores are alike."""
    return [part.strip().replace("-", "_") for part in text.split(",") if part.strip()]


def assignments(texts: list[str], what: str) -> dict[str, Any]:
    """Read "momentum=0.9" and the like; values are JSON, or else plain text."""
    pairs: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise InvalidValueError(f"{what} is {text!r}; give it as name=value")
        try:
            pairs[name.strip()] = json.loads(value)
        except ValueError:
            pairs[name.strip()] = value.strip()
    return pairs
