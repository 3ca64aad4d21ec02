"""The settings of a probe: one frozen record, kept with the store that the probe fills."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from typing import Any, Literal

from landscape import arguments
from landscape.errors import InvalidValueError, shown
from landscape.metrics import METRICS, Metric, own_metric
from landscape.network.precision import forward_settings
from landscape.probing.directions import registry
from landscape.probing.directions.registry import DirectionKind

# The thirteen of the pre-study in [Hackel2023]. Positive descends.
STEP_SIZES = (-1.0, -0.5, -0.1, -0.01, -0.001, -0.0001, 0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)

AUTO = "auto"

KINDS = ("same_batch", "other_batch", "big_batch", "validation")
POLICIES = ("batch", "running", "recalibrated")
ORIGINS = ("before-step", "after-step")
SPACINGS = ("linear", "symlog")

# Training batches are evaluated as in training, validation as in evaluation.
BATCH_NORM = {
    "same_batch": "batch",
    "other_batch": "batch",
    "big_batch": "batch",
    "validation": "running",
}

# The integers among the settings, each with its lowest value; the open ones may also be None.
LEAST = {
    "batch_size": 1,
    "other_batches": 0,
    "big_batch": 1,
    "validation_samples": 1,
    "recalibration_batches": 1,
    "draws": 1,
    "seed": 0,
    "eval_batch_size": 1,
}
OPEN = ("batch_size", "big_batch", "validation_samples", "eval_batch_size")

BATCH_SIZE = 128  # where neither a loader nor a task has one

# Names that a slice has for something else than a metric.
RESERVED = (
    *("checkpoint", "draw", "evaluation_set", "step_size", "slope_factor", "iteration", "epoch"),
    *("learning_rate", "gradient_norm", "direction_norm", "direction_slope", "kind", "samples"),
    *("step_size_2", "direction_norm_2", "direction_slope_2", "direction_cosine", "eigenvalue"),
    *("eigenvalue_2", "eigen_residual", "eigen_residual_2", "explained_variance"),
    *("explained_variance_2", "path", "path_iteration", "path_epoch", "path_step_size"),
    *("path_step_size_2", "path_distance", "path_explained"),
    *("batch_norm", "margin", "residual", "target", "index", "weight", "unit", "sample"),
    *("unit_sample",),
)

# Names of settings in older stores -> their names now.
RENAMED = {"chunk": "eval_batch_size"}


MOST_POINTS = 1_000_001  # more would fill the memory before anything is measured


def between(points: int, low: float, high: float) -> list[float]:
    """Make step sizes from low to high, evenly spaced; one that is 0 or 1 is so exactly.

    >>> landscape.probing.between(7, -0.25, 1.25)
    [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25]

    Args:
        points: how many; at least 2.
        low: the first.
        high: the last, above the first.

    Returns:
        The step sizes, ascending.

    Raises:
        InvalidValueError: for an argument that is not allowed.
    """
    points = arguments.integer("points", points, 2, MOST_POINTS)
    low = arguments.number("range from", low)
    high = arguments.number("range to", high, above=low)
    import numpy as np

    steps = np.linspace(low, high, points)
    for exact in (0.0, 1.0):
        steps[np.isclose(steps, exact, rtol=0, atol=1e-9 * (high - low))] = exact
    found: list[float] = steps.tolist()
    return found


def spaced(
    points: int, reach: float, spacing: str = "linear", smallest: float = 1e-4
) -> list[float]:
    """Make step sizes from −reach to reach, symmetric around an exact 0.

    >>> landscape.probing.spaced(5, 0.2)
    [-0.2, -0.1, 0.0, 0.1, 0.2]
    >>> landscape.probing.spaced(7, 1, "symlog", smallest=0.01)
    [-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0]

    Args:
        points: how many; odd, and at least 3.
        reach: the largest step size, above 0.
        spacing: "linear" spaces all evenly, "symlog" each half evenly in the logarithm.
        smallest: for "symlog", the smallest positive step size as a share of ``reach``, above 0
            and below 1.

    Returns:
        The step sizes, ascending.

    Raises:
        InvalidValueError: for an argument that is not allowed.
    """
    arguments.one_of("spacing", spacing, SPACINGS)
    points = arguments.integer("points", points, most=MOST_POINTS)
    reach = arguments.number("range", reach, above=0)
    smallest = arguments.number("smallest", smallest, above=0, below=1)
    if points < 3 or points % 2 == 0:
        raise InvalidValueError(
            f"{points} points were asked for; choose an odd number of at least 3, to include 0"
        )
    # Imported here, so that commands can show the defaults without loading numpy.
    import numpy as np

    half = points // 2
    if spacing == "linear":
        positive = reach * np.arange(1, half + 1) / half
    else:
        positive = reach * np.geomspace(smallest, 1, half) if half > 1 else np.array([reach])
    return [*(-positive[::-1]).tolist(), 0.0, *positive.tolist()]


# The smallest step size of an automatic range, as a share of the smallest reach.
INNERMOST = 0.02


@dataclass(frozen=True)
class AutoRange:
    """Step sizes that reach, on each side of 0, to where the loss has risen.

    The loss is that of the gradient's batch in the first draw, and the range ends at the first
    step size s at which, as found by doubling and bisection,

        L(s) ≥ L(0) + rise · max(|L(0)|, 1)

    With a rise of 1 the loss has doubled there, or gone up by 1 if it is below 1 at step size 0.
    With ``path``, the range covers the path of the training instead, and a quarter of its length
    more on either side.

    >>> landscape.probing.AutoRange(points=5).step_sizes([0.1], [10])
    (-0.1, -0.002, 0.0, 0.2, 10.0)

    Attributes:
        points: how many step sizes; odd, and at least 3.
        spacing: "linear" spaces each side evenly, "symlog" evenly in the logarithm.
        rise: by how much the loss is to rise, in multiples of its absolute value at 0, or of 1 if
            that is less; above 0.
        path: whether the range is that of the path. Then ``rise`` has no effect, and the spacing is
            linear.

    Raises:
        InvalidValueError: for a value that is not allowed.
    """

    points: int = 21
    spacing: str = "symlog"
    rise: float = 1.0
    path: bool = False

    def __post_init__(self) -> None:
        arguments.flag("path", self.path)
        if self.path:
            object.__setattr__(self, "spacing", "linear")
        object.__setattr__(self, "rise", arguments.number("rise", self.rise, above=0))
        object.__setattr__(self, "points", arguments.integer("points", self.points))
        spaced(self.points, 1.0, self.spacing)  # refuses what is wrong

    def step_sizes(self, negative: Sequence[float], positive: Sequence[float]) -> tuple[float, ...]:
        """Space the step sizes.

        Args:
            negative: how far the slice of each checkpoint goes towards negative step sizes, as
                distances above 0; at least one.
            positive: likewise towards positive ones.

        Returns:
            The step sizes, ascending, with an exact 0. They go as far as the largest distance on
            each side, and begin near 0 with a fiftieth of the smallest if the spacing is "symlog".
        """
        if self.path:
            return self._even(max(negative), max(positive))

        def side(reaches: Sequence[float]) -> list[float]:
            smallest = INNERMOST * min(reaches) / max(reaches)
            every = spaced(self.points, max(reaches), self.spacing, smallest)
            return every[len(every) // 2 + 1 :]

        return (*(-step for step in reversed(side(negative))), 0.0, *side(positive))

    def _even(self, negative: float, positive: float) -> tuple[float, ...]:
        """Evenly spaced over both sides, with an exact 0."""
        intervals = self.points - 1
        # Of all places of 0 the one with the smallest intervals.
        width, left = min(
            (max(negative / left, positive / (intervals - left)), left)
            for left in range(1, intervals)
        )
        return tuple(width * i for i in range(-left, intervals - left + 1))


PLANE, LINE = 25, 31  # points along each direction of a plane, and between two ends


def default_step_sizes(kind: DirectionKind, plane: bool) -> Sequence[float] | AutoRange:
    """Choose the step sizes that suit a direction.

    Args:
        kind: the direction.
        plane: whether there is a second one.

    Returns:
        The thirteen published ones where they suit; 31 between the direction's own ends, of a plane
        25; or how they are found, at the path of the training or where the loss has risen.
    """
    points = PLANE if plane else LINE
    if kind.ends is not None:
        return ends_spaced(points, kind.ends)
    if kind.needs == registry.PATH:
        return AutoRange(points, path=True)
    if kind.published and not plane:
        return STEP_SIZES
    return AutoRange(points, "linear") if plane else AutoRange()


def ends_spaced(points: int, ends: tuple[float, float], spacing: str = "linear") -> Sequence[float]:
    """Make step sizes between two ends: symmetric around 0 where the ends are.

    Args:
        points: how many.
        ends: the first and the last.
        spacing: "linear", or "symlog" where the ends are symmetric.

    Returns:
        The step sizes, ascending; an exact 0 is among them if it lies between the ends.

    Raises:
        InvalidValueError: for an argument that is not allowed, and for so many points that leave
            out 0.
    """
    low, high = ends
    if low == -high:
        return spaced(points, high, spacing)
    if spacing != "linear":
        raise InvalidValueError(
            f"--spacing is {spacing} and the range goes from {low:g} to {high:g}; only linear is "
            "allowed there, or a range of one number"
        )
    steps = between(points, low, high)
    if low < 0 < high and 0 not in steps:
        hit = (n for n in range(3, 10 * LINE, 2) if n != points and 0 in between(n, low, high))
        fitting = ", ".join(map(str, islice(hit, 5)))
        raise InvalidValueError(
            f"{len(steps)} points from {low:g} to {high:g} leave out 0, where the checkpoint is; "
            + (f"choose --points {fitting}, or another" if fitting else "give another")
            + " --range LOW,HIGH"
        )
    return steps


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of a probe; every field is recorded in the store's attributes.

    >>> settings = landscape.ProbeSettings(step_sizes=[0.1, -0.1, 0], sets="validation")
    >>> settings.step_sizes, settings.sets
    ((-0.1, 0.0, 0.1), ('validation',))

    Attributes:
        step_sizes: signed displacements along the direction, at least one; positive descends. In
            units of the direction, each only once; stored ascending. "auto" or an
            :class:`AutoRange` finds them: they go to where the loss has risen. By default those
            that suit the direction (:func:`default_step_sizes`): of the gradient the thirteen of
            the pre-study in [Hackel2023].
        direction: name of the direction: "gradient" (θ − s·∇L), "normalised-gradient"
            (θ − s·∇L/‖∇L‖) or another in :data:`landscape.probing.directions.DIRECTIONS`, or one of
            one's own: a function from a :class:`landscape.probing.directions.DirectionContext` to
            a :class:`landscape.probing.directions.Tangent`, called as it is named, or a
            :class:`landscape.probing.directions.DirectionKind`.
        direction_2: that of the second direction, for a plane; None for slices along one.
        step_sizes_2: signed displacements along the second direction; by default as ``step_sizes``
            along the first.
        orthogonal: whether the second direction is made orthogonal to the first, by taking away its
            part along the first; by default it is, unless one of them leads to a checkpoint.
        origin: where the slice has its 0. "before-step": the point where the gradient was taken.
            "after-step": the point one optimizer step later, with the gradient from before it, as
            in the figures of [Hackel2023].
        sets: kinds of evaluation set: "same_batch" (the one that gives the gradient),
            "other_batch", "big_batch" and "validation"; one name or several.
        batch_size: samples of the batch that gives the gradient, and of each other batch; by
            default those of the DataLoader or the task, else 128.
        other_batches: how many other batches are drawn.
        big_batch: samples of the big batch; by default 1000, or all outside the gradient's batch
            if these are fewer.
        validation_samples: how many validation samples are used, from the first on; by default
            all.
        batch_norm: kind of evaluation set -> which statistics normalisation layers use: "batch"
            (those of the batch itself), "running" (those of the checkpoint) or "recalibrated"
            (running ones, estimated afresh at each point, see [Izmailov2018]). Kinds left out keep
            their default: "running" for validation, "batch" for the others. The gradient is taken
            under that of the same batch, "batch" if it is "recalibrated". A layer in eval mode
            within a model in train mode is frozen, and keeps to the checkpoint's statistics.
        recalibration_batches: number of training batches from which "recalibrated" estimates its
            statistics.
        dropout: False turns dropout off. True probes in training mode, with one fixed mask for
            each set at all points.
        draws: repetitions, each with a fresh gradient batch.
        metrics: the metrics that are stored: names in :data:`landscape.metrics.METRICS`, functions
            of one's own (see :func:`landscape.metrics.own_metric`), called as they are named; one
            or several. By default loss, accuracy and smooth accuracy where there are classes, loss,
            mean absolute error and R² of a regression, else the loss.
        slope_factors: slope factors of smooth accuracy, at least one, each only once.
        samples: whether the loss and the margin of each sample are kept.
        seed: seed of all random draws, together with iteration and draw; at least 0.
        eval_batch_size: samples evaluated at once where a sample's output does not depend on its
            batch, halved where they do not fit into the memory. By default as many as fit into a
            GPU's memory or stay in a CPU's caches; with dropout 1000, never halved, since the mask
            depends on it.
        precision: of matrix products and convolutions: "float32" (the model's own type), "tf32" or
            "bfloat16" (autocast). The last two round the slice; losses and metrics are in float32.
        compile: whether torch.compile makes the forward pass, on a GPU with CUDA graphs; not
            together with ``dropout``.
        channels_last: memory format of images: True for channels last, False for channels first.
            By default channels last for convolutions, if the network works with it.
        own_metrics: name -> metric, of those in ``metrics`` that are no names, which fill it in.
        own_directions: name -> direction, of those that are no names, likewise.

    Raises:
        InvalidValueError: for a value that is not allowed.
    """

    step_sizes: Sequence[float] | AutoRange | Literal["auto"] | None = None
    direction: Any = "gradient"
    direction_2: Any = None
    step_sizes_2: Sequence[float] | AutoRange | Literal["auto"] | None = None
    orthogonal: bool | None = None
    origin: str = "before-step"
    sets: Sequence[str] = KINDS
    batch_size: int | None = None
    other_batches: int = 2
    big_batch: int | None = None
    validation_samples: int | None = None
    batch_norm: Mapping[str, str] = field(default_factory=lambda: dict(BATCH_NORM))
    recalibration_batches: int = 10
    dropout: bool = False
    draws: int = 1
    metrics: Sequence[Any] | None = None
    slope_factors: Sequence[float] = (1.0,)
    samples: bool = True
    seed: int = 0
    eval_batch_size: int | None = None
    precision: str = "float32"
    compile: bool = False
    channels_last: bool | None = None
    own_metrics: Mapping[str, Metric] = field(default_factory=dict, repr=False, compare=False)
    own_directions: Mapping[str, DirectionKind] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        self._name_directions()
        set_(self, "slope_factors", arguments.numbers("slope factors", self.slope_factors))
        if self.metrics is not None:
            names, own = _metrics(self.metrics, self.own_metrics)
            known = dict.fromkeys([*METRICS, *self.own_metrics, *own])
            set_(self, "metrics", arguments.several_of("metric", names, known))
            set_(self, "own_metrics", own)
        set_(self, "sets", arguments.several_of("evaluation set", self.sets, KINDS))
        set_(self, "batch_norm", {**BATCH_NORM, **_policies(self.batch_norm)})
        set_(self, "origin", arguments.one_of("origin", self.origin, ORIGINS))
        for name, least in LEAST.items():
            if name not in OPEN or getattr(self, name) is not None:
                set_(self, name, arguments.integer(name, getattr(self, name), least))
        if self.origin == "after-step":
            self._require_here()
        for name in ("dropout", "samples", "orthogonal"):
            set_(self, name, arguments.flag(name, getattr(self, name)))
        how = forward_settings(self.precision, self.compile, self.channels_last)
        for name, value in how.items():
            set_(self, name, value)
        if self.dropout and self.compile:
            raise InvalidValueError(
                "compile is True and dropout is True; a compiled network draws other dropout masks "
                "than its gradient was taken with, so choose one of the two"
            )
        if self.dropout and self.eval_batch_size is None:
            set_(self, "eval_batch_size", 1000)  # the mask depends on it

    def _name_directions(self) -> None:
        set_ = object.__setattr__
        own = dict(self.own_directions)
        for name in ("direction", "direction_2"):
            given = getattr(self, name)
            if name == "direction" or given is not None:
                set_(self, name, _direction(given, own))
        set_(self, "own_directions", own)
        if self.orthogonal is None:
            # Else step size 1 would not lead to the other checkpoint.
            set_(self, "orthogonal", not any(k.needs == registry.TARGET for k in self.kinds))
        first, *second = self.kinds
        given = default_step_sizes(first, bool(second)) if self.step_sizes is None else None
        set_(self, "step_sizes", _step_sizes(self.step_sizes if given is None else given))
        if not second:
            if self.step_sizes_2 is not None:
                raise InvalidValueError(
                    "step sizes of a second direction were given without one; give direction_2"
                )
            return
        if self.direction == self.direction_2 and not self.kinds[0].drawn:
            raise InvalidValueError(
                f"both directions of the plane are {self.direction!r}, which span none; give "
                "another second one"
            )
        if self.step_sizes_2 is None and given is not None:
            set_(self, "step_sizes_2", default_step_sizes(second[0], plane=True))
        same = self.step_sizes if self.step_sizes_2 is None else self.step_sizes_2
        set_(self, "step_sizes_2", _step_sizes(same))

    def _require_here(self) -> None:
        for kind in self.kinds:
            if kind.needs == registry.TARGET:
                raise InvalidValueError(
                    f"direction is {kind.name!r} and origin is 'after-step', from where it would "
                    "lead past the other checkpoint; choose origin 'before-step'"
                )

    @property
    def kinds(self) -> tuple[DirectionKind, ...]:
        """The direction, and of a plane the second one."""
        names = (
            (self.direction,) if self.direction_2 is None else (self.direction, self.direction_2)
        )
        return tuple(self.own_directions.get(name) or registry.get(name) for name in names)

    @property
    def axes(self) -> tuple[Sequence[float] | AutoRange, ...]:
        """The step sizes along each direction, as they are: fixed, or to be found."""
        both = (self.step_sizes, self.step_sizes_2)
        return both[: 1 if self.direction_2 is None else 2]  # type: ignore[return-value]

    @property
    def searches(self) -> bool:
        """Whether any step sizes are to be found at the model."""
        return any(isinstance(each, AutoRange) for each in self.axes)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "ProbeSettings":
        """Make settings of a mapping, as a store keeps them.

        Args:
            settings: field -> value; names that older stores used are known too.

        Returns:
            The settings; fields that are left out have their defaults.

        Raises:
            InvalidValueError: for a name that is not a field, and for a value that is not allowed.
        """
        renamed = {RENAMED.get(name, name): value for name, value in settings.items()}
        arguments.known("setting of a probe", renamed, [field.name for field in fields(cls)])
        return cls(**renamed)

    def for_sizes(
        self, training_samples: int, validation_samples: int, batch_size: int | None = None
    ) -> "ProbeSettings":
        """Fill in the sizes that were left open.

        Args:
            training_samples: how many training samples are available.
            validation_samples: how many validation samples are available; 0 for none.
            batch_size: samples in the batches of the training data, if it comes in batches.

        Returns:
            The same settings with ``batch_size``, ``big_batch`` and, if there is validation data,
            ``validation_samples`` as numbers.
        """
        size = self.batch_size or min(batch_size or BATCH_SIZE, max(1, training_samples))
        changes: dict[str, Any] = {"batch_size": size}
        if self.big_batch is None:
            changes["big_batch"] = max(1, min(1000, training_samples - size))
        if self.validation_samples is None and validation_samples:
            changes["validation_samples"] = validation_samples
        return replace(self, **changes)

    @property
    def gradient_batch(self) -> int:
        """The samples of the gradient's batch, once :meth:`for_sizes` has filled them in."""
        assert self.batch_size is not None
        return self.batch_size

    @property
    def fixed_step_sizes(self) -> tuple[float, ...]:
        """The step sizes as numbers, where they are not to be found at a model.

        Raises:
            InvalidValueError: where they are "auto".
        """
        return self.fixed_axes[0]

    @property
    def fixed_axes(self) -> tuple[tuple[float, ...], ...]:
        """The step sizes along each direction as numbers.

        Raises:
            InvalidValueError: where they are "auto".
        """
        if self.searches:
            raise InvalidValueError(
                "the step sizes are 'auto', which is found at checkpoints; give a list of numbers "
                "here, as in [0.5, 1]"
            )
        return tuple(tuple(each) for each in self.axes)  # type: ignore[arg-type]

    @property
    def second(self) -> tuple[str, ...]:
        """The values of a unit beside its loss that the metrics need: "margin" or "residual"."""
        of = {METRICS[name].of for name in self.metrics or () if name in METRICS}
        return tuple(sorted(of - {"loss"}))

    def metric(self, name: str) -> Metric:
        """Find a metric by its name.

        Args:
            name: one of ``metrics``.

        Returns:
            The metric.
        """
        return self.own_metrics[name] if name in self.own_metrics else METRICS[name]

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain lists, numbers and strings, as a store keeps them."""
        own = ("own_metrics", "own_directions")
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
        for name in ("step_sizes", "step_sizes_2"):
            if isinstance(auto := settings[name], AutoRange):
                plain[name] = asdict(auto)
        return plain | {"batch_norm": dict(self.batch_norm)}


def comparable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a store's attributes the settings that change slices only by rounding.

    Args:
        attributes: of a store, with the settings of its probe under "settings".

    Returns:
        The attributes; settings that an older version did not record have their defaults.
    """
    given = {RENAMED.get(name, name): value for name, value in attributes["settings"].items()}
    every = ProbeSettings().as_dict() | given
    rounding = {"compile", "channels_last", *(() if every["dropout"] else ("eval_batch_size",))}
    settings = {name: value for name, value in every.items() if name not in rounding}
    return {**attributes, "settings": settings}


def _direction(given: Any, own: dict[str, DirectionKind]) -> str:
    """The name of a direction; one that is no name is added to one's own."""
    given = arguments.plain(given)
    if callable(given) and not isinstance(given, (type, DirectionKind)):
        name = getattr(given, "__name__", "own").strip("<>")
        about = " ".join((getattr(given, "__doc__", None) or name).split(". ")[0].split())
        if name in own and own[name].function is not given:
            name += " 2"  # as of two lambdas that span a plane
        given = DirectionKind(name, name.replace("_", " "), about.strip("."), given)
    if isinstance(given, DirectionKind):
        own[given.name] = given
        return given.name
    if isinstance(given, str) and given in own:
        return given
    if not isinstance(given, str):
        raise InvalidValueError(
            f"direction is {shown(given)}; give a name, as 'gradient', a function of a "
            "DirectionContext, or a DirectionKind"
        )
    return registry.get(given).name


def _metrics(given: Any, own: Mapping[str, Metric]) -> tuple[list[Any], dict[str, Metric]]:
    """Names of metrics, and those of one's own by name."""
    one = isinstance(given, (str, Metric)) or callable(given) or not isinstance(given, Iterable)
    listed = [given] if one else list(given)
    names, found = [], dict(own)
    for each in listed:
        if isinstance(each, Metric) or (callable(each) and not isinstance(each, type)):
            metric = each if isinstance(each, Metric) else own_metric(each)
            name = metric.long_name.replace(" ", "_")
            if not name.isidentifier() or name in METRICS or name in RESERVED:
                raise InvalidValueError(
                    f"a metric of your own is called {shown(name)}; give it a name of its own, as "
                    "with def top_5(outputs, targets), or own_metric(…, long_name='top 5')"
                )
            found[name] = metric
            names.append(name)
        else:
            names.append(each)
    return names, {name: metric for name, metric in found.items() if name in names}


def _step_sizes(given: Any) -> tuple[float, ...] | AutoRange:
    if isinstance(given, AutoRange):
        return given
    if isinstance(given, str):
        if given != AUTO:
            raise InvalidValueError(
                f"the step sizes are {shown(given)}; give a list of numbers, as in [0.5, 1], "
                f"or {AUTO!r}"
            )
        return AutoRange()
    return tuple(sorted(step + 0.0 for step in arguments.numbers("step sizes", given)))  # no −0


def _policies(policies: Any) -> Mapping[str, str]:
    if not isinstance(policies, Mapping):
        raise InvalidValueError(
            f"batch norm is {shown(arguments.plain(policies))}; give policies by kind of "
            'evaluation set, as in {"validation": "recalibrated"}'
        )
    return {
        arguments.one_of("evaluation set", kind, KINDS): arguments.one_of(
            "batch-norm policy", policy, POLICIES
        )
        for kind, policy in policies.items()
    }
