"""The torch Optimizer under the line searches: one step, from closure to parameters."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, ParamsT

from landscape.errors import InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy
from landscape.optimizers.line_search import armijo
from landscape.optimizers.line_search.closures import (
    Closure,
    check_closure,
    check_finite,
    check_unscaled,
)
from landscape.optimizers.line_search.distributed import Ranks
from landscape.optimizers.line_search.line import Line
from landscape.optimizers.line_search.passes import Passes, Start
from landscape.optimizers.line_search.settings import (
    DirectionName,
    Preset,
    Slope,
    checked,
    checked_numbers,
)
from landscape.optimizers.line_search.side_effects import (
    Generators,
    norm_layers,
    running_statistics_kept,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

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
            "finite-difference" (one more forward pass); the class's own unless given. Where the
            logits are narrower than float32, ε is lost in them: the robust preset then takes
            "autograd", if the class has it.
        slope_factor: that of smooth accuracy (s of Eq. 30), 1 unless given.
        c, beta, gamma, eps: sufficient-decrease constant, backtracking factor, growth factor,
            and the step size of the finite difference.
        max_trials: trials before a search counts as exhausted.
        max_step_size: a cap, if any.
        search_every: search at every k-th step only and hold the step size in between.
        model: the model that the closure runs, if its modules are fixed: spares the trials a
            hook on every module, which is felt where modules are small.
        direction: "gradient", or "normalised-gradient": the steps go along −∇L / ‖∇L‖, so that
            step sizes are distances, and the slope is per unit of distance.
        process_group: the ranks that step together, all unless given; see ``line_search``.
        preset: "robust", or "thesis" for a search as published: finite-difference slope in the
            precision of the logits, with its cut-off, searched whatever its sign; an exhausted
            search keeps the step size at which it ended. See :func:`armijo.search`.

    Raises :class:`InvalidValueError` for a setting out of range.
    """

    searched: str  # the metric's name in a store; "own" for one that was given
    mode: ClassVar[armijo.Mode]
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
        direction: DirectionName = "gradient",
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        settings = checked(
            type(self).__name__,
            self.slopes,
            self.sloped,
            {
                "lr": lr,
                "n": self.n if n is None else n,
                "c": c,
                "beta": beta,
                "gamma": gamma,
                "eps": eps,
                "max_trials": max_trials,
                "max_step_size": max_step_size,
                "search_every": search_every,
                "slope_factor": slope_factor,
                "slope": slope,
                "preset": preset,
                "direction": direction,
            },
        )
        self._loss = loss
        self._h = metric or self._own_metric()
        if self._h != self._own_metric():
            self.searched = "own"
        self._norm_layers = None if model is None else norm_layers(model)
        self.last_search: armijo.Search | None = None
        self._ranks = Ranks(process_group)
        self._memory: dict[Tensor, Tensor] = {}
        super().__init__(params, settings)
        # Before the first search no step size is known to be good: whatever it finds is believed.
        self.param_groups[0].update(dict.fromkeys(COUNTS, 0), provisional=True)

    def _own_metric(self) -> SampleLoss:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        own = ("_loss", "_h", "searched", "_norm_layers", "_ranks", "last_search")
        state = super().__getstate__() | {name: getattr(self, name) for name in own}
        return state | {"_memory": {}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the state of an optimizer of the same kind, to the same bits."""
        state_dict = _renamed(state_dict)
        for group in state_dict["param_groups"]:
            missing = [name for name in self.defaults if name not in group]
            if missing or group["kind"] != self.defaults["kind"]:
                kind = group.get("kind", "another optimizer")
                raise InvalidValueError(
                    f"the state is that of {kind}; give one of {self.defaults['kind']}"
                )
        super().load_state_dict(state_dict)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to those that are moved; one search serves all groups."""
        kind = type(self).__name__
        for name in set(param_group) - {"params", "param_names"}:
            instead = (
                f"one search serves all groups, give {name} to {kind} itself"
                if name in self.defaults
                else f"{kind} has no {name}"
            )
            raise InvalidValueError(
                f"a parameter group sets {name} to {param_group[name]!r}; {instead}"
            )
        if self.param_groups:
            param_group |= {name: self.param_groups[0][name] for name in self.defaults}
        super().add_param_group(param_group)

    @property
    def step_size(self) -> float:
        """The one that the next search starts from; the last step's, unless that was doubted."""
        return float(self.param_groups[0]["lr"])

    @property
    def normalised(self) -> bool:
        """Whether steps go along −∇L/‖∇L‖, so that step sizes are distances."""
        return bool(self.param_groups[0]["direction"] == "normalised-gradient")

    @property
    def counts(self) -> dict[str, int]:
        """How many of each of :data:`COUNTS` there were, over the optimizer's whole life."""
        return {name: self.param_groups[0][name] for name in COUNTS}

    @property
    def searches_next(self) -> bool:
        """Whether the next step searches; only then does it call a search closure."""
        group = self.param_groups[0]
        return bool(group["steps"] % group["search_every"] == 0)

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Closure | None = None, search_closure: Closure | None = None
    ) -> Tensor:
        """Take one step along −∇L, searching its size; returns the loss before it, detached.

        ``closure()`` gives logits (N, C) and targets (N,); it is called once with gradients
        enabled, then without. ``p.grad`` is ∇L afterwards, as after a backward pass.
        ``search_closure()`` gives those of another batch, of any size: ∇L is still taken from
        ``closure``, while h is evaluated there alone, at 0 too (Ablation 2).

        Raises :class:`InvalidValueError` for a closure that cannot be searched and values that
        are not finite. The parameters are then bit for bit as before, unless by the closure.
        """
        check_unscaled(self)
        closure = check_closure("closure", closure)
        if search_closure is not None:
            check_closure("search closure", search_closure)
        group = self.param_groups[0]
        checked_numbers({"lr": group["lr"]})  # a scheduler may have written it
        parameters = [p for g in self.param_groups for p in g["params"]]
        passes = Passes(group, self._loss, self._h, "autograd" in self.slopes)
        searching = self.searches_next
        generators = Generators(parameters) if searching else None
        loss, start = passes.gradient(closure, parameters, searching and search_closure is None)
        line = Line(parameters, self._memory, normalised=self.normalised)
        if generators is None:
            loss_, norm = self._read(loss, line.squared_norm())
            check_finite(loss=loss_, **{"gradient's norm": norm})
            line.leave(min(group["lr"], group["max_step_size"] or math.inf))
        else:
            try:
                with generators.kept(), running_statistics_kept(self._norm_layers):
                    where = search_closure or closure
                    found = self._search(passes, where, line, generators, loss, start)
                line.move(found.step_size)
            except BaseException:
                line.move(0.0)
                raise
            self._note(found)
        group["steps"] += 1
        return loss

    def _search(
        self,
        passes: Passes,
        closure: Closure,
        line: Line,
        generators: Generators,
        loss: Tensor,
        start: Start | None,
    ) -> armijo.Search:
        group = self.param_groups[0]
        robust = group["preset"] == "robust"

        def h(step_size: float) -> Tensor:
            line.move(step_size)
            generators.rewind()
            return passes.h(closure, line.parameters)

        if start is None:
            generators.rewind()
            start = passes.start(closure, line.parameters)
        if passes.exact:
            # The rate of h along −d is −∇h · d.
            falls = line.slope(start.gradient)
            second = -falls if self.mode == "max" else falls
        else:
            second = h(group["eps"])
        h_0, slope = self._read_start(line, loss, start.value, second)
        check_finite(metric=h_0)
        if not passes.exact:
            cut_off = -math.inf if robust else armijo.PUBLISHED_CUT_OFF
            slope = armijo.finite_difference(h_0, slope, group["eps"], self.mode, cut_off)
        check_finite(slope=slope)
        found = armijo.search(
            lambda step_size: self._read(h(step_size))[0],
            group["lr"],
            h_0,
            slope,
            # γ^(k/n): the same growth per step, however often there is a search.
            growth=group["gamma"] ** (group["search_every"] / group["n"]),
            max_step_size=group["max_step_size"],
            robust=robust,
            provisional=group["provisional"],
            mode=self.mode,
            c=group["c"],
            beta=group["beta"],
            max_trials=group["max_trials"],
        )
        line.check_gradients()
        return found

    def _note(self, found: armijo.Search) -> None:
        self.last_search = found
        for group in self.param_groups:
            group["lr"] = found.next_step_size
        first = self.param_groups[0]
        first["provisional"] = found.provisional
        first["searches"] += int(found.outcome != "skipped")
        first["skipped"] += int(found.outcome == "skipped")
        first["exhausted"] += int(found.outcome == "exhausted")
        first["doubted"] += int(found.provisional)
        first["trials"] += len(found.trials)
        first["rejected"] += found.rejected

    def _read_start(self, line: Line, loss: Tensor, *others: Tensor) -> list[float]:
        """The others as numbers, if the loss and what the direction is made with are finite."""
        norm = () if line.gradient_norm is None else (line.gradient_norm,)
        number, *numbers = self._read(loss, *others, *norm)
        check_finite(loss=number)
        if norm:
            check_finite(**{"gradient's norm": numbers.pop()})
        return numbers

    def _read(self, *scalars: Tensor) -> list[float]:
        """Numbers for the host, which waits for them here and nowhere else.

        Whatever decides about a step goes through here, so that all ranks decide alike.
        """
        return self._ranks.means(scalars)


def _renamed(state_dict: dict[str, Any]) -> dict[str, Any]:
    """A state whose flag may still have the name that older checkpoints know it by."""
    groups = [
        {("provisional" if name == "doubtful" else name): value for name, value in group.items()}
        for group in state_dict["param_groups"]
    ]
    return state_dict | {"param_groups": groups}
