"""``landscape plot``: one subcommand a figure, made from the registry of figures."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.plots.registry import FIGURES, Figure
from landscape_cli import options

app = typer.Typer(no_args_is_help=True, help="Draw a figure from a store, or from several runs.")

# An option of a figure -> its type on the command line. What is not given is left to the figure.
OPTIONS: dict[str, Any] = {
    "checkpoint": Annotated[
        list[int] | None,
        typer.Option(help="Iteration to show; may be repeated.", show_default="a sensible choice"),
    ],
    "metric": Annotated[
        str | None, typer.Option(help="accuracy, loss, smooth-accuracy or another in the store.")
    ],
    "evaluation_set": Annotated[
        str | None, typer.Option("--set", help="Evaluation set to show, as in same-batch.")
    ],
    "slope_factor": Annotated[
        float | None, typer.Option(help="Of smooth accuracy.", show_default="the nearest to 1")
    ],
    "against": Annotated[
        str | None, typer.Option(help="step-size, or distance: step size times gradient norm.")
    ],
    "step_size": Annotated[
        float | None,
        typer.Option(help="Step size to show.", show_default="nearest to the learning rate"),
    ],
    "tolerance": Annotated[
        float | None,
        typer.Option(help="How far a peak's values lie from the best at most.", show_default="0.1"),
    ],
    "relative": Annotated[
        bool | None,
        typer.Option(
            "--relative/--absolute",
            help="Whether the tolerance is a share of the best value.",
            show_default="relative",
        ),
    ],
    "scale": Annotated[str | None, typer.Option(help="Of the step sizes: linear or symlog.")],
    "value_scale": Annotated[str | None, typer.Option(help="Of the values: auto, linear or log.")],
    "draw": Annotated[int | None, typer.Option(help="Draw to show.")],
    "reach": Annotated[
        float | None,
        typer.Option(help="Step size up to which parabolas are fitted.", show_default="0.1"),
    ],
    "c": Annotated[
        list[float] | None,
        typer.Option(
            "--c",
            help="Sufficient-decrease constant; may be repeated.",
            show_default="0.1, 0.3, 0.5 and 0.9",
        ),
    ],
    "accuracy_from": Annotated[
        str | None,
        typer.Option(
            help="Lower end of the accuracy's axis: a number, as 0.9, or auto, which fits the "
            "second half of the training.",
            show_default="all is shown",
        ),
    ],
}

# The same for every figure.
LOOK: dict[str, Any] = {
    "style": Annotated[
        str | None,
        typer.Option(help="One of matplotlib's styles, as ggplot, or a .mplstyle file."),
    ],
    "width": Annotated[
        str | None,
        typer.Option(help="column (3.5 in) or page (7 in).", show_default="the figure's own"),
    ],
}

# What a figure draws -> the argument that says where it is; formulas need none.
SOURCES: dict[str, tuple[str, Any]] = {
    "slices": (
        "store",
        Annotated[
            Path, typer.Argument(help="Store that landscape probe made, or the run it is in.")
        ],
    ),
    "stores": (
        "stores",
        Annotated[
            list[Path],
            typer.Argument(
                metavar="STORE...",
                help="Stores that landscape probe made, or the runs they are in.",
            ),
        ],
    ),
    "searches": (
        "store",
        Annotated[
            Path,
            typer.Argument(help="Store that was recorded while training, or the run it is in."),
        ],
    ),
    "runs": ("runs", options.Runs),
}
# Where a run's folder has them.
IN_RUN = {"slices": "landscape.zarr", "stores": "landscape.zarr", "searches": "mid-training.zarr"}


def _read(source: str, given: Any) -> Any:
    """The Dataset, or the list of them, that a figure draws."""
    from landscape import statistics, store
    from landscape.histories import collection as histories

    if source == "runs":
        return histories.collect(given)
    paths = given if source == "stores" else [given]
    read = [
        store.open_(path / IN_RUN[source] if (path / "run.json").is_file() else path)
        for path in paths
    ]
    for each in read:
        statistics.require_slices(each)
    return read if source == "stores" else read[0]


def _command(figure: Figure) -> Callable[..., None]:
    argument, annotation = SOURCES.get(figure.source, ("", None))

    def command(output: Path | None, style: str | None, width: str | None, **options: Any) -> None:
        import matplotlib.pyplot

        matplotlib.use("Agg")
        from landscape import plots

        dataset = [_read(figure.source, options.pop(argument))] if argument else []
        chosen = {name: value for name, value in options.items() if value not in (None, [])}
        for name in ("metric", "evaluation_set"):
            if name in chosen:
                chosen[name] = chosen[name].replace("-", "_")
        path = output or Path(f"{figure.name}.png")
        try:
            with plots.styled(style, width=width):
                typer.echo(f"figure: {plots.save(figure.load()(*dataset, **chosen), path)}")
        finally:
            matplotlib.pyplot.close("all")

    keyword = inspect.Parameter.KEYWORD_ONLY
    output = Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=".png, .pdf or .svg.", show_default=f"{figure.name}.png"
        ),
    ]
    parameters = [
        inspect.Parameter("output", keyword, default=None, annotation=output),
        *(
            inspect.Parameter(name, keyword, default=None, annotation=annotation)
            for name, annotation in [*((n, OPTIONS[n]) for n in figure.options), *LOOK.items()]
        ),
    ]
    if argument:
        parameters.insert(0, inspect.Parameter(argument, keyword, annotation=annotation))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = figure.summary
    return command


for _figure in FIGURES.values():
    app.command(_figure.name)(_command(_figure))
