"""``landscape train``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.tasks.registry import BUILTIN
from landscape_cli import options


def train(
    task: Annotated[
        str,
        typer.Argument(
            help="A built-in task, or your own as my_module:my_task or file.py:my_task."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.")],
    optimizer: Annotated[
        str, typer.Option(help="sgd, or any optimizer of torch.optim by name.")
    ] = "sgd",
    lr: Annotated[
        float | None, typer.Option("--lr", help="Learning rate.", show_default="the task's")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Another setting of the optimizer: momentum=0.9."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data.", show_default="the task's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples a batch.", show_default="the task's")
    ] = None,
    checkpoints: Annotated[int, typer.Option(help="How many iterations are kept to probe.")] = 10,
    seed: options.Seed = 0,
    data: options.Data = None,
    download: options.Download = False,
    device: options.Device = "auto",
) -> None:
    """Train a task, keeping ten checkpoints to probe. The same command resumes a stopped run."""
    from landscape import devices, runs
    from landscape.store import open_
    from landscape.tasks import load_task
    from landscape.training import TrainingSettings
    from landscape_cli.bars import bars

    chosen: dict[str, Any] = {
        "learning_rate": lr,
        "epochs": epochs,
        "batch_size": batch_size,
    }
    where = devices.choose(device)
    loaded = load_task(task, data=data, download=download)
    settings = TrainingSettings.of(
        loaded,
        optimizer=optimizer,
        options=options.assignments(set_ or [], "an optimizer's setting"),
        checkpoints=checkpoints,
        seed=seed,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    source = {"task": _absolute(task), "folder": str(Path.cwd())} if ":" in task else {"task": task}
    if task in BUILTIN and BUILTIN[task].needs_data:
        source["data"] = str((data or Path("data")).resolve())
    training = runs.train(loaded, settings, out, source=source, device=where, progress=bars)
    history = open_(runs.Run(out).history)
    accuracy = history.validation_accuracy.values
    typer.echo(
        f"{task}: {training.iteration} iterations, validation accuracy {accuracy[-1]:.4f} "
        f"(best {accuracy.max():.4f})"
    )
    typer.echo(f"run: {out}")
    typer.echo(f"next: landscape probe --checkpoint {out}")


def _absolute(task: str) -> str:
    """``file.py:task`` with the file's full path, so that it is found from anywhere."""
    where, _, name = task.rpartition(":")
    return f"{Path(where).resolve()}:{name}" if where.endswith(".py") else task
