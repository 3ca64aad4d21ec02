"""From logits and targets to per-sample loss and margin, and from those to every metric.

Two numbers a sample, its cross-entropy and its margin, give every metric of the thesis
(Figs. 6 and 7, Eqs. 2, 24, 30). The functions of the first part take torch logits; those of
the second are elementwise and take any array (numpy, torch, dask) through the array API, so
that a stored sample and a fresh one are measured by the same line.

What is defined:

* **Tie.** A label whose probability equals the largest other one has margin 0 and counts as
  *not* classified correctly: accuracy is the share of samples with margin > 0.
* **Single class.** Without another class the largest other probability is 0: margin 1, loss 0.
* **A logit of −inf** is a class of probability 0: loss +inf and margin −(largest probability)
  where it is the label.
* **A logit of NaN or +inf**, or all of −inf, has no softmax: loss and margin are NaN, and so
  is every metric of a set with such a sample. Nothing is replaced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace

if TYPE_CHECKING:
    from torch import Tensor

SampleLoss = Callable[["Tensor", "Tensor"], "Tensor"]
"""A loss: logits (N, C) and targets (N,) to one value a sample, (N,)."""


# Per sample, from logits


def cross_entropy(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Cross-entropy of each sample, −log softmax(logits)[target] (Eq. 2), in nats.

    ``logits`` (N, C) of any float dtype, ``targets`` (N,) int64; returns (N,), in float32
    or, for float64 logits, float64. Differentiable. Half precisions are widened first.
    """
    from torch.nn import functional as F

    return F.cross_entropy(_widened(logits), targets, reduction="none")


def margin(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """p_label − max other p of each sample (δ of Eq. 30), in [−1, 1].

    ``logits`` (N, C), ``targets`` (N,) int64; returns (N,), dtype as :func:`cross_entropy`.
    Its sign is that of the logits' difference exactly: no rounding in the softmax makes or
    breaks a tie.
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
    """1 where the label has the highest probability, else 0 (a tie is 0); NaN stays NaN."""
    xp = array_namespace(margin)
    return xp.where(xp.isnan(margin), margin, xp.astype(margin > 0, margin.dtype))


def smooth_correct(margin: Any, slope_factor: float = 1.0) -> Any:
    """σ(slope factor · margin), Algorithm 5 and Eq. 30 with σ(x) = 1 / (1 + e^−x).

    (The thesis prints 1 / (1 − e^−x), a slip of the sign.) Written with tanh, which neither
    overflows nor loses digits: σ(x) = (1 + tanh(x/2)) / 2.
    """
    xp = array_namespace(margin)
    return (1 + xp.tanh(margin * (slope_factor / 2))) / 2


def zero_one_loss(margin: Any) -> Any:
    """0-1 loss, 1 − :func:`correct` (Fig. 7)."""
    return 1 - correct(margin)


def sigmoidal_loss(margin: Any, slope_factor: float = 10.0) -> Any:
    """Sigmoidal loss, σ(−slope factor · margin) = 1 − smooth accuracy (Fig. 7).

    The figure gives no formula; this is the 0-1 loss smoothed as Eq. 30 smooths accuracy.
    """
    return 1 - smooth_correct(margin, slope_factor)


def focal_loss(loss: Any, gamma: float = 2.0) -> Any:
    """Focal loss (1 − p)^γ · (−log p) from the cross-entropy −log p (Eq. 24).

    1 − p is computed as −expm1(−loss), which keeps its digits where p is near 1.
    """
    xp = array_namespace(loss)
    # lim p→1 is 0, and so is the product there; p = 0 gives +inf.
    return (-xp.expm1(-loss)) ** gamma * loss


# Metrics of a set: what a probe stores


@dataclass(frozen=True)
class Metric:
    """A named mean over samples.

    ``values(array)`` gives one value a sample from the per-sample ``loss`` or ``margin``, as
    ``of`` says; where ``sloped``, it takes a slope factor too and the metric gains the
    dimension ``slope_factor``. ``long_name`` and ``units`` label axes; ``mode`` is "min" or
    "max".
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
