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
"""A loss: (logits (N, C), targets (N,)) -> one value per sample, (N,)."""


# Per sample, from logits


def cross_entropy(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Cross-entropy of each sample, −log softmax(logits)[target] (Eq. 2 of [Hackel2023]).

    Differentiable. Half precisions are widened to float32 first.

    Args:
        logits: (N, C), of any float dtype.
        targets: class labels, (N,), int64.

    Returns:
        (N,), in nats; float32 or, for float64 logits, float64.
    """
    from torch.nn import functional as F

    return F.cross_entropy(_widened(logits), targets, reduction="none")


def margin(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Margin of each sample: its label's probability minus the largest other one.

    This is δ in Eq. 30 of [Hackel2023]. Its sign is exactly that of the difference of the logits:
    no rounding in the softmax makes or breaks a tie.

    Args:
        logits: (N, C), of any float dtype.
        targets: class labels, (N,), int64.

    Returns:
        (N,), in [−1, 1], dtype as in :func:`cross_entropy`.
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


# Metrics of a set, as a probe stores them


@dataclass(frozen=True)
class Metric:
    """A metric of a set: the mean of one value per sample.

    Attributes:
        values: array -> one value per sample, elementwise; where ``sloped``,
            (array, slope factor) -> values.
        of: which array ``values`` takes: the per-sample "loss" or "margin".
        long_name: its name on axes.
        units: its units on axes: "nat", or "1" for a pure number.
        mode: which values are better: "min" or "max".
        sloped: whether it has a slope factor, and so the dimension ``slope_factor`` in a slice.
    """

    values: Callable[..., Any]
    of: str
    long_name: str
    units: str
    mode: str
    sloped: bool = False


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
    }
)
