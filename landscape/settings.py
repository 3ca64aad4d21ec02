"""What a probe is asked to do: one frozen record, kept with the store it fills."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from landscape.errors import InvalidValueError, unknown
from landscape.metrics import METRICS

# The thirteen of the published pre-study. Positive is along −∇L.
STEP_SIZES = (-1.0, -0.5, -0.1, -0.01, -0.001, -0.0001, 0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)

KINDS = ("same_batch", "other_batch", "big_batch", "validation")
POLICIES = ("batch", "running", "recalibrated")
ORIGINS = ("before-step", "after-step")
DIRECTIONS = ("gradient", "normalised-gradient")
SPACINGS = ("linear", "symlog")
PRECISIONS = ("float32", "tf32", "bfloat16")

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
    "chunk": 1,
}
OPEN = ("big_batch", "validation_samples", "chunk")


def spaced(
    points: int, reach: float, spacing: str = "linear", smallest: float = 1e-4
) -> list[float]:
    """``points`` step sizes from −reach to reach, symmetric around an exact 0.

    ``linear`` spaces them evenly; ``symlog`` spaces each half evenly in the logarithm, from
    ``smallest``·reach to reach. ``points`` must be odd and at least 3, ``reach`` positive.
    """
    if spacing not in SPACINGS:
        raise unknown("spacing", spacing, SPACINGS)
    if points < 3 or points % 2 == 0:
        raise InvalidValueError(
            f"{points} points were asked for; choose an odd number of at least 3, so that 0 is one"
        )
    if not (math.isfinite(reach) and reach > 0):
        raise InvalidValueError(f"the range is {reach}; choose a positive, finite number")
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
    chunk: int | None = None
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
        steps = _numbers("step sizes", self.step_sizes)
        set_(self, "step_sizes", tuple(sorted(step + 0.0 for step in steps)))  # + 0: no −0
        set_(self, "slope_factors", _numbers("slope factors", self.slope_factors))
        set_(self, "metrics", _chosen("metric", self.metrics, METRICS))
        set_(self, "sets", _chosen("evaluation set", self.sets, KINDS))
        set_(self, "batch_norm", {**BATCH_NORM, **_policies(self.batch_norm)})
        _one_of("direction", self.direction, DIRECTIONS)
        _one_of("origin", self.origin, ORIGINS)
        for name, least in LEAST.items():
            if name not in OPEN or getattr(self, name) is not None:
                set_(self, name, _integer(name, getattr(self, name), least))
        for name in ("dropout", "samples"):
            _true_or_false(name, getattr(self, name))
        check_forward(self.precision, self.compile, self.channels_last)
        if self.dropout and self.compile:
            raise InvalidValueError(
                "compile is True and dropout is True; a compiled network draws other masks than "
                "its gradient has seen, so choose one of the two"
            )
        if self.dropout and self.chunk is None:
            set_(self, "chunk", 1000)  # the mask depends on it

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "ProbeSettings":
        """Those that ``settings`` name; :class:`InvalidValueError` for a name that is none."""
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown("setting of a probe", name, known)
        return cls(**settings)

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


def check_forward(precision: str, compile: object, channels_last: object) -> None:  # noqa: A002
    """Refuse what says nothing about how a forward pass is run."""
    _one_of("precision", precision, PRECISIONS)
    _true_or_false("compile", compile)
    if channels_last is not None:
        _true_or_false("channels_last", channels_last)


def comparable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A store's attributes, their settings without those that change a slice by rounding alone.

    Settings that an older version did not record have their defaults.
    """
    every = ProbeSettings().as_dict() | attributes["settings"]
    rounding = {"compile", "channels_last", *(() if every["dropout"] else ("chunk",))}
    settings = {name: value for name, value in every.items() if name not in rounding}
    return {**attributes, "settings": settings}


# Checks of one value each, whatever its type; an array counts as the list of its values.


def _plain(value: Any) -> Any:
    """An array, or a number of its kind, of numpy, torch or xarray, as Python's own."""
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value


def _is_listed(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str | Mapping)


def _one_of(what: str, name: Any, allowed: Sequence[str]) -> None:
    if not isinstance(name, str) or name not in allowed:
        raise unknown(what, _plain(name), allowed)


def _chosen(what: str, names: Any, allowed: Iterable[str]) -> tuple[str, ...]:
    """``names``, or the only one, checked and in the order of ``allowed``."""
    names, allowed = _plain(names), tuple(allowed)
    names = list(names) if _is_listed(names) else [names]
    for name in names:
        _one_of(what, name, allowed)
    if not names:
        raise InvalidValueError(f"no {what} was chosen; choose from {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def _policies(policies: Any) -> Mapping[str, str]:
    if not isinstance(policies, Mapping):
        raise InvalidValueError(
            f"batch norm is {_plain(policies)!r}; give policies by kind of evaluation set, as in "
            '{"validation": "recalibrated"}'
        )
    for kind, policy in policies.items():
        _one_of("evaluation set", kind, KINDS)
        _one_of("batch-norm policy", policy, POLICIES)
    return policies


def _numbers(what: str, numbers: Any) -> tuple[float, ...]:
    """At least one finite number, each only once."""
    given = _plain(numbers)
    if _is_listed(given):
        given = [_plain(number) for number in given]
    if not isinstance(given, list) or not all(map(_is_real, given)):
        raise InvalidValueError(f"the {what} are {given!r}; give a list of numbers, as in [0.5, 1]")
    if not given:
        raise InvalidValueError(f"the {what} are []; give at least one")
    if not all(abs(number) <= sys.float_info.max for number in given):  # an int may be larger
        raise InvalidValueError(f"the {what} are {given}; all must be finite")
    floats = tuple(float(number) for number in given)
    if len(set(floats)) < len(floats):
        raise InvalidValueError(f"the {what} are {given}; give each only once")
    return floats


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _integer(name: str, value: Any, least: int) -> int:
    value = _plain(value)
    if type(value) is bool or not isinstance(value, Integral) or value < least:
        raise InvalidValueError(
            f"{name.replace('_', ' ')} is {value!r}; choose an integer of at least {least}"
        )
    return int(value)


def _true_or_false(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InvalidValueError(f"{name} is {value!r}; give true or false")
