"""Options that several commands share, and how their texts are read.

Defaults are taken from the class that has the setting, never written down here.
"""

import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_type_hints

import typer

from landscape.arguments import local_path
from landscape.errors import InvalidValueError, visible
from landscape.optimizers.recipes import RECIPES
from landscape.probing.settings import ProbeSettings
from landscape.slices.options import OPTIONS
from landscape.training.settings import TrainingSettings
from landscape_cli import completion


def defaults_of(settings: type) -> SimpleNamespace:
    """Collect the default of each field of a class of settings."""
    return SimpleNamespace(
        **{
            field.name: field.default
            if field.default_factory is MISSING
            else field.default_factory()
            for field in fields(settings)
        }
    )


PROBE = defaults_of(ProbeSettings)
TRAINING = defaults_of(TrainingSettings)


def local(given: Any) -> Any:
    """Expand ~ in the paths of an option or argument; refuse an address on another machine."""
    if isinstance(given, list):
        return [local(each) for each in given]
    return local_path(given) if isinstance(given, Path) else given


def say(text: str) -> None:
    """Print a line that may hold text from a file, which never steers the terminal."""
    typer.echo(visible(text))


def width() -> int | None:
    """How wide the terminal is; None for a pipe or a file, unless COLUMNS is set."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def place(metavar: str, what: str, default: str | None = None) -> Any:
    """Make the option that says where results go, the same in every command: --out, or -o."""
    shown: dict[str, Any] = {} if default is None else {"show_default": default}
    return typer.Option("--out", "-o", metavar=metavar, help=what, callback=local, **shown)


# Older names of options, which still work -> what they are called now.
OLDER = {"store": "out", "output": "out", "chunk": "eval-batch-size"}


def current(name: str) -> str:
    """Translate an older name of an option to the present one."""
    return OLDER.get(name, name)


Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN",
        help="Folders of runs, folders that contain them at any depth, or packed collections.",
        callback=local,
    ),
]
Store = Annotated[
    Path,
    typer.Argument(
        metavar="STORE",
        help="A store of slices (`landscape probe`, `train --probe`), or the folder of its run.",
        callback=local,
    ),
]
Stores = Annotated[
    list[Path],
    typer.Argument(
        metavar="STORE",
        help="Stores of slices (`landscape probe`, `train --probe`), or folders of their runs.",
        callback=local,
    ),
]
RecordedStore = Annotated[
    Path,
    typer.Argument(
        metavar="STORE",
        help="A store recorded in training (`landscape train --probe`), or its run's folder.",
        callback=local,
    ),
]
# Options of figures and tables whose flag is not just their name.
FLAGS = {"evaluation_set": "--set", "relative": "--relative/--absolute", "c": "--c"}


COMPLETIONS = {"evaluation_set": completion.sets, "metric": completion.metric}


def option(name: str, default: str = "") -> Any:
    """Make an option of figures or tables; its default, ``default`` in words, is left to them."""
    about = OPTIONS[name]
    flags = [FLAGS[name]] if name in FLAGS else []
    text = (about.beside or about.help).replace("_", "-")
    shown: dict[str, Any] = {}
    if about.choices:
        shown = {
            "metavar": "|".join(about.choices),
            "autocompletion": completion.of(about.choices),
        }
    if name in COMPLETIONS:
        shown = {"metavar": "NAME", "autocompletion": COMPLETIONS[name]}
    if words := default or about.default:
        shown["show_default"] = words
    return typer.Option(*flags, help=f"{text[0].upper()}{text[1:]}.", **shown)


ProbeSet = Annotated[
    list[str] | None,
    typer.Option(
        "--probe-set",
        metavar="NAME=VALUE",
        help="A setting of the probe, for example other_batches=4; may be repeated.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to compute: cpu, cuda, cuda:1 or mps; auto takes a GPU if there is one.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="ROOT",
        help="Folder that holds the data sets, or an .npz file of arrays.",
        show_default="./data",
        callback=local,
    ),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set if it is missing.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random numbers.")]
Precision = Annotated[
    str,
    typer.Option(help="Precision of matrix products and convolutions: float32, tf32 or bfloat16."),
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the network (torch.compile).")]
ChannelsLast = Annotated[
    bool | None,
    typer.Option(
        "--channels-last/--channels-first",
        help="Memory format of images: channels last or channels first.",
        show_default="last for convolutions",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Options that choose the task: a network and its data."""

    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="A built-in task, or your own as my_module:my_task or file.py:my_task.",
            autocompletion=completion.tasks,
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Use another network: a model listed by `landscape tasks`.",
            autocompletion=completion.models,
        ),
    ] = None
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Use another data set: one listed by `landscape tasks`, or an .npz of arrays.",
            autocompletion=completion.data_sets,
        ),
    ] = None
    train_samples: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Use only the first N training samples.", show_default="all"
        ),
    ] = None
    data: Data = None
    download: Download = False

    def load(self) -> tuple[Any, dict[str, Any]]:
        """Load the task, and describe its source as a run's record keeps it."""
        from landscape import tasks

        named: dict[str, Any] = {
            "model": self.model,
            "dataset": self.dataset,
            "data": self.data,
            "train_samples": self.train_samples,
        }
        arrays = self.data is not None and self.data.suffix == ".npz"
        if self.task is None and (self.model is None or not (self.dataset or arrays)):
            raise InvalidValueError(
                "no task was given; give one of `landscape tasks`, your own, or --model and "
                "--dataset"
            )
        loaded = tasks.load_task(self.task, download=self.download, **named)
        return loaded, tasks.source(self.task, **named)


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """Options that choose the optimizer and the seed."""

    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"One of {', '.join(RECIPES)}, or any of torch.optim by name.",
            autocompletion=completion.optimizer,
        ),
    ] = TRAINING.optimizer
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr", help="Learning rate.", show_default="the optimizer's, or else the task's"
        ),
    ] = TRAINING.learning_rate
    seed: Seed = TRAINING.seed

    def settings(self) -> dict[str, Any]:
        """Those fields of ``TrainingSettings`` that were given."""
        return given(optimizer=self.optimizer, learning_rate=self.lr, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options that say how long, and how, each run is trained."""

    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training data.", show_default="the task's")
    ] = None
    batch_size: Annotated[
        int | None, typer.Option(help="Samples per batch.", show_default="the task's")
    ] = None
    precision: Precision = TRAINING.precision
    compile: Compile = TRAINING.compile
    channels_last: ChannelsLast = TRAINING.channels_last

    def settings(self) -> dict[str, Any]:
        """Those fields of ``TrainingSettings`` that were given."""
        return given(**vars(self))


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: a parameter that is a dataclass becomes its fields."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {n: hint for n, hint in hints.items() if is_dataclass(hint)}

    def parameters() -> Iterator[inspect.Parameter]:
        for name, parameter in inspect.signature(command).parameters.items():
            if name not in groups:
                yield parameter.replace(
                    kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(name)
                )
                continue
            annotations = get_type_hints(groups[name], include_extras=True)
            for field in fields(groups[name]):
                yield inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=field.default,
                    annotation=annotations[field.name],
                )

    @wraps(command)
    def run(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{each.name: options.pop(each.name) for each in fields(group)})
        command(**options)

    signature = inspect.Signature([*parameters()])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return run


def numbers(text: str, what: str) -> list[float]:
    """Read "-1,0,0.1"."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InvalidValueError(
            f"{what} are {text!r}; give numbers with commas between, for example -1,0,0.1"
        ) from error


def names(text: str) -> list[str]:
    """Read "same-batch,validation"; hyphens and underscores mean the same."""
    return [stored_name(part.strip()) for part in text.split(",") if part.strip()]


def stored_name(name: str) -> str:
    """Translate the name of a metric or a set to that in a store: "same-batch" is same_batch."""
    return name.replace("-", "_")


def assignments(texts: list[str] | None, what: str) -> dict[str, Any]:
    """Read "momentum=0.9" and the like; values are JSON, otherwise plain text."""
    pairs: dict[str, Any] = {}
    for text in texts or []:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise InvalidValueError(f"{what} is {text!r}; give it as name=value")
        try:
            pairs[name.strip()] = json.loads(value)
        except ValueError:
            pairs[name.strip()] = value.strip()
    return pairs


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def probe_settings(texts: list[str] | None) -> dict[str, Any]:
    """Read fields of ``ProbeSettings``, checked as far as possible without data."""
    settings = assignments(texts, "a probe's setting")
    ProbeSettings.from_mapping(settings)
    return settings


def open_slices(path: Path, name: str | None = None) -> Any:
    """Open a store of slices, or that of a run's folder, where ``name`` says which one."""
    from landscape import statistics, store
    from landscape.histories.layout import store_at

    dataset = store.open_(store_at(path, name))
    statistics.require_slices(dataset)
    return dataset
