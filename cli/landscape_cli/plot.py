"""``landscape plot``: one subcommand per figure, made from the registry of figures."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.errors import MissingFileError
from landscape.plots.registry import FIGURES, Figure
from landscape_cli import completion, messages, options
from landscape_cli.commands import App

app = App(no_args_is_help=True, help="Draw a figure of one or several stores or runs.")

# Option of a figure -> its type on the command line; str unless listed.
TYPES: dict[str, Any] = {
    "checkpoint": list[int],
    "slope_factor": float,
    "step_size": float,
    "tolerance": float,
    "relative": bool,
    "draw": int,
    "reach": float,
    "c": list[float],
    "path": bool,
    "difference": bool,
    "together": bool,
    "caption": bool,
}


def _annotation(name: str, figure: Figure) -> Any:
    default = figure.metric if name == "metric" else ""
    return Annotated[TYPES.get(name, str) | None, options.option(name, default)]


# Options that every figure has.
LOOK: dict[str, Any] = {
    "style": Annotated[
        str | None,
        typer.Option(help="A style of matplotlib, for example ggplot, or a .mplstyle file."),
    ],
    "width": Annotated[
        str | None,
        typer.Option(
            metavar="column|page",
            help="Width: 3.5 in or 7 in.",
            autocompletion=completion.of(("column", "page")),
            show_default="the figure's own",
        ),
    ],
}

# What a figure draws -> the argument that says where it is; formulas need none.
SOURCES: dict[str, tuple[str, Any]] = {
    "slices": ("store", options.Store),
    "stores": ("stores", options.Stores),
    "planes": ("store", options.Store),
    "paths": ("store", options.Store),
    "searches": ("store", options.RecordedStore),
    "classes": ("store", options.Store),
    "runs": ("runs", options.Runs),
}


def _read(figure: Figure, given: Any) -> Any:
    """The Dataset, or the list of them, that a figure draws."""
    from landscape import histories
    from landscape.histories.layout import RECORDING, Run

    if figure.source == "runs":
        return histories.collect(given)
    if figure.source == "stores" or figure.several:
        found = [options.open_slices(path) for path in given]
        return found[0] if figure.several and len(found) == 1 else found
    if figure.source == "searches" and Run(given).exists and not Run(given).recording.exists():
        raise MissingFileError(
            f"{given} has no recording of its line searches; train with --probe into another folder"
        )
    return options.open_slices(given, RECORDING if figure.source == "searches" else None)


def _by_class(
    path: Path,
    metric: str | None = None,
    evaluation_set: str = "validation",
    slope_factor: float | None = None,
    **_: Any,
) -> Any:
    """The slices of each class, from the per-sample values of a store."""
    from landscape import statistics, store
    from landscape.histories.layout import store_at

    samples = store.open_samples(store_at(path), evaluation_set)
    metric = metric or ("accuracy" if "margin" in samples else "loss")
    factors = None if slope_factor is None else [slope_factor]
    return statistics.rederive([samples], metric, factors, by_class=True)


def _command(figure: Figure) -> Callable[..., None]:
    source = "stores" if figure.several else figure.source
    argument, annotation = SOURCES.get(source, ("", None))

    def command(out: Path | None, style: str | None, width: str | None, **chosen: Any) -> None:
        import matplotlib.pyplot

        from landscape import plots
        from landscape.slices.choice import main_metric

        given = chosen.pop(argument, None)
        chosen = {name: value for name, value in chosen.items() if value not in (None, [])}
        for name in ("metric", "evaluation_set"):
            if name in chosen:
                chosen[name] = options.stored_name(chosen[name])
        if figure.source == "classes":
            dataset = [_by_class(given, **chosen)]
        else:
            dataset = [_read(figure, given)] if argument else []
        path = out or Path(f"{figure.name}.png")
        try:
            with plots.styled(style, width=width):
                typer.echo(f"figure: {plots.save(figure.load()(*dataset, **chosen), path)}")
            if figure.source == "planes":
                shown = main_metric(dataset[0], chosen.get("metric"))
                messages.note_resolution(dataset[0], shown)
        finally:
            matplotlib.pyplot.close("all")

    keyword = inspect.Parameter.KEYWORD_ONLY
    out = Annotated[
        Path | None,
        options.place("FILE", "File to write: .png, .pdf or .svg.", f"{figure.name}.png"),
    ]
    parameters = [
        inspect.Parameter("out", keyword, default=None, annotation=out),
        *(
            inspect.Parameter(name, keyword, default=None, annotation=annotation)
            for name, annotation in [
                *((n, _annotation(n, figure)) for n in figure.options),
                *LOOK.items(),
            ]
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
