"""Best step sizes, parabolas and Armijo's condition for every slice of a Dataset."""

from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from landscape.errors import InvalidValueError, unknown
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
    """:func:`best_step` of every slice.

    ``best_step_size``, ``best_value``, ``improvement`` over step size 0, and ``open``.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(metric, mode)
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
    """The derivative at 0 of the loss on the same batch, ∇L · d, over checkpoint and draw.

    −‖∇L‖² along the gradient, −‖∇L‖ along the normalised one. Raises
    :class:`InvalidValueError` for slices that do not start where the gradient was taken.
    """
    if dataset.attrs.get("origin") != "before-step":
        raise InvalidValueError(
            f"the slices have the origin {dataset.attrs.get('origin')!r}; only with "
            "'before-step' the gradient is that at step size 0"
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
    """A parabola for every slice: ``value``, ``slope`` and ``curvature`` at 0, and its optimum.

    ``method`` is "difference" (:func:`difference_parabola`: slope and curvature at 0),
    "mutschler" (:func:`mutschler_parabola`, Fig. 8) or "least-squares"
    (:func:`fitted_parabola`); ``reach`` is theirs. ``slope``, only for "mutschler", is a known
    derivative at 0, as :func:`gradient_slope` for the loss on the same batch. ``optimum`` is the
    step size of the minimum (of the maximum where higher is mode) and ``optimum_value`` its
    height; NaN where the parabola has none.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(metric, mode)
    if method not in PARABOLAS:
        raise unknown("method", method, PARABOLAS)
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
    """The sampled step sizes above 0 that satisfy Armijo's condition.

    ``slack`` is :func:`armijo_slack` and ``satisfied`` 1 where it is at least 0, else 0, and NaN
    where it is; ``slope`` is the derivative at 0: the one given, as :func:`gradient_slope`, or by
    default the difference quotient of the nearest samples on both sides. A slope that promises
    nothing (≥ 0 for a loss) is taken as it is.
    """
    values = metric_values(dataset, metric)
    mode = mode_of(metric, mode)
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
    """The derivative at 0 where the gradient gives it, over checkpoint and draw; else None.

    The gradient is that of the loss on the same batch, at the 0 of slices from before the step.
    """
    kind = str(dataset["kind"].sel(evaluation_set=evaluation_set).item())
    if (metric, kind, dataset.attrs.get("origin")) == ("loss", "same_batch", "before-step"):
        return gradient_slope(dataset)
    return None
