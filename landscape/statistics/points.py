"""Best step sizes, parabolas and Armijo's condition for every slice of a Dataset."""

from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from landscape.errors import InvalidValueError, UnknownNameError
from landscape.slices.selection import applied, labelled, metric_values, mode_of, slope
from landscape.statistics.curves import (
    Parabola,
    armijo_slack,
    best_step,
    difference_parabola,
    fitted_parabola,
    mutschler_parabola,
)

PARABOLAS: Mapping[str, Callable[..., Parabola]] = {
    "difference": difference_parabola,
    "mutschler": mutschler_parabola,
    "least-squares": fitted_parabola,
}


def best_steps(
    dataset: xr.Dataset, metric: str = "accuracy", mode: str | None = None
) -> xr.Dataset:
    """The step size with the best finite value of every slice (:func:`best_step`).

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``best_step_size``, ``best_value``, ``improvement`` over step size 0 (both in units of the
        metric), and ``open``, whether a better value may have been missed; with the dimensions of
        the metric without step_size.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, and
            where step size 0 was not sampled.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    step, value, improvement, open_ = applied(
        dataset, values, lambda y, s: best_step(y, s, mode), [[]] * 4
    )
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        best_step_size=(step, f"step size of the best {of}", "1"),
        best_value=(value, f"best {of}", units),
        improvement=(improvement, f"improvement of the {of}", units),
        open=(open_, "whether a better one may lie unseen", "1"),
    ).assign_attrs(metric=metric)


def gradient_slope(dataset: xr.Dataset) -> xr.DataArray:
    """The derivative at 0 of the loss on the same batch, ∇L · d.

    −‖∇L‖² along the gradient, −‖∇L‖ along the normalised one.

    Args:
        dataset: slices that start before the step, as ``landscape.probe`` and ``landscape.open``
            give them.

    Returns:
        (checkpoint, draw), in nats; below 0 where positive step sizes descend.

    Raises:
        InvalidValueError: for slices that do not start where the gradient was taken, or that have
            no slope.
    """
    if dataset.attrs.get("origin") != "before-step":
        raise InvalidValueError(
            f"the slices have the origin {dataset.attrs.get('origin')!r}; only with "
            "'before-step' is the gradient the one at step size 0"
        )
    return slope(dataset).assign_attrs(long_name="slope of the loss", units="nat")


def parabolas(
    dataset: xr.Dataset,
    metric: str = "loss",
    method: str = "mutschler",
    reach: float | None = None,
    slope: xr.DataArray | None = None,
    mode: str | None = None,
) -> xr.Dataset:
    """Fit a parabola to every slice.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        method: "difference" (:func:`difference_parabola`: slope and curvature at 0), "mutschler"
            (:func:`mutschler_parabola`, Fig. 8 of [Hackel2023]) or "least-squares"
            (:func:`fitted_parabola`).
        reach: step size up to which samples are used; the method's own unless given.
        slope: a known derivative at 0, in units of the metric, as :func:`gradient_slope` for the
            loss on the same batch; only for "mutschler".
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``value``, ``slope`` and ``curvature`` at 0 (in units of the metric), ``optimum``, the step
        size of the minimum (of the maximum where higher is better), and ``optimum_value``, the
        value there; with the dimensions of the metric without step_size. The optimum is NaN where
        the parabola has none.

    Raises:
        InvalidValueError: for an unknown metric, method or mode, a metric whose mode is not known,
            a slope for another method than "mutschler", and where the method lacks step sizes.
        UnknownNameError: for a name that is not known.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    if method not in PARABOLAS:
        raise UnknownNameError("method", method, PARABOLAS)
    options: dict[str, Any] = {} if reach is None else {"reach": reach}
    more = []
    if slope is not None:
        if method != "mutschler":
            raise InvalidValueError(f"a slope was given for {method!r}; only 'mutschler' takes one")
        more = [slope.broadcast_like(values.isel(step_size=0, drop=True))]

    def fit(y: Any, s: Any, *slopes: Any) -> tuple[Any, ...]:
        given = {"slope": slopes[0]} if slopes else {}
        parabola = PARABOLAS[method](y, s, **options, **given)
        return *parabola, *parabola.optimum(mode)

    value, first, second, step, best = applied(dataset, values, fit, [[]] * 5, *more)
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        value=(value, f"{of} at step size 0", units),
        slope=(first, f"slope of the {of}", units),
        curvature=(second, f"curvature of the {of}", units),
        optimum=(step, "step size of the parabola's optimum", "1"),
        optimum_value=(best, f"{of} at the parabola's optimum", units),
    ).assign_attrs(metric=metric, method=method)


def armijo(
    dataset: xr.Dataset,
    metric: str = "loss",
    c: float = 0.1,
    slope: xr.DataArray | None = None,
    mode: str | None = None,
) -> xr.Dataset:
    """Where the sampled step sizes above 0 satisfy Armijo's condition (Eq. 29 of [Hackel2023]).

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        c: sufficient-decrease constant, above 0 and below 1.
        slope: the derivative at 0, in units of the metric, as from :func:`gradient_slope`; by
            default the difference quotient of the nearest samples on both sides. A slope that
            promises no improvement (≥ 0 for a loss) is taken as it is.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``slack`` (:func:`armijo_slack`) in units of the metric, ``satisfied``, which is 1 where the
        slack is at least 0, else 0, and NaN where it is NaN, both at the step sizes above 0, and
        ``slope``.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, a c that
            is not above 0 and below 1, and where step size 0 or, without a slope, a step size on
            either side of it was not sampled.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(dataset, metric, mode)
    if slope is None:
        slope = parabolas(dataset, metric, "difference", mode=mode)["slope"]
    slope = slope.broadcast_like(values.isel(step_size=0, drop=True))
    (slack,) = applied(
        dataset,
        values,
        lambda y, s, m: (armijo_slack(y, s, m, c, mode),),
        [["step_size"]],
        slope,
    )
    slack = slack.isel(step_size=dataset["step_size"].values > 0)
    of, units = values.attrs.get("long_name", metric), values.attrs.get("units", "1")
    return labelled(
        values,
        slack=(slack, f"{of} on the good side of Armijo's line", units),
        satisfied=((slack >= 0).where(slack.notnull()), "whether Armijo's condition holds", "1"),
        slope=(slope, f"slope of the {of}", units),
    ).assign_attrs(metric=metric, c=c)


def known_slope(dataset: xr.Dataset, metric: str, evaluation_set: str) -> xr.DataArray | None:
    """The derivative at 0 where the gradient gives it.

    The gradient is that of the loss on the same batch, at step size 0 of slices that start before
    the step.

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them.
        metric: name of the variable.
        evaluation_set: name of the evaluation set.

    Returns:
        (checkpoint, draw), in nats, or None for another metric, set or origin.

    Raises:
        InvalidValueError: for slices that have no slope.
    """
    kind = str(dataset["kind"].sel(evaluation_set=evaluation_set).item())
    if (metric, kind, dataset.attrs.get("origin")) == ("loss", "same_batch", "before-step"):
        return gradient_slope(dataset)
    return None
