"""``landscape demo``."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_cli import bars, options


def demo(
    out: Annotated[Path, options.place("FOLDER", "Folder for all results.")] = Path("demo"),
    seed: options.Seed = options.TRAINING.seed,
    device: options.Device = "cpu",
) -> None:
    """Train, probe and plot on handwritten digits.

    Takes less than a minute and needs no download.
    """
    bars.starting()
    import torch

    from landscape import plots, store, study
    from landscape.runtime import devices

    torch.set_num_threads(1)  # in a network this small, threads only wait for each other
    result = study.demo(out, seed=seed, device=devices.choose(device), progress=bars.bars)
    figures, _ = plots.save_all(store.open_(result.store), out)
    typer.echo(f"Trained {result.task} to a validation accuracy of {result.accuracy:.1%}.")
    typer.echo(result.summary)
    typer.echo(f"run:      {result.run}")
    typer.echo(f"store:    {result.store}  (landscape info {result.store})")
    typer.echo(f"figures:  {', '.join(map(str, figures))}")
    typer.echo(f"next:     landscape plot widening {result.store} --against distance")
