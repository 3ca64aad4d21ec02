"""The torch Optimizer that the line searches share: one step, from closure to parameters."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, ParamsT

from landscape.errors import DeterminismError, InvalidValueError
from landscape.metrics import SampleLoss, cross_entropy
from landscape.network import sharing
from landscape.optimizers.line_search import armijo
from landscape.optimizers.line_search.along import Along
from landscape.optimizers.line_search.closures import (
    Closure,
    check_closure,
    check_finite,
    check_unscaled,
)
from landscape.optimizers.line_search.distributed import Ranks
from landscape.optimizers.line_search.line import Line, narrow
from landscape.optimizers.line_search.passes import Passes, Start
from landscape.optimizers.line_search.settings import (
    DirectionName,
    Preset,
    Slope,
    checked,
    checked_numbers,
)
from landscape.optimizers.line_search.side_effects import SideEffects

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

# What the first parameter group counts. ``searches`` ran; ``skipped`` did not, because the slope
# was not positive; ``exhausted`` accepted no trial; after ``doubted`` ones, the next search starts
# from another step size than the one taken.
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


# A finite difference needs the parameters to move by ε · d, up to this part of it.
LOST_OF_EPS = 0.1


class LineSearch(Optimizer):
    """SGD with an Armijo line search; the subclasses in ``line_search`` say on what.

    Args:
        params: parameters or parameter groups. All groups share the settings and the step size.
        lr: the step size that the first search starts from, above 0.
        n: number of steps in which the step size may grow by ``gamma``: it grows by
            gamma^(k/n) before each search, k being ``search_every``. 500 unless given;
            ``SGDArmijo`` has no default and takes the steps per epoch.
        loss: a function of logits (N, C) and targets (N,); one value per sample, or their mean.
        metric: what is searched in place of the class's own; a function as ``loss``, of which
            lower or higher values are better as of the class's own.
        slope: "autograd" (exact: ‖∇L‖² for the loss itself, else one more backward pass) or
            "finite-difference" (one more forward pass); the class's own unless given. Where ε is
            lost, because logits or parameters are narrower than float32, or because none of the
            parameters moves by it, the robust preset takes "autograd", if the class has it.
        slope_factor: that of smooth accuracy (s of Eq. 30 of [Hackel2023]), above 0; 1 unless
            given.
        c: the sufficient-decrease constant, above 0 and below 1.
        beta: the backtracking factor, above 0 and below 1.
        gamma: the growth factor, at least 1.
        eps: ε, the step size of the finite difference, above 0.
        max_trials: how many trials may fail before a search counts as exhausted.
        max_step_size: the largest step size allowed, if any.
        search_every: k, for a search at every k-th step only; the step size is held in between.
        model: the model that the closure runs. Its buffers are watched from the start, so that
            those are found too whose modules run unseen (in a captured graph, say); and parameters
            outside of the optimizer that share memory with its own are refused.
        preset: "robust", or "thesis" for a search as published: a finite-difference slope with
            its cut-off, searched whatever its sign; h, slope and Armijo's line are computed in the
            precision of the logits; an exhausted search keeps the step size at which it ended. See
            :func:`armijo.search`.
        direction: "gradient", or "normalised-gradient": the steps go along −∇L / ‖∇L‖, so that
            step sizes are distances, and the slope is per unit of distance.
        process_group: the ranks that step together, all unless given; see ``line_search.sls``.

    Attributes:
        searched: the name of the metric that is searched; "own" for one that was given.
        last_search: the latest :class:`armijo.Search`; None before the first.

    Raises:
        InvalidValueError: for a setting that is not allowed.
    """

    searched: str  # as stores name it
    mode: ClassVar[armijo.Mode]
    slopes: ClassVar[tuple[Slope, ...]]  # those that it can take, the default first
    sloped: ClassVar[bool] = False  # whether it has a slope factor
    n: ClassVar[float | None] = 500  # the default; None where n has to be given

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
        self._model = model
        self._side_effects = SideEffects(model)
        self._addresses: list[int] = []  # of the parameters, when they were last compared
        self.last_search: armijo.Search | None = None
        self._ranks = Ranks(process_group)
        self._memory: dict[Tensor, Tensor] = {}
        super().__init__(params, settings)
        # Before the first search no step size is known to be good: what it finds is believed.
        self.param_groups[0].update(dict.fromkeys(COUNTS, 0), provisional=True)

    def _own_metric(self) -> SampleLoss:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        own = ("_loss", "_h", "searched", "_model", "_side_effects", "_ranks", "last_search")
        state = super().__getstate__() | {name: getattr(self, name) for name in own}
        return state | {"_memory": {}, "_addresses": []}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the state of an optimizer of the same kind, to the same bits.

        Args:
            state_dict: what ``state_dict()`` of the other one returned.

        Raises:
            InvalidValueError: for the state of another kind of optimizer.
        """
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
        """Add parameters to train; one search serves all groups.

        Args:
            param_group: the parameters as "params", and their names, if any, as "param_names".

        Raises:
            InvalidValueError: for a group that sets anything else.
        """
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
        """The step size that the next search starts from: the last one, unless it was doubted."""
        return float(self.param_groups[0]["lr"])

    @property
    def normalised(self) -> bool:
        """Whether steps go along −∇L / ‖∇L‖, so that step sizes are distances."""
        return bool(self.param_groups[0]["direction"] == "normalised-gradient")

    @property
    def counts(self) -> dict[str, int]:
        """How many of each of :data:`COUNTS` there were since the optimizer's first step."""
        return {name: self.param_groups[0][name] for name in COUNTS}

    @property
    def searches_next(self) -> bool:
        """Whether the next step searches; only then does it call a search closure."""
        group = self.param_groups[0]
        return bool(group["steps"] % group["search_every"] == 0)

    def check_parameters(self) -> None:
        """Refuse parameters that share memory; ``step`` does so too, before the first one.

        Raises:
            InvalidValueError: where two parameters, or one and a parameter of the model that is
                not the optimizer's, overlap in memory, and where one is given twice.
        """
        others = [] if self._model is None else list(self._model.named_parameters())
        names: dict[Tensor, str] = {p: name for name, p in others}
        parameters = self._parameters()
        named = [
            (names.get(p, f"parameter {i} of shape {tuple(p.shape)}"), p)
            for i, p in enumerate(parameters)
        ]
        sharing.check_apart(named, others)
        self._addresses = sharing.addresses(parameters)

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Closure | None = None, search_closure: Closure | None = None
    ) -> Tensor:
        """Take one step along −∇L and search its size.

        ``p.grad`` is ∇L afterwards, as after a backward pass. After an exception the parameters
        are bit for bit as before, unless the closure moved them.

        Args:
            closure: () -> (logits (N, C) of a float dtype, targets (N,) of int64) of the batch,
                without a backward pass; it is called once with gradients enabled, then without. The
                first search, and the first one after modules change between training and
                evaluation mode, calls it twice more (a search closure in its place, if given), to
                see what an evaluation moves and whether it repeats.
            search_closure: () -> those of another batch, of any size, to search on: ∇L is still
                taken from ``closure``, but h is evaluated only there, at 0 too (Ablation 2 of
                [Hackel2023]). Called only if :attr:`searches_next`.

        Returns:
            The loss of ``closure``'s batch before the step, a detached scalar.

        Raises:
            InvalidValueError: for a closure that cannot be searched, for a loss, gradient, metric
                or slope that is not finite, for parameters that share memory, and for an ε that
                parameters of a narrow type cannot hold.
            DeterminismError: where the closure gives other logits at the same point.
        """
        check_unscaled(self)
        closure = check_closure("closure", closure)
        if search_closure is not None:
            check_closure("search closure", search_closure)
        group = self.param_groups[0]
        checked_numbers({"lr": group["lr"]})  # a scheduler may have changed it
        parameters = self._parameters()
        if sharing.addresses(parameters) != self._addresses:
            self.check_parameters()
        passes = Passes(group, self._loss, self._h, "autograd" in self.slopes)
        searching = self.searches_next
        where = search_closure or closure
        state = None
        if searching:
            # A search batch may be too large for a graph.
            watched = partial(passes.watched, where, parameters, gradients=where is closure)
            state = self._side_effects.state(parameters, watched)
        loss, start = passes.gradient(closure, parameters, searching and search_closure is None)
        line = Line(parameters, self._memory, normalised=self.normalised)
        if state is None:
            loss_, norm = self._read(loss, line.squared_norm())
            check_finite(loss=loss_, **{"gradient's norm": norm})
            line.leave(min(group["lr"], group["max_step_size"] or math.inf))
        else:
            try:
                with state.kept():
                    h = Along(where, passes, line, state)
                    start = start or h.start()
                    if self._side_effects.new:
                        self._check_repeats(h)
                        self._side_effects.remember(state)
                    found = self._search(h, loss, start)
                    line.check_gradients()
                line.move(found.step_size)
            except BaseException:
                line.move(0.0)
                raise
            self._note(found)
        group["steps"] += 1
        return loss

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _search(self, h: Along, loss: Tensor, start: Start) -> armijo.Search:
        group = self.param_groups[0]
        single = group["preset"] == "thesis" and start.value.dtype == torch.float32
        rounded = armijo.single if single else float
        h_0, slope = self._start(h, loss, start, rounded)
        check_finite(metric=h_0, slope=slope)
        return armijo.search(
            lambda step_size: self._read(h(step_size))[0],
            group["lr"],
            h_0,
            slope,
            # γ^(k/n): the same growth per step, however often there is a search.
            growth=group["gamma"] ** (group["search_every"] / group["n"]),
            max_step_size=group["max_step_size"],
            robust=group["preset"] == "robust",
            provisional=group["provisional"],
            mode=self.mode,
            c=group["c"],
            beta=group["beta"],
            max_trials=group["max_trials"],
            rounded=rounded,
        )

    def _start(
        self, h: Along, loss: Tensor, start: Start, rounded: armijo.Rounding
    ) -> tuple[float, float]:
        """h(0) and the slope there."""
        group, line = self.param_groups[0], h.line
        if not h.passes.exact:
            h_0, h_eps = self._read_start(line, loss, start.value, h(group["eps"]))
            if not self._loses_eps(h, changed=h_eps != h_0):
                cut_off = -math.inf if group["preset"] == "robust" else armijo.PUBLISHED_CUT_OFF
                return h_0, armijo.finite_difference(
                    *(h_0, h_eps, group["eps"], self.mode, cut_off, rounded)
                )
            h.passes.exact = True
            start = h.start()
        # The rate of h along −d is −∇h · d.
        falls = line.slope(start.gradient)
        slope = -falls if self.mode == "max" else falls
        h_0, exact = self._read_start(line, loss, start.value, slope)
        return h_0, rounded(exact)

    def _loses_eps(self, h: Along, *, changed: bool) -> bool:
        """Whether the slope has to be exact, because the parameters did not move by ε · d."""
        line, eps = h.line, self.param_groups[0]["eps"]
        if changed and not line.narrow:
            return False
        arrived = self._read(line.arrived())[0]
        if abs(arrived - 1) <= LOST_OF_EPS or not (line.narrow or h.passes.may_be_exact):
            return False
        if h.passes.may_be_exact:
            return True
        types = sorted({str(p.dtype) for p in line.parameters if narrow(p.dtype)})
        raise InvalidValueError(
            f"eps is {eps!r}, of which parameters of {', '.join(types)} take {arrived:.0%}, so "
            "that the slope would be wrong; give a larger eps, parameters of torch.float32, or "
            "(to LossSLS and SmoothAccuracySLS) the robust preset"
        )

    def _check_repeats(self, h: Along) -> None:
        if self._read(h.repeats())[0] < 1:
            raise DeterminismError(
                "two evaluations of the closure at the same point give different logits, so that "
                "step sizes cannot be compared; the closure takes another batch each time, the "
                "model writes into its input or keeps a state of its own, or it draws from a "
                "generator that is not a global one (of Python, numpy or torch)"
            )

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
        """The others as numbers, if the loss and the norm that the direction needs are finite."""
        norm = () if line.gradient_norm is None else (line.gradient_norm,)
        number, *numbers = self._read(loss, *others, *norm)
        check_finite(loss=number)
        if norm:
            check_finite(**{"gradient's norm": numbers.pop()})
        return numbers

    def _read(self, *scalars: Tensor) -> list[float]:
        """Scalars as numbers, averaged over the ranks."""
        # Whatever decides about a step passes through here, so that all ranks decide alike; and
        # the host waits for the device here and nowhere else.
        return self._ranks.means(scalars)


def _renamed(state_dict: dict[str, Any]) -> dict[str, Any]:
    """A state dict with the present name of a flag that older checkpoints call otherwise."""
    groups = [
        {("provisional" if name == "doubtful" else name): value for name, value in group.items()}
        for group in state_dict["param_groups"]
    ]
    return state_dict | {"param_groups": groups}
