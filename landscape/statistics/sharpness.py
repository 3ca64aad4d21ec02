"""Sharpness: curvature as the step that it allows, and along each batch's own gradient."""

import numpy as np
import xarray as xr

from landscape.errors import InvalidValueError
from landscape.slices.planes import first_line
from landscape.slices.selection import along_gradient, labelled, set_name
from landscape.statistics.critical import critical_step_sizes
from landscape.statistics.curvatures import curvatures
from landscape.statistics.points import gradient_slope


def critical_sharpness(
    dataset: xr.Dataset, metric: str = "loss", mode: str | None = None
) -> xr.Dataset:
    """Compute the critical sharpness of every slice, from how far a step goes.

    With the critical step size s_c (:func:`critical_step_sizes`),

        critical sharpness = 2 / s_c

    Of a quadratic loss it is d · H d / (−∇L · d): along −∇L the curvature per distance², and along
    an optimizer's update the curvature that this update feels.

    The critical step size is a lower bound where the value never gets worse in what was sampled;
    the sharpness is then an upper bound, marked open. Where the first sample above 0 is worse
    already, the critical step size is 0 between samples, and the sharpness infinite and marked
    open too: smaller step sizes would tell.

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[0, 0.1, 1, 10])
    >>> found = landscape.statistics.critical_sharpness(slices).sel(evaluation_set="same_batch")
    >>> bool((found["sharpness"] > 0).all())
    True

    Args:
        dataset: slices, as ``landscape.probe`` and ``landscape.open`` give them; of planes, the
            slices along the first direction through the origin.
        metric: name of the variable.
        mode: "max" if higher values are better, "min" if lower ones are; needed only for metrics
            that ``landscape.metrics`` does not know.

    Returns:
        ``sharpness`` per step size, and ``open``, whether it is an upper bound; with the dimensions
        of the metric without step_size. NaN and open where the value at 0 is not finite.

    Raises:
        InvalidValueError: for an unknown metric or mode, a metric whose mode is not known, and
            where step size 0 was not sampled.
    """
    dataset = first_line(dataset)
    found = critical_step_sizes(dataset, metric, mode)
    step = found["critical"]
    with np.errstate(divide="ignore"):
        sharpness = 2 / step
    return labelled(
        dataset[metric],
        sharpness=(sharpness, "critical sharpness", "1"),
        open=(found["open"] | (step == 0), "whether it is an upper bound", "1"),
    ).assign_attrs(metric=metric)


def relative_critical_sharpness(
    dataset: xr.Dataset,
    of: str = "validation",
    to: str = "same_batch",
    metric: str = "loss",
    mode: str | None = None,
) -> xr.Dataset:
    """Compare the critical sharpness of two evaluation sets along the same direction.

        ratio = critical sharpness of ``of`` / critical sharpness of ``to``

    Above 1, the set ``of`` allows a shorter step than the set ``to``.

    Args:
        dataset: slices, as for :func:`critical_sharpness`.
        of: name of an evaluation set.
        to: name of the evaluation set that it is compared with.
        metric: name of the variable.
        mode: as in :func:`critical_sharpness`.

    Returns:
        ``ratio``, and ``open``, whether one of the two is an upper bound, so that the true ratio
        may lie on either side; with the dimensions of the metric without step_size and
        evaluation_set.

    Raises:
        InvalidValueError: for an unknown metric, mode or evaluation set, a metric whose mode is not
            known, and where step size 0 was not sampled.
    """
    names = [set_name(dataset, name) for name in (of, to)]
    found = critical_sharpness(dataset, metric, mode)
    first, second = (found.sel(evaluation_set=name, drop=True) for name in names)
    with np.errstate(invalid="ignore"):  # ∞ / ∞
        ratio = first["sharpness"] / second["sharpness"]
    return labelled(
        found["sharpness"],
        ratio=(ratio, "relative critical sharpness", "1"),
        open=(first["open"] | second["open"], "whether it may be another", "1"),
    ).assign_attrs(metric=metric, of=of, to=to)


def batch_sharpness(
    dataset: xr.Dataset, evaluation_set: str = "same_batch", reach: float | None = None
) -> xr.Dataset:
    """Average the curvature of each batch along its own gradient over draws [Andreyev2024].

    With the gradient g_b and the Hessian H_b of the loss on batch b,

        batch sharpness = mean over draws b of  g_b · H_b g_b / ‖g_b‖²

    and each term the ``curvature`` of :func:`curvatures` along the batch's gradient. SGD with small
    batches is said to hold it near 2 / learning rate, as gradient descent does the largest
    eigenvalue.

    For an interval over draws, resample the terms:
    ``interval(resample_draws(batch_sharpness(slices)["of_draw"]))``.

    >>> slices = landscape.probe(model, (images, labels), step_sizes=[-0.01, 0, 0.01], draws=3)
    >>> found = landscape.statistics.batch_sharpness(slices)
    >>> found["sharpness"].dims, found["of_draw"].dims
    (('checkpoint',), ('checkpoint', 'draw'))

    Args:
        dataset: slices along the gradient, or another direction parallel to it, that start before
            the step; of planes, the slices along the first direction through the origin.
        evaluation_set: name of the set that the gradient was taken on. With another one the Hessian
            is that set's.
        reach: as in :func:`curvatures`.

    Returns:
        ``sharpness``, the mean over draws, and ``of_draw``, each draw's own, in nats per distance².
        They are NaN where the direction of a draw does not point along −∇L, its gradient is 0, or a
        value is NaN.

    Raises:
        InvalidValueError: for an unknown evaluation set, slices without a loss, without step sizes
            around 0 or without norm and slope of their direction, slices that start after the step,
            and where no direction points along −∇L.
    """
    dataset = first_line(dataset)
    gradient_slope(dataset)  # which says what is wrong with other slices
    own = along_gradient(dataset)
    if not own.any():
        raise InvalidValueError(
            f"the direction {dataset.attrs.get('direction', 'unknown')!r} does not point along the "
            "negative gradient of its batch; batch sharpness needs slices along the gradient"
        )
    found = curvatures(dataset, "loss", reach)["curvature"]
    terms = found.sel(evaluation_set=set_name(dataset, evaluation_set), drop=True)
    terms = terms.where(own & (dataset["gradient_norm"] > 0))
    units = found.attrs["units"]
    return labelled(
        found,
        sharpness=(terms.mean("draw", skipna=False), "batch sharpness", units),
        of_draw=(terms, "curvature of the loss along the batch's own gradient", units),
    ).assign_attrs(metric="loss", evaluation_set=evaluation_set)
