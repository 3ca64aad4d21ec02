"""From logits and targets to per-sample loss and margin, and from those to every metric.

Two numbers per sample, its cross-entropy and its margin, give every metric of [Hackel2023]
(Figs. 6 and 7, Eqs. 2, 24 and 30). The functions of the first part take torch logits; those of
the second are elementwise and take any array (numpy, torch, dask) through the array API, so that
the same code measures stored and fresh samples.

Edge cases:

* **Tie.** A label whose probability equals the largest other one has margin 0 and counts as
  *not* classified correctly: accuracy is the share of samples with margin > 0.
* **Single class.** Without another class the largest other probability is 0: margin 1, loss 0.
* **A logit of −inf** is a class of probability 0. If it is the label's, the loss is +inf and the
  margin is −(largest probability).
* **A logit of NaN or +inf**, or only logits of −inf: the softmax is undefined. Loss and margin
  are NaN, and so is every metric of a set with this sample. Nothing is replaced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SampleLoss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""A loss: (outputs (N, …), targets (N, …)) -> values, one per sample or unit: their mean counts."""


# Per sample, from logits


def cross_entropy(logits: "Tensor", targets: "Tensor", ignore_index: int = -100) -> "Tensor":
    """Cross-entropy of each sample, −log softmax(logits)[target] (Eq. 2 of [Hackel2023]).

    Differentiable. Half precisions are widened to float32 first.

    Args:
        logits: (N, C, …), of any float dtype.
        targets: class labels, (N, …), int64; or probabilities of the classes, (N, C, …).
        ignore_index: the label whose cross-entropy is 0.

    Returns:
        (N, …), in nats; float32 or, for float64 logits, float64.
    """
    from torch.nn import functional as F

    wide = _widened(logits)
    if targets.is_floating_point():
        targets = targets.to(wide.dtype)
    return F.cross_entropy(wide, targets, reduction="none", ignore_index=ignore_index)


def margin(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Margin of each sample: its label's probability minus the largest other one.

    This is δ in Eq. 30 of [Hackel2023]. Its sign is exactly that of the difference of the logits:
    no rounding in the softmax makes or breaks a tie.

    Args:
        logits: (N, C, …), of any float dtype.
        targets: class labels, (N, …), int64.

    Returns:
        (N, …), in [−1, 1], dtype as in :func:`cross_entropy`.
    """
    logits = _widened(logits)
    label = targets.unsqueeze(1)
    own = logits.gather(1, label).squeeze(1)
    other = logits.scatter(1, label, -float("inf")).amax(1)
    difference = own - other
    largest = logits.log_softmax(1).amax(1).exp()
    # p_label − p_other = ± p_largest · (1 − e^−|z_label − z_other|)
    return difference.sign() * largest * -(-difference.abs()).expm1()


def _widened(logits: "Tensor") -> "Tensor":
    import torch

    return logits.to(torch.promote_types(logits.dtype, torch.float32))


# Elementwise, from per-sample loss and margin, on any array


def correct(margin: Any) -> Any:
    """Whether each sample is classified correctly.

    Args:
        margin: margins, of any shape and float dtype.

    Returns:
        1 where the margin is above 0, else 0 (also for a tie); NaN stays NaN. Shape and dtype of
        ``margin``.
    """
    xp = array_namespace(margin)
    return xp.where(xp.isnan(margin), margin, xp.astype(margin > 0, margin.dtype))


def smooth_correct(margin: Any, slope_factor: float = 1.0) -> Any:
    """Smooth accuracy of each sample, σ(slope factor · margin) with σ(x) = 1 / (1 + e^−x).

    This is Algorithm 5 and Eq. 30 of [Hackel2023], which prints σ(x) = 1 / (1 − e^−x), a slip of
    the sign.

    Args:
        margin: margins, of any shape and float dtype.
        slope_factor: how steep σ is; the larger, the closer to :func:`correct` (a tie stays 1/2).

    Returns:
        Values in [0, 1], of the shape and dtype of ``margin``; NaN stays NaN.
    """
    # σ(x) = (1 + tanh(x/2)) / 2, which neither overflows nor loses digits
    xp = array_namespace(margin)
    return (1 + xp.tanh(margin * (slope_factor / 2))) / 2


def zero_one_loss(margin: Any) -> Any:
    """0-1 loss of each sample, 1 − :func:`correct` (Fig. 7 of [Hackel2023]).

    Args:
        margin: margins, of any shape and float dtype.

    Returns:
        0 where the margin is above 0, else 1; NaN stays NaN. Shape and dtype of ``margin``.
    """
    return 1 - correct(margin)


def sigmoidal_loss(margin: Any, slope_factor: float = 10.0) -> Any:
    """Sigmoidal loss of each sample, σ(−slope factor · margin) = 1 − smooth accuracy.

    Fig. 7 of [Hackel2023] shows it without a formula; this is the 0-1 loss, smoothed as Eq. 30
    smooths accuracy.

    Args:
        margin: margins, of any shape and float dtype.
        slope_factor: how steep σ is.

    Returns:
        Values in [0, 1], of the shape and dtype of ``margin``; NaN stays NaN.
    """
    return 1 - smooth_correct(margin, slope_factor)


def focal_loss(loss: Any, gamma: float = 2.0) -> Any:
    """Focal loss of each sample, (1 − p)^γ · (−log p) (Eq. 24 of [Hackel2023]; [Lin2017]).

    Args:
        loss: cross-entropies −log p, in nats, of any shape and float dtype.
        gamma: γ; 0 gives the cross-entropy.

    Returns:
        Values in nats, of the shape and dtype of ``loss``; 0 at p = 1 and +inf at p = 0.
    """
    xp = array_namespace(loss)
    # 1 − p = −expm1(−loss), which keeps its digits where p is near 1. At p = 1 the product is 0, as
    # its limit is.
    return (-xp.expm1(-loss)) ** gamma * loss


def absolute_error(residual: Any) -> Any:
    """Absolute error of each number, |output − target|.

    Args:
        residual: outputs minus targets, of any shape and float dtype.

    Returns:
        Values of the shape and dtype of ``residual``, in the targets' units.
    """
    return abs(residual)


def r_squared(residual: Any, target: Any) -> Any:
    """Share of the variance of the targets that is explained, 1 − r² / Var(target).

    The mean over samples is R² = 1 − Σ r² / Σ (target − mean)²; over several outputs, the plain
    mean of the R² of each.

    Args:
        residual: outputs minus targets, (N, outputs), of any float dtype.
        target: the targets, of the same shape; their mean and variance are over the samples.

    Returns:
        Values of the shape and dtype of ``residual``; not finite where all targets are equal.
    """
    xp = array_namespace(residual)
    deviation = target - xp.mean(target, axis=0, keepdims=True)
    return 1 - residual**2 / xp.mean(deviation**2, axis=0, keepdims=True)


# Metrics of a set, as a probe stores them


@dataclass(frozen=True)
class Metric:
    """A metric of a set: the mean of one value per sample, pixel, token or other unit.

    Attributes:
        values: array -> one value per unit, elementwise; where ``sloped``,
            (array, slope factor) -> values; where ``of_targets``, (array (N, units a sample),
            targets likewise) -> values; where ``of`` is "outputs", (outputs, targets), torch
            tensors (N, …), -> one value per unit or per sample.
        of: which array ``values`` takes: the per-unit "loss", "margin" or "residual"; or "outputs",
            for a metric of one's own.
        long_name: its name on axes.
        units: its units on axes: "nat", or "1" for a pure number.
        mode: which values are better: "min" or "max"; "" where unknown.
        sloped: whether it has a slope factor, and so the dimension ``slope_factor`` in a slice.
        of_targets: whether ``values`` needs the targets of the set, too.
    """

    values: Callable[..., Any]
    of: str
    long_name: str
    units: str
    mode: str
    sloped: bool = False
    of_targets: bool = False


def own_metric(
    function: Callable[["Tensor", "Tensor"], "Tensor"],
    mode: str = "",
    long_name: str | None = None,
    units: str = "1",
) -> Metric:
    """Make a metric of a function of outputs and targets.

    >>> from landscape.metrics import own_metric
    >>> def top_2(outputs, targets):
    ...     return (outputs.topk(2).indices == targets[:, None]).any(1).float()
    >>> own_metric(top_2, mode="max").long_name
    'top 2'

    Args:
        function: (outputs (N, …), targets (N, …)) -> one value per sample, (N,), or one for each
            target, in the targets' shape.
        mode: which values are better: "min" or "max"; without, figures that need to know ask.
        long_name: its name on axes; the function's name unless given.
        units: its units on axes.

    Returns:
        The metric.
    """
    name = getattr(function, "__name__", type(function).__name__)
    return Metric(function, "outputs", long_name or name.replace("_", " "), units, mode)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "loss": Metric(lambda loss: loss, "loss", "loss", "nat", "min"),
        "accuracy": Metric(correct, "margin", "accuracy", "1", "max"),
        "smooth_accuracy": Metric(
            smooth_correct, "margin", "smooth accuracy", "1", "max", sloped=True
        ),
        "focal_loss": Metric(focal_loss, "loss", "focal loss", "nat", "min"),
        "sigmoidal_loss": Metric(sigmoidal_loss, "margin", "sigmoidal loss", "1", "min"),
        "zero_one_loss": Metric(zero_one_loss, "margin", "0-1 loss", "1", "min"),
        "mean_absolute_error": Metric(
            absolute_error, "residual", "mean absolute error", "1", "min"
        ),
        "r_squared": Metric(r_squared, "residual", "R²", "1", "max", of_targets=True),
    }
)
