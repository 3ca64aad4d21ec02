"""Probe one model in one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from math import nan
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from landscape import arguments
from landscape.data import as_data
from landscape.data.batches import PAIR, Split, Target
from landscape.errors import InvalidValueError, shown
from landscape.metrics import cross_entropy
from landscape.network.calling import Output
from landscape.network.measures import as_measure
from landscape.network.state import State, as_state
from landscape.probing.directions.direction import Landmarks
from landscape.probing.prober import Prober
from landscape.probing.settings import RENAMED, ProbeSettings
from landscape.runtime.nested import Nested, samples_of

_SPACED = "step_sizes, as in step_sizes=landscape.probing.spaced(points=21, reach=1), or 'auto'"
# Words of the commands -> what says it here.
MEANT = {"range": _SPACED, "points": _SPACED, "lr": "learning_rate"}


def probe(
    model: nn.Module,
    train: Any,
    validation: Any = None,
    *,
    loss: Any = cross_entropy,
    forward: Callable[[nn.Module, Nested], Any] | None = None,
    output: Output = None,
    target: Target = None,
    optimizer: torch.optim.Optimizer | None = None,
    learning_rate: float = nan,
    batch: Sequence[Any] | None = None,
    towards: Any = None,
    trajectory: Sequence[Any] = (),
    **settings: Any,
) -> xr.Dataset:
    """Measure loss and accuracy of a model along a direction, or over a plane, on several sets.

    The model (parameters, buffers, plain attributes, modes, ``requires_grad``, ``.grad``), what is
    handed in and every global random generator are left bit-identical, also after an exception.

    What cannot be measured rightly is refused. The batch is evaluated before and after the
    gradient is taken, samples together and in parts; the slope is compared with a finite
    difference, the parameters are read back at both ends of the slice, and the mean of a loss
    module is compared with that over the samples.

    >>> slice_ = landscape.probe(
    ...     model, (images, labels), validation, step_sizes=[-0.1, 0, 0.1], draws=2
    ... )
    >>> slice_.accuracy.sel(evaluation_set="validation").mean("draw", skipna=False).dims
    ('checkpoint', 'step_size')

    A second direction makes a plane:

    >>> plane = landscape.probe(
    ...     model, (images, labels), direction="random", direction_2="random",
    ...     step_sizes=[-1, 0, 1], sets="same_batch",
    ... )
    >>> plane.loss.dims
    ('checkpoint', 'draw', 'evaluation_set', 'step_size', 'step_size_2')

    Args:
        model: a model from inputs (N, …) to outputs (N, …), where the slice is to start. It is
            called as ``model(x)``, ``model(*tuple)`` or ``model(**dict)``, by what the inputs are.
        train: training data, from which batches are drawn: a pair (inputs, targets) or a dict of
            tensors or arrays (N, …), a Dataset or a DataLoader of pairs or dicts, whose batch size
            is then the default.
        validation: validation data, likewise; None for no validation set.
        loss: a function of (outputs, targets) or a torch loss module, "model" for the loss that
            the model computes itself, or a :class:`Measure`. By default the cross-entropy.
        forward: (model, inputs) -> the model's output, in place of these calls.
        output: which part of the model's output is used: a key, an attribute, a place in a tuple or
            a function; by default a tensor as it is, its logits, or the first of a tuple.
        target: which part of a sample is its target: the key of a dict (by default labels), the
            place in a longer tuple, or a function batch -> (inputs, targets).
        optimizer: for ``origin="after-step"`` and the direction "update", the optimizer that takes
            the step.
        learning_rate: the same without an optimizer, that of plain SGD. It is also stored with the
            slice.
        batch: the batch that gives the gradient, if it is not to be drawn: (inputs, labels), or
            (inputs, labels, indices) with the samples' places in ``train``, which keep the other
            sets free of these samples.
        towards: for the direction "towards", another model of the same architecture or its
            ``state_dict()``; for "towards:NAME", a dict of these by name.
        trajectory: for the directions "principal-K", models or state dicts along a training, in
            order. Onto a plane they are projected in any case.
        **settings: the fields of :class:`ProbeSettings`, except that ``samples`` has no effect;
            with ``step_sizes="auto"`` the slice goes to where the loss of the batch has risen.

    Returns:
        The slice, with dims ``checkpoint`` (1), ``draw``, ``evaluation_set``, ``step_size``, of a
        plane ``step_size_2`` and, for smooth accuracy, ``slope_factor``; values in float64.

    Raises:
        InvalidValueError: for settings or data that are not allowed, and for a model or a loss
            that fails on the data.
        DeterminismError: where one batch gives two values at one point.
        TooLargeError: where samples that must be evaluated at once do not fit into the memory.

    Warns:
        SlopeWarning: where the loss does not fall as the gradient says.
        RangeWarning: for step sizes "auto", where the loss does not rise on a side.
    """
    _require_known(settings)
    measure = as_measure(loss)
    split = Split(target, measure.own)
    data = as_data(train, "training data", split=split)
    if batch is not None:
        settings = {"batch_size": samples_of(PAIR(batch[:2], "the batch")[1]), **settings}
    prober = Prober(
        data,
        None if validation is None else as_data(validation, "validation data", split=split),
        ProbeSettings.from_mapping({**settings, "samples": False}),
        loss=measure,
        forward=forward,
        output=output,
    )
    found = prober(
        model,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch=batch,
        landmarks=_landmarks(model, towards, trajectory),
    )
    if optimizer is None:
        return found.to_dataset()
    return found.to_dataset().assign_attrs(optimizer=type(optimizer).__name__)


def _require_known(settings: Mapping[str, Any]) -> None:
    """Refuse a keyword that is none, and name the one that may have been meant."""
    for name, meant in MEANT.items():
        if name in settings:
            raise InvalidValueError(
                f"{name} is {shown(settings[name])}, but probe has no argument of that name; give "
                f"{meant}"
            )
    keywords = [
        parameter.name
        for parameter in signature(probe).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    every = [*keywords, *(each.name for each in fields(ProbeSettings)), *RENAMED]
    arguments.known("argument of probe", settings, every)


def _landmarks(model: nn.Module, towards: Any, trajectory: Sequence[Any]) -> Landmarks:
    """Other points, as a caller gives them."""
    named = isinstance(towards, Mapping) and not any(
        isinstance(each, Tensor) for each in towards.values()
    )
    ends = towards if named else {} if towards is None else {"the other model": towards}
    path = [
        as_state(model, each, f"model {i} of the trajectory") for i, each in enumerate(trajectory)
    ]
    return Landmarks(
        {name: as_state(model, each, str(name)) for name, each in ends.items()},
        [
            each if isinstance(trajectory[i], State) else replace(each, iteration=i)
            for i, each in enumerate(path)
        ],
    )
