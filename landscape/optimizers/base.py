"""The torch Optimizer under the line searches: one step, from closure to parameters."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, ParamsT

from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy
from landscape.optimizers import armijo
from landscape.optimizers.evaluations import (
    Generators,
    Line,
    check_finite,
    check_graph,
    checked,
    mean,
    norm_layers,
    running_statistics_kept,
)

Closure = Callable[[], tuple[Tensor, Tensor]]
Preset = Literal["robust", "thesis"]
Slope = Literal["autograd", "finite-difference"]

# What is counted, in the first parameter group. ``searches`` ran; ``skipped`` did not, for want
# of a positive slope; ``exhausted`` are the searches that accepted no trial, ``doubted`` those
# whose step size was not gone on with.
COUNTS = (
    "steps",
    "searches",
    "skipped",
    "exhausted",
    "doubted",
    "trials",
    "rejected",
    "forward_passes",
    "backward_passes",
)


class LineSearch(Optimizer):
    """SGD with an Armijo line search; the subclasses in ``line_search`` say on what.

    Args:
        params: parameters or parameter groups. All groups share the settings and the step size.
        lr: the step size that the first search starts from.
        n: number of steps in which the step size may grow by ``gamma``: it grows by
            gamma^(k/n) before each search, k being ``search_every``. 500 unless given;
            ``SGDArmijo`` has to be told the steps per epoch.
        loss: a function of (logits, targets); one value per sample, or their mean.
        metric: what is searched in place of the class's own; a function as ``loss``, of which
            lower or higher values are better as of the class's own.
        slope: "autograd" (exact: ‖∇L‖² for the loss itself, else one more backward pass) or
            "finite-difference" (one more forward pass); the class's own unless given.
        slope_factor: that of smooth accuracy (s of Eq. 30), 1 unless given.
        c, beta, gamma, eps: sufficient-decrease constant, backtracking factor, growth factor,
            and the step size of the finite difference.
        max_trials: trials before a search counts as exhausted.
        max_step_size: a cap, if any.
        search_every: search at every k-th step only and hold the step size in between.
        model: the model that the closure runs, if its modules are fixed: spares the trials a
            hook on every module, which is felt where modules are small.
        preset: "robust", or "thesis" for a search as published: finite-difference slope in the
            precision of the logits, with its cut-off, searched whatever its sign; an exhausted
            search keeps the step size at which it ended. See :func:`armijo.search`.

    Raises :class:`InvalidValueError` for a setting out of range.
    """

    better: ClassVar[armijo.Better]
    slopes: ClassVar[tuple[Slope, ...]]  # those it has; the default first
    sloped: ClassVar[bool] = False  # whether it has a slope factor
    n: ClassVar[float | None] = 500  # by default; None has to be given

    # So that GradScaler hands over to step(), which refuses it.
    _step_supports_amp_scaling = True

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        *,
        n: float | None = None,
        loss: SampleLoss = cross_entropy,
        metric: SampleLoss | None = None,
        slope: Slope | None = None,
        slope_factor: float | None = None,
        c: float = 0.1,
        beta: float = 0.9,
        gamma: float = 2.0,
        eps: float = 1e-4,
        max_trials: int = 100,
        max_step_size: float | None = None,
        search_every: int = 1,
        model: nn.Module | None = None,
        preset: Preset = "robust",
    ) -> None:
        name = type(self).__name__
        armijo.check_choice("preset", preset, ("robust", "thesis"))
        if slope is None:
            published = preset == "thesis" and "finite-difference" in self.slopes
            slope = "finite-difference" if published else self.slopes[0]
        armijo.check_choice(f"slope of {name}", slope, self.slopes)
        if slope_factor is not None and not self.sloped:
            raise InvalidValueError(
                f"slope_factor is {slope_factor!r}; {name} has none, SmoothAccuracySLS has"
            )
        if n is None and self.n is None:
            raise InvalidValueError(f"n is None; give {name} the number of steps per epoch")
        settings = {
            "lr": lr,
            "n": self.n if n is None else n,
            "c": c,
            "beta": beta,
            "gamma": gamma,
            "eps": eps,
            "max_trials": max_trials,
            "max_step_size": max_step_size,
            "search_every": search_every,
            "slope_factor": 1.0 if slope_factor is None else slope_factor,
        }
        armijo.check_numbers(settings)
        self._loss = loss
        self._h = metric or self._own_metric()
        self._norm_layers = None if model is None else norm_layers(model)
        self.last_search: armijo.Search | None = None
        super().__init__(params, settings | {"slope": slope, "preset": preset})
        # Before the first search no step size is known to be good: whatever it finds is believed.
        self.param_groups[0].update(dict.fromkeys(COUNTS, 0), doubtful=True)

    def _own_metric(self) -> SampleLoss:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        own = ("_loss", "_h", "_norm_layers", "last_search")
        return super().__getstate__() | {name: getattr(self, name) for name in own}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to those that are moved; one search serves all groups."""
        for name in self.defaults:
            if name in param_group:
                raise InvalidValueError(
                    f"a parameter group sets {name} to {param_group[name]!r}; one search serves "
                    f"all groups, give {name} to {type(self).__name__} itself"
                )
        if self.param_groups:
            param_group |= {name: self.param_groups[0][name] for name in self.defaults}
        super().add_param_group(param_group)

    @property
    def step_size(self) -> float:
        """The one that the next search starts from; the last step's, unless that was doubted."""
        return float(self.param_groups[0]["lr"])

    @property
    def counts(self) -> dict[str, int]:
        """How many of each of :data:`COUNTS` there were, over the optimizer's whole life."""
        return {name: self.param_groups[0][name] for name in COUNTS}

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor:  # type: ignore[override]
        """Take one step along −∇L, searching its size; returns the loss before it, detached.

        ``closure()`` gives logits (N, C) and targets (N,); it is called once with gradients
        enabled, then without. ``p.grad`` is ∇L afterwards, as after a backward pass.

        Raises :class:`InvalidValueError` for a closure that cannot be searched and for values
        that are not finite. The parameters are then bit for bit as they were, unless the closure
        itself moved them.
        """
        closure = self._admitted(closure)
        group = self.param_groups[0]
        parameters = [p for g in self.param_groups for p in g["params"]]
        searching = group["steps"] % group["search_every"] == 0
        generators = Generators(parameters) if searching else None
        loss, value, slope = self._gradient(closure, parameters, searching)
        line = Line(parameters)
        if generators is None:
            check_finite(loss=self._read(loss)[0])
            line.leave(group["lr"])
        else:
            try:
                with generators.kept(), running_statistics_kept(self._norm_layers):
                    found = self._search(closure, line, generators, loss, value, slope)
                line.move(found.step_size)
            except BaseException:
                line.move(0.0)
                raise
            self._note(found)
        group["steps"] += 1
        return loss

    def _gradient(
        self, closure: Closure, parameters: Sequence[Tensor], searching: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Fill ``p.grad``; returns the loss, h(0) and, where autograd is to give it, the slope."""
        exact = searching and self.param_groups[0]["slope"] == "autograd"
        trained = [p for p in parameters if p.requires_grad]
        of_h = None  # ∇h, where it is not ∇L
        for p in parameters:
            p.grad = None
        with torch.enable_grad():
            logits, targets = self._forward(closure, parameters)
            check_graph(logits, parameters)
            losses = self._loss(logits, targets)
            loss = value = mean(losses.detach(), targets)
            if searching and self._h is self._loss:
                value = self._mean(losses.detach(), targets)
            elif searching:
                values = self._h(logits if exact else logits.detach(), targets)
                value = self._mean(values, targets)
                if exact:
                    of_h = torch.autograd.grad(
                        value, trained, retain_graph=True, materialize_grads=True
                    )
                    self._count("backward_passes")
            # ∇ of the mean; its weights are handed in, which saves the graph two nodes.
            losses.backward(torch.full_like(losses, 1 / losses.numel()))  # type: ignore[no-untyped-call]
            self._count("backward_passes")
        slope = None
        gradients = [p.grad for p in trained if p.grad is not None]
        if not gradients:
            raise InvalidValueError(
                "none of the optimizer's parameters has a gradient; give it parameters that the "
                "closure's model uses and that require one"
            )
        if of_h is not None:
            # The rate of h along −∇L is −∇h · ∇L; where lower is better, its negative.
            used = [g for p, g in zip(trained, of_h, strict=True) if p.grad is not None]
            products = torch._foreach_mul(used, gradients)
            slope = torch.stack([product.sum().to(value.device) for product in products]).sum()
            slope = -slope if self.better == "higher" else slope
        elif exact:
            # For h = L it is ‖∇L‖².
            norms = torch._foreach_norm(gradients)
            slope = torch.stack([norm.to(value.device) for norm in norms]).square().sum()
        return loss.detach(), value.detach(), slope

    def _search(
        self,
        closure: Closure,
        line: Line,
        generators: Generators,
        loss: Tensor,
        value: Tensor,
        slope: Tensor | None,
    ) -> armijo.Search:
        group = self.param_groups[0]
        robust = group["preset"] == "robust"

        def h(step_size: float) -> Tensor:
            line.move(step_size)
            generators.rewind()
            logits, targets = self._forward(closure, line.parameters)
            return self._mean(self._h(logits, targets), targets)

        second = h(group["eps"]) if slope is None else slope
        loss_, h_0, second_ = self._read(loss, value, second)
        check_finite(loss=loss_, metric=h_0)
        if slope is None:
            cut_off = -math.inf if robust else armijo.PUBLISHED_CUT_OFF
            second_ = armijo.finite_difference(h_0, second_, group["eps"], self.better, cut_off)
        check_finite(slope=second_)
        return armijo.search(
            lambda step_size: self._read(h(step_size))[0],
            group["lr"],
            h_0,
            second_,
            # γ^(k/n): the same growth per step, however often there is a search.
            growth=group["gamma"] ** (group["search_every"] / group["n"]),
            max_step_size=group["max_step_size"],
            robust=robust,
            doubtful=group["doubtful"],
            better=self.better,
            c=group["c"],
            beta=group["beta"],
            max_trials=group["max_trials"],
        )

    def _note(self, found: armijo.Search) -> None:
        self.last_search = found
        for group in self.param_groups:
            group["lr"] = found.kept
        self.param_groups[0]["doubtful"] = found.doubted
        self._count("searches", found.outcome != "skipped")
        self._count("skipped", found.outcome == "skipped")
        self._count("exhausted", found.outcome == "exhausted")
        self._count("doubted", found.doubted)
        self._count("trials", len(found.trials))
        self._count("rejected", found.rejected)

    def _count(self, name: str, by: int = 1) -> None:
        self.param_groups[0][name] += int(by)

    def _forward(self, closure: Closure, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """One evaluation of the closure, checked; logits in at least float32."""
        versions = [p._version for p in parameters]
        self._count("forward_passes")
        logits, targets = checked(closure())
        if [p._version for p in parameters] != versions:
            raise InvalidValueError(
                "the parameters moved while the closure ran; it must evaluate the model and "
                "leave every step to the optimizer"
            )
        return logits.to(torch.promote_types(logits.dtype, torch.float32)), targets

    def _mean(self, values: Tensor, targets: Tensor) -> Tensor:
        """The mean that is searched: in float64, so that small differences survive it."""
        narrow = self.param_groups[0]["preset"] == "thesis" or values.device.type == "mps"
        return mean(values, targets, None if narrow else torch.float64)

    def _read(self, *scalars: Tensor) -> list[float]:
        """Numbers for the host, which waits for them here and nowhere else.

        Whatever decides about a step goes through here, so here ranks can come to agree on it.
        """
        return torch.stack([scalar.to(scalars[0].device) for scalar in scalars]).tolist()

    def _admitted(self, closure: Closure | None) -> Closure:
        # GradScaler leaves these two on the optimizer for the time of the step.
        scales = [self.__dict__.pop(name, None) for name in ("found_inf", "grad_scale")]
        if any(scale is not None for scale in scales):
            raise InvalidValueError(
                f"a GradScaler calls {type(self).__name__}.step(), whose trials it cannot scale; "
                "call step(closure) without it, e.g. with bfloat16 autocast"
            )
        if not callable(closure):
            raise InvalidValueError(
                f"the closure is {closure!r}; give step() a function that runs the model and "
                "returns (logits, targets)"
            )
        return closure
