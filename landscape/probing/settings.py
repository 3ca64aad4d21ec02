"""What a probe is asked to do: one frozen record, kept with the store it fills."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from landscape import arguments
from landscape.errors import InvalidValueError
from landscape.metrics import METRICS
from landscape.network.precision import check_forward
from landscape.probing.directions.registry import DIRECTIONS

# The thirteen of the published pre-study. Positive is along −∇L.
STEP_SIZES = (-1.0, -0.5, -0.1, -0.01, -0.001, -0.0001, 0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)

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

# The integers among the settings, each with its least value; the open ones may also be None.
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
OPEN = ("big_batch", "validation_samples", "eval_batch_size")

# Settings that had another name in older stores.
RENAMED = {"chunk": "eval_batch_size"}


def spaced(
    points: int, reach: float, spacing: str = "linear", smallest: float = 1e-4
) -> list[float]:
    """``points`` step sizes from −reach to reach, symmetric around an exact 0.

    ``linear`` spaces them evenly; ``symlog`` spaces each half evenly in the logarithm, from
    ``smallest``·reach to reach. ``points`` must be odd and at least 3, ``reach`` positive.
    """
    arguments.one_of("spacing", spacing, SPACINGS)
    points = arguments.integer("points", points)
    reach = arguments.number("range", reach, above=0)
    smallest = arguments.number("smallest", smallest, above=0, below=1)
    if points < 3 or points % 2 == 0:
        raise InvalidValueError(
            f"{points} points were asked for; choose an odd number of at least 3, so that 0 is one"
        )
    import numpy as np  # here, so that a command can name the defaults without it

    half = points // 2
    if spacing == "linear":
        positive = reach * np.arange(1, half + 1) / half
    else:
        positive = reach * np.geomspace(smallest, 1, half) if half > 1 else np.array([reach])
    return [*(-positive[::-1]).tolist(), 0.0, *positive.tolist()]


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of a probe; every field is recorded in the store's attributes.

    Raises :class:`InvalidValueError` on creation where a value is not allowed.
    """

    step_sizes: Sequence[float] = STEP_SIZES
    """Displacements along the direction; stored ascending. Positive descends."""
    direction: str = "gradient"
    """``gradient`` (θ − s·∇L) or ``normalised-gradient`` (θ − s·∇L/‖∇L‖)."""
    origin: str = "before-step"
    """``before-step``: the point where the gradient was taken. ``after-step``: the point one
    optimizer step later, with the gradient from before it, as in the published pictures."""
    sets: Sequence[str] = KINDS
    """Kinds of evaluation set."""
    batch_size: int = 128
    """Samples of the batch that gives the gradient, and of each other batch."""
    other_batches: int = 2
    big_batch: int | None = None
    """Samples of the big batch; by default 1000, or all outside the gradient's batch if fewer."""
    validation_samples: int | None = None
    """The first so many; by default all."""
    batch_norm: Mapping[str, str] = field(default_factory=lambda: dict(BATCH_NORM))
    """Policy of each kind of set; kinds left out keep their default."""
    recalibration_batches: int = 10
    """Training batches from which ``recalibrated`` estimates its statistics at each point."""
    dropout: bool = False
    """False: dropout is off. True: training mode, with one fixed mask a set for all points."""
    draws: int = 1
    """Repetitions with a fresh gradient batch."""
    metrics: Sequence[str] = ("loss", "accuracy", "smooth_accuracy")
    slope_factors: Sequence[float] = (1.0,)
    """Of smooth accuracy."""
    samples: bool = True
    """Whether the per-sample loss and margin are kept."""
    seed: int = 0
    eval_batch_size: int | None = None
    """Samples evaluated at once where a sample's output does not depend on its batch; by default
    as many as fit into a GPU's memory or stay in a CPU's caches, with dropout 1000. Too many are
    halved."""
    precision: str = "float32"
    """Of matrix products and convolutions: ``float32`` (the model's own type), ``tf32`` or
    ``bfloat16`` (autocast), which round a slice; losses and metrics are in float32."""
    compile: bool = False
    """Whether torch.compile makes the forward pass, on a GPU with CUDA graphs."""
    channels_last: bool | None = None
    """Memory format of images; by default for convolutions."""

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        steps = arguments.numbers("step sizes", self.step_sizes)
        set_(self, "step_sizes", tuple(sorted(step + 0.0 for step in steps)))  # + 0: no −0
        set_(self, "slope_factors", arguments.numbers("slope factors", self.slope_factors))
        set_(self, "metrics", arguments.several_of("metric", self.metrics, METRICS))
        set_(self, "sets", arguments.several_of("evaluation set", self.sets, KINDS))
        set_(self, "batch_norm", {**BATCH_NORM, **_policies(self.batch_norm)})
        arguments.one_of("direction", self.direction, DIRECTIONS)
        arguments.one_of("origin", self.origin, ORIGINS)
        for name, least in LEAST.items():
            if name not in OPEN or getattr(self, name) is not None:
                what = name.replace("_", " ")
                set_(self, name, arguments.integer(what, getattr(self, name), least))
        for name in ("dropout", "samples"):
            set_(self, name, arguments.flag(name, getattr(self, name)))
        check_forward(self.precision, self.compile, self.channels_last)
        if self.dropout and self.compile:
            raise InvalidValueError(
                "compile is True and dropout is True; a compiled network draws other masks than "
                "its gradient has seen, so choose one of the two"
            )
        if self.dropout and self.eval_batch_size is None:
            set_(self, "eval_batch_size", 1000)  # the mask depends on it

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "ProbeSettings":
        """Those that ``settings`` name; :class:`InvalidValueError` for a name that is none."""
        renamed = {RENAMED.get(name, name): value for name, value in settings.items()}
        arguments.known("setting of a probe", renamed, [field.name for field in fields(cls)])
        return cls(**renamed)

    def for_sizes(self, training_samples: int, validation_samples: int) -> "ProbeSettings":
        """The same, with the sizes that were left open made explicit."""
        changes: dict[str, Any] = {}
        if self.big_batch is None:
            changes["big_batch"] = max(1, min(1000, training_samples - self.batch_size))
        if self.validation_samples is None and validation_samples:
            changes["validation_samples"] = validation_samples
        return replace(self, **changes)

    @property
    def margins(self) -> bool:
        """Whether per-sample margins are needed, or losses are enough."""
        return self.samples or any(METRICS[name].of == "margin" for name in self.metrics)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, as they are recorded."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def comparable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A store's attributes, their settings without those that change a slice by rounding alone.

    Settings that an older version did not record have their defaults.
    """
    given = {RENAMED.get(name, name): value for name, value in attributes["settings"].items()}
    every = ProbeSettings().as_dict() | given
    rounding = {"compile", "channels_last", *(() if every["dropout"] else ("eval_batch_size",))}
    settings = {name: value for name, value in every.items() if name not in rounding}
    return {**attributes, "settings": settings}


def _policies(policies: Any) -> Mapping[str, str]:
    if not isinstance(policies, Mapping):
        raise InvalidValueError(
            f"batch norm is {arguments.plain(policies)!r}; give policies by kind of evaluation "
            'set, as in {"validation": "recalibrated"}'
        )
    arguments.known("evaluation set", policies, KINDS)
    arguments.known("batch-norm policy", policies.values(), POLICIES)
    return policies
