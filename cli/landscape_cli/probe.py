"""``landscape probe``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from landscape.arguments import number
from landscape.errors import InvalidValueError, shown
from landscape.metrics import METRICS
from landscape.probing.directions import registry
from landscape.probing.directions.registry import DIRECTIONS, PATH, TARGET
from landscape.probing.settings import (
    AUTO,
    KINDS,
    LINE,
    ORIGINS,
    PLANE,
    POLICIES,
    SPACINGS,
    STEP_SIZES,
    AutoRange,
    ProbeSettings,
    ends_spaced,
    spaced,
)
from landscape.training.harmless import HARMLESS
from landscape_cli import bars, completion, messages, options

DEFAULT = options.PROBE


def _listed(names: Any) -> str:
    return ", ".join(each.replace("_", "-") for each in names)


def probe(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="More checkpoints, as for --checkpoint.",
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            metavar="PATH",
            help="A run's folder, a folder of checkpoint files, one file, or a folder of Hugging "
            "Face's libraries; may be repeated.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Task that the checkpoints belong to.",
            show_default="that of the run",
            autocompletion=completion.tasks,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        options.place(
            "STORE", "Store for the slices.", "landscape.zarr, in the run's folder if there is one"
        ),
    ] = None,
    step_sizes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Step sizes, separated by commas, for example -1,0,0.1.",
            show_default="the thirteen published along a run's gradient, else --range",
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            help="Instead of --step-sizes: how many of them, an odd number; of a plane, along each "
            "direction.",
            show_default=f"13; {AutoRange.points} for --range auto; {PLANE} for a plane, {LINE} "
            "towards a checkpoint",
        ),
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option(
            "--range",
            metavar="RANGE",
            help="Instead of --step-sizes: from −RANGE to RANGE, LOW,HIGH, auto or path. auto "
            "goes, on each side, to the first step size at which the loss of the gradient's batch "
            "has risen (--rise), at the checkpoint that needs most; path covers the path of the "
            "training. A store that exists keeps its step sizes.",
            show_default="1 for a run or along random directions, −0.25,1.25 towards a checkpoint, "
            "path along principal directions, else auto",
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            help=f"Instead of --step-sizes: spacing, {' or '.join(SPACINGS)}.",
            show_default=f"{SPACINGS[0]}; {AutoRange.spacing} for --range auto",
        ),
    ] = None,
    rise: Annotated[
        float | None,
        typer.Option(
            help="With --range auto: by how much the loss is to rise, in multiples of the loss at "
            "step size 0, or of 1 if that is less.",
            show_default=f"{AutoRange.rise:g}",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(help="How many draws, each with a fresh gradient batch.")
    ] = DEFAULT.draws,
    direction: Annotated[
        str,
        typer.Option(
            help="Direction of the slices. "
            + "; ".join(f"{kind.name}: {kind.summary}" for kind in DIRECTIONS.values())
            + ".",
            metavar="DIRECTION",
            autocompletion=completion.directions,
        ),
    ] = DEFAULT.direction,
    and_: Annotated[
        str | None,
        typer.Option(
            "--and",
            metavar="DIRECTION",
            help="A second direction, for a plane; any of those of --direction.",
            autocompletion=completion.directions,
        ),
    ] = None,
    orthogonal: Annotated[
        bool | None,
        typer.Option(
            "--orthogonal/--as-taken",
            help="Whether the second direction is made orthogonal to the first.",
            show_default="orthogonal, unless one leads to a checkpoint",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Iterations of the checkpoints to probe, or last, separated by commas. The others "
            "still are the path that a plane shows.",
            show_default="all",
        ),
    ] = None,
    origin: Annotated[
        str,
        typer.Option(
            help=f"Where slices start. {ORIGINS[0]}: where the gradient was taken; {ORIGINS[1]}: "
            "one optimizer step later, as in the published figures."
        ),
    ] = DEFAULT.origin,
    sets: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"Evaluation sets, separated by commas; any of {_listed(KINDS)}.",
            autocompletion=completion.kinds_of_set,
            show_default="all",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples in the gradient's batch.", show_default="that of the training"),
    ] = None,
    other_batches: Annotated[
        int, typer.Option(help="Number of other batches.")
    ] = DEFAULT.other_batches,
    big_batch: Annotated[
        int | None,
        typer.Option(help="Samples in the big batch.", show_default="1000, or all if fewer"),
    ] = DEFAULT.big_batch,
    validation_samples: Annotated[
        int | None,
        typer.Option(
            help="How many validation samples to use, counted from the first.", show_default="all"
        ),
    ] = DEFAULT.validation_samples,
    batch_norm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=POLICY",
            help=f"Batch-norm policy ({', '.join(POLICIES)}) of an evaluation set, for example "
            "validation=recalibrated; may be repeated.",
        ),
    ] = None,
    dropout: Annotated[
        bool,
        typer.Option("--dropout", help="Keep dropout on, with the same mask at every step size."),
    ] = DEFAULT.dropout,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"Metrics, separated by commas; any of {_listed(METRICS)}, or the task's own.",
            autocompletion=completion.metrics,
            show_default="loss, accuracy, smooth_accuracy; those of the targets",
        ),
    ] = None,
    slope_factors: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Slope factors of smooth accuracy, separated by commas.",
            show_default=",".join(f"{each:g}" for each in DEFAULT.slope_factors),
        ),
    ] = None,
    samples: Annotated[
        bool, typer.Option("--samples/--no-samples", help="Store loss and margin of every sample.")
    ] = DEFAULT.samples,
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr", help="Learning rate of plain SGD, for --origin after-step without a run."
        ),
    ] = None,
    redo: Annotated[
        bool,
        typer.Option(
            "--redo", help="Probe the checkpoints again whose rows are damaged (landscape check)."
        ),
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which of several sets of weights in the files to take, for example model_ema.",
            show_default="the plain ones",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help=f"A harmless class that the files may hold ({', '.join(HARMLESS)}); may be "
            "repeated. Files can make objects of it. A class of your own is allowed in Python, "
            "study.probe(…, allow=[Class]): then they can make one with any arguments.",
        ),
    ] = None,
    seed: options.Seed = DEFAULT.seed,
    data: options.Data = None,
    download: options.Download = False,
    eval_batch_size: Annotated[
        int | None,
        typer.Option(
            help="Samples evaluated at once.",
            show_default="what fits a GPU's memory, or a CPU's caches",
        ),
    ] = DEFAULT.eval_batch_size,
    precision: options.Precision = DEFAULT.precision,
    compile: options.Compile = DEFAULT.compile,  # noqa: A002
    channels_last: options.ChannelsLast = DEFAULT.channels_last,
    device: options.Device = "auto",
) -> None:
    """Measure loss and accuracy along a direction at checkpoints. Run it again to resume."""
    given = options.local([*(checkpoint or []), *(paths or [])])
    if not given:
        raise InvalidValueError(
            "no checkpoint was given; give --checkpoint with a run's folder, a folder or files"
        )

    def chosen(foreign: bool) -> Any:
        return _step_sizes(
            step_sizes, points, range_, spacing, rise, foreign, [direction, *filter(None, [and_])]
        )

    settings = options.given(
        **chosen(foreign=True),
        sets=None if sets is None else options.names(sets),
        metrics=None if metrics is None else options.names(metrics),
        batch_norm={
            options.stored_name(kind): policy
            for kind, policy in options.assignments(batch_norm, "batch norm").items()
        },
        slope_factors=None
        if slope_factors is None
        else options.numbers(slope_factors, "the slope factors"),
        draws=draws,
        direction=direction,
        direction_2=and_,
        orthogonal=orthogonal,
        origin=origin,
        batch_size=batch_size,
        other_batches=other_batches,
        big_batch=big_batch,
        validation_samples=validation_samples,
        dropout=dropout,
        samples=samples,
        seed=seed,
        eval_batch_size=eval_batch_size,
        precision=precision,
        compile=compile,
        channels_last=channels_last,
    )
    if lr is not None:
        number("lr", lr, above=0)
    # Refuses what is wrong before anything is read; a task of one's own may have further metrics.
    own_task = task is not None and all(task.rpartition(":"))
    ProbeSettings(**settings | ({"metrics": None} if own_task else {}))

    bars.starting()
    from landscape import study
    from landscape.runtime import devices
    from landscape.statistics import range_problems
    from landscape.store import open_
    from landscape.store import progress as rows
    from landscape.training.checkpoints import CheckpointFiles

    where = devices.choose(device)
    files = CheckpointFiles(given, weights, allow or ())
    loaded, trained_with = study.task_of(files, task, data=data, download=download)
    settings.setdefault("batch_size", trained_with)
    settings |= chosen(foreign=not files.read(files.paths[0]).run)
    store = out or study.default_store(given)
    now = study.probe(
        loaded,
        files,
        store,
        ProbeSettings(**settings, own_metrics=loaded.metrics),
        learning_rate=float("nan") if lr is None else lr,
        at=None if at is None else _iterations(at),
        redo=redo,
        device=where,
        progress=bars.bars,
    )
    if weights is None and files.several:
        options.say(f"weights: {files.several}; --weights takes others")
    finished, _ = rows(store)
    typer.echo(f"{now} checkpoint{'s' * (now != 1)} probed, {finished} in the store")
    typer.echo(f"store: {store}")
    slices = open_(store)
    if "range" in slices.attrs:
        options.say(f"range: {slices.attrs['range']}")
    kinds = [registry.get(each) for each in (direction, and_) if each]
    # Of a plane, of a path and between two checkpoints, the range was chosen for what it shows.
    chosen_by_loss = len(kinds) == 1 and kinds[0].ends is None and kinds[0].needs != PATH
    if not chosen_by_loss:
        messages.note_resolution(slices)
    elif "same_batch" in slices["evaluation_set"].values:
        _note(range_problems(slices), slices["step_size"].values, "range" in slices.attrs)
    typer.echo(f"next: landscape plot {_figure(kinds)} {store}")


def _figure(kinds: Sequence[registry.DirectionKind]) -> str:
    """The figure that shows most of what was probed."""
    if len(kinds) > 1:
        return "plane"
    return "interpolation" if kinds[0].needs == TARGET else "widening"


def _note(problems: Any, steps: Any, auto: bool) -> None:
    """Say in one line that the range shows too little, and which option helps."""
    flat = int(problems["flat"].sum())
    beyond = int((problems["lower_beyond"] | problems["upper_beyond"]).sum())
    every = problems["flat"].size
    said = []
    if flat:
        said.append(f"{flat} of {every} slices are flat, within 1 %")
    if beyond:
        said.append(f"the peaks of {beyond} of {every} slices go beyond it")
    if said:
        other = "a higher --rise" if auto else "--range auto"
        messages.note(
            f"on the same batch, from {steps[0]:g} to {steps[-1]:g}, {' and '.join(said)}; try "
            f"{other} or --range {4 * max(abs(steps)):g}, with another --out"
        )


def _iterations(text: str) -> list[int]:
    try:
        return [-1 if each.strip() == "last" else int(each) for each in text.split(",")]
    except ValueError as error:
        raise InvalidValueError(
            f"--at is {shown(text)}; give iterations, or last, separated by commas"
        ) from error


def _step_sizes(
    text: str | None,
    points: int | None,
    range_: str | None,
    spacing: str | None,
    rise: float | None,
    foreign: bool,
    directions: list[str],
) -> dict[str, Any]:
    """The step sizes, or how they are to be found; ``foreign`` checkpoints are of no run."""
    ranged = options.given(points=points, spacing=spacing)
    if text is not None:
        if ranged or range_ is not None or rise is not None:
            raise InvalidValueError(
                "--step-sizes was given with --points, --range, --spacing or --rise; give one or "
                "the other"
            )
        return {"step_sizes": options.numbers(text, "the step sizes")}
    kinds = [registry.get(each) for each in directions]
    plane = len(kinds) > 1
    if plane:
        ranged = {"points": PLANE, "spacing": "linear", **ranged}

    def along(kind: registry.DirectionKind) -> Any:
        wanted = range_
        if wanted is None and kind.needs == PATH:
            wanted = "path"
        if wanted is None and kind.ends is not None:
            return ends_spaced(**{"points": PLANE if plane else LINE, **ranged}, ends=kind.ends)
        if wanted is not None and "," in wanted:
            ends = _ends(wanted)
            return ends_spaced(**{"points": PLANE if plane else LINE, **ranged}, ends=ends)
        published = kind.published and not foreign and not plane
        if wanted in (AUTO, "path") or (wanted is None and not published):
            return AutoRange(**ranged, **options.given(rise=rise), path=wanted == "path")
        if wanted is None and not ranged:
            return STEP_SIZES
        return spaced(**{"points": len(STEP_SIZES), **ranged, "reach": _reach(wanted or "1")})

    found = [along(kind) for kind in kinds]
    if rise is not None and not any(isinstance(each, AutoRange) for each in found):
        raise InvalidValueError(
            f"--rise is {rise:g} and the range not automatic; give --range auto"
        )
    return dict(zip(("step_sizes", "step_sizes_2"), found, strict=False))


def _ends(text: str) -> tuple[float, float]:
    ends = options.numbers(text, "the range")
    if len(ends) != 2:
        raise InvalidValueError(
            f"--range is {shown(text)}; give one number, LOW,HIGH, {AUTO} or path"
        )
    return ends[0], ends[1]


def _reach(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidValueError(
            f"--range is {shown(text)}; give a number above 0, LOW,HIGH, {AUTO} or path"
        ) from error
