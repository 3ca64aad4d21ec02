"""Options that several commands share, and how their texts are read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.errors import InvalidValueError
from landscape.optimizers.recipes import RECIPES

TaskName = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK", help="A built-in task, or your own as my_module:my_task or file.py:my_task."
    ),
]
Model = Annotated[
    str | None, typer.Option(help="Another network for the task: one of `landscape tasks`.")
]
Dataset = Annotated[
    str | None,
    typer.Option(help="Another data set: one of `landscape tasks`, or an .npz of arrays."),
]
TrainSamples = Annotated[
    int | None,
    typer.Option(metavar="N", help="Keep the first N training samples.", show_default="all"),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="ROOT", help="Folder of the data sets.")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set if it is missing.")]
Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Runs' folders, folders that hold such at any depth, or packed collections of runs.",
    ),
]
Store = Annotated[
    Path,
    typer.Argument(metavar="STORE", help="Store that landscape probe made, or the run it is in."),
]
Optimizer = Annotated[
    str, typer.Option(help=f"{', '.join(RECIPES)}, or any of torch.optim by name.")
]
LearningRate = Annotated[
    float | None,
    typer.Option("--lr", help="Learning rate.", show_default="the optimizer's, or else the task's"),
]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the data.", show_default="the task's")
]
BatchSize = Annotated[int | None, typer.Option(help="Samples a batch.", show_default="the task's")]
ProbeSet = Annotated[
    list[str] | None,
    typer.Option(
        "--probe-set", metavar="NAME=VALUE", help="A setting of the probe: other_batches=4."
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.")
]
Precision = Annotated[
    str, typer.Option(help="Of matrix products and convolutions: float32, tf32 or bfloat16.")
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the network (torch.compile).")]
ChannelsLast = Annotated[
    bool | None,
    typer.Option(
        "--channels-last/--channels-first",
        help="Memory format of images.",
        show_default="last for convolutions",
    ),
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


def given(**options: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def probe_settings(texts: list[str] | None) -> dict[str, Any]:
    """Fields of ``ProbeSettings``, checked as far as they can be without data."""
    from landscape.probing.settings import ProbeSettings

    settings = assignments(texts or [], "a probe's setting")
    ProbeSettings.of(settings)
    return settings


def open_slices(path: Path) -> Any:
    """The Dataset of a store, or of the one in a run's folder."""
    from landscape import store

    return store.open_(path / "landscape.zarr" if (path / "run.json").is_file() else path)


def load(
    task: str | None,
    model: str | None,
    dataset: str | None,
    data: Path | None,
    download: bool,
    train_samples: int | None,
) -> tuple[Any, dict[str, Any]]:
    """The task that these options name, and where it comes from as a run's record keeps it."""
    from landscape import tasks

    named: dict[str, Any] = {
        "model": model,
        "dataset": dataset,
        "data": data,
        "train_samples": train_samples,
    }
    arrays = data is not None and data.suffix == ".npz"
    if task is None and (model is None or not (dataset or arrays)):
        raise InvalidValueError(
            "no task was given; give one of `landscape tasks`, your own, or --model and --dataset"
        )
    return tasks.load_task(task, download=download, **named), tasks.source(task, **named)
