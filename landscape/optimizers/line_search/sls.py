"""Line-search optimizers: SGD whose step size is searched on each batch.

The four are those of [Hackel2023], as are the numbers of algorithms, equations and ablations here.
All step along −∇L of the loss; they differ in what is searched along it: loss, accuracy or smooth
accuracy. In ``optimizer.step(closure)`` the closure runs the model on the batch and returns
``(logits, targets)``, (N, C) and (N,), without a backward pass; it is called once for the gradient
and once for every further point that is evaluated.

>>> optimizer = landscape.optimizers.SmoothAccuracySLS(model.parameters())
>>> loss = optimizer.step(lambda: (model(images[:64]), labels[:64]))
>>> optimizer.last_search.outcome
'accepted'

**The step size** is ``lr`` of the parameter groups, the same in all of them: loggers read it
there, and what a scheduler writes to the first group is where the next search starts from.

**Another batch to search on** (Ablation 2) is given by a second function, ``step(closure,
search_closure)``, which returns the logits and targets of that batch; ``optimizer.searches_next``
says whether the step will call it. The published big batch, 1024 samples at every 100th step, was
searched without growth: ``search_every=100, gamma=1``.

**Passes.** h(0) is taken from the forward pass of the gradient, or costs one on a search batch;
h(ε) costs one per step, where the slope is a finite difference. The host waits for the device once
before the first trial and once per trial. The first search makes two forward passes more, which are
not counted: one is watched for what it moves, and one has to give the logits of h(0) again. So does
the first search after modules changed between training and evaluation mode.

**Side effects** are those of one forward and one backward pass. Every evaluation of a step starts
from the same state, and the step ends with that which its first evaluation left: the random
generators of the CPU and of the parameters' devices (one dropout mask for all), those of Python and
numpy if they are drawn from, and every buffer that an evaluation moves, running statistics and
others. The buffers are those of the modules that the watched evaluation called and of all modules
in them, scripted and compiled ones too, and of ``model``. A closure whose evaluations do not repeat
is refused: one that takes another batch each time, or a model that works in place on its input or
keeps a state elsewhere.

**Ranks.** Where torch.distributed runs with more than one rank, the loss, h and the slope are
averaged over the ranks of ``process_group`` before any decision, so that all ranks try and take
the same step sizes, and refuse the same steps. This is the default, since ranks that decide on
their own drift apart unnoticed. All ranks have the same weight, as in DistributedDataParallel,
whose gradient is the mean over the ranks: the function searched is the one with that gradient,
which is the mean over the joint batch where all ranks' batches have the same size. ``step()``
returns the rank's own loss. The model is expected to average the gradients. A rank that trains a
model of its own takes a group of its own,
``process_group=torch.distributed.new_subgroups(1)[0]``. An exception on one rank leaves the others
waiting, as it does in a forward or backward pass.
"""

from typing import ClassVar

from torch import Tensor

from landscape.metrics import SampleLoss, correct, margin
from landscape.optimizers.line_search.base import COUNTS, LineSearch
from landscape.optimizers.line_search.settings import Slope

__all__ = ["COUNTS", "AccuracySLS", "LineSearch", "LossSLS", "SGDArmijo", "SmoothAccuracySLS"]


class LossSLS(LineSearch):
    """l-SLS: searched on the loss (Algorithm 3, Eqs. 26 and 29 of [Hackel2023]).

    The slope is ‖∇L‖² by autograd or, as published, a finite difference.
    """

    searched = "loss"
    mode = "min"
    slopes: ClassVar[tuple[Slope, ...]] = ("autograd", "finite-difference")

    def _own_metric(self) -> SampleLoss:
        return self._loss


class SGDArmijo(LossSLS):
    """SGD with Armijo line search on the loss (Algorithm 1, Eq. 23 of [Hackel2023]).

    The slope is ‖∇L‖² by autograd.
    """

    slopes = ("autograd",)
    n = None


class AccuracySLS(LineSearch):
    """a-SLS: searched on the accuracy (Eqs. 27 and 29 of [Hackel2023]).

    The accuracy changes in steps of 1/N. Within ε it changes by whole samples or, on most batches,
    not at all: the slope is then 0, and otherwise so steep that only step sizes up to about ε/c
    pass. The step size diminishes, as published. The robust preset merely spares the searches
    where the slope is 0.
    """

    searched = "accuracy"
    mode = "max"
    slopes = ("finite-difference",)

    def _own_metric(self) -> SampleLoss:
        return _accuracy


class SmoothAccuracySLS(LineSearch):
    """sa-SLS: searched on the smooth accuracy (Eq. 30 of [Hackel2023]).

    The smooth accuracy is the mean of σ(slope factor · margin).
    """

    searched = "smooth_accuracy"
    mode = "max"
    slopes = ("finite-difference", "autograd")
    sloped = True

    def _own_metric(self) -> SampleLoss:
        return self._smooth_accuracy

    def _smooth_accuracy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Algorithm 5 in the fewest kernels: it takes a good part of a small model's step."""
        # δ = π_label − max π_other with π = softmax(logits); σ(s · δ)
        probability = logits.softmax(1)
        label = targets.unsqueeze(1)
        own = probability.gather(1, label)
        # Autograd needs π unchanged.
        without = probability.scatter if probability.requires_grad else probability.scatter_
        delta = own - without(1, label, 0.0).amax(1, keepdim=True)
        if (slope_factor := self.param_groups[0]["slope_factor"]) != 1:
            delta = delta * slope_factor
        return delta.sigmoid().squeeze(1)


def _accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    values: Tensor = correct(margin(logits, targets))
    return values
